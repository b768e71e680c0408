"""Write docs/exchanges.md: what each exchange tells of a key, and the facts that policykit has of it.

What a key report tells is not written down anywhere: it is read from the simulated exchange, over HTTP with stock ccxt,
for a key that was granted everything.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit import traits
from policykit.exchanges import known, load
from policykit.exchanges.adapter import TradingAdapter
from policykit.exchanges.base import run
from policykit.exchanges.client import make_client
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer
from policykit.sim.keys import GRANTS
from policykit.snapshot import KeyReport
from policykit.traits.base import FENCE_TERMS, Exchange, Family, fence_length_ms, fence_terms

HEAD = """\
# Exchanges

<!-- Made by `make docs` from the facts in policykit/traits and the adapters; do not edit. -->

policykit reads the keys of {count} exchanges. Each fact stands in `policykit/traits/ID.py` with its source and date;
how an answer is read stands in `policykit/exchanges/ID.py`. What an exchange does not tell is *unknown*, with the
reason, never a pass; `declared:` in a policy says it in its place, and lint reports that as declared, not verified.

How to read them: [live.md](live.md).
"""
#: What a fence is worked out for: request validity and clock bound, ms.
VALIDITY_MS, CLOCK_BOUND_MS = 5_000, 500
_DAY_MS = 86_400_000


def page() -> str:
    """Return the page."""
    ids = known()
    parts = [HEAD.format(count=len(ids)), *_told(ids), *_rules(ids), *_orders(ids), *_fences(ids), *_limits(ids)]
    return "\n".join(parts) + "\n"


def _facts(name: str) -> Exchange:
    found = traits.load(name)
    assert found is not None
    return found


def _told(ids: tuple[str, ...]) -> Iterator[str]:
    yield "\n## What a key report tells\n"
    yield "`yes` is read from the exchange. `trade.*` lists the kinds of trading that are told one by one.\n"
    yield from _head(
        "exchange, asked, read, trade.*, transfer, withdraw, key_admin, addresses, made, ends, last used, account"
    )
    for name in ids:
        adapter = load(name)
        assert adapter is not None
        report = _report(name)
        said = report.permissions
        trade = [
            scope.removeprefix("trade.") for scope in said if scope.startswith("trade.") and said[scope] != "unknown"
        ]
        addresses = (
            "yes" if report.addresses is not None else ("restricted or not" if report.restricted != "unknown" else "-")
        )
        cells = [
            name,
            "<br>".join(f"`{call}`" for call in adapter.asks["key_report"]),
            _told_of(said["read"]),
            ", ".join(trade) or "-",
            *(_told_of(said[scope]) for scope in ("transfer", "withdraw", "key_admin")),
            addresses,
            *("-" if one in report.unknown else "yes" for one in ("created_at", "expires_at", "last_used_at")),
            "yes" if report.account_id else "-",
        ]
        yield f"| {' | '.join(cells)} |"


def _head(columns: str) -> Iterator[str]:
    names = columns.split(", ")
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"


def _told_of(said: str) -> str:
    return "-" if said == "unknown" else "yes"


def _report(name: str) -> KeyReport:
    adapter = load(name)
    assert adapter is not None
    clock = SimClock()
    with SimServer(clock=clock, dialect=name) as sim:
        key = sim.grant_key(30, grants=set(GRANTS), addresses=["203.0.113.7"], expires_in_days=20, used_days_ago=1)
        secrets = {part: Secret(value) for part, value in key.credentials().items()}
        client = make_client(name, secrets, endpoint=sim.url, clock=clock)
        return run(adapter, client, adapter.key_report(), clock)


def _rules(ids: tuple[str, ...]) -> Iterator[str]:
    yield "\n## Keys: the exchange's own rules\n"
    yield from _head(
        "exchange, granted together, a key ends by itself, revoked by its own call, by the main account, most addresses"
    )
    for name in ids:
        facts = _facts(name)
        together = [" + ".join(bundle) for bundle in facts.bundles]
        if facts.transfer_separable is False and not any("transfer" in bundle for bundle in facts.bundles):
            together.append("transfer with trade")
        ends = [
            f"{one.after_ms // _DAY_MS} days after {'it was made' if one.counts_from == 'creation' else 'its last use'}"
            + (", without an address" if one.only_without_address else "")
            for one in facts.key_expiries
        ]
        revocation = facts.revocation
        own = f"`{revocation.own}`" if revocation and revocation.own else "-"
        if revocation and revocation.own_needs:
            own += f" (needs {' or '.join(revocation.own_needs)})"
        by_master = f"`{revocation.by_master}`" if revocation and revocation.by_master else "-"
        most = str(facts.most_addresses) if facts.most_addresses else "-"
        yield f"| {name} | {'; '.join(together) or '-'} | {'; '.join(ends) or '-'} | {own} | {by_master} | {most} |"


def _orders(ids: tuple[str, ...]) -> Iterator[str]:
    yield "\n## Orders\n"
    yield (
        f"The fence is the time after the last signing when a missing order can no longer execute, for a request "
        f"that is valid {VALIDITY_MS // 1000} s and clocks {CLOCK_BOUND_MS} ms apart; without one nothing is ever sent "
        "again ([orders.md](orders.md)). A guard trades on: "
        + ", ".join(name for name in ids if isinstance(load(name), TradingAdapter))
        + ".\n"
    )
    yield from _head(
        "exchange, product, family, client order id, unique among, valid by default / at most, fence, cancel all, "
        "dead man's switch"
    )
    for name in ids:
        for product, known_facts in _facts(name).products.items():
            switch = known_facts.dead_man_switch
            timer = f"{switch.unit}, {switch.scope}, {switch.on}" if switch else "-"
            for family, facts in known_facts.families.items():
                yield f"| {name} | {product} | {family} | {' | '.join(_family(facts))} | {timer} |"


def _family(facts: Family) -> list[str]:
    own = facts.client_order_id
    fence = fence_length_ms(facts, VALIDITY_MS, CLOCK_BOUND_MS)
    valid = " / ".join(_seconds(one) for one in (facts.validity_default_ms, facts.validity_max_ms))
    cancel = facts.cancel_all
    how = {"account": "one call", "symbol": "a call a symbol", "loop": "in a loop"}
    return [
        f"`{own.param}`" if own else "-",
        {"forever": "all orders", "open": "open orders", "none": "none"}[own.unique] if own else "-",
        valid,
        "-" if fence is None else _seconds(fence),
        "-" if cancel is None else how[cancel.how] + (f" of {cancel.most}" if cancel.most else ""),
    ]


def _fences(ids: tuple[str, ...]) -> Iterator[str]:
    yield "\n## What each fence rests on\n"
    yield (
        "Of an order that looks missing: after how long policykit concludes that it never executes, or that it stops "
        "and asks a person, because a term of the fence is in no document. *Assumed* stands in none either, and is "
        "taken all the same; where the exchange takes longer than that, an order can execute after it was held for "
        f"absent. Worked out for a validity of {VALIDITY_MS // 1000} s and clocks {CLOCK_BOUND_MS} ms apart.\n"
    )
    yield from _head(f"exchange, product, families, {', '.join(FENCE_TERMS.values())}, an order that looks missing")
    for name in ids:
        adapter = load(name)
        traded = adapter.trades if isinstance(adapter, TradingAdapter) else frozenset()
        for product, facts in _facts(name).products.items():
            alike: dict[tuple[str, ...], list[str]] = {}
            for family, known_of in facts.families.items():
                alike.setdefault(tuple(_terms(known_of, product in traded)), []).append(family)
            for cells, families in alike.items():
                yield f"| {name} | {product} | {', '.join(families)} | {' | '.join(cells)} |"


def _terms(facts: Family, traded: bool) -> list[str]:
    rests = fence_terms(facts)
    cells = [
        "-" if how == "unknown" else _seconds(getattr(facts, term)) + (", assumed" if how == "assumed" else "")
        for term, how in rests.items()
    ]
    fence = fence_length_ms(facts, VALIDITY_MS, CLOCK_BOUND_MS)
    told = "is not traded"
    if traded:
        told = "stops and asks" if fence is None else f"absent {_seconds(fence)} after its signing"
    return [*cells, told]


def _seconds(ms: int | None) -> str:
    return "-" if ms is None else f"{ms / 1000:g} s"


def _limits(ids: tuple[str, ...]) -> Iterator[str]:
    yield "\n## Limits\n"
    yield from _head("exchange, allowance, limit, window, shared by, header, calls with a cost of their own")
    for name in ids:
        facts = _facts(name)
        for window in facts.rate_windows:
            header = f"`{window.header}` ({window.reports})" if window.header else "-"
            costs = len(facts.costs.get(window.name, {}))
            span = f"{window.per_ms / 1000:g} s, {window.window}"
            yield f"| {name} | {window.name} | {window.limit:,} | {span} | {window.scope} | {header} | {costs or '-'} |"
