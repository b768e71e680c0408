"""Coinbase: `GET /api/v3/brokerage/key_permissions` over stock ccxt, a token (ES256) for each request.

Source: docs.cdp.coinbase.com api-reference/advanced-trade-api/rest-api/data-api/get-api-key-permissions.md and
coinbase-app/advanced-trade-apis/rest-scopes.md (stored copies, read November 2026). It tells permissions only: no
addresses, no times, no label.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Failure, Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, flag
from policykit.snapshot import KeyReport

_API: Final = "/api/v3/brokerage/"
_KEY: Final = f"GET {_API}key_permissions"
#: What one order permission covers; "POST /orders ... `trade`" (rest-scopes.md) is the only way to any order.
_TRADES: Final = ("trade.spot", "trade.derivatives")
_REST: Final = ("trade.margin", "trade.options", "trade.other")
#: The flag that moves money; the SDK's own test spells it can_withdraw (tests/rest/test_data_api.py@87b001d).
_MOVES: Final = ("can_transfer", "can_withdraw")
#: A clock that is further from a refusal's `Date` than this is taken for the reason, ms: a token is good from the very
#: second it was signed in, for 120 s.
MAX_SKEW_MS: Final = 30_000


class Coinbase(Adapter):
    """The adapter."""

    id = "coinbase"
    public = calls("GET", _API, "time market/products market/products/* market/product_book") | calls(
        "GET", "/v2/", "time currencies currencies/crypto exchange-rates"
    )
    reads = calls(
        "GET",
        _API,
        "key_permissions accounts accounts/* orders/historical/batch orders/historical/fills orders/historical/* "
        "transaction_summary portfolios portfolios/* products products/* product_book best_bid_ask "
        "cfm/balance_summary cfm/positions",
    ) | calls("GET", "/v2/", "accounts")
    asks: ClassVar = {
        "server_time": (f"GET {_API}time",),
        "key_report": (_KEY,),
        # Markets: ccxt reads products twice (spot, futures) and the fees; prices: the products again.
        "account": (
            f"GET {_API}market/products",
            f"GET {_API}market/products",
            f"GET {_API}market/products",
            f"GET {_API}transaction_summary",
            f"GET {_API}accounts",
            f"GET {_API}orders/historical/batch",
            f"GET {_API}orders/historical/batch",
            f"GET {_API}cfm/balance_summary",
            f"GET {_API}cfm/positions",
        ),
    }
    #: Stop and take-profit orders are in the same list as all others, of spot and futures alike; a page has 100.
    live: ClassVar = {
        "spot": LiveReads(balances=({"v3": True},), orders=(("order", {"paginate": True}),)),
        "swap": LiveReads(balances=({"type": "swap"},), positions=({},), orders=(("order", {"paginate": True}),)),
    }
    #: `{"error": "PERMISSION_DENIED", ...}`, or v2's `{"errors": [{"id": "rate_limit_exceeded", ...}]}`.
    error_code = re.compile(r'"(?:error|id)"\s*:\s*"([A-Za-z_]{1,60})"')

    def prepare(self, client: Any) -> None:
        """Sign by the client's own clock, and ask for no currencies: three calls that no read of ours needs."""
        client.seconds = lambda: client.milliseconds() // 1000  # ccxt's reads the machine's clock past ours
        client.has["fetchCurrencies"] = False

    def failure(self, error: Exception, client: Any) -> Failure:
        """Read a ccxt exception; a refusal that does not say why is laid to the clock when the clock is wrong."""
        failure = super().failure(error, client)
        if failure.code != "KEY_REJECTED":
            return failure
        skew_ms = _skew(client)
        if skew_ms is None or abs(skew_ms) <= MAX_SKEW_MS:
            return failure
        side = "ahead of" if skew_ms > 0 else "behind"
        words = f"coinbase: the key is refused, and this host's clock is {abs(skew_ms) // 1000} s {side} the answer's"
        return Failure("no", "CLOCK", f"{words}; set this host's clock, then check the key")

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms (`epochMillis`, else `epochSeconds`)."""
        answer = yield Read("v3PublicGetBrokerageTime")
        fields = self.mapping(answer.data, what="the time")
        millis, seconds = str(fields.get("epochMillis")), str(fields.get("epochSeconds"))
        if re.fullmatch(r"[0-9]{13}", millis):
            return int(millis)
        if re.fullmatch(r"[0-9]{10}", seconds):
            return int(seconds) * 1000
        raise self.bad_answer("the time")

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do: three flags."""
        answer = yield Read("v3PrivateGetBrokerageKeyPermissions")
        fields = self.mapping(answer.data)
        if not any(name in fields for name in ("can_view", "can_trade", *_MOVES)):
            raise self.bad_answer("a key report")
        form = KeyForm(self.id, _KEY, fields, answer.sent_ms)
        form.flags("read", ["can_view"])
        _trade(form, fields)
        _move(form, fields)
        form.account("portfolio_uuid")
        form.ignore("portfolio_type", "can_receive")  # can_receive: inbound payments only
        return form.report("can_view", "can_trade", *_MOVES)


def _skew(client: Any) -> int | None:
    """Return how far the client's clock is from the `Date` of the last answer, ms; None when there is none."""
    headers = getattr(client, "last_response_headers", None)
    if not isinstance(headers, Mapping):
        return None
    date = next((str(value) for name, value in headers.items() if str(name).lower() == "date"), "")
    try:
        return int(client.milliseconds()) - int(parsedate_to_datetime(date).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _trade(form: KeyForm, fields: Fields) -> None:
    """Read the one order permission: a no is a no to every order, a yes does not say to which beyond spot and futures.

    A key is of one portfolio; whether derivatives are open to it is the account's matter, not the key's.
    """
    for scope in _TRADES:
        form.flags(scope, ["can_trade"])
    may = flag(fields.get("can_trade"))
    for scope in _REST:
        if may is False:
            form.scope(scope, False)
        else:
            form.scope(scope, None, "can_trade is one permission for every order, and Coinbase does not say for which")


def _move(form: KeyForm, fields: Fields) -> None:
    """Read the flag that bundles transfer and withdrawal; of two spellings one yes is a yes, and a no needs no other.

    `can_transfer`: "initiate transfers"; it opens POST /portfolios/move_funds and v2's withdrawals alike.
    """
    given = [name for name in _MOVES if name in fields] or [_MOVES[0]]
    for scope in ("transfer", "withdraw"):
        form.flags(scope, given, how="any")


ADAPTER: Final = Coinbase()
