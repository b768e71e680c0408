"""BitMEX: `GET /api/v1/apiKey`, which lists every key of the account with its secret, over a signer of our own.

Source: BitMEX/api-connectors@9f8f5e69 swagger.json "/apiKey" and definitions.APIKey (read 2026-11): "All keys can read
margin and position data. Additional permissions must be added. Available: order, orderCancel, withdraw"; cidr: "Leave
blank or set to 0.0.0.0/0 to allow all IPs". Newer answers have `cidrs`.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import Read, Steps
from policykit.exchanges.bitmex_client import client_class
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, addresses_of, as_text, flag
from policykit.exchanges.key_list import OWN, cleaned, own_row, read_through
from policykit.snapshot import KeyReport

_LIST: Final = "GET /api/v1/apiKey"
#: What of a row of the list may leave the client: never secret.
_KEPT: Final = ("name", "cidr", "cidrs", "permissions", "enabled", "userId", "created", "targetAccountId")
#: Permission -> what it grants. `order` trades everything; `orderCancel` cancels only.
_PERMISSIONS: Final[dict[str, tuple[str, ...]]] = {
    "order": ("trade.spot", "trade.margin", "trade.derivatives", "trade.options"),
    "orderCancel": (),
    "withdraw": ("withdraw",),
}


class Bitmex(Adapter):
    """The adapter."""

    id = "bitmex"
    lists_keys = True
    public = frozenset(("GET /api/v1",)) | calls("GET", "/api/v1/", "instrument/active")
    reads = calls("GET", "/api/v1/", "apiKey user/margin address")
    asks: ClassVar = {
        "server_time": ("GET /api/v1",),
        "key_report": (_LIST,),
        "withdrawal_addresses": ("GET /api/v1/address",),
    }

    def client_class(self, *, asynchronous: bool = False) -> type[Any]:
        """Return our own signer: ccxt has none."""
        return client_class(asynchronous=asynchronous)

    def prepare(self, client: Any) -> None:
        """Clean the list of keys inside the client: it holds secrets."""
        if hasattr(client, "privateGetApiKey"):
            read_through(
                client, "policykit_keys", "privateGetApiKey", lambda data: cleaned(data, client.apiKey, "id", _KEPT)
            )

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms: the API's root tells it (from memory: a bad answer when it does not)."""
        answer = yield Read("publicGetRoot")
        stamp = str(Fields(answer.data).get("timestamp"))
        if re.fullmatch(r"[0-9]{13}", stamp):
            return int(stamp)
        raise self.bad_answer("the time")

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do from its row in the list of keys."""
        answer = yield Read("policykit_keys")
        own, others = own_row(answer.data)
        if own is None:
            raise self.bad_answer("a list of keys with this key in it")
        form = KeyForm(self.id, _LIST, own, answer.sent_ms)
        form.scope("read", True)  # "all keys can read"
        listed = own.get("permissions")  # an empty list is a key that reads
        form.permissions("permissions", _PERMISSIONS, given=listed if isinstance(listed, list) else 0)
        form.scope("key_admin", False)  # support.bitmex.com: API keys cannot create or change keys
        form.unknown("permissions.transfer", "bitmex does not document which permission transfers need")
        form.unknown("permissions.trade.other", "bitmex does not document which permission else there is")
        _addresses(form, own)
        form.time("created_at", "created")
        form.label("name")
        form.account("userId")
        for row in others:
            form.other_key(row.get("id"), row.get("name"))
        form.ignore(OWN, "id", "secret", "nonce", "targetAccountId")
        return form.report("enabled")

    def withdrawal_addresses(self) -> Steps[list[dict[str, Any]]]:
        """Read the address book; a person's notes in it stay behind."""
        answer = yield Read("privateGetAddress")
        if not isinstance(answer.data, list):
            raise self.bad_answer("a list of addresses")
        return [
            {
                "coin": as_text(row.get("currency")),
                "network": as_text(row.get("network")),
                "address": as_text(row.get("address")),
                "allowlisted": flag(row.get("verified")),
            }
            for row in map(Fields, answer.data)
        ]


def _addresses(form: KeyForm, own: Fields) -> None:
    """Read `cidrs`, or `cidr` of older answers; where both are there and do not agree, nothing is known."""
    form.ignore("cidr", "cidrs")
    many, one = addresses_of(own.get("cidrs")), addresses_of(own.get("cidr"))
    agree = many[0] == one[0] and set(one[1] or ()) <= set(many[1] or ())
    if "cidrs" in own and "cidr" in own and not agree:
        form.unknown("ip_allowlist.restricted", "cidr and cidrs do not agree")
    else:
        form.addresses("cidrs" if "cidrs" in own else "cidr")


ADAPTER: Final = Bitmex()
