"""Who is told what by a policy, and whether it arrives: `policykit notify`."""

from __future__ import annotations

from typing import Any, Final, get_args

from policykit import notify, secrets
from policykit.clock import SystemClock
from policykit.errors import SecretUnavailable, StoreUnavailable
from policykit.exchanges.budget import running_store
from policykit.guard.telling import REPEAT_MS
from policykit.model.notify import Cause, Target
from policykit.notify import Sent
from policykit.policy import EffectivePolicy
from policykit.redact import scrub
from policykit.telemetry.causes import BY_ID

TITLE: Final = "policykit {account}: a test"
BODY: Final = "This is a test of policy {name}, by policykit notify test: nothing is wrong.\ntarget: {target}"


def targets_of(policy: EffectivePolicy, only: str | None = None) -> dict[str, Target]:
    """Return the targets of a policy, or one of them. Raise LookupError in words for a person."""
    section = policy.model.notify
    targets = dict((section.targets if section is not None else None) or {})
    if not targets:
        raise LookupError(f"{policy.file}: it has no target; add notify: {{targets: {{ops: {{secret: env://OPS}}}}}}")
    if only is not None and only not in targets:
        raise LookupError(f"{policy.file}: it has no target {only!r}; there are {', '.join(sorted(targets))}")
    return targets if only is None else {only: targets[only]}


def tested(policy: EffectivePolicy, name: str, target: Target) -> Sent:
    """Send a test message to one target, once, and say what came of it."""
    try:
        address = secrets.read_url(target.secret)
    except SecretUnavailable as error:
        return Sent(False, str(error))
    title, body = TITLE.format(account=policy.account_key), BODY.format(name=policy.name, target=name)
    return notify.send(address, title, body, "warning")


def noted(policy: EffectivePolicy, done: dict[str, Sent]) -> str:
    """Write into the bots' store, if there is one, that a test was sent; return why that cannot be."""
    store, problem = running_store()
    if store is None:
        return f"the test is not noted: {problem}" if problem else ""
    now_ms = SystemClock().now_ms()
    try:
        for name, sent in done.items():
            body = {"target": name, "ok": sent.ok, "test": True, "policy": policy.name, "account": policy.account_key}
            store.event("message", body | ({} if sent.ok else {"words": scrub(sent.words)}), now_ms)
    except StoreUnavailable as error:
        return f"the test is not noted: {error}"
    finally:
        store.close()
    return ""


def shown(policy: EffectivePolicy) -> dict[str, Any]:
    """Return who is told what, as JSON; where an address lies is said, never the address."""
    section = policy.model.notify
    targets = (section.targets if section is not None else None) or {}
    return {
        "version": 1,
        "policy": policy.name,
        "repeat": str(section.repeat) if section is not None and section.repeat else f"{REPEAT_MS // 60_000}m",
        "drills": section.drills if section is not None else "quiet",
        "targets": {name: {"secret": t.secret, "causes": told(t)} for name, t in sorted(targets.items())},
    }


def told(target: Target) -> list[str]:
    """Return the causes that a target is told of; those that it is told of only at their worst are in brackets."""
    asked = target.causes or get_args(Cause)
    worst = target.severity == "critical"
    return [f"({cause})" if worst and BY_ID[cause].severity != "critical" else cause for cause in asked]
