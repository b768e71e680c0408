"""Where a key's secret lives, and what is seen of that place: audit log, rights, encryption (G14)."""

from __future__ import annotations

from collections.abc import Iterator

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.operate.keys.find import Found
from policykit.secrets import Fact


def lines(found: Found) -> Iterator[Fact]:
    """Yield what the source of a key's secret shows of itself; nothing of the secret."""
    if not found.key.secret:
        yield Fact(
            f"secret {found.name}", "unknown", "the policy names no place for it", "say where it lives: `secret:`"
        )
        return
    try:
        facts = secrets.inspect(found.key.secret)
    except SecretUnavailable as error:
        yield Fact(f"secret {found.name}", "no", str(error), "mend the reference in the policy")
        return
    for fact in facts:
        yield Fact(f"secret {found.name}", fact.state, f"{fact.name}: {fact.words}", fact.next_step)
