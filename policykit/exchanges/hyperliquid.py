"""Hyperliquid: there are no API keys, but agents, wallets that an account has approved to sign for it.

`POST /info` with `extraAgents` lists an account's named agents; `userRole` tells whose agent an address is. Both are
public by address. The credential is a private key: when its address is the account's own, it can do everything; an
agent trades and cannot withdraw. Sources: nktkas/hyperliquid@db80d59 (2026-08-02) extraAgents.ts, userRole.ts;
hyperliquid-python-sdk (read 2026-11) examples "Agents do not have permission to perform withdrawals" and "internal
transfers"; df-hyperliquid-core 0.0.9 "an agent signs L1 actions for its master and never moves funds". There are no
allowlists of addresses.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Answer, Call, CallFailed, Failure, Read, Steps
from policykit.exchanges.calls import name_of, weight_of
from policykit.exchanges.forms import Fields, KeyForm, hashed
from policykit.exchanges.key_list import read_through
from policykit.snapshot import SCOPES, KeyReport

_INFO: Final = "POST /info"
#: What `/info` is asked, by the type in its body; nothing of `/info` writes, `/exchange` does nothing else.
_TYPES: Final = (
    "exchangeStatus extraAgents userRole userRateLimit userAbstraction meta spotMeta metaAndAssetCtxs "
    "spotMetaAndAssetCtxs perpDexs allMids l2Book clearinghouseState spotClearinghouseState openOrders "
    "frontendOpenOrders orderStatus historicalOrders userFills userFillsByTime"
)
_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}\Z")
_GRANTED: Final = ("read", "trade.spot", "trade.margin", "trade.derivatives")
_TRANSFER: Final = (
    "payments need the account's own key; whether an agent may move money to a vault or a sub-account is not documented"
)
_OTHER: Final = "hyperliquid does not document what else an agent may sign (vaults, staking, outcome markets)"


class Hyperliquid(Adapter):
    """The adapter."""

    id = "hyperliquid"
    lists_keys = True
    public = frozenset((_INFO,))
    asks: ClassVar = {
        "server_time": (_INFO,),
        "key_report": (_INFO,),  # and userRole when the agent has no name: up to two more
        "account": (_INFO,) * 33,  # 13, and twice up to 10 exchanges of builders, whose markets ccxt lists
    }
    live: ClassVar = {
        "spot": LiveReads(balances=({"type": "spot"},)),
        "swap": LiveReads(balances=({"type": "swap"},), positions=({},)),  # open orders are of both, triggers too
    }

    def prepare(self, client: Any) -> None:
        """Keep ccxt from approving a builder and naming a referrer, which it signs before it lists currencies.

        With `builderFee` off it approves 0 % and still puts a builder on each order (ccxt 4.5.90 hyperliquid.py
        handle_builder_fee_approval); so that step is left out.
        """
        client.options["builderFee"] = False
        client.options["refSet"] = True
        client.handle_builder_fee_approval = _yes_later if _asynchronous(client) else _yes

        def fill(params: dict[str, Any]) -> dict[str, Any]:
            agent, wallet = _agent(client), str(client.walletAddress).lower()
            return {**params, "user": wallet if params.get("type") == "extraAgents" else params.get("user", agent)}

        def clean(data: Any) -> dict[str, Any]:
            return {"agent": _agent(client), "wallet": str(client.walletAddress).lower(), "answer": data}

        read_through(client, "policykit_info", "publicPostInfo", clean, fill)

    def call(self, method: str, url: str, body: str | None) -> Call:
        """Tell what a request is: `/info` by the type in its body, and nothing else is ever let through."""
        name = name_of(method, url)
        kind = _type_of(body)
        if name == _INFO and (kind == "" or kind in _TYPES.split()):
            return Call("public", name, weight=weight_of(self.facts, name, kind))
        return Call("refused", name or "a path that is not plain", weight=weight_of(self.facts, name))

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms."""
        answer = yield Read("publicPostInfo", {"type": "exchangeStatus"})
        stamp = str(Fields(answer.data).get("time"))
        if re.fullmatch(r"[0-9]{13}", stamp):
            return int(stamp)
        raise self.bad_answer("the time")

    def key_report(self) -> Steps[KeyReport]:
        """Read whether the key is an agent of the account, or the account's own."""
        answer = yield Read("policykit_info", {"type": "extraAgents"})
        fields = Fields(answer.data)
        agent, wallet, listed = fields.get("agent"), fields.get("wallet"), fields.get("answer")
        if not _is_address(agent) or not _is_address(wallet):
            raise self.bad_answer("two addresses")
        rows = [Fields(row) for row in listed] if isinstance(listed, list) else []
        if agent == wallet:
            answer = yield Read("policykit_info", {"type": "userRole"})
            master = _master(answer)  # a wallet may be given by the agent's address in place of the account's
            if _is_address(master) and master != agent:
                return self._agent(answer, agent, str(master), None, [])
            return self._everything(answer, agent, rows)
        if not isinstance(listed, list):
            raise self.bad_answer("a list of agents")
        own = [row for row in rows if _same(row.get("address"), agent)]
        if len(own) == 1:
            return self._agent(answer, agent, wallet, own[0], rows)
        # Only named agents are listed; the role of an address tells of the one without a name.
        answer = yield Read("policykit_info", {"type": "userRole"})
        master = _master(answer)
        if _same(master, wallet):
            return self._agent(answer, agent, wallet, None, rows)
        answer = yield Read("policykit_info", {"type": "userRole", "user": wallet})
        account = Fields(Fields(answer.data).get("answer"))
        owner = account.inner("data").get("master") if account.get("role") == "subAccount" else None
        if _same(owner, agent):
            return self._everything(answer, agent, rows)
        if owner is not None and _same(owner, master):
            return self._agent(answer, agent, wallet, None, rows)
        words = (
            "hyperliquid: the private key is no agent of this account (any longer), nor its own; approve a new agent"
        )
        raise CallFailed(Failure("no", "KEY_REJECTED", words))

    def _everything(self, answer: Answer, agent: str, rows: list[Fields]) -> KeyReport:
        """Report the account's own key: no agent, but what the account is, for ever."""
        form = KeyForm(self.id, _INFO, Fields({"validUntil": 0, "user": agent}), answer.sent_ms)
        for scope in SCOPES:
            form.scope(scope, True)
        form.time("expires_at", "validUntil", may_be_none=True)
        form.account("user")
        for row in rows:
            form.other_key(_lower(row.get("address")), row.get("name"))
        form.unknown("label", "this is the account's own key and no agent: it can withdraw, pay and approve agents")
        return self._finish(form, agent)

    def _agent(self, answer: Answer, agent: str, wallet: str, row: Fields | None, rows: list[Fields]) -> KeyReport:
        """Report an agent; `row` is its entry in the list, None when it has no name there."""
        own = {} if row is None else {"name": row.get("name"), "address": agent}
        if row is not None and "validUntil" in row:
            own["validUntil"] = 0 if row.get("validUntil") is None else row.get("validUntil")  # null: none
        form = KeyForm(self.id, _INFO, Fields({**own, "user": wallet}), answer.sent_ms)
        for scope in SCOPES:
            form.scope(scope, scope in _GRANTED)
        form.scope("transfer", None, _TRANSFER)
        form.scope("trade.other", None, _OTHER)
        form.time("expires_at", "validUntil", may_be_none=True)
        form.label("name")
        form.account("user")
        for other in rows:
            if not _same(other.get("address"), agent):
                form.other_key(_lower(other.get("address")), other.get("name"))
        form.ignore("address")
        return self._finish(form, agent)

    def _finish(self, form: KeyForm, agent: str) -> KeyReport:
        form.addresses("allowlist", missing="no")  # there is none on Hyperliquid
        report = form.report()
        report.id = str(hashed(agent))  # two agents of one account are two keys
        return report


def _type_of(body: str | None) -> str:
    """Return the type that a body asks for; empty when it names none."""
    try:
        data = json.loads(body or "{}")
    except ValueError:
        return "?"
    kind = data.get("type", "") if isinstance(data, dict) else "?"
    return kind if isinstance(kind, str) else "?"


def _is_address(value: object) -> bool:
    return isinstance(value, str) and _ADDRESS.match(value) is not None


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else None


def _master(answer: Answer) -> object:
    """Return whose agent an address is, by its role; None for anything but an agent."""
    role = Fields(Fields(answer.data).get("answer"))
    return _lower(role.inner("data").get("user")) if role.get("role") == "agent" else None


def _same(one: object, other: object) -> bool:
    return isinstance(one, str) and isinstance(other, str) and one.lower() == other.lower() and one != ""


def _asynchronous(client: Any) -> bool:
    return inspect.iscoroutinefunction(type(client).fetch)


def _yes() -> bool:
    return True


async def _yes_later() -> bool:
    return True


def _agent(client: Any) -> str:
    """Return the address of the client's private key. Raise CallFailed when it is none; the key is in no message."""
    key = str(client.privateKey or "")
    if re.fullmatch(r"(0x)?[0-9a-fA-F]{64}", key):
        try:
            return str(client.eth_get_address_from_private_key(key)).lower()
        except Exception:  # noqa: BLE001 S110  # nosec B110 - zero, or above the curve's order: no key either
            pass
    words = "hyperliquid: the private key is no key; 64 hex digits are needed; nothing was sent"
    raise CallFailed(Failure("no", "KEY_REJECTED", words))


ADAPTER: Final = Hyperliquid()
