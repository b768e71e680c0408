import ccxt

from policykit import Denied, Guard

guard = Guard.load("policy.yaml")
exchange = guard.protect(ccxt.binance(guard.credentials()))
with guard:
    try:
        exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60_000)
    except Denied as denied:
        print(denied)
