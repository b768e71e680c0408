"""Words for decisions: why the store refused, and what a denied bot reads."""

from __future__ import annotations

from policykit.decision import Decision, Hold, Reason
from policykit.engine.case import Case
from policykit.engine.engine import Engine
from policykit.engine.facts import Facts
from policykit.engine.reasons import REASONS
from policykit.order import Order


def explain_failed(
    engine: Engine,
    order: Order,
    holds: tuple[Hold, ...],
    used: tuple[int, ...],
    failed: tuple[int, ...],
    *,
    facts: Facts | None = None,
    now_ms: int = 0,
) -> tuple[Reason, ...]:
    """Turn the store's refusal into reasons, in the order of the holds. Never raises.

    With the facts and the time of the assessment, positions are told in money; else in units.
    """
    checks = {check.id: check for check in engine.checks}
    case = Case(engine.setup, facts if facts is not None else Facts(), order, now_ms)
    reasons = []
    for index in failed:
        hold = holds[index]
        try:
            reasons.append(checks[hold.check].explain(case, hold, used[index]))
        except Exception as error:  # noqa: BLE001 - a refusal stays a refusal, whatever can be said of it
            text = f"{hold.counter}: {used[index]} of {hold.limit} is used ({type(error).__name__} while explaining)"
            reasons.append(Reason("CHECK_ERROR", hold.check, text, failure=True))
    return tuple(reasons)


def denial_message(decision: Decision, policy_file: str) -> str:
    """Return the lines that a denied bot reads: what and why; by which policy line, and what else; what to do; more."""
    first, *others = decision.reasons
    place = str(first.place) if first.place is not None else policy_file
    said = list(dict.fromkeys(reason.message for reason in others if reason.message != first.message))
    also = f"; also: {'; '.join(said)}" if said else ""
    text = REASONS.get(first.code)
    return (
        f"{decision.action} denied: {first.message}\n"
        f"  policy {decision.policy_name} {decision.policy_version}, {place}{also}\n"
        + (f"  to do: {text.do}\n" if text is not None else "")
        + f"  decision {decision.id}, see: policykit journal show {decision.id}"
    )
