"""Changing an order at Binance: by replacement on spot, in place on USD-M, as stock ccxt sends both.

Sources: github.com/binance/binance-spot-api-docs rest-api.md, "Cancel an Existing Order and Send a New Order" and
errors.md, -2021 and -2022 (a5e0bc3); developers.binance.com usds-margined-futures trade/rest-api Modify-Order (as kept
2026-06); ccxt 4.5.90 `edit_spot_order_request`, `edit_contract_order_request`; read 2026-11.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from policykit.exchanges.base import Failure
from policykit.order import Order
from policykit.traits.base import Exchange

REPLACE: Final = "POST /api/v3/order/cancelReplace"
MODIFY: Final = "PUT /fapi/v1/order"
#: How either calls the order that is changed.
NAMES: Final = frozenset(("cancelOrigClientOrderId", "origClientOrderId"))
#: What makes of a new order and a cancel one that takes the other's place, and what each must say: the new one is put
#: only after the cancel, and the cancel only succeeds while nothing has filled.
REPLACING: Final = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelRestrictions": "ONLY_NEW"}
#: The cancel succeeded and the new order did not, or the other way round; which, and why, stands in `data`.
_PARTIAL: Final = "-2021"
#: Neither did: the new order was refused, or not attempted.
_NEITHER: Final = "-2022"
_CODE: Final = re.compile(r'"code"\s*:\s*(-[0-9]{1,5})')
_NEW: Final = re.compile(r'"newOrderResponse"\s*:\s*\{[^{}]*?"code"\s*:\s*(-[0-9]{1,5})')


def spot_kind(order: Order) -> Literal["replaces"] | None:
    """Tell that a plain limit order of spot is amended by another in its place; None: of others it is not known."""
    plain = order.type in ("limit", "limit_maker") and order.stop_price is None and not order.trailing
    return "replaces" if plain else None


def spot_params(order: Order, client_order_id: str | None) -> dict[str, Any]:
    """Return ccxt params of `edit_order` on spot: both ids, and what the order keeps."""
    assert order.amends is not None
    params: dict[str, Any] = {"cancelOrigClientOrderId": order.amends.client_order_id}
    params["cancelRestrictions"] = REPLACING["cancelRestrictions"]
    if client_order_id is not None:
        params["newClientOrderId"] = client_order_id
    if order.time_in_force is not None:
        params |= {"postOnly": True} if order.time_in_force == "PO" else {"timeInForce": order.time_in_force}
    if order.self_trade_prevention is not None:
        params["selfTradePreventionMode"] = order.self_trade_prevention.upper()
    return params


def replaces_otherwise(sent: dict[str, str]) -> str | None:
    """Tell how a request would take the place of an order in another way than was decided; None: it would not."""
    for name, meant in REPLACING.items():
        if sent.get(name) != meant:
            return f"{name} is {sent.get(name)}, decided was {meant}"
    return None


def replacement_failed(exchange: Exchange, error: Exception, failure: Failure) -> Failure:
    """Read what became of the new order when a replacement failed: its own code says whether it was refused.

    Without one it was not attempted, or failed with the cancel: the code of both says so.
    """
    text = str(error)[:20_000]
    code = _CODE.search(text)
    if code is None or code[1] not in (_PARTIAL, _NEITHER) or '"newOrderResult"' not in text:
        return failure
    inner = _NEW.search(text)
    meaning = None if inner is None else exchange.errors.get(inner[1])
    refused = meaning.executed == "no" if meaning is not None else inner is None and code[1] == _NEITHER
    words = meaning.words if meaning is not None else "the order was not replaced"
    said = f"{exchange.id}: {words} ({inner[1] if inner is not None else code[1]})"
    return Failure("no" if refused else "unknown", "ORDER_REJECTED" if refused else "UNKNOWN", said)
