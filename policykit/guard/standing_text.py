"""How things stand, written for a person, within 100 columns."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from policykit.clock import iso
from policykit.engine.facts import Halt
from policykit.engine.money import money
from policykit.engine.rooms import Room
from policykit.guard.standing import Stand, Standing
from policykit.policy import PAPER
from policykit.telemetry.words import one_line

#: Guards that are gone and still shown, the latest first.
GONE_SHOWN: Final = 3
#: Limits that are shown of a policy unless all are asked for.
TIGHTEST: Final = 5
#: Columns of a line; of a limit's name; of what is used of it.
WIDTH: Final = 100
_NAME: Final = 44
_USED: Final = 40
_DAY_MS: Final = 86_400_000


def render(standing: Standing, *, everything: bool = False) -> str:
    """Return the text; `everything`: each limit of a policy, not the tightest only."""
    lines = [*_halts(standing), *_guards(standing)]
    lines += [
        f"{account} has what nothing explains: {n}; see policykit reconcile" for account, n in standing.drift.items()
    ]
    for run, judge, guards in standing.candidates:
        who = f"{judge} of {guards} live guards judge by it"
        until = f"until {iso(run.until_ms)[:16]}Z"
        lines.append(f"candidate {run.version} beside {run.name} on {run.account}: {who}, {until}")
    for stand in standing.policies:
        lines += _policy(stand, standing.now_ms, everything)
    unknown = len(standing.unknown)
    lines.append(f"orders of unknown outcome: {unknown}" + ("; see policykit orders --unknown" if unknown else ""))
    return "\n".join(map(one_line, lines)) + "\n"


def _halts(standing: Standing) -> Iterator[str]:
    halts = standing.halts
    on = "ACTIVE, but no increase is decided" if standing.idle else "ACTIVE"
    yield "trading: " + ("; ".join(f"{halt.state} for {halt.scope}" for halt in halts) or on)
    for account, why in standing.idle.items():
        yield f"  {account}: {why}"
    for halt in halts:
        yield from _halt(halt)


def _halt(halt: Halt) -> Iterator[str]:
    frozen = ", exits frozen too" if halt.freeze else ""
    yield f'  {halt.scope} by {halt.by} at {iso(halt.at_ms)}: "{halt.why}"{frozen}'
    yield f"  when it is mended: policykit resume --scope {shlex.quote(halt.scope)} --by NAME --why TEXT"


def _guards(standing: Standing) -> Iterator[str]:
    live, gone = standing.live, standing.gone
    yield f"guards: {len(live)} live, {len(gone)} gone" if live or gone else "guards: none has used this store"
    for guard in (*live, *gone[:GONE_SHOWN]):
        heard = f"{_ago(standing.now_ms - guard.beat_ms)}" if guard in live else f"{iso(guard.beat_ms)}, gone"
        mode = f"PAPER {guard.mode}" if guard.account.endswith(PAPER) else guard.mode
        yield f"  {guard.bot}  {guard.account}  {mode}  {guard.host} pid {guard.pid}, heard {heard}"
        yield f"      policy {guard.policy_name} {guard.policy_version}"
    if len(gone) > GONE_SHOWN:
        yield f"  and {len(gone) - GONE_SHOWN} that are gone for longer (--format json lists them)"


def _policy(stand: Stand, now_ms: int, everything: bool) -> Iterator[str]:
    info, known = stand.of.info, stand.tightest
    dead = "" if stand.of.live else ", as its last guard had it"
    stage = "PAPER (simulated; nothing is sent)" if info.account.endswith(PAPER) else stand.stage
    yield f"{info.policy_name} on {info.account}, stage {stage}{dead}"
    if info.unproven:
        yield f"  increases are denied (STAGE_UNPROVEN): {one_line(info.unproven)}"
    shown = known if everything else known[:TIGHTEST]
    more = "" if len(shown) == len(known) else f"; the {len(shown)} tightest"
    unknown = [room for room in stand.rooms if room.used is None]
    not_known = f", {len(unknown)} not known" if unknown else ""
    hint = "" if everything or not (more or unknown) else " (--all shows every one)"
    yield f"  limits: {len(stand.rooms)}{not_known}{more}{hint}"
    for room in shown:
        yield _room(room)
    for room in unknown if everything else ():
        yield _cut(f"    {_name(room)}  not known: {room.unknown}")
    if stand.loss is not None:
        yield _loss(stand)
    yield _lint(stand, now_ms)
    for age in stand.keys:
        read = "as read" if age.observed else "as declared"
        due = "" if age.due_ms is None else f", {_due(age.due_ms - now_ms)}"
        old = f"{(now_ms - age.made_ms) // _DAY_MS} days old, {read}"
        yield f"  key {age.key}: {old if age.exposed_ms is None else 'may be in other hands'}{due}"


def _name(room: Room) -> str:
    return room.check if not room.key or room.check.endswith(f".{room.key}") else f"{room.check} {room.key}"


def _room(room: Room) -> str:
    assert room.used is not None
    assert room.limit is not None
    assert room.share is not None
    used = f"{_number(room.used)} of {_number(room.limit)} {room.unit}"
    return _cut(
        f"    {_name(room):<{_NAME}} {used:>{_USED}} {int(room.share * 100):>5}%" + (" FULL" if room.full else "")
    )


def _number(number: Decimal) -> str:
    return f"{int(number):,}" if number == int(number) else money(number)


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def _loss(stand: Stand) -> str:
    loss = stand.loss
    assert loss is not None
    unit = stand.of.policy.model.account.currency
    stands = f"  the day's loss: {_number(loss.used)} of {_number(loss.limit)} {unit}"
    if loss.used >= loss.limit:
        return f"{stands}: the limit is reached"
    if loss.pace is None or loss.pace <= 0:
        return stands
    met = f"met at {iso(loss.met_ms)[:16]}Z" if loss.met_ms is not None else "not met today"
    return _cut(f"{stands}, {_number(round(loss.pace, 2))} an hour on average; at this pace {met}")


def _lint(stand: Stand, now_ms: int) -> str:
    if stand.linted_ms is None:
        return "  last live lint: none is noted here; run policykit lint FILE --live"
    found = ", ".join(f"{count} {severity}" for severity, count in stand.lint.items()) or "nothing found"
    return f"  last live lint: {_ago(now_ms - stand.linted_ms)}: {found}"


def _ago(ms: int) -> str:
    """Write how long ago something was, in the largest unit of which there are two."""
    seconds = ms / 1000
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _due(left_ms: int) -> str:
    days = abs(left_ms) // _DAY_MS
    return f"to be rotated in {days} days" if left_ms >= 0 else f"to be rotated {days} days ago"
