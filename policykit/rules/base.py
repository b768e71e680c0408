"""What every rule is made of: what it is, what it may read, and how it states a finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from policykit.finding import Confidence, Finding, Fix, Observed, Severity, Status
from policykit.place import Place

if TYPE_CHECKING:
    from policykit.model import Key, Policy
    from policykit.policy import EffectivePolicy
    from policykit.record import Record
    from policykit.rules.code import Code
    from policykit.rules.config import Config
    from policykit.rules.fleet import Card
    from policykit.snapshot import KeyReport, Snapshot
    from policykit.traits.base import Exchange

#: What a rule may be about: one policy, all policies of a lint together, a bot's source, a file in which a bot keeps
#: its settings and often its keys.
Subject = Literal["policy", "fleet", "source", "config"]
#: What a rule may read: its subject first. `findings`: those of all other rules, for a rule on the fleet.
Reads = Literal["policy", "fleet", "source", "config", "snapshot", "record", "findings"]

DAY_MS = 86_400_000


class Rule(NamedTuple):
    """One rule. `why` is one sentence for the report; `guide` lists requirements of the guide.

    `needs_snapshot`: it says nothing without live state, and is not run then.
    """

    code: str
    name: str
    severity: Severity
    guide: tuple[str, ...]
    why: str
    reads: tuple[Reads, ...] = ("policy",)
    waivable: bool = True
    needs_snapshot: bool = False

    @property
    def subject(self) -> Subject:
        """What the rule is about: which inputs it is given, and how often it runs."""
        return next((r for r in ("fleet", "source", "config") if r in self.reads), "policy")

    def finding(  # noqa: PLR0913  # keywords only, one for each part of a finding
        self,
        place: Place,
        message: str,
        *,
        status: Status = "open",
        confidence: Confidence = "certain",
        label: str = "",
        next_step: str = "",
        context: tuple[tuple[str, Place], ...] = (),
        observed: Observed | None = None,
        fix: Fix | None = None,
    ) -> Finding:
        """State one claim at one place."""
        return Finding(
            rule=self.code,
            name=self.name,
            severity=self.severity,
            message=message,
            primary=place,
            confidence=confidence,
            status=status,
            guide=self.guide,
            label=label,
            why=self.why if self.waivable else f"{self.why}; cannot be waived",
            next_step=next_step,
            context=context,
            observed=observed,
            fix=fix,
            waivable=self.waivable,
        )

    def unknown(self, place: Place, message: str, next_step: str) -> Finding:
        """State what could not be observed, and why: never a pass."""
        return self.finding(place, message, status="unknown", next_step=next_step)


class Inputs(NamedTuple):
    """Everything a rule may read: what its subject names, the rest is None or empty when not given."""

    now_ms: int
    policy: EffectivePolicy | None = None
    traits: Exchange | None = None
    snapshot: Snapshot | None = None
    #: Dotted names of fields that a snapshot file does not have.
    missing: tuple[str, ...] = ()
    record: Record | None = None
    source: Code | None = None
    config: Config | None = None
    fleet: tuple[Card, ...] = ()
    #: Where files that others extend say what must never be.
    never: tuple[Place, ...] = ()
    #: By file, those of all other rules, one for each rule and path.
    findings: Mapping[str, Sequence[Finding]] = MappingProxyType({})
    #: The oldest live state that is taken as live, ms; None: what the rule on that says (PK110).
    max_age_ms: int | None = None

    @property
    def effective(self) -> EffectivePolicy:
        """The policy; the runner gives one to every rule that is about one."""
        if self.policy is None:
            raise LookupError("this rule reads a policy")
        return self.policy

    @property
    def model(self) -> Policy:
        """What the policy says."""
        return self.effective.model

    @property
    def code(self) -> Code:
        """The bot's source; the runner gives it to every rule that is about source."""
        if self.source is None:
            raise LookupError("this rule reads source")
        return self.source

    @property
    def settings(self) -> Config:
        """The bot's settings; the runner gives them to every rule that is about them."""
        if self.config is None:
            raise LookupError("this rule reads settings")
        return self.config

    @property
    def keys(self) -> Mapping[str, Key]:
        """The keys of the policy, by name."""
        return self.model.keys or {}

    @property
    def trades(self) -> bool:
        """Whether a key of the policy may trade."""
        return any(scope.startswith("trade") for key in self.keys.values() for scope in key.scopes or ())

    def place(self, path: str) -> Place:
        """Return the place of a value of the policy: its span, or its key's when it takes several lines.

        Of one that is absent it is the key of the section that it belongs to. `path` stays the one asked for, so that a
        waiver can name what is missing.
        """
        exact = self.effective.origins.get(path)
        if exact is not None:
            one_line = exact.line == exact.end_line
            return (exact if one_line else self.effective.key_place(path))._replace(path=path)
        parent = path.rpartition(".")[0]
        while parent:
            said = self.effective.origins.get(parent)
            if said is not None and said.path == parent:  # else the stage made the section, and no file has it
                return self.effective.key_place(parent)._replace(path=path)
            parent = parent.rpartition(".")[0]
        return self.effective.key_place("exchange")._replace(path=path)

    def declared_at(self, key: str) -> tuple[tuple[str, Place], ...]:
        """Return the second labelled span of a finding on a key: where the key is declared."""
        place = self.effective.key_places.get(f"keys.{key}")
        return (("key declared here", place),) if place is not None else ()

    def past_ms(self, text: object) -> int | None:
        """Return UTC milliseconds of a time or date that has come; None for any other, which proves no age."""
        at_ms = iso_ms(text)
        return None if at_ms is None or at_ms >= self.now_ms + DAY_MS else at_ms

    def reports(self) -> Iterator[tuple[str, Key, KeyReport]]:
        """Yield (name, key of the policy, what the exchange says of it) for each key that was read."""
        for name, key in self.keys.items():
            report = self.report(name)
            if report is not None:
                yield name, key, report

    def report(self, key: str) -> KeyReport | None:
        """Return what the exchange says of a key, or None when it was not read."""
        return next((r for r in self.snapshot.keys if r.name == key), None) if self.snapshot else None

    def unread(self) -> Iterator[tuple[str, str, str]]:
        """Yield (key, code of the error, reason) for each key of the policy that the snapshot has no report of."""
        if self.snapshot is None:
            return
        errors = {e.get("key", ""): e for e in self.snapshot.errors}
        for name in self.keys:
            if self.report(name) is None:
                error = errors.get(name)
                reason = error.get("message", "no reason given") if error else "the snapshot has no report of it"
                yield name, error.get("code", "") if error else "", reason

    def not_told(self, field: str) -> str:
        """Return why a field of the snapshot that is not a key's is unknown: `equity`, `withdrawal_addresses`."""
        reasons = self.snapshot.account.get("unknown") if self.snapshot else None
        reason = reasons.get(field) if isinstance(reasons, Mapping) else None
        return " ".join(str(reason).split()) if reason else "the snapshot does not have it"

    def observed(self, report: KeyReport, path: str, value: Any) -> Observed:
        """Return the evidence of a finding: what the exchange said of a key."""
        return self.evidence(report.endpoint, path, value, report.at)

    def evidence(self, endpoint: str, path: str, value: Any, at: str) -> Observed:
        """Return the evidence of a finding: what an endpoint of the exchange said, and how old that is."""
        exchange = self.snapshot.exchange if self.snapshot else ""
        at_ms = iso_ms(at)
        age = None if at_ms is None else max(0.0, (self.now_ms - at_ms) / 1000)
        return Observed(exchange, endpoint, path, value, at, age)

    def key_page(self) -> str:
        """Return where a person edits a key of this exchange."""
        return (self.traits.key_page if self.traits else "") or f"{self.model.exchange}: the page of the API key"

    def on_page(self, scope: str) -> str:
        """Return what a scope is called on that page, in quotes, or the scope itself."""
        label = self.traits.scope_labels.get(scope) if self.traits else None
        return f'"{label}"' if label else scope


def iso_ms(text: object) -> int | None:
    """Return UTC milliseconds of an ISO time or date (without zone: UTC), or None when it is none."""
    try:
        at = datetime.fromisoformat(str(text))
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None


def days(ms: float) -> str:
    """Write a span in whole days: `140 days`."""
    count = int(ms // DAY_MS)
    return "1 day" if count == 1 else f"{count} days"


def words(items: Iterable[str]) -> str:
    """Join names as a sentence does: `a`, `a and b`, `a, b and c`."""
    names = list(items)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
