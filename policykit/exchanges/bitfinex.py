"""Bitfinex: `POST /v2/auth/r/permissions` over stock ccxt: `[[scope, read, write], ...]`, and nothing else of the key.

Source: docs.bitfinex.com/reference/key-permissions (2025-06-10): account, history, orders, positions, funding,
settings, wallets, withdraw, ui_withdraw, bfxpay, each with 0 or 1 twice. Answers were seen with eaas_agreement,
eaas_withdraw, eaas_deposit and eaas_brokerage too (npm @taichunmin/bitfinex): not documented, so not understood.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from policykit.exchanges._numbered import numbered_class, with_answer
from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Call, Failure, Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import MAX_FIELDS, Fields, KeyForm, flag, plain_name
from policykit.snapshot import KeyReport

_KEY: Final = "POST /v2/auth/r/permissions"
_DOCUMENTED: Final = (
    "account", "history", "orders", "positions", "funding", "settings", "wallets", "withdraw", "ui_withdraw", "bfxpay",
)  # fmt: skip
#: Scope -> the documented permissions whose write grants it.
_WRITES: Final[dict[str, tuple[str, ...]]] = {
    "trade.spot": ("orders",),
    "trade.margin": ("orders", "positions"),
    "trade.derivatives": ("orders", "positions"),
    "trade.other": ("funding", "bfxpay"),  # lends, pays
    "transfer": ("wallets",),
    "withdraw": ("withdraw", "ui_withdraw"),
}
#: An error: `["error", 10100, "apikey: invalid"]`; and one that a gateway wrote.
_ERROR: Final = re.compile(r'\s*(?:\[\s*"error"\s*,|\{[^{}]*"error")')


class Bitfinex(Adapter):
    """The adapter."""

    id = "bitfinex"
    public = calls("GET", "/v2/", "platform/status tickers conf/*")
    reads = calls(
        "POST",
        "/v2/auth/r/",
        "permissions wallets orders orders/* positions info/user info/margin/* ledgers/hist movements/hist logins/hist "
        "audit/hist summary trades/hist",
    )
    #: There is no call for the time; the `Date` header has to do.
    asks: ClassVar = {
        "key_report": (_KEY,),
        "account": (
            "GET /v2/conf/pub:info:pair",
            *("POST /v2/auth/r/wallets",) * 3,
            "POST /v2/auth/r/positions",
            *("POST /v2/auth/r/orders",) * 2,
        ),
    }
    #: Each call reads every wallet and ccxt keeps one: "derivatives" is a part of "margin" and would count twice. Of a
    #: margin wallet with both UST and USTF0, which are USDT to ccxt, only the last one is told.
    live: ClassVar = {
        "spot": LiveReads(balances=({"type": "exchange"}, {"type": "margin"}, {"type": "funding"}), positions=({},)),
        "swap": LiveReads(balances=({"type": "margin"},), positions=({},)),
    }
    error_code: ClassVar = re.compile(r'\[\s*"error"\s*,\s*"?([0-9]{3,6})')

    def prepare(self, client: Any) -> None:
        """Ask for no list of currencies, which ccxt gets beside the markets."""
        client.has = {**client.has, "fetchCurrencies": False}

    def call(self, method: str, url: str, body: str | None) -> Call:
        """Tell what a request is; ccxt asks for several lists of public configuration in one path."""
        call = super().call(method, url, body)
        public = call.kind == "refused" and re.fullmatch(r"GET /v2/conf/pub:[a-z:,]{1,300}", call.name)
        return call._replace(kind="public") if public else call

    def client_class(self, *, asynchronous: bool = False) -> type[Any]:
        """Return ccxt's class with numbers that only rise."""
        return numbered_class(self.id, asynchronous=asynchronous)

    def failure(self, error: Exception, client: Any) -> Failure:
        """Read the error from the answer: ccxt's exception has the text without the code."""
        return super().failure(with_answer(error, client, lambda body: _ERROR.match(body) is not None), client)

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do."""
        answer = yield Read("privatePostAuthRPermissions")
        if not isinstance(answer.data, list) or not answer.data:
            raise self.bad_answer("a key report")
        fields, broken = _rows(answer.data)
        form = KeyForm(self.id, _KEY, Fields(fields), answer.sent_ms)
        doubts = [*broken, *_strange(fields)]
        form.strange(*doubts)
        # What is not understood and only reads moves nothing; what writes, or cannot be read, may be anything.
        writes = [name for name in doubts if flag(fields.get(f"{name}.write")) is not False]
        _scope(form, fields, "read", [f"{name}.read" for name in _DOCUMENTED], writes)
        for scope, names in _WRITES.items():
            _scope(form, fields, scope, [f"{name}.write" for name in names], writes)
        form.ignore(*fields)
        return form.report(*(f"{name}.{what}" for name in _DOCUMENTED for what in ("read", "write")))


def _rows(data: list[Any]) -> tuple[dict[str, Any], list[str]]:
    """Return `name.read` and `name.write` of each row, and what of the rows cannot be read.

    A permission that is told twice is granted by one yes, denied by nothing but no.
    """
    told: dict[str, list[Any]] = {}
    broken: list[str] = []
    for row in data[:MAX_FIELDS]:
        if isinstance(row, list) and row and isinstance(row[0], str):
            for at, what in ((1, "read"), (2, "write")):
                told.setdefault(f"{row[0].strip().lower()}.{what}", []).append(row[at] if len(row) > at else None)
        else:
            broken.append("a row that is no permission")
    if len(data) > MAX_FIELDS:
        broken.append("more rows than are looked at")
    return {name: _one(values) for name, values in told.items()}, broken


def _one(values: list[Any]) -> Any:
    flags = [flag(value) for value in values]
    return values[flags.index(True)] if True in flags else (values[0] if None not in flags else None)


def _strange(fields: dict[str, Any]) -> list[str]:
    """Name permissions that are not documented, unless they are denied."""
    names = dict.fromkeys(name.rpartition(".")[0] for name in fields)
    return [
        plain_name(name)
        for name in names
        if name not in _DOCUMENTED and not all(flag(fields[f"{name}.{what}"]) is False for what in ("read", "write"))
    ]


def _scope(form: KeyForm, fields: dict[str, Any], scope: str, names: list[str], doubts: list[str]) -> None:
    """Read a scope: granted by one yes, denied when all say no and nothing is left that is not understood."""
    if doubts and not any(flag(fields.get(name)) for name in names):
        form.scope(scope, None, f"{', '.join(dict.fromkeys(doubts))} is not understood and may grant it")
    else:
        form.flags(scope, names, how="any")


ADAPTER: Final = Bitfinex()
