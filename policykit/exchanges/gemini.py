"""Gemini: `POST /v1/roles` over stock ccxt: three yes or no, and nothing else of the key.

Source: Gemini's OpenAPI, /v1/roles (api-evangelist/gemini-trust, 2026-09-18): isAuditor, isFundManager, isTrader, and
for keys of a group isAccountAdmin and counterparty_id. ccxt signs only with keys of one account (`account-...`).
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from policykit.exchanges._numbered import numbered_class, with_answer
from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Failure, Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import KeyForm, flag, plain_name
from policykit.snapshot import KeyReport

_KEY: Final = "POST /v1/roles"
#: Scope -> the roles of which any grants it. One role trades on every market; a fund manager moves and withdraws.
_ROLES: Final[dict[str, tuple[str, ...]]] = {
    "read": ("isAuditor", "isFundManager", "isTrader"),
    "trade.spot": ("isTrader",),
    "trade.margin": ("isTrader",),
    "trade.derivatives": ("isTrader",),
    "trade.other": ("isTrader", "isFundManager"),  # which of them stakes is not documented
    "transfer": ("isFundManager",),
    "withdraw": ("isFundManager",),
}
#: What the answer is documented to hold.
_KNOWN: Final = frozenset(("isauditor", "isfundmanager", "istrader", "isaccountadmin", "counterpartyid"))
#: An error: `{"result": "error", "reason": "MissingRole", "message": "..."}`.
_ERROR: Final = re.compile(r'(?s)\s*\{.*"result"\s*:\s*"error"')


class Gemini(Adapter):
    """The adapter."""

    id = "gemini"
    public = calls("GET", "/v1/", "symbols symbols/details/* pubticker/* pricefeed book/*")
    reads = calls(
        "POST", "/v1/", "roles balances orders order/status mytrades account transfers notionalvolume positions margin"
    )
    #: There is no call for the time; the `Date` header has to do.
    asks: ClassVar = {
        "key_report": (_KEY,),
        "account": ("GET /v1/symbols", "POST /v1/balances", "POST /v1/orders"),
    }
    #: Orders of every type are in one list; ccxt has no call for positions.
    live: ClassVar = {"spot": LiveReads()}
    error_code: ClassVar = re.compile(r'"reason"\s*:\s*"([A-Za-z][A-Za-z ]{1,60})"')

    def client_class(self, *, asynchronous: bool = False) -> type[Any]:
        """Return ccxt's class with numbers that only rise."""
        return numbered_class(self.id, asynchronous=asynchronous)

    def prepare(self, client: Any) -> None:
        """Ask no web page for the currencies, which ccxt reads beside the markets."""
        client.has = {**client.has, "fetchCurrencies": False}

    def failure(self, error: Exception, client: Any) -> Failure:
        """Read the error from the answer: ccxt's exception has its message without the reason."""
        return super().failure(with_answer(error, client, lambda body: _ERROR.match(body) is not None), client)

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do."""
        answer = yield Read("privatePostV1Roles")
        fields = self.mapping(answer.data)
        form = KeyForm(self.id, _KEY, fields, answer.sent_ms)
        others = [plain_name(name) for name in fields.names() if _is_role(name, fields.get(name))]
        form.strange(*others)
        for scope, roles in _ROLES.items():
            if others and not any(flag(fields.get(role)) for role in roles):
                form.scope(scope, None, f"{', '.join(others)} is not understood and may grant it")
            else:
                form.flags(scope, roles, how="any")
        if flag(fields.get("isAccountAdmin")):
            form.scope("key_admin", True)
        if "counterpartyId" in fields:
            form.account("counterpartyId")
        return form.report("isAuditor", "isFundManager", "isTrader", "isAccountAdmin")


def _is_role(name: str, value: object) -> bool:
    """Tell whether a field may be a role that is not documented: a yes, or named as roles are and not a no."""
    folded = re.sub(r"[_-]", "", name).lower()
    if folded in _KNOWN or flag(value) is False:
        return False
    return flag(value) is True or folded.startswith(("is", "can"))


ADAPTER: Final = Gemini()
