"""The PK0 findings: what can be wrong with the file itself. `explain` and the rule table read this table."""

from __future__ import annotations

from typing import NamedTuple

from policykit.finding import Finding, Fix
from policykit.place import Place


class Code(NamedTuple):
    """One way in which a policy cannot be read or composed: its name, and why it is refused."""

    name: str
    why: str


CODES: dict[str, Code] = {
    "PK001": Code("unreadable-file", "a policy that cannot be read protects nothing"),
    "PK002": Code("not-yaml", "what is not YAML has no meaning that two readers share"),
    "PK003": Code("refused-yaml", "aliases, tags and deep nesting make a policy hard to review and slow to read"),
    "PK004": Code("ambiguous-value", "YAML readers disagree on this value, and a limit must mean one thing"),
    "PK005": Code("duplicate-key", "most readers silently keep one of the two"),
    "PK006": Code("invisible-character", "a reviewer cannot see it, and it can make one text look like another"),
    "PK007": Code("no-value", "a key without a value is easily read as a limit"),
    "PK010": Code("unknown-key", "a mistyped limit is a limit that nobody enforces"),
    "PK011": Code("wrong-value", "a value that is not understood cannot be enforced"),
    "PK012": Code("missing-key", "the section means nothing without it"),
    "PK013": Code("two-bounds", "of two bounds in one currency only one can be meant"),
    "PK020": Code("extends-unresolved", "without the policy that it extends, limits would be missing"),
    "PK021": Code("looser-than-parent", "a policy may tighten what it extends, never loosen it"),
    "PK022": Code("differs-from-parent", "the two policies speak of different accounts or measure differently"),
    "PK023": Code("incomplete-policy", "counters are kept by exchange, account and currency"),
    "PK024": Code(
        "invariant-broken", "what an organisation says never happens is proved of every policy, or it is a hope"
    ),
    "PK030": Code("waiver-refused", "some findings are never accepted, others only with leave of the extended policy"),
}


def finding(
    code: str, place: Place, what: str, may: str, *, do: str = "", label: str = "", fix: Fix | None = None
) -> Finding:
    """Return a PK0 finding. Its message is `what; may; do`: what is, what may be, what to do."""
    row = CODES[code]
    return Finding(
        rule=code,
        name=row.name,
        severity="high",
        message="; ".join(part for part in (what, may, do) if part),
        primary=place,
        label=label,
        why=row.why,
        next_step=do or may,
        fix=fix,
        waivable=False,
    )
