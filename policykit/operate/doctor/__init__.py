"""Whether a host is fit to trade: clock, address, secrets, TLS, file modes, store, versions (G03, G11, G14).

Every line is a yes, a no or an unknown with what to do; what was not seen is never a yes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from policykit.clock import Clock, iso
from policykit.exchanges.endpoints import Endpoints
from policykit.operate.doctor import address, exchange, host, secret
from policykit.operate.keys.find import Found
from policykit.policy import EffectivePolicy
from policykit.secrets import Fact
from policykit.store.base import Store

#: The most keys that a line names of which it is true.
MAX_NAMED: Final = 3


class Asked(NamedTuple):
    """What the doctor is asked beside the policies.

    Where calls are sent, an endpoint that echoes our address, a proxy elsewhere, and the store in which proofs are
    kept (None: they are not).
    """

    endpoints: Endpoints
    echo: str | None = None
    via: str | None = None
    store: Store | None = None


class Section(NamedTuple):
    """The lines of one subject: the host, one policy, or the places of all secrets."""

    title: str
    lines: tuple[Fact, ...]


def examine(policies: Sequence[EffectivePolicy], asked: Asked, clock: Clock) -> list[Section]:
    """Look at the host, then at each policy's clock, connection, keys, addresses and secrets; writes only proofs."""
    sections = [Section("this host", tuple(host.lines(policies, asked.store)))]
    kept: list[Fact] = []
    seen = address.seen_from(asked.echo, None) if asked.echo else None
    for policy in policies:
        lines: list[Fact] = []
        endpoint = asked.endpoints.of(policy.model.exchange)
        read = exchange.read(policy, endpoint, clock)
        lines += exchange.lines(policy, read, endpoint)
        for name, key in (policy.model.keys or {}).items():
            found = Found(policy, name, key)
            kept += secret.lines(found)
            lines += address.lines(found, read, seen, clock.now_ms(), asked.store, endpoint)
            if asked.via is not None:
                lines.append(address.refused_elsewhere(found, read, endpoint, asked.via, clock, asked.store))
        sections.append(Section(f"{policy.model.exchange} ({policy.file})", tuple(lines)))
    return [*sections, Section("secrets", tuple(kept))] if kept else sections


def text(sections: Sequence[Section], now_ms: int) -> str:
    """Write the page for a person: state, what was looked at, what is, and what to do."""
    lines = [f"policykit doctor, {iso(now_ms)}", ""]
    drawn = [(section.title, list(_folded(section.lines))) for section in sections]
    wide = max((len(line.name) for _, rows in drawn for line in rows), default=0) + 2
    for title, rows in drawn:
        lines.append(title)
        for line in rows:
            lines.append(f"  {line.state:<9}{line.name:<{wide}}{line.words}")
            if line.next_step and line.state != "yes":
                lines.append(f"  {'':<9}{'':<{wide}}do: {line.next_step}")
        lines.append("")
    states = [line.state for _, rows in drawn for line in rows]
    lines.append(", ".join(f"{states.count(state)} {state}" for state in ("yes", "no", "unknown")))
    return "\n".join(lines) + "\n"


def _folded(lines: Iterable[Fact]) -> Iterator[Fact]:
    """Yield lines that say the same of several keys as one: `secret mm-exec, hedge`."""
    groups: dict[Fact, dict[str, None]] = {}
    for line in lines:
        what, _, name = line.name.partition(" ")
        groups.setdefault(line._replace(name=what), {})[name] = None
    for line, names in groups.items():
        first = list(names)[:MAX_NAMED]
        more = f" and {len(names) - len(first)} more" if len(names) > len(first) else ""
        yield line._replace(name=f"{line.name} {', '.join(first)}{more}".strip())


def code(sections: Sequence[Section]) -> int:
    """Return the exit code: 1 when something is a no, 3 when an exchange could not be reached, else 0."""
    lines = [line for section in sections for line in section.lines]
    if any(line.state == "no" for line in lines):
        return 1
    return 3 if any(line.name == exchange.CONNECTION and line.state == "unknown" for line in lines) else 0
