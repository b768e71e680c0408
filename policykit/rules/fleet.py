"""What one policy shows to the rules that compare policies: small, so that thousands of them fit in memory."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from policykit.finding import Observed
from policykit.place import Place

if TYPE_CHECKING:
    from policykit.model.waivers import Waiver
    from policykit.rules.base import Inputs


class KeyCard(NamedTuple):
    """One key. `observed`: what the exchange identifies it by, hashed; None when it was not read."""

    name: str
    purpose: str
    secret: str | None
    addresses: tuple[tuple[str, Place], ...]
    observed: Observed | None
    #: Other keys of its account that its report names: what they are identified by, and what a person called them.
    others: tuple[tuple[Observed, str], ...] = ()


class BudgetCard(NamedTuple):
    """One rate budget: what shares it, and how much of it may be used, as a fraction."""

    name: str
    shared_by: str
    used: Decimal


class Card(NamedTuple):
    """One policy. `places` holds the places of the values that fleet rules point at, by dotted path."""

    file: str
    #: Every file it was read from, itself first.
    files: tuple[str, ...]
    name: str
    owner: str | None
    exchange: str
    account: str
    environment: str
    egress: str | None
    #: Who shares its counters (`store.share`), how many bots trade under it, and its rate budgets.
    share: str
    bots: int
    budgets: tuple[BudgetCard, ...]
    keys: tuple[KeyCard, ...]
    waivers: tuple[Waiver, ...]
    #: What the other rules could read of it: policy, snapshot, record.
    given: frozenset[str]
    places: Mapping[str, Place]

    def place(self, path: str) -> Place:
        """Return the place of a key or a waiver, or of a field of one; the nearest parent's when it is absent."""
        at = path
        while at not in self.places and "." in at:
            at = at.rpartition(".")[0]
        return self.places.get(at, Place(self.file))._replace(path=path)


def card(inputs: Inputs) -> Card:
    """Return what the rules on fleets read of one policy."""
    model = inputs.model
    paths = ["account.egress", "extends", *(f"waivers.{i}.rule" for i in range(len(model.waivers)))]
    paths += [f"rate_budgets.{name}.use_at_most" for name in model.rate_budgets or {}]
    keys = []
    for name, key in inputs.keys.items():
        report = inputs.report(name)
        paths += [f"keys.{name}", f"keys.{name}.secret"]
        listed = enumerate(key.ip_allowlist or ())
        addresses = tuple((a.address, inputs.place(f"keys.{name}.ip_allowlist.{i}.address")) for i, a in listed)
        seen = inputs.observed(report, "id", report.id) if report and report.id else None
        others = report.others if report else ()
        named = tuple((inputs.observed(report, "others", row["id"]), row["label"]) for row in others if report)
        keys.append(KeyCard(name, key.purpose, key.secret, addresses, seen, named))
    given = {"policy"} | {n for n in ("snapshot", "record") if getattr(inputs, n) is not None}
    return Card(
        file=inputs.effective.file,
        files=inputs.effective.files,
        name=model.name,
        owner=model.owner,
        exchange=model.exchange,
        account=model.account.name,
        environment=model.environment,
        egress=model.account.egress,
        share=model.store.share if model.store else "host",
        bots=model.account.bots or 1,
        budgets=tuple(
            BudgetCard(name, budget.shared_by, budget.use_at_most.fraction if budget.use_at_most else Decimal(1))
            for name, budget in (model.rate_budgets or {}).items()
        ),
        keys=tuple(keys),
        waivers=model.waivers,
        given=frozenset(given),
        places={path: inputs.place(path) for path in paths},
    )
