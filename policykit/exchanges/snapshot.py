"""Take a snapshot of the live state of a policy's keys: read, never write, inside the policy's own rate budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from policykit.clock import Clock, SystemClock, iso
from policykit.errors import ExchangeUnavailable, SecretUnavailable
from policykit.exchanges import known, load
from policykit.exchanges.adapter import Adapter, TradingAdapter
from policykit.exchanges.base import CallFailed, LiveAccount, Steps, run
from policykit.exchanges.calls import weight_of
from policykit.exchanges.client import Budget, make_client
from policykit.exchanges.forms import hashed
from policykit.policy import EffectivePolicy
from policykit.redact import Secret, texts
from policykit.snapshot import KeyReport, RateLimit, Snapshot, from_dict, to_dict
from policykit.traits.base import RateWindow
from policykit.units import plain

#: How many keys are read at once.
MAX_AT_ONCE: Final = 8
#: The share of a published allowance that a snapshot uses when the policy names no budget.
DEFAULT_SHARE: Final = Decimal("0.5")
#: What is kept to on an exchange of which no allowance is known: 60 requests a minute.
UNKNOWN_WINDOW: Final = RateWindow("requests", 120, 60_000, "fixed", "ip")
#: Codes after which another call would meet the same: the rest is not tried.
HOPELESS: Final = frozenset(("NETWORK", "BANNED", "RATE_LIMIT", "ADDRESS_NOT_ALLOWED", "MAINTENANCE"))

#: A secret reference in, named secrets out: `policykit.secrets.read`.
SecretSource = Callable[[str], Mapping[str, Secret]]
T = TypeVar("T")


@dataclass(slots=True)
class _Taking:
    """What one snapshot's reads share."""

    effective: EffectivePolicy
    adapter: Adapter
    endpoint: str | None
    clock: Clock
    budget: Budget
    skew_ms: int = 0

    def client(self, credentials: Mapping[str, Secret] | None = None) -> Any:
        model = self.effective.model
        client = make_client(
            self.adapter.id,
            credentials,
            endpoint=self.endpoint,
            sandbox=model.environment == "sandbox",
            budget=self.budget,
            clock=self.clock,
        )
        # Reads are signed by the exchange's clock, so that a wrong clock here is a finding and not a failure.
        client.milliseconds = lambda: self.clock.now_ms() - self.skew_ms
        return client

    def read(self, client: Any, steps: Steps[T]) -> T:
        return run(self.adapter, client, steps, self.clock)


def plan(effective: EffectivePolicy, *, keys: Sequence[str] | None = None, keys_only: bool = False) -> dict[str, int]:
    """Return what `take` will cost, `weight` and `calls`, before anything is sent."""
    adapter = load(effective.model.exchange)
    if adapter is None:
        return {"weight": 0, "calls": 0}
    asks = adapter.asks
    calls = [*asks.get("server_time", ()), *asks.get("key_report", ()) * len(_chosen(effective, keys))]
    if not keys_only:
        calls += [call for step in ("rate_limits", "account", "withdrawal_addresses") for call in asks.get(step, ())]
    return {"weight": sum(weight_of(adapter.facts, call, "all") for call in calls), "calls": len(calls)}


def take(
    effective: EffectivePolicy,
    *,
    endpoint: str | None = None,
    keys: Sequence[str] | None = None,
    keys_only: bool = False,
    clock: Clock | None = None,
    secret_source: SecretSource,
) -> Snapshot:
    """Read the live state of a policy's keys (all, or those named). What fails is in `errors`, never an exception.

    Raise ExchangeUnavailable (NOT_SUPPORTED) without an adapter for the exchange, ValueError for an endpoint that is
    no origin or plain http off this machine, and for a key that the policy does not have.
    """
    clock = clock or SystemClock()
    chosen = _chosen(effective, keys)
    taking = _taking(effective, endpoint, clock)
    snapshot = Snapshot(iso(clock.now_ms()), effective.model.exchange, endpoint)
    public = taking.client()
    hopeless = _read_clock(taking, public, snapshot)
    if hopeless is None:
        signed = _read_keys(taking, chosen, snapshot, secret_source)
        if not keys_only:
            _read_limits(taking, public, snapshot)
            snapshot.account = _read_account(taking, signed)
            snapshot.withdrawal_addresses = _read_addresses(taking, signed, snapshot.account["unknown"])
    else:
        snapshot.errors += [{"key": name, "code": hopeless.code, "message": str(hopeless)} for name in chosen]
    snapshot.cost = {"weight": taking.budget.weight, "calls": taking.budget.calls}
    # INVARIANT I23: an exchange or a gateway may send back what it was sent; every text passes the redaction.
    return from_dict(texts(to_dict(snapshot)))


def _chosen(effective: EffectivePolicy, keys: Sequence[str] | None) -> dict[str, str | None]:
    """Return key name -> secret reference of the keys to read."""
    known = effective.model.keys or {}
    missing = [name for name in keys or () if name not in known]
    if missing:
        listed = ", ".join(known) or "none"
        raise ValueError(f"{effective.file}: no key is named {', '.join(missing)}; the policy has {listed}")
    return {name: key.secret for name, key in known.items() if keys is None or name in keys}


def _taking(effective: EffectivePolicy, endpoint: str | None, clock: Clock) -> _Taking:
    exchange = effective.model.exchange
    adapter = load(exchange)
    if adapter is None:
        place = effective.place("exchange")
        words = f"{place}: exchange is {exchange}; this version reads {', '.join(known())}; lint it without --live"
        raise ExchangeUnavailable(words, "NOT_SUPPORTED")
    return _taking_of(effective, adapter, endpoint, clock)


def _taking_of(effective: EffectivePolicy, adapter: Adapter, endpoint: str | None, clock: Clock) -> _Taking:
    window = adapter.facts.rate_windows[0] if adapter.facts.rate_windows else UNKNOWN_WINDOW
    own = (effective.model.rate_budgets or {}).get(window.name)
    if own is None:
        limit, per_ms = max(1, int(window.limit * DEFAULT_SHARE)), window.per_ms
    else:
        share = own.use_at_most.fraction if own.use_at_most is not None else Decimal(1)
        limit, per_ms = int(own.limit * share), own.per.ms
    return _Taking(effective, adapter, endpoint, clock, Budget(limit, per_ms, clock, window.name))


def _read_clock(taking: _Taking, client: Any, snapshot: Snapshot) -> CallFailed | None:
    """Read the exchange's clock; return the failure when nothing else can succeed either."""
    started = taking.clock.monotonic_ms()
    before = taking.clock.now_ms()
    try:
        server = taking.read(client, taking.adapter.server_time())
    except CallFailed as failed:
        snapshot.clock = {"server_time": None, "skew_ms": None, "round_trip_ms": None, "unknown": str(failed)}
        return failed if failed.code in HOPELESS else None
    trip = round(taking.clock.monotonic_ms() - started)
    taking.skew_ms = before + trip // 2 - server
    snapshot.clock = {"server_time": iso(server), "skew_ms": taking.skew_ms, "round_trip_ms": trip}
    return None


def _read_keys(
    taking: _Taking, chosen: Mapping[str, str | None], snapshot: Snapshot, source: SecretSource
) -> list[tuple[KeyReport, Any]]:
    """Read every key's report, several at once; return those that came, each with its client."""
    signed: list[tuple[KeyReport, Any]] = []
    with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="policykit-snapshot") as pool:
        work = [pool.submit(_read_key, taking, name, reference, source) for name, reference in chosen.items()]
        for one in work:
            report, client, error = one.result()
            if report is not None:
                snapshot.keys.append(report)
                signed.append((report, client))
            if error is not None:
                snapshot.errors.append(error)
    return signed


def _read_key(
    taking: _Taking, name: str, reference: str | None, source: SecretSource
) -> tuple[KeyReport | None, Any, dict[str, str] | None]:
    if reference is None:
        place = taking.effective.place(f"keys.{name}")
        words = f"{place}: keys.{name} has no secret; a reference (env://PREFIX) is needed to read it live"
        return None, None, {"key": name, "code": "SECRET_UNAVAILABLE", "message": words}
    try:
        credentials = source(reference)
        client = taking.client(credentials)
        report = taking.read(client, taking.adapter.key_report())
    except SecretUnavailable as error:
        return None, None, {"key": name, "code": "SECRET_UNAVAILABLE", "message": str(error)}
    except ExchangeUnavailable as error:
        return None, None, {"key": name, "code": error.code, "message": str(error)}
    report.name = name
    report.id = key_id(credentials)
    return report, client, None


def key_id(credentials: Mapping[str, Secret]) -> str:
    """Name a key without showing it: the first 12 hex digits of the SHA-256 of its public part."""
    public = next((credentials[name] for name in ("api_key", "wallet") if name in credentials), None)
    return "" if public is None else str(hashed(public.reveal()))


def _read_limits(taking: _Taking, client: Any, snapshot: Snapshot) -> None:
    limits: tuple[RateLimit, ...] = ()
    try:
        limits = taking.read(client, taking.adapter.rate_limits())
    except CallFailed as failed:
        snapshot.errors.append({"key": "", "code": failed.code, "message": f"limits: {failed}"})
    snapshot.limits = list(limits)


def _read_account(taking: _Taking, signed: Sequence[tuple[KeyReport, Any]]) -> dict[str, Any]:
    """Read balances, open orders and equity with the first key that may read; say why for each that is not known."""
    unknown: dict[str, str] = {}
    account: dict[str, Any] = {"equity": None, "balances": None, "positions": None, "open_orders": None}
    account["unknown"] = unknown
    client = next((client for report, client in signed if report.permissions["read"] != "denied"), None)
    if client is None:
        for name in ("equity", "balances", "positions", "open_orders"):
            unknown[name] = "no key could be read"
        return account
    if not isinstance(taking.adapter, TradingAdapter):
        for name in ("equity", "balances", "positions", "open_orders"):
            unknown[name] = f"{taking.adapter.id}: this version reads keys only"
        return account
    try:
        live = taking.read(client, taking.adapter.account())
        account["balances"] = {asset: plain(total) for asset, total in sorted(live.balances.items())}
        account["positions"] = []
        account["source"] = {"endpoint": "GET /api/v3/account", "at": iso(live.as_of_ms)}
        account["equity"] = _equity(taking, taking.adapter, client, live, unknown)
    except CallFailed as failed:
        for name in ("equity", "balances", "positions"):
            unknown[name] = str(failed)
    try:
        orders = taking.read(client, taking.adapter.open_orders())
        account["open_orders"] = [
            {
                "symbol": one.symbol,
                "side": one.side,
                "quantity": plain(one.quantity),
                "filled": plain(one.filled),
                "client_order_id": one.client_order_id,
                "order_id": one.order_id,
            }
            for one in orders
        ]
    except CallFailed as failed:
        unknown["open_orders"] = str(failed)
    return account


def _equity(
    taking: _Taking, adapter: TradingAdapter, client: Any, live: LiveAccount, unknown: dict[str, str]
) -> str | None:
    """Value the balances in the account's currency; assets without a price count 0 and are named."""
    currency = taking.effective.model.account.currency
    symbols = tuple(f"{asset}/{currency}" for asset in sorted(live.balances) if asset != currency)
    marks: dict[str, Decimal] = {}
    try:
        marks = taking.read(client, adapter.marks(symbols))
    except CallFailed as failed:
        unknown["equity"] = str(failed)
        return None
    unpriced = [asset for asset in sorted(live.balances) if asset != currency and f"{asset}/{currency}" not in marks]
    if unpriced:
        unknown["equity.unpriced"] = ", ".join(unpriced)
    total = sum((marks.get(f"{a}/{currency}", Decimal(0)) * q for a, q in live.balances.items()), Decimal(0))
    return f"{plain(total + live.balances.get(currency, Decimal(0)))} {currency}"


def _read_addresses(
    taking: _Taking, signed: Sequence[tuple[KeyReport, Any]], unknown: dict[str, str]
) -> list[dict[str, Any]] | None:
    if not signed:
        unknown["withdrawal_addresses"] = "no key could be read"
        return None
    try:
        return taking.read(signed[0][1], taking.adapter.withdrawal_addresses())
    except CallFailed as failed:
        unknown["withdrawal_addresses"] = str(failed)
        return None
