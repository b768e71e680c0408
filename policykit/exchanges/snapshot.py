"""Take a snapshot of the live state of a policy's keys: read, never write, inside the policy's own rate budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from policykit.clock import Clock, SystemClock, iso
from policykit.errors import ExchangeUnavailable, SecretUnavailable
from policykit.exchanges import load
from policykit.exchanges.account_state import Signed, read_account, unread
from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import CallFailed, Failure
from policykit.exchanges.calls import weight_of
from policykit.exchanges.credentials import key_id
from policykit.exchanges.endpoints import endpoints
from policykit.exchanges.live_account import wanted
from policykit.exchanges.session import DATE_RESOLUTION_MS, Line, Place, SecretSource, Session, by_date
from policykit.policy import EffectivePolicy
from policykit.redact import Secret, texts
from policykit.snapshot import MAX_ROWS, KeyReport, RateLimit, Snapshot, from_dict, to_dict
from policykit.store import Store

#: How many keys of one policy, and how many policies, are read at once.
MAX_AT_ONCE: Final = 8
MAX_POLICIES: Final = 32
#: Codes after which another call would meet the same: the rest is not tried.
HOPELESS: Final = frozenset(("NETWORK", "WRONG_ENDPOINT", "BANNED", "RATE_LIMIT", "ADDRESS_NOT_ALLOWED", "MAINTENANCE"))
#: Codes with which a sandbox's host answers a key of the live one (Binance's has no key report at all).
NOT_OF_THIS_HOST: Final = frozenset(("KEY_REJECTED", "NOT_SUPPORTED"))


def plan(effective: EffectivePolicy, *, keys: Sequence[str] | None = None, keys_only: bool = False) -> dict[str, int]:
    """Return what `take` will cost, `weight` and `calls`, before anything is sent."""
    adapter = load(effective.model.exchange)
    if adapter is None:
        return {"weight": 0, "calls": 0}
    asks = adapter.asks
    calls = [*asks.get("server_time", ()), *asks.get("key_report", ()) * len(_chosen(effective, keys))]
    if not keys_only:
        calls += [call for step in ("rate_limits", "withdrawal_addresses") for call in asks.get(step, ())]
        calls += _account_calls(adapter, effective)
    return {"weight": sum(weight_of(adapter.facts, call, "all") for call in calls), "calls": len(calls)}


def _account_calls(adapter: Adapter, effective: EffectivePolicy) -> list[str]:
    """Return the calls of the account: those that the adapter names, or one for each unified call."""
    listed = list(adapter.asks.get("account", ()))
    need = wanted(adapter, [effective])
    if listed:
        named = bool(need.products) or any(":" not in symbol for symbol in need.symbols)
        listed += adapter.asks.get("markets", ()) if named else ()
        return listed + [call for kind in need.kinds for call in adapter.asks.get(f"account.{kind}", ())]
    if not adapter.live:
        return listed
    named_symbols = max(1, sum("*" not in symbol for symbol in need.symbols))
    calls = ["markets", "tickers"]
    for reads in need.products.values():
        calls += ["balances"] * len(reads.balances) + ["positions"] * len(reads.positions)
        calls += ["orders"] * (len(reads.orders) * (named_symbols if reads.by_symbol else 1))
    return calls


def take(
    effective: EffectivePolicy,
    *,
    endpoint: str | Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    keys_only: bool = False,
    clock: Clock | None = None,
    store: Store | None = None,
    secret_source: SecretSource,
) -> Snapshot:
    """Read the live state of a policy's keys (all, or those named). What fails is in `errors`, never an exception.

    `store`: that of this host's bots, whose budgets are then shared (`budget.running_store`). Raise
    ExchangeUnavailable (NOT_SUPPORTED) without an adapter for the exchange, ValueError for an endpoint that is no
    origin or plain http off this machine, and for a key that the policy does not have.
    """
    session = Session(secret_source, clock or SystemClock(), endpoints(endpoint), store)
    session.policies = (effective,)
    return take_one(session, effective, keys=keys, keys_only=keys_only)


def take_all(
    session: Session, policies: Sequence[EffectivePolicy], done: Callable[[], None] | None = None
) -> list[Snapshot | ExchangeUnavailable]:
    """Read many policies at once, each exchange for itself; `done` is called as each is over.

    The answers stand in the order of the policies; one that cannot be read at all is its error.
    """
    session.policies = policies

    def one(effective: EffectivePolicy) -> Snapshot | ExchangeUnavailable:
        try:
            return take_one(session, effective)
        except ExchangeUnavailable as error:
            return error
        finally:
            if done is not None:
                done()

    with ThreadPoolExecutor(max(1, min(MAX_POLICIES, len(policies))), thread_name_prefix="policykit-live") as pool:
        return list(pool.map(one, policies))


def take_one(
    session: Session, effective: EffectivePolicy, *, keys: Sequence[str] | None = None, keys_only: bool = False
) -> Snapshot:
    """Read one policy's keys and account in a run; see `take`."""
    chosen = _chosen(effective, keys)
    line = Line(session, effective, _adapter(effective))
    model = effective.model
    snapshot = Snapshot(iso(line.clock.now_ms()), model.exchange, line.place.endpoint)
    snapshot.policy, snapshot.account_name = effective.name, model.account.name
    try:
        public = line.client()
        hopeless = _read_clock(line, public, snapshot)
    except ExchangeUnavailable as error:  # ccxt has no client for this: no sandbox, or not this exchange
        public, hopeless = None, None
        snapshot.clock = {"server_time": None, "skew_ms": None, "round_trip_ms": None, "unknown": str(error)}
    if hopeless is None:
        with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="policykit-snapshot") as pool:
            limits = pool.submit(_read_limits, line, public) if not keys_only and public is not None else None
            signed = _read_keys(line, pool, chosen, snapshot)
            if not keys_only:
                snapshot.account = read_account(line, signed) if public is not None else unread("there is no client")
                _take_limits(limits, snapshot)
                snapshot.withdrawal_addresses = _read_addresses(line, signed, snapshot.account["unknown"])
    else:
        snapshot.errors += [{"key": name, "code": hopeless.code, "message": str(hopeless)} for name in chosen]
    snapshot.cost = {"weight": line.tally.weight, "calls": line.tally.calls}
    # INVARIANT I23: an exchange or a gateway may send back what it was sent; every text passes the redaction.
    return from_dict(texts(to_dict(snapshot)))


def _chosen(effective: EffectivePolicy, keys: Sequence[str] | None) -> dict[str, str | None]:
    """Return key name -> secret reference of the keys to read."""
    there = effective.model.keys or {}
    missing = [name for name in keys or () if name not in there]
    if missing:
        listed = ", ".join(there) or "none"
        raise ValueError(f"{effective.file}: no key is named {', '.join(missing)}; the policy has {listed}")
    return {name: key.secret for name, key in there.items() if keys is None or name in keys}


def _adapter(effective: EffectivePolicy) -> Adapter:
    exchange = effective.model.exchange
    adapter = load(exchange)
    if adapter is None:
        place = effective.place("exchange")
        words = f"{place}: exchange is {exchange}, which this version cannot ask"
        raise ExchangeUnavailable(words, "NOT_SUPPORTED")
    return adapter


def _read_clock(line: Line, client: Any, snapshot: Snapshot) -> CallFailed | None:
    """Read the exchange's clock; return the failure when nothing else can succeed either."""
    started = line.clock.monotonic_ms()
    before = line.clock.now_ms()
    try:
        server = line.read(client, line.adapter.server_time())
    except CallFailed as failed:
        snapshot.clock = {"server_time": None, "skew_ms": None, "round_trip_ms": None, "unknown": str(failed)}
        line.clock_by_date = failed.code == "NOT_SUPPORTED"
        return failed if failed.code in HOPELESS else None
    trip = round(line.clock.monotonic_ms() - started)
    line.skew_ms = before + trip // 2 - server
    snapshot.clock = {"server_time": iso(server), "skew_ms": line.skew_ms, "round_trip_ms": trip}
    return None


def _date_clock(line: Line, client: Any, snapshot: Snapshot) -> bool:
    """Take the clock from the last answer's `Date` header where no call tells it; say whether it was taken now."""
    told = by_date(client) if line.clock_by_date else None
    if told is None:
        return False
    line.clock_by_date = False
    server, skew, trip = told
    line.skew_ms = skew
    snapshot.clock = {
        "server_time": iso(server),
        "skew_ms": skew,
        "round_trip_ms": trip,
        "source": "Date header",
        "resolution_ms": DATE_RESOLUTION_MS,
    }
    return True


def _read_keys(
    line: Line, pool: ThreadPoolExecutor, chosen: Mapping[str, str | None], snapshot: Snapshot
) -> list[Signed]:
    """Read every key's report, several at once; return those that came, each with its client."""
    signed: list[Signed] = []
    work = [pool.submit(_read_key, line, snapshot, name, reference) for name, reference in chosen.items()]
    for one in work:
        report, client, error = one.result()
        if report is not None:
            snapshot.keys.append(report)
            signed.append((report, client))
        if error is not None:
            snapshot.errors.append(error)
    return signed


def _read_key(
    line: Line, snapshot: Snapshot, name: str, reference: str | None
) -> tuple[KeyReport | None, Any, dict[str, str] | None]:
    if reference is None:
        place = line.effective.place(f"keys.{name}")
        words = f"{place}: keys.{name} has no secret; a reference (env://PREFIX) is needed to read it live"
        return None, None, {"key": name, "code": "SECRET_UNAVAILABLE", "message": words}
    try:
        credentials = line.session.secret_source(reference)
        identity = key_id(credentials)
        with line.session.one_at_a_time(line.place, identity):
            report, client = _report(line, snapshot, name, credentials, identity)
    except SecretUnavailable as error:
        return None, None, {"key": name, "code": "SECRET_UNAVAILABLE", "message": str(error)}
    except ExchangeUnavailable as error:
        return None, None, {"key": name, "code": error.code, "message": str(error)}
    report.name = name
    report.id = report.id or identity
    if not line.adapter.lists_keys:
        report.unknown.setdefault("others", f"{line.adapter.id} does not report it")
    return report, client, None


def _report(
    line: Line, snapshot: Snapshot, name: str, credentials: Mapping[str, Secret], identity: str
) -> tuple[KeyReport, Any]:
    """Read a key's report; of a sandbox policy's key that is refused, ask the live host once whose it is."""
    before = line.session.refused(line.place, identity)
    if before is not None:
        raise CallFailed(before)
    try:
        client = line.client(credentials, name)
        report = _dated(line, snapshot, client)
    except ExchangeUnavailable as error:
        if isinstance(error, CallFailed) and error.code == "KEY_REJECTED":
            line.session.refuse(line.place, identity, error.failure)
        there = line.session.place(line.effective, live=True) if line.place.sandbox else None
        if there is None or error.code not in NOT_OF_THIS_HOST:
            raise
        return _at_live_host(line, name, credentials, there, error), None
    if line.place.endpoint is None:
        report.environment = "sandbox" if line.place.sandbox else "live"
    return report, client


def _at_live_host(
    line: Line, name: str, credentials: Mapping[str, Secret], there: Place, error: ExchangeUnavailable
) -> KeyReport:
    """Return the report of the live host with the key that its sandbox refused; raise that refusal if both refuse."""
    try:
        report = line.read(line.client(credentials, name, place=there), line.adapter.key_report())
    except ExchangeUnavailable:
        raise error from None
    report.environment = "live"
    return report


def _dated(line: Line, snapshot: Snapshot, client: Any) -> KeyReport:
    """Read a key's report; where no call told the time, its answer's `Date` does.

    A request that was refused for its time, by a clock that was not known before, is signed once more.
    """
    try:
        report = line.read(client, line.adapter.key_report())
    except CallFailed as failed:
        if failed.code != "CLOCK" or not _date_clock(line, client, snapshot):
            raise
        return line.read(client, line.adapter.key_report())
    _date_clock(line, client, snapshot)
    return report


def _read_limits(line: Line, client: Any) -> tuple[RateLimit, ...] | Failure:
    try:
        return line.read(client, line.adapter.rate_limits())
    except CallFailed as failed:
        return failed.failure


def _take_limits(work: Future[tuple[RateLimit, ...] | Failure] | None, snapshot: Snapshot) -> None:
    """Keep the limits that were read; that an exchange has no call for them is no error of this run."""
    told = work.result() if work is not None else ()
    if isinstance(told, Failure):
        snapshot.account["unknown"]["limits"] = told.message
        if told.code != "NOT_SUPPORTED":
            snapshot.errors.append({"key": "", "code": told.code, "message": f"limits: {told.message}"})
        return
    if len(told) > MAX_ROWS:
        snapshot.account["unknown"]["limits"] = f"more are listed than the {MAX_ROWS} that a snapshot holds"
        return
    snapshot.limits = list(told)


def _read_addresses(line: Line, signed: Sequence[Signed], unknown: dict[str, str]) -> list[dict[str, Any]] | None:
    report, client = next((one for one in signed if one[1] is not None), (None, None))
    if report is None:
        unknown["withdrawal_addresses"] = "no key could be read"
        return None
    try:
        with line.session.one_at_a_time(line.place, report.id):
            found = line.read(client, line.adapter.withdrawal_addresses())
    except CallFailed as failed:
        unknown["withdrawal_addresses"] = str(failed)
        return None
    if len(found) > MAX_ROWS:  # a part of them would pass for all; the file would not be read back
        unknown["withdrawal_addresses"] = f"{len(found)} are listed, more than the {MAX_ROWS} that a snapshot holds"
        return None
    return found
