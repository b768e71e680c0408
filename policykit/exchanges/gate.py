"""Gate: `GET /api/v4/account/main_keys`, else `GET /api/v4/account/detail`, over stock ccxt.

Sources: gate.com/docs/developers/apiv4 "Query all main account API key information" (stored index file 2407054484, read
2026-11-21), gate/gateapi-python@151ac72c docs/AccountKeyInfo.md and AccountDetail.md, groups of permissions in
rosssaunders/coincise@57a93e9cd docs/gateio/authentication.md. The list holds every key of the account, their ids
masked after the first letters. A sub-account's key finds no list; account/detail tells no permissions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import CallFailed, Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import MAX_FIELDS, Fields, KeyForm, as_text, moment
from policykit.exchanges.key_list import OWN, cleaned, own_row, read_through
from policykit.snapshot import SCOPES, KeyReport

_LIST: Final = "GET /api/v4/account/main_keys"
_DETAIL: Final = "GET /api/v4/account/detail"
#: What each name grants when it is not read-only. "wallet" is transfers and withdrawals; "spot" is "spot/margin".
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "wallet": ("transfer", "withdraw"),
    "withdrawal": ("withdraw",),  # a group of its own in authentication.md; no documented answer has shown it
    "withdraw": ("withdraw",),
    "spot": ("trade.spot", "trade.margin"),
    "margin": ("trade.margin",),
    "unified": ("trade.margin", "trade.other"),
    "futures": ("trade.derivatives",),
    "delivery": ("trade.derivatives",),
    "options": ("trade.options",),
    **dict.fromkeys(("earn", "custody", "loan", "copy", "pilot", "otc", "alpha", "crossx"), ("trade.other",)),
    "account": (),
}
#: `name`, then how it is granted: `w` to write, `r` to read, `?` when that cannot be read.
_PERMISSIONS: Final = {
    f"{name}:{how}": ("read", *scopes) if how == "w" else ("read",) for name, scopes in _NAMES.items() for how in "wr?"
}
_STATES: Final = {"1": "normal", "2": "locked", "3": "frozen"}
#: What of a row of the list leaves the client.
_KEPT: Final = (
    *("state", "mode", "name", "user_id", "perms", "ip_whitelist", "currency_pairs"),
    *("created_at", "update_at", "updated_at", "last_access"),
)
#: How many letters of a masked id have to be there, so that another key is not taken for this one.
_LEAST_SHOWN: Final = 8
_NO_WITHDRAWAL: Final = "gate documents a withdrawal permission of its own, and no name for it in this answer"
_SPOT_AND_MARGIN: Final = "gate documents one permission for spot and margin, and a name for margin besides"
_NO_LIST: Final = "gate lists permissions of the main account's keys only, and this key is not in the list"
_SETTLED: Final = (("swap", "usdt"), ("swap", "btc"), ("future", "usdt"))


class Gate(Adapter):
    """The adapter."""

    id = "gate"
    public = calls(
        "GET",
        "/api/v4/",
        "spot/time spot/currencies spot/currency_pairs spot/tickers margin/currency_pairs futures/*/contracts "
        "futures/*/tickers delivery/*/contracts delivery/*/tickers",
    )
    reads = calls(
        "GET",
        "/api/v4/",
        "account/main_keys account/detail spot/accounts spot/open_orders spot/price_orders unified/accounts "
        "futures/*/accounts futures/*/positions futures/*/orders futures/*/price_orders "
        "delivery/*/accounts delivery/*/positions delivery/*/orders delivery/*/price_orders",
    )
    asks: ClassVar = {
        "server_time": ("GET /api/v4/spot/time",),
        "key_report": (_LIST,),  # and account/detail when the key is not in the list
        "account": (
            "GET /api/v4/spot/currencies",
            _DETAIL,  # whether the account is a unified one
            "GET /api/v4/margin/currency_pairs",
            "GET /api/v4/spot/currency_pairs",
            "GET /api/v4/futures/usdt/contracts",
            "GET /api/v4/futures/btc/contracts",
            "GET /api/v4/delivery/usdt/contracts",
            "GET /api/v4/spot/accounts",
            *("GET /api/v4/spot/open_orders",) * 3,
            "GET /api/v4/spot/price_orders",
            *(
                f"GET /api/v4/{place}/{what}"
                for place in ("futures/usdt", "futures/btc", "delivery/usdt")
                for what in ("accounts", "positions", "orders", "price_orders")
            ),
            "GET /api/v4/spot/tickers",
        ),
    }
    #: A unified account is read as spot; `unifiedAccount` keeps ccxt from reading the same one for contracts again.
    live: ClassVar = {
        "spot": LiveReads(
            balances=({"type": "spot"},),
            orders=(
                ("order", {"type": "spot"}),
                ("order", {"type": "spot", "account": "margin"}),
                ("order", {"type": "spot", "marginMode": "cross"}),
                ("price", {"type": "spot", "trigger": True}),
            ),
        ),
        "swap": LiveReads(
            balances=tuple({"type": kind, "settle": coin, "unifiedAccount": False} for kind, coin in _SETTLED),
            positions=tuple({"type": kind, "settle": coin} for kind, coin in _SETTLED),
            orders=tuple(
                (family, {"type": kind, "settle": coin, **more})
                for kind, coin in _SETTLED
                for family, more in (("order", {}), ("price", {"trigger": True}))
            ),
        ),
    }
    error_code: ClassVar = re.compile(r'"label"\s*:\s*"([A-Z_]{1,60})"')

    def prepare(self, client: Any) -> None:
        """Keep options' markets away (one call for each underlying), and clean the list of keys inside the client."""
        client.options["fetchMarkets"] = {"types": ["spot", "swap", "future"]}
        read_through(client, "policykit_keys", "privateAccountGetMainKeys", lambda data: _marked(data, client.apiKey))

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms (`server_time`)."""
        answer = yield Read("publicSpotGetTime")
        stamp = as_text(self.mapping(answer.data, what="the time").get("server_time"))
        if len(stamp) != 13 or moment(stamp) is None:
            raise self.bad_answer("the time")
        return int(stamp)

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do: from the list of keys, else what account/detail tells."""
        try:
            answer = yield Read("policykit_keys")
        except CallFailed as failed:
            if failed.code not in ("PERMISSION_MISSING", "NOT_SUPPORTED"):
                raise
            why = f"{_NO_LIST.split(',')[0]}, and refused the list to this key"
        else:
            if not isinstance(answer.data, list):
                raise self.bad_answer("a list of keys")
            own, others = own_row(answer.data)
            if own is not None:
                return self._listed(own, len(others), answer.sent_ms)
            why = _NO_LIST
        answer = yield Read("privateAccountGetDetail")
        form = KeyForm(self.id, _DETAIL, self.mapping(answer.data), answer.sent_ms)
        for scope in SCOPES:
            form.scope(scope, None, why)
        form.scope("read", True)  # it has just read
        form.ignore("tier", "copy_trading_role", "key")
        return _finished(form)

    def _listed(self, own: Fields, others: int, at_ms: int) -> KeyReport:
        form = KeyForm(self.id, _LIST, own, at_ms)
        names = _perms(form)
        form.time("created_at", "created_at")
        form.time("last_used_at", "last_access", may_be_none=True)
        form.label("name")
        if others:
            form.unknown("others", "gate masks the ids of the account's other keys")
        form.ignore(OWN, "mode", "key", "update_at", "updated_at")
        report = _finished(form)
        if names:
            report.raw["perms"] = names
        return report


def _marked(data: Any, own: object) -> Any:
    """Return the list of keys without their ids, this client's key marked; an object alone is the asking key's."""
    alone = isinstance(data, Mapping) and "perms" in Fields(data)
    listed = [data] if alone else data
    rows = cleaned(listed, "", "key", _KEPT)
    if rows is None:
        return None
    for row, before in zip(rows, listed, strict=False):
        shown = Fields(before).get("key")
        row[OWN] = True if alone and not isinstance(shown, str) else _is(shown, str(own or ""))
        row.update({name: None for name in row if name in Fields({"key": None})})
    return rows


def _is(shown: object, own: str) -> bool:
    """Tell whether an id, masked by `*` from some letter on, is the id of this client's key."""
    head, star, rest = shown.partition("*") if isinstance(shown, str) else ("", "", "")
    if not star:
        return bool(own) and head == own
    return len(head) >= _LEAST_SHOWN and not rest.strip("*") and own.startswith(head)


def _perms(form: KeyForm) -> list[str]:
    """Read `perms`: each name grants to read, and to write unless it is read-only. Return the known names."""
    said = form.fields.get("perms")
    if not isinstance(said, list) or not said or len(said) > MAX_FIELDS:
        form.permissions("perms", _PERMISSIONS, given=0)
        return []
    words: list[str] = []
    for row in map(Fields, said):
        name = as_text(row.get("name")).strip().lower()
        read_only = row.get("read_only")
        how = "?" if not isinstance(read_only, bool) else ("r" if read_only else "w")
        words.append(f"{name}:{how}" if name in _NAMES else name or "a permission without a name")
    form.permissions("perms", _PERMISSIONS, given=words)
    known = [word for word in words if word in _PERMISSIONS]
    open_to = {"withdraw": _NO_WITHDRAWAL} if len(known) == len(words) else {}
    if {"margin:w", "unified:w"} & set(known):
        open_to["trade.spot"] = _SPOT_AND_MARGIN
    for name in (word[:-2] for word in known if word.endswith(":?")):
        open_to |= dict.fromkeys(_NAMES[name], f"read_only of {name} was not true or false")
    for scope in set(open_to) - {scope for word in known for scope in _PERMISSIONS[word]}:
        form.scope(scope, None, open_to[scope])
    return known


def _finished(form: KeyForm) -> KeyReport:
    """Read what both answers have: addresses, account, state, and how many symbols the key is bound to."""
    form.addresses("ip_whitelist")
    form.account("user_id")
    form.ignore("state", "currency_pairs")
    report = form.report()
    pairs = form.fields.get("currency_pairs")
    if isinstance(pairs, list) and len(pairs) <= MAX_FIELDS and all(isinstance(pair, str) for pair in pairs):
        report.raw["currency_pairs"] = len(pairs)  # no restriction of symbols when it is 0
    state = as_text(form.fields.get("state"))
    if state in _STATES:
        report.raw["state"] = int(state)
    return report


ADAPTER: Final = Gate()
