"""OKX: open orders of spot, those that wait for a trigger apart, and their cancels, one or several at once.

Source: docs-v5 "POST / Cancel algo order" (copy of 2026-07-21: 10 a request); 20 a request of cancel-batch-orders, and
each order's outcome as its `sCode` (traits/okx.py); the whole is `"code": "1"` when none went, `"2"` when some did not;
the rows are those that ccxt 4.5.90 okx.py parseOrder quotes.
"""

from __future__ import annotations

import json
from typing import Any, Final

from policykit.sim.dialects._resting import cancelled, resting
from policykit.sim.dialects.base import Request, World
from policykit.sim.dialects.reading import Endpoint, params_of
from policykit.sim.keys import SimKey
from policykit.sim.venue import Order

#: The most orders of one page, of one batch, and of one batch of conditional ones.
PAGE, BATCH, ALGOS = 100, 20, 10


def _row(order: Order, now_ms: int) -> dict[str, Any]:
    new, filled = order.new, order.filled(now_ms)
    algo = new.stop_price is not None
    return {
        "instType": "SPOT",
        "instId": f"{new.symbol.base}-{new.symbol.quote}",
        **({"algoId": str(order.id), "algoClOrdId": new.client_order_id} if algo else {"ordId": str(order.id)}),
        "clOrdId": new.client_order_id,
        "side": new.side.lower(),
        "ordType": "trigger" if algo else "limit",
        "px": str(new.price or ""),
        "triggerPx": str(new.stop_price or ""),
        "sz": str(order.quantity),
        "accFillSz": str(filled),
        "avgPx": str(order.filled_quote(now_ms) / filled) if filled else "",
        "state": "partially_filled" if filled else "live",
        "reduceOnly": "false",
        "tgtCcy": "",
        "fee": "0",
        "feeCcy": new.symbol.base,
        "cTime": str(order.time_ms),
        "uTime": str(order.updated_ms),
    }


def _listed(waiting: bool) -> Any:
    def handler(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
        """Answer GET orders-pending, or orders-algo-pending for the one kind of algo orders that is simulated."""
        params = params_of(request)
        here = params.get("instType", "SPOT") == "SPOT" and (not waiting or params.get("ordType") == "trigger")
        rows = resting(world, now_ms, params.get("instId"), waiting=waiting) if here else []
        return {"code": "0", "data": [_row(one, now_ms) for one in rows[::-1][:PAGE]], "msg": ""}

    return handler


def _cancel(many: int, name: str) -> Any:
    def handler(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
        """Answer POST cancel-order, cancel-batch-orders, cancel-algos: each order's outcome by itself."""
        said = json.loads(request.body or "[]")
        asked = said if isinstance(said, list) else [said]
        if len(asked) > many:
            return {"code": "51000", "data": [], "msg": "Parameter ordId error"}
        rows = []
        for one in asked:
            gone = cancelled(world, one.get(name), now_ms, client_id=one.get("clOrdId"))
            code, words = ("0", "") if gone else ("51400", "Cancellation failed as the order does not exist.")
            rows.append({name: one.get(name, ""), "clOrdId": one.get("clOrdId", ""), "sCode": code, "sMsg": words})
        went = sum(row["sCode"] == "0" for row in rows)
        code = "0" if went == len(rows) else ("2" if went else "1")
        return {"code": code, "data": rows, "msg": "" if code == "0" else "All operations failed"}

    return handler


ROUTES: Final = {
    ("GET", "/api/v5/trade/orders-pending"): Endpoint(_listed(waiting=False), point="lookup"),
    ("GET", "/api/v5/trade/orders-algo-pending"): Endpoint(_listed(waiting=True), point="lookup"),
    ("POST", "/api/v5/trade/cancel-order"): Endpoint(_cancel(1, "ordId"), needs="trade.spot", point="cancel"),
    ("POST", "/api/v5/trade/cancel-batch-orders"): Endpoint(
        _cancel(BATCH, "ordId"), needs="trade.spot", point="cancel"
    ),
    ("POST", "/api/v5/trade/cancel-algos"): Endpoint(_cancel(ALGOS, "algoId"), needs="trade.spot", point="cancel"),
}
