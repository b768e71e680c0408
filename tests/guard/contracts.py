"""What the tests of contracts stand on: a policy for USD-M, and a simulated exchange of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.guard.world import World

SWAP = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"

POLICY = """\
policykit: 1
name: perps
owner: desk-a
exchange: {exchange}
account: {{name: main, currency: USDT, max_age: 10s, egress: fra-1{mode}}}
environment: live
keys:
  mm-exec: {{purpose: execution, secret: "env://MM_EXEC", scopes: [read, trade.derivatives]}}
clock: {{max_skew: 500ms, request_validity: 5s}}
rate_budgets:
  request-weight: {{limit: 2400, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%, keep_for_exits: 10%}}
risk:
  symbols: ["BTC/USDT:USDT", "ETH/USDT:USDT"]
  order_types: [limit, market, stop_market]
  max_order_notional: 13000 USDT
  max_position_notional: {position}
  max_open_orders: 20
  max_orders: {{limit: 1000, per: 1m}}
{more}retry:
  orders: {{lookup_every: 2s, when_absent: new_client_order_id, attempts: 2, expires_after: 30s}}
kill_switch: {{cancel: entries, wait: 1s, rearm: {{by: [desk-head], reason_required: true}}}}
"""


def policy(exchange: str = "binanceusdm", mode: str = "", position: str = "15000 USDT", more: str = "") -> str:
    """Return a policy for contracts; `mode` is a position mode, `more` further lines of `risk`."""
    written = f", position_mode: {mode}" if mode else ""
    return POLICY.format(exchange=exchange, mode=written, position=position, more=more)


def contracts(start: Callable[..., World], *faults: dict[str, Any], **more: Any) -> World:
    """Start a simulated exchange of contracts at 60,000 with 20,000 USDT of margin."""
    exchange = more.pop("exchange", "binanceusdm")
    text = more.pop("text", None) or policy(exchange)
    return start(
        *faults,
        text=text,
        dialect=exchange,
        amplitude=0.0,
        margin={"USDT": 20_000},
        grants={"read", "trade.derivatives"},
        **more,
    )
