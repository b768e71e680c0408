"""What the exchange shows after a leak: withdrawal addresses, other keys, logins, orders that are not ours (G43).

Everything here only reads, over the same allowlist as `policykit snapshot`. What an exchange does not tell a person
must look up; the step then waits for that person, and says where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from policykit import secrets
from policykit.clock import iso
from policykit.errors import ExchangeUnavailable, PolicykitError, SecretUnavailable, StoreUnavailable
from policykit.exchanges import load as load_adapter
from policykit.exchanges.adapter import TradingAdapter
from policykit.exchanges.base import CallFailed, Read, Steps
from policykit.exchanges.numbers import decimal
from policykit.exchanges.records import LOGINS, opened
from policykit.exchanges.session import Line, Session
from policykit.exchanges.snapshot import take
from policykit.operate.incident.runner import Act
from policykit.operate.incident.steps import Task
from policykit.policy import EffectivePolicy

if TYPE_CHECKING:
    from policykit.operate.incident.hands import RealHands

#: How many rows of history are listed.
MAX_ROWS: Final = 1_000
#: How many orders are looked up by their id.
MAX_LOOKUPS: Final = 50
#: How many symbols are asked for one by one.
MAX_SYMBOLS: Final = 50


def withdrawals(hands: RealHands, task: Task, policies: Sequence[EffectivePolicy]) -> Act:
    """Compare where money may go with what the policies and the last good snapshot know."""
    known = {
        address
        for policy in policies
        for address in (policy.model.withdrawals.addresses if policy.model.withdrawals else None) or ()
    } | set(hands.book.head.get("known_addresses") or ())
    try:
        rows = _first(hands, task, policies, lambda line: line.adapter.withdrawal_addresses())
    except (ExchangeUnavailable, SecretUnavailable) as error:
        return Act("waiting", f"cannot be read here ({error}): look in the web page")
    there = [str(row.get("address")) for row in rows]
    strange = [one for one in there if one not in known]
    lines = tuple(f"{'NOT KNOWN' if one in strange else 'known'}: {one}" for one in there)
    if strange:
        words = f"{len(strange)} of {len(there)} addresses are in no policy: if nobody knows them, delete them"
        return Act("alarm", words, lines)
    return Act("done", f"{len(there)} addresses, all known", lines)


def audit(hands: RealHands, task: Task, policies: Sequence[EffectivePolicy]) -> Act:
    """Read every key that is left: what it may do, from where, when it was used last."""
    lines: list[str] = []
    alarms = unread = 0
    ours: set[str] = set()
    listed: dict[str, str] = {}
    leaked = {key["name"] for key in hands.account(task)["keys"] if key["leaked"]}
    for policy in policies:
        there = policy.model.keys or {}
        snapshot = take(
            policy,
            endpoint=hands.endpoints.of(policy.model.exchange),
            keys=[name for name, key in there.items() if key.secret],
            keys_only=True,
            clock=hands.clock,
            secret_source=secrets.read,
        )
        for report in snapshot.keys:
            ours.add(report.id)
            listed |= {one["id"]: one.get("label") or "no label" for one in report.others}
            if report.name in leaked:  # what its thief can do says what to lock first
                beyond = _beyond(report, there[report.name].scopes or ())
                lines += [f"{report.name}, LEAKED AND STILL ALIVE: {beyond[0]}"] if beyond else []
                alarms += len(beyond)
                continue
            wrong = _wrong(report, there[report.name].scopes or ())
            alarms += bool(wrong)
            lines.append(f"{report.name}: {'; '.join(wrong) or 'as its policy says'}; {_use(report)}")
        for error in snapshot.errors:
            if error.get("key") not in leaked:
                unread += 1
                lines.append(f"{error.get('key')}: not read: {error.get('message')}")
    for ident, label in listed.items():
        if ident not in ours:
            alarms += 1
            lines.append(f"a key that no policy names: {ident} ({label})")
    if alarms:
        return Act(
            "alarm", f"{alarms} keys are not as they should be: delete them, or say why they are right", tuple(lines)
        )
    if unread:
        return Act("unknown", f"{unread} keys could not be read: look in the web page", tuple(lines))
    if not lines:
        return Act("unknown", "no key is left to ask with: look in the web page", ())
    return Act("done", f"{len(lines)} other keys are as their policies say", tuple(lines))


def _wrong(report: Any, scopes: Sequence[str]) -> list[str]:
    return _beyond(report, scopes) + (["works from any address"] if report.restricted == "no" else [])


def _beyond(report: Any, scopes: Sequence[str]) -> list[str]:
    allowed = set(scopes) | ({s for s in report.permissions if s.startswith("trade.")} if "trade" in scopes else set())
    more = [s for s, said in report.permissions.items() if said == "granted" and s not in allowed]
    return [f"may {', '.join(more)} beyond its policy"] if more else []


def _use(report: Any) -> str:
    used = f"last used {report.last_used_at}" if report.last_used_at else "its last use is not told"
    return f"from {', '.join(report.addresses)}; {used}" if report.addresses else used


def activity(hands: RealHands, task: Task, policies: Sequence[EffectivePolicy]) -> Act:
    """Read logins since the suspected time, where the API tells them."""
    exchange = hands.account(task)["exchange"]
    if exchange not in LOGINS:
        return Act("waiting", f"the API of {exchange} does not tell it: look in the web page")
    try:
        read = LOGINS[exchange][0]
        said = _first(hands, task, policies, lambda line: _ask(read))
    except (ExchangeUnavailable, SecretUnavailable) as error:
        return Act("waiting", f"cannot be read here ({error}): look in the web page")
    return _logins(said, max(read.params.values()), int(hands.book.head["since_ms"]))


def _logins(said: Any, asked: int, since_ms: int) -> Act:
    """Tell the logins of an answer of at most `asked` rows; it is all of them only where it has fewer."""
    rows = _listed(said)
    if rows is None:
        return Act("waiting", "the answer cannot be read: look in the web page")
    read = [_login(row) for row in rows]
    found = sorted((one for one in read if one[0] is None or one[0] >= since_ms), key=lambda one: (one[0] or 0, one[1]))
    lines = tuple(f"{'an unknown time' if at is None else iso(at)[:19]} {words}" for at, words in found[:MAX_ROWS])
    full = len(rows) >= asked
    words = f"{len(found)} logins and changes: whose are they?"
    words += "; there may be more: look in the web page" if full else ""
    return Act("alarm" if lines else "waiting" if full else "done", words, lines)


def _listed(said: Any) -> list[Any] | None:
    """Return the rows of an answer: a list, or what Deribit puts under result.data; None: it has no such list."""
    for name in ("result", "data"):
        said = said.get(name) if isinstance(said, Mapping) else said
    return said if isinstance(said, list) else None


def _login(row: Any) -> tuple[int | None, str]:
    """Read when and from where: Bitfinex's [id, _, time, _, address, ...], or named as Deribit and BitMEX have it."""
    if isinstance(row, list):
        at, words = (row[2], f"from {row[4]}") if len(row) > 4 else (None, "a login of unknown form")
    elif isinstance(row, Mapping):
        at = row.get("timestamp") or row.get("created")
        told = [row.get(name) for name in ("type", "result", "status", "ip", "country", "city")]
        words = " ".join(str(one) for one in told if one) or "a login of unknown form"
    else:
        at, words = None, "a login of unknown form"
    number = decimal(at)
    if number is None and isinstance(at, str):
        with suppress(ValueError):
            number = Decimal(round(datetime.fromisoformat(at).timestamp() * 1000))
    return (None if number is None else int(number)), words


def history(hands: RealHands, task: Task, policies: Sequence[EffectivePolicy]) -> Act:
    """List the account's trades since the suspected time, and tell those that no bot of ours sent.

    What one look shows is never known to be all of it, so it is never done without a person.
    """
    since = int(hands.book.head["since_ms"])
    missing: list[str] = []
    try:
        fills = _first(hands, task, policies, lambda line: _fills(line, policies, since, missing))
    except (ExchangeUnavailable, SecretUnavailable) as error:
        return Act("waiting", f"cannot be read here ({error}): export it in the web page")
    ours, journaled = _ours(hands, task.account, since)
    foreign = [one for one in fills if not ours & {one["order"], one["client"]}]
    if foreign and journaled:  # of an order whose answer was lost only its client order id is ours
        with suppress(ExchangeUnavailable, SecretUnavailable):
            names = _first(hands, task, policies, lambda line: _names(line, foreign))
            foreign = [one for one in foreign if names.get(one["order"]) not in ours]
    lines = [_fill(one) for one in sorted(foreign, key=lambda one: int(one["at_ms"]))]
    lines += [f"not listed: {one}" for one in missing]
    if not journaled and fills:
        words = f"{len(fills)} trades seen, and policykit sent none on this account: whose are they?"
    elif foreign:
        words = f"{len(foreign)} of {len(fills)} trades seen are of no order of ours"
    else:
        words = f"{len(fills)} trades seen, of orders of ours" if fills else "no trades seen"
    words += "; there may be more: export it in the web page"
    return Act("alarm" if foreign and journaled else "waiting", words, tuple(lines), {"foreign": len(foreign)})


def _names(line: Line, fills: Sequence[Mapping[str, Any]]) -> Steps[dict[str, str]]:
    """Look up the client order ids of orders, where fills do not tell them; of at most MAX_LOOKUPS."""
    found: dict[str, str] = {}
    for order, symbol in list({one["order"]: one["symbol"] for one in fills}.items())[:MAX_LOOKUPS]:
        with suppress(CallFailed):
            if isinstance(line.adapter, TradingAdapter):
                found[order] = yield from line.adapter.client_order_id_of(symbol, order)
    return found


def _fill(one: Mapping[str, Any]) -> str:
    what = f"{one['symbol']} {one['side']} {one['amount']} at {one['price']}"
    return f"{iso(int(one['at_ms']))[:19]} {what}, order {one['order']}"


def _fills(
    line: Line, policies: Sequence[EffectivePolicy], since_ms: int, missing: list[str]
) -> Steps[list[dict[str, Any]]]:
    """List trades: by the adapter's own steps where a guard trades there, else over ccxt's unified call."""
    symbols = tuple(dict.fromkeys(s for policy in policies for s in _symbols(policy)))[:MAX_SYMBOLS]
    adapter = line.adapter
    if isinstance(adapter, TradingAdapter):
        mine = tuple(symbol for symbol in symbols if adapter.takes(symbol))
        missing.append(f"trades outside {', '.join(mine) or 'no symbol'}: {adapter.id} tells them by symbol only")
        rows = yield from adapter.fills(mine, since_ms)
        return [
            {"at_ms": one.at_ms, "symbol": one.symbol, "side": "buy" if one.quantity > 0 else "sell",
             "amount": str(abs(one.quantity)), "price": str(abs(one.cost / one.quantity)) if one.quantity else "?",
             "order": one.order_id, "client": one.client_order_id}
            for one in rows
        ]  # fmt: skip
    found: list[dict[str, Any]] = []
    yield Read("load_markets", {}, (False,))
    try:
        answer = yield Read("fetch_my_trades", {}, (None, since_ms, None))
        found += _unified(answer.data, "all markets", missing)
    except CallFailed as failed:
        if failed.code in ("READ_ONLY", "KEY_REJECTED", "NETWORK"):
            raise
        missing.append(f"trades outside {', '.join(symbols) or 'no symbol'}: {adapter.id} tells them by symbol only")
        for symbol in symbols:
            answer = yield Read("fetch_my_trades", {}, (symbol, since_ms, None))
            found += _unified(answer.data, symbol, missing)
    return found


def _unified(answer: Any, where: str, missing: list[str]) -> list[dict[str, Any]]:
    """Return the trades of one page, and say what it does not show: no exchange tells here that it was the last."""
    if not isinstance(answer, list):
        missing.append(f"trades of {where}: the answer cannot be read")
        return []
    found = [
        {
            "at_ms": int(row.get("timestamp") or 0),
            "symbol": str(row.get("symbol")),
            "side": str(row.get("side")),
            "amount": str(row.get("amount")),
            "price": str(row.get("price")),
            "order": str(row.get("order") or ""),
            "client": "",
        }
        for row in answer
        if isinstance(row, Mapping)
    ]
    missing.append(f"trades beyond the {len(found)} of one call, of {where}")
    return found


def _symbols(policy: EffectivePolicy) -> Iterator[str]:
    for symbol in (policy.model.risk.symbols if policy.model.risk else None) or ():
        if "*" not in symbol and not symbol.startswith("!"):
            yield symbol


def _ours(hands: RealHands, account: str, since_ms: int) -> tuple[set[str], bool]:
    """Return the ids of orders that we sent, and whether we ever sent one on the account."""
    try:
        intents = hands.book.store.intents(account, open_only=False)
    except StoreUnavailable:
        return set(), False
    ours = {ident for intent in intents for ident in (intent.order_id, intent.client_order_id) if ident}
    journal = hands.journal()
    if journal is not None:
        first = journal.first_at(since_ms)
        for row in journal.rows((first or 1) - 1, MAX_JOURNAL) if first else ():
            intent = row.body.get("intent")
            if row.kind == "decision" and isinstance(intent, Mapping) and intent.get("account") == account:
                ours.add(str(intent.get("client_order_id")))
            elif row.kind == "outcome" and row.body.get("order_id"):
                ours.add(str(row.body["order_id"]))
    return ours, bool(ours)


#: How many rows of the journal are read for it.
MAX_JOURNAL: Final = 1_000_000


def _ask(read: Read) -> Steps[Any]:
    answer = yield read
    return answer.data


def _first(
    hands: RealHands, task: Task, policies: Sequence[EffectivePolicy], steps: Callable[[Line], Steps[Any]]
) -> Any:
    """Make a read with the first key that can, the leaked ones last. Raise what the first one said."""
    first: PolicykitError | None = None
    for name, policy, reference in hands.usable(task, policies, ""):
        adapter = load_adapter(policy.model.exchange)
        if adapter is None:
            raise ExchangeUnavailable(f"this version has no adapter for {policy.model.exchange}", "NOT_SUPPORTED")
        line = Line(Session(secrets.read, hands.clock, hands.endpoints), policy, adapter)
        try:
            client = opened(line.client(secrets.read(reference), name), adapter.id)
            return line.read(client, steps(line))
        except (ExchangeUnavailable, SecretUnavailable) as error:
            first = first or error
    raise first or ExchangeUnavailable("no key here can be read with", "SECRET_UNAVAILABLE")
