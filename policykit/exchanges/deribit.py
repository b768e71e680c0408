"""Deribit: `GET /api/v2/private/list_api_keys` over stock ccxt, which holds the secret of every key of the account.

Sources: docs.deribit.com private/list_api_keys and public/auth, OpenAPI 2.1.1 (api-evangelist/deribit@6cdd825,
2026-07; example read 2026-11): max_scope is `account:read trade:read_write ...`, "if scope is not provided, its value
is set as none"; `ip_whitelist` is optional. The list may ask for a second factor; then public/auth tells the scope of
a token. All private calls are GET, `buy` included: the path decides.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Answer, CallFailed, Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, as_text
from policykit.exchanges.key_list import OWN, cleaned, own_row, read_through
from policykit.snapshot import SCOPES, KeyReport

_LIST: Final = "GET /api/v2/private/list_api_keys"
_AUTH: Final = "GET /api/v2/public/auth"
_BOOK: Final = "GET /api/v2/private/get_address_book"
#: What of a row of the list may leave the client: never client_secret.
_KEPT: Final = ("id", "max_scope", "enabled", "default", "name", "timestamp", "ip_whitelist", "enabled_features")
#: What `GROUP:read_write` grants. Spot, futures and options are one scope; so are transfer and withdrawal.
_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "account": ("key_admin",),
    "trade": ("trade.spot", "trade.margin", "trade.derivatives", "trade.options"),
    "wallet": ("transfer", "withdraw"),
    "block_trade": ("trade.other",),
    "block_rfq": ("trade.other",),
}
#: Groups that came later: documented lists of scopes leave them out, which is none.
_LATER: Final = frozenset(("block_trade", "block_rfq"))
#: What stands in a token's scope and grants nothing.
_SESSION: Final = re.compile(r"(connection|mainaccount|session(:.{1,60})?|expires:[0-9]{1,12})\Z")
_NARROWER: Final = "a token's scope may be narrower than its key's, and the list of keys could not be read"
#: How many currencies' address books are read at most; there were about twenty in 2026.
_MOST_CURRENCIES: Final = 40


class Deribit(Adapter):
    """The adapter."""

    id = "deribit"
    lists_keys = True
    public = calls(
        "GET", "/api/v2/public/", "get_time auth get_currencies get_instruments get_book_summary_by_currency"
    )
    reads = calls(
        "GET",
        "/api/v2/private/",
        "list_api_keys get_account_summary get_account_summaries get_positions get_address_book "
        "get_open_orders_by_instrument get_open_orders_by_currency get_order_state get_order_state_by_label",
    )
    asks: ClassVar = {
        "server_time": ("GET /api/v2/public/get_time",),
        "key_report": (_LIST,),  # and public/auth when the list asks for a second factor
        "account": (
            "GET /api/v2/public/get_currencies",
            "GET /api/v2/public/get_instruments",
            "GET /api/v2/private/get_account_summaries",
            "GET /api/v2/private/get_positions",
            "GET /api/v2/private/get_open_orders_by_instrument",  # one a symbol
            "GET /api/v2/public/get_book_summary_by_currency",
        ),
        "withdrawal_addresses": ("GET /api/v2/public/get_currencies", *(_BOOK,) * 20),
    }
    #: ccxt lists the orders of one currency without a symbol, and of every type (trigger too) with one.
    live: ClassVar = {
        "spot": LiveReads(by_symbol=True),
        "swap": LiveReads(positions=({},), by_symbol=True),
        "option": LiveReads(positions=({},), by_symbol=True),
    }

    def prepare(self, client: Any) -> None:
        """Clean the list of keys inside the client, and sign public/auth so that the secret is in no URL."""

        def clean(data: Any) -> Any:
            return cleaned(Fields(data).get("result"), client.apiKey, "client_id", _KEPT)

        def scope_of(data: Any) -> Any:
            return {"scope": Fields(data).inner("result").get("scope")}  # access_token and refresh_token stay

        read_through(client, "policykit_keys", "privateGetListApiKeys", clean)
        read_through(client, "policykit_scope", "publicGetAuth", scope_of)
        client.sign = _signing(client, client.sign)

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms."""
        answer = yield Read("publicGetGetTime")
        result = str(Fields(answer.data).get("result"))
        if re.fullmatch(r"[0-9]{13}", result):
            return int(result)
        raise self.bad_answer("the time")

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do: from the list of keys, else what a token's scope proves."""
        needs_factor = None
        try:
            answer = yield Read("policykit_keys")
            own, others = own_row(answer.data)
            if own is not None:
                return self._listed(answer, own, others)
        except CallFailed as failed:
            if failed.code != "PERMISSION_MISSING":
                raise
            needs_factor = failed
        answer = yield Read("policykit_scope", {"grant_type": "client_signature"})
        report = self._of_token(answer)
        if report is None:
            raise needs_factor or self.bad_answer("a list of keys with this key in it")
        return report

    def _listed(self, answer: Answer, own: Fields, others: list[Fields]) -> KeyReport:
        form = KeyForm(self.id, _LIST, own, answer.sent_ms)
        _scopes(form, own.get("max_scope"))
        form.addresses("ip_whitelist", missing="no")  # optional in the schema
        form.time("created_at", "timestamp")
        form.label("name")
        for row in others:
            form.other_key(row.get("client_id"), row.get("name"))
        form.ignore(OWN, "client_id", "max_scope", "enabled_features", "public_key", "client_secret")
        return form.report("id", "enabled", "default")

    def _of_token(self, answer: Answer) -> KeyReport | None:
        """Read a token's scope: what it names is granted; what it does not name, the key may have all the same.

        The official text of public/auth: "some scopes could be narrowed by the server", wallet:read_write to
        wallet:read for one (deribit-api-clients).
        """
        fields = Fields(answer.data)
        scope = fields.get("scope")
        if not isinstance(scope, str):
            return None
        form = KeyForm(self.id, _AUTH, fields, answer.sent_ms)
        names = [name for name in _words(scope) if not _SESSION.match(name)]
        groups = dict(name.split(":", 1) for name in names if ":" in name)
        granted = {one for group, may in groups.items() if may == "read_write" for one in _GROUPS.get(group, ())}
        if any(may in ("read", "read_write") for group, may in groups.items() if group in _GROUPS):
            granted.add("read")
        for one in SCOPES:
            form.scope(one, True if one in granted else None, _NARROWER)
        form.strange(*(name for name in names if name.partition(":")[0] not in _GROUPS))
        form.ignore("scope")
        form.unknown("others", "deribit lists keys only with a second factor, or to a key that reads the account")
        return form.report()

    def withdrawal_addresses(self) -> Steps[list[dict[str, Any]]]:
        """Read the address book of every currency; names of people in it stay behind."""
        answer = yield Read("publicGetGetCurrencies")
        rows = Fields(answer.data).get("result")
        names = [as_text(Fields(row).get("currency")) for row in rows] if isinstance(rows, list) else []
        if not names or not all(names) or len(names) > _MOST_CURRENCIES:
            raise self.bad_answer("a list of currencies")
        found: list[dict[str, Any]] = []
        for name in names:
            answer = yield Read("privateGetGetAddressBook", {"currency": name, "type": "withdrawal"})
            book = Fields(answer.data).get("result")
            if not isinstance(book, list):
                raise self.bad_answer("a list of addresses")
            found += [_address(Fields(row)) for row in book]
        return found


def _address(row: Fields) -> dict[str, Any]:
    status = row.get("status")
    return {
        "coin": as_text(row.get("currency")),
        "network": "",
        "address": as_text(row.get("address")),
        "allowlisted": True if status == "confirmed" else (False if status in ("waiting", "admin_waiting") else None),
    }


def _words(text: str) -> list[str]:
    return [part for part in re.split(r"[,\s]+", text.strip().lower()) if part][:100]


def _scopes(form: KeyForm, said: object) -> None:
    """Read max_scope group by group: denied is only what its group names as `read` or `none`."""
    names = _words(said) if isinstance(said, str) else []
    strange = [name for name in names if name.partition(":")[0] not in _GROUPS]
    for group, scopes in _GROUPS.items():
        known = {f"{group}:read_write": scopes, f"{group}:read": (), f"{group}:none": ()}
        own = [name for name in names if name.partition(":")[0] == group]
        if own or strange:
            form.permissions("max_scope", known, given=own + strange)
        elif group not in _LATER or not names:
            form.permissions(f"max_scope {group}", known)
        else:
            form.permissions("max_scope", known, given=[f"{group}:none"])
    read = any(name == f"{group}:{may}" for name in names for group in _GROUPS for may in ("read", "read_write"))
    none = bool(names) and not strange and all(name.endswith(":none") for name in names)
    form.scope("read", True if read else (False if none else None), "max_scope names no read scope")


def _signing(client: Any, stock: Callable[..., Any]) -> Callable[..., Any]:
    """Return ccxt's `sign` with public/auth signed (grant_type client_signature) in place of the secret itself.

    Source: docs.deribit.com articles/authentication "client_signature": HMAC-SHA256 of time, nonce and data by lines.
    """

    def sign(path: str, *rest: Any, **more: Any) -> Any:
        params = next((one for one in (*rest, more.get("params")) if isinstance(one, dict)), {})
        if path == "auth" and params.get("grant_type") == "client_signature":
            stamp = str(client.milliseconds())
            text = f"{stamp}\n{stamp}\n".encode()
            proof = hmac.new(str(client.secret).encode(), text, hashlib.sha256).hexdigest()
            params |= {"client_id": client.apiKey, "timestamp": stamp, "nonce": stamp, "signature": proof}
        return stock(path, *rest, **more)

    return sign


ADAPTER: Final = Deribit()
