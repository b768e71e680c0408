"""Kraken Futures: `GET /api/auth/v1/api-keys/v3/check`, which ccxt does not know: its class with one more endpoint.

Source: docs.kraken.com/api/docs/futures-api/auth/check-v-3-api-key (copy of 2026-05-27): `permissions` has `general`
and `transfer`, each NO_ACCESS, READ_ONLY or FULL_ACCESS. The newer page (2026-11) shows `permissions` without fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, addresses_of, moment, plain_name
from policykit.exchanges.imports import exchange_class
from policykit.snapshot import KeyReport

_KEY: Final = "GET /api/auth/v1/api-keys/v3/check"
_PATH: Final = "api-keys/v3/check"
_NAMES: Final = ("general", "transfer")
#: The tiers of access, in rising order.
_TIERS: Final = ("NO_ACCESS", "READ_ONLY", "FULL_ACCESS")
#: Scope -> the permissions of which one must be of this tier.
_SCOPES: Final[dict[str, tuple[int, tuple[str, ...]]]] = {
    "read": (1, _NAMES),
    "trade.derivatives": (2, ("general",)),
    "transfer": (2, _NAMES),  # trading/transfer asks for a general key with full access
    "withdraw": (2, ("transfer",)),  # to the account's own spot wallet only, says trading/withdrawal; still granted
}


@cache
def _with_key_check(base: type[Any]) -> type[Any]:
    from ccxt.base.types import Entry

    class KrakenFutures(base):  # type: ignore[misc]
        authGetApiKeysV3Check = Entry(_PATH, ["auth"], "GET", {"cost": 1})  # noqa: N815 - as ccxt spells its own

        def describe(self) -> Any:
            path = {"GET": {_PATH: "private"}}
            more = {
                "urls": {
                    "api": {"auth": "https://futures.kraken.com/api/auth/"},
                    "test": {"auth": "https://demo-futures.kraken.com/api/auth/"},
                },
                "api": {"auth": {"get": {_PATH: {"cost": 1}}}},
                "options": {"access": {"auth": path}, "versions": {"auth": {"GET": {_PATH: "v1"}}}},
            }
            return self.deep_extend(super().describe(), more)

        def handle_errors(self, code: int, reason: str, url: str, method: str, *more: Any) -> Any:
            """Say the status, which ccxt drops: of a refused key the documents name nothing else."""
            if code in (401, 403):
                from ccxt.base.errors import AuthenticationError

                raise AuthenticationError(f"{self.id} {code} {more[1]}")
            return super().handle_errors(code, reason, url, method, *more)

    KrakenFutures.__name__ = KrakenFutures.__qualname__ = base.__name__
    return KrakenFutures


class KrakenFutures(Adapter):
    """The adapter."""

    id = "krakenfutures"
    public = calls("GET", "/derivatives/api/v3/", "instruments instruments/status tickers orderbook")
    reads = calls("GET", "/derivatives/api/v3/", "accounts openpositions openorders fills recentorders") | {_KEY}
    asks: ClassVar = {
        "server_time": ("GET /derivatives/api/v3/instruments/status",),
        "key_report": (_KEY,),
        "account": (
            "GET /derivatives/api/v3/instruments",
            "GET /derivatives/api/v3/accounts",
            "GET /derivatives/api/v3/accounts",
            "GET /derivatives/api/v3/openpositions",
            "GET /derivatives/api/v3/openorders",
        ),
    }
    #: The multi-collateral wallet and the cash account; openorders lists triggers too.
    live: ClassVar = {"swap": LiveReads(balances=({}, {"type": "cash"}), positions=({},))}
    error_code: ClassVar = re.compile(r'"error"\s*:\s*"([A-Za-z][A-Za-z ]{1,60})"')

    def client_class(self, *, asynchronous: bool = False) -> type[Any]:
        """Return ccxt's class with the key check."""
        wrap: Callable[[Any], type[Any]] = _with_key_check
        return wrap(exchange_class(self.id, asynchronous=asynchronous))

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms: `serverTime` of a public answer."""
        answer = yield Read("publicGetInstrumentsStatus")
        told = moment(Fields(answer.data).get("serverTime"))
        if told is None:
            raise self.bad_answer("the time")
        return round(datetime.fromisoformat(told).timestamp() * 1000)

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do."""
        answer = yield Read("authGetApiKeysV3Check")
        fields = self.mapping(answer.data)
        form = KeyForm(self.id, _KEY, _agreed(fields), answer.sent_ms)
        _permissions(form, fields.inner("permissions"))
        form.addresses("allowedCidrBlocks" if "allowedCidrBlocks" in fields else "allowedCidrBlock")
        form.time("created_at", "createdAt")
        form.account("accountUid")
        form.ignore("permissions", "apiKey", "iiban", "allowedCidrBlock")
        return form.report()


def _agreed(fields: Fields) -> Fields:
    """Return the fields, without the list of ranges where the single range beside it says otherwise."""
    single = fields.get("allowedCidrBlock")
    unbound = addresses_of(fields.get("allowedCidrBlocks"))[0] == "no"
    if not unbound or single in (None, "") or addresses_of(single)[0] == "no":
        return fields
    return Fields({**{name: fields.get(name) for name in fields.names()}, "allowedCidrBlocks": None})


def _permissions(form: KeyForm, given: Fields) -> None:
    """Read the tiers; a permission or a tier that is not known leaves what is not granted unknown."""
    tiers = {name: _tier(given.get(name)) for name in _NAMES}
    known = {name.lower() for name in _NAMES}
    strange = [name for name in given.names() if name.lower() not in known and _tier(given.get(name)) != 0]
    form.strange(*strange)
    for scope, (least, names) in _SCOPES.items():
        read = [tiers[name] for name in names]
        if any(tier is not None and tier >= least for tier in read):
            form.scope(scope, True)
        elif None in read:
            wrong = ", ".join(f"permissions.{name}" for name in names if tiers[name] is None)
            form.scope(scope, None, f"{wrong} was none of {', '.join(_TIERS)}")
        elif strange:
            form.scope(scope, None, f"{', '.join(map(plain_name, strange))} is not understood and may grant it")
        else:
            form.scope(scope, False)


def _tier(value: object) -> int | None:
    """Return how much a permission allows; None when it is none of the documented tiers."""
    text = re.sub(r"[\s-]", "_", value.strip().upper()) if isinstance(value, str) else ""
    return _TIERS.index(text) if text in _TIERS else None


ADAPTER: Final = KrakenFutures()
