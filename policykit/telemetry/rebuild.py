"""Spans made from rows of the journal: what a collector missed, what a page draws, what `export --otlp` sends.

They are the spans that the guard made when it decided, name, attributes, links and all, and under a provider of ours
(POLICYKIT_OTLP, `OTEL_PYTHON_ID_GENERATOR=policykit`) the ids too. What differs: times are the journal's, in whole
milliseconds, and a decision's has no length (its row is written before it is over); a decision that was merged from a
fallback file has a row number here; a halt links wherever it was set, by whichever process, but not to a span of the
bot's own that set it; a send has its decision as parent however long ago that was. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from policykit.decision import Decision
from policykit.orders.intent import Intent, advance
from policykit.policy import PAPER
from policykit.store.base import Row
from policykit.store.codec import decision_from_body, intent_from_dict, outcome_from_dict
from policykit.store.failures import UNREADABLE
from policykit.telemetry import attributes, ids, names
from policykit.telemetry.attributes import AttributeValue, Scope

#: Decisions whose sends and re-sends are awaited, and policies that are known; of more the oldest is forgotten.
MAX_DECISIONS: Final = 4_096
MAX_POLICIES: Final = 1_000
#: What an account of a sandbox, or on paper, is called after its name in the policy.
SANDBOX: Final = "@sandbox"
#: What is kept of the row of a policy.
_SCOPE: Final = ("name", "version", "account", "currency", "stage", "key", "backend")
_MS: Final = 1_000_000


class Ref(NamedTuple):
    """A span that another one names: trace and span, in hex."""

    trace_id: str
    span_id: str


class JournalSpan(NamedTuple):
    """A span as the journal has it; `seq` is its row. Ids are hex, times UTC nanoseconds."""

    name: str
    kind: Literal["INTERNAL", "CLIENT"]
    trace_id: str
    span_id: str
    parent_id: str | None
    start_ns: int
    end_ns: int
    attributes: Mapping[str, AttributeValue]
    error: bool
    links: tuple[Ref, ...]
    seq: int


class _Known(NamedTuple):
    """What is kept of a decision: its span, that of the first one it stems from, the state of its order."""

    span: Ref
    first: Ref
    decision: Decision
    scope: Scope
    intent: Intent | None


class Rebuild:
    """Rows in, spans out, in order. Bounded; a row that cannot be understood gives none and is counted."""

    def __init__(self, policies: Iterable[Mapping[str, Any]] = ()) -> None:
        #: What the rows say of policies in force, by name and version: what scopes are made of.
        self.policies: dict[tuple[str, str], Mapping[str, Any]] = {}
        #: Rows that could not be understood (another version's, or not ours).
        self.unreadable = 0
        self._known: dict[str, _Known] = {}
        self._halts: dict[str, str] = {}
        for body in policies:
            self._policy(body)

    def take(self, row: Row) -> list[JournalSpan]:
        """Return the spans that a row stands for: one for a decision, one for the answer to a send, else none."""
        try:
            if row.kind == "decision":
                return [self._decided(row)]
            if row.kind == "outcome":
                return self._outcome(row)
            if row.kind == "policy":
                self._policy(row.body)
            elif row.kind == "halt":
                self._halts.pop(row.body["scope"], None)
                if row.body.get("decision") is not None:
                    _keep(self._halts, row.body["scope"], row.body["decision"], MAX_POLICIES)
            elif row.kind == "resume":
                lifted = row.body["scope"]
                self._halts = {} if lifted == "all" else {s: by for s, by in self._halts.items() if s != lifted}
        except UNREADABLE:
            self.unreadable += 1
        return []

    def _policy(self, body: Mapping[str, Any]) -> None:
        said = {name: body[name] for name in _SCOPE if body.get(name) is not None}
        _keep(self.policies, (body["name"], body["version"]), said, MAX_POLICIES)

    def _decided(self, row: Row) -> JournalSpan:
        body = row.body
        decision = decision_from_body(body, row.at_ms)
        decision.seq = row.seq
        intent = intent_from_dict(body["intent"]) if "intent" in body else None
        scope = self._scope(decision, intent)
        said = attributes.of_decision(decision, scope, intent)
        trace, above = (None, None) if decision.trace is None else decision.trace
        trace_id, span_id = ids.ids_of(decision.id)
        own = Ref((trace_id if trace is None else trace.to_bytes(16)).hex(), span_id.hex())
        before = self._known.get(intent.replaces or "") if intent is not None else None
        links = []
        if before is not None:
            links.append(before.first)
            if before.intent is not None:
                said[names.ORIGINAL_CLIENT_ID] = before.intent.client_order_id
        if any(reason.code.startswith(attributes.HALTED) for reason in decision.reasons):
            links += [known.span for halt in dict.fromkeys(self._halts.values()) if (known := self._known.get(halt))]
        first = own if before is None else before.first
        _keep(self._known, decision.id, _Known(own, first, decision, scope, intent), MAX_DECISIONS)
        return JournalSpan(
            f"{names.DECIDE} {decision.action}",
            "INTERNAL",
            *own,
            None if above is None else above.to_bytes(8).hex(),
            row.at_ms * _MS,
            row.at_ms * _MS,
            said,
            names.ERROR_TYPE in said,
            tuple(links),
            row.seq,
        )

    def _outcome(self, row: Row) -> list[JournalSpan]:
        known = self._known.get(row.body["intent"])
        if known is None or known.intent is None:
            return []  # decided before what was read, or without a span
        intent = advance(known.intent, outcome_from_dict(row.body, row.at_ms))
        self._known[intent.id] = known._replace(intent=intent)
        took_ms = row.body.get("took_ms")
        if took_ms is None:
            return []  # what was learnt of the order later, by a look-up or a stream
        said = attributes.of_send(intent, known.scope, known.decision)
        return [
            JournalSpan(
                f"{names.SEND} {intent.order.action}",
                "CLIENT",
                known.span.trace_id,
                ids.ids_of(intent.id, "send")[1].hex(),
                known.span.span_id,
                row.at_ms * _MS - round(took_ms * _MS),
                row.at_ms * _MS,
                said,
                names.ERROR_TYPE in said,
                (),
                row.seq,
            )
        ]

    def _scope(self, decision: Decision, intent: Intent | None) -> Scope:
        """Return what the guard knew beside the decision; of a policy that no row names, the account at least."""
        loaded = self.policies.get((decision.policy_name, decision.policy_version), {})
        account = loaded.get("account") or (intent.account if intent is not None else "")
        exchange, _, name = str(account).removesuffix(PAPER).removesuffix(SANDBOX).partition("/")
        return Scope(
            exchange=exchange,
            account=name,
            stage=loaded.get("stage", ""),
            backend=loaded.get("backend", ""),
            key=decision.extra.get("key") or loaded.get("key"),
            currency=loaded.get("currency"),
        )


def spans_of(rows: Iterable[Row]) -> list[JournalSpan]:
    """Return the spans of rows in their order.

    The rows should begin with those of the policies (`policy`): stage, key and account of a denial stand there only.
    """
    rebuild = Rebuild()
    return [span for row in rows for span in rebuild.take(row)]


def _keep(kept: dict[Any, Any], key: Any, value: Any, limit: int) -> None:
    if key not in kept and len(kept) >= limit:
        del kept[next(iter(kept))]
    kept[key] = value
