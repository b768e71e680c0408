import os

from policykit import Denied, Guard
from policykit.testing import Sim

with Sim() as sim:  # gone at the end, as is the store here; a real bot has ccxt.binance({...}) and neither
    os.environ.update(BOT_API_KEY=sim.key, BOT_API_SECRET=sim.secret)
    with Guard.load("policy.yaml", endpoint=sim.url, store="memory:") as guard:
        exchange = guard.protect(sim.client())
        for quantity in (0.05, 0.5):
            try:
                print("sent", exchange.create_order("BTC/USDT", "limit", "buy", quantity, 59_000)["id"])
            except Denied as denied:
                print(denied)
