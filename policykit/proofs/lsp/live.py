"""What the last snapshot says of a field: beside what a policy asks for, what there is, how old, or why it is unknown.

A snapshot holds no secret, and nothing here resolves a reference to one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

from policykit.lint import filed
from policykit.lint.hush import star
from policykit.lint.state import State
from policykit.model.base import Section
from policykit.policy import EffectivePolicy
from policykit.proofs.lsp.cursor import Path
from policykit.proofs.lsp.desk import Desk
from policykit.rules.base import Inputs, iso_ms
from policykit.rules.budgets import published
from policykit.rules.caps import worth
from policykit.rules.holdings import equity, equity_lacks, positions, rows, untold
from policykit.snapshot import SCOPES, KeyReport
from policykit.traits import load as load_traits
from policykit.units import Amount, Duration, Share

#: How many rows of a list are named.
MAX_NAMED: Final = 5
_AGES: Final = ((86_400_000, "day"), (3_600_000, "h"), (60_000, "min"))


class Live(NamedTuple):
    """What was observed of a place: lines, when, and the files that say it."""

    lines: tuple[str, ...]
    at: str
    files: str

    def head(self, now_ms: int) -> str:
        """Name the source and its age."""
        return f"live ({self.files}, {age(self.at, now_ms)})"


def age(at: str, now_ms: int) -> str:
    """Write how long ago a moment is: `3 h old`."""
    at_ms = iso_ms(at)
    if at_ms is None:
        return "of an unknown time"
    ms = now_ms - at_ms
    if ms < 0:
        return "from the future"
    for unit_ms, name in _AGES:
        if ms >= unit_ms:
            count = ms // unit_ms
            return f"{count} {name}{'s' if name == 'day' and count > 1 else ''} old"
    return f"{ms // 1000} s old"


def live(desk: Desk, effective: EffectivePolicy, path: Path) -> Live | None:
    """Return what snapshots say of a place; None where they say nothing of such a field, or there is none."""
    read = desk.states_for(effective.file)
    say = _said_of(path)
    if not read or say is None or effective.profile:
        return None
    names = ", ".join(os.path.basename(file) for file, _ in read)
    good = [state for _, state in read if isinstance(state, State)]
    state, _ = filed(good, len(good) < len(read))(effective)
    wrong = "; ".join(words for _, words in read if isinstance(words, str))
    if state is None or not state.snapshot.taken_at:
        why = wrong or f"no snapshot here is of {effective.model.exchange}, account {effective.model.account.name}"
        return Live((f"unknown, because {why}",), "", names)
    model = effective.model
    inputs = Inputs(desk.now_ms(), effective, load_traits(model.exchange), state.snapshot, state.missing)
    lines = tuple(star(line) for line in say(inputs, path))
    report = inputs.report(str(path[1])) if path[0] == "keys" and len(path) > 1 else None
    return Live(lines, report.at if report and report.at else state.snapshot.taken_at, names) if lines else None


_Say = Callable[[Inputs, Path], Iterator[str]]


def _said_of(path: Path) -> _Say | None:
    """Return what tells of a place: the one with the longest pattern that fits."""
    for pattern, say in _SAYS:
        if len(path) >= len(pattern) and all(p in ("*", step) for p, step in zip(pattern, path, strict=False)):
            return say
    return None


def _unknown(why: str) -> str:
    return f"unknown, because {why}"


# -- keys -------------------------------------------------------------------------------------------------------


def _key(tell: Callable[[Inputs, KeyReport], Iterator[str]]) -> _Say:
    def say(inputs: Inputs, path: Path) -> Iterator[str]:
        name = str(path[1])
        report = inputs.report(name)
        if report is None:
            why = next((why for key, _, why in inputs.unread() if key == name), "the policy has no such key")
            yield _unknown(" ".join(why.split()))
        else:
            yield from tell(inputs, report)

    return say


def _permissions(_: Inputs, report: KeyReport) -> Iterator[str]:
    for what in ("granted", "unknown"):
        names = [scope for scope in SCOPES if report.permissions.get(scope, "unknown") == what]
        if names:
            reasons = {report.unknown.get(f"permissions.{scope}", "") for scope in names} - {""}
            why = f", because {'; '.join(sorted(reasons))}" if what == "unknown" and reasons else ""
            yield f"{what}: {', '.join(names)}{why}"
    if report.unrecognised:
        yield f"not understood: {', '.join(report.unrecognised[:MAX_NAMED])}"


def _addresses(_: Inputs, report: KeyReport) -> Iterator[str]:
    yield f"restricted to addresses: {report.restricted}"
    if report.addresses is None:
        yield f"addresses: {_unknown(report.unknown.get('ip_allowlist.addresses', 'the snapshot does not have them'))}"
    else:
        more = len(report.addresses) - MAX_NAMED
        names = ", ".join(report.addresses[:MAX_NAMED]) or "none"
        yield f"addresses: {names}{f' and {more} more' if more > 0 else ''}"


def _made(inputs: Inputs, report: KeyReport) -> Iterator[str]:
    if report.created_at is None:
        yield f"made: {_unknown(report.unknown.get('created_at', 'the snapshot does not have it'))}"
    else:
        yield f"made: {report.created_at[:10]}, {age(report.created_at, inputs.now_ms)}"
    if report.expires_at is not None:
        yield f"expires: {report.expires_at[:10]}"
    if report.last_used_at is not None:
        yield f"last used: {report.last_used_at[:10]}"


def _whole_key(inputs: Inputs, report: KeyReport) -> Iterator[str]:
    for tell in (_permissions, _addresses, _made):
        yield from tell(inputs, report)


# -- the account ------------------------------------------------------------------------------------------------


def _equity(inputs: Inputs) -> str:
    now = equity(inputs)
    if now is None:
        return f"equity: {_unknown(inputs.not_told('equity'))}"
    lacks = equity_lacks(inputs)
    return f"equity: {_money(now, inputs.model.account.currency)}{f' at least; {lacks}' if lacks else ''}"


def _money(value: Decimal, currency: str) -> str:
    text = f"{value:,f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {currency}"


def _account(inputs: Inputs, _: Path) -> Iterator[str]:
    yield _equity(inputs)


def _cap(inputs: Inputs, path: Path) -> Iterator[str]:
    """Say what shares of equity come to now, and which share an amount is."""
    now, own = equity(inputs), inputs.model.account.currency
    bounds = list(_bounds(_value(inputs.effective.model, path)))
    said = False
    for bound in bounds[:MAX_NAMED]:
        if now is None:
            continue
        if isinstance(bound, Share):
            yield f"{bound} = {_money(worth(bound, own, now) or Decimal(0), own)} at {_money(now, own)}"
            said = True
        elif bound.currency == own and now > 0:
            yield f"{bound} = {Share(round(bound.value / now, 4))} at {_money(now, own)}"
            said = True
    if bounds and not said:
        yield _equity(inputs)


def _bounds(value: Any) -> Iterator[Amount | Share]:
    if isinstance(value, Amount | Share):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _bounds(item)
    elif isinstance(value, Section):
        for name in value.model_fields_set:
            yield from _bounds(getattr(value, name))
    elif type(value) is tuple:
        for item in value:
            yield from _bounds(item)


def _value(model: Section, path: Path) -> Any:
    value: Any = model
    for step in path:
        if isinstance(value, Section):
            value = getattr(value, str(step), None)
        elif isinstance(value, dict):
            value = value.get(step)
        elif type(value) is tuple and isinstance(step, int) and step < len(value):
            value = value[step]
    return value


def _positions(inputs: Inputs, path: Path) -> Iterator[str]:
    yield from _cap(inputs, path)
    why = untold(inputs, "positions")
    held = positions(inputs) if inputs.snapshot and inputs.snapshot.account.get("positions") is not None else []
    for one in held[:MAX_NAMED]:
        worth_now = _unknown(one.why) if one.notional is None else _money(one.notional, one.currency)
        yield f"{one.side} {one.symbol}: {worth_now}"
    if len(held) > MAX_NAMED:
        yield f"and {len(held) - MAX_NAMED} positions more"
    if why:
        yield f"positions: {_unknown(why)}"
    elif not held:
        yield "positions: none"


def _open_orders(inputs: Inputs, _: Path) -> Iterator[str]:
    why = untold(inputs, "open_orders")
    known = inputs.snapshot is not None and inputs.snapshot.account.get("open_orders") is not None
    said = ([str(len(rows(inputs, "open_orders")))] if known else []) + ([_unknown(why)] if why else [])
    yield f"open orders: {'; '.join(said)}"


def _leverage(inputs: Inputs, _: Path) -> Iterator[str]:
    told = [row for row in rows(inputs, "positions") if row.get("leverage") is not None]
    for row in told[:MAX_NAMED]:
        yield f"{row['symbol']}: {row['leverage']}x"
    if not told:
        yield f"leverage: {_unknown(untold(inputs, 'positions') or 'no position tells it')}"


def _mode(inputs: Inputs, _: Path) -> Iterator[str]:
    mode = inputs.snapshot.account.get("position_mode") if inputs.snapshot else None
    yield f"position mode: {mode if isinstance(mode, str) else _unknown(inputs.not_told('position_mode'))}"


def _budget(inputs: Inputs, path: Path) -> Iterator[str]:
    read = [one for one in (inputs.snapshot.limits if inputs.snapshot else []) if one.name == path[1]]
    for one in read[:MAX_NAMED]:
        yield f"the exchange publishes {one.limit:,} per {Duration(one.per_ms)}"
    if not read:
        windows = published(inputs, str(path[1]))
        known = "; ".join(f"as documented {w.limit:,} per {Duration(w.per_ms)}" for w in windows[:MAX_NAMED])
        yield f"{_unknown('the snapshot has no limit of that name')}{f'; {known}' if known else ''}"


def _skew(inputs: Inputs, _: Path) -> Iterator[str]:
    clock = inputs.snapshot.clock if inputs.snapshot else {}
    skew = clock.get("skew_ms")
    told = isinstance(skew, int | float) and not isinstance(skew, bool)
    yield f"skew: {f'{skew} ms' if told else _unknown(str(clock.get('unknown') or 'the snapshot has no comparison'))}"


def _withdrawals(inputs: Inputs, _: Path) -> Iterator[str]:
    listed = inputs.snapshot.withdrawal_addresses if inputs.snapshot else None
    why = _unknown(inputs.not_told("withdrawal_addresses")) if listed is None else ""
    yield f"addresses at the exchange: {why or len(listed or ())}"


#: Patterns of places, the most telling first; `*` is a name that the file gives.
_SAYS: Final[tuple[tuple[Path, _Say], ...]] = (
    (("keys", "*", "scopes"), _key(_permissions)),
    (("keys", "*", "purpose"), _key(_permissions)),
    (("keys", "*", "ip_allowlist"), _key(_addresses)),
    (("keys", "*", "declared"), _key(_whole_key)),
    (("keys", "*", "rotation"), _key(_made)),
    (("keys", "*"), _key(_whole_key)),
    (("rate_budgets", "*"), _budget),
    (("account", "position_mode"), _mode),
    (("account", "max_equity"), _account),
    (("account", "name"), _account),
    (("account", "currency"), _account),
    (("risk", "max_position_notional"), _positions),
    (("risk", "max_gross_exposure"), _positions),
    (("risk", "max_net_exposure"), _positions),
    (("risk", "max_asset_exposure"), _positions),
    (("risk", "max_open_positions"), _positions),
    (("risk", "max_open_orders"), _open_orders),
    (("risk", "max_open_orders_per_symbol"), _open_orders),
    (("risk", "max_leverage"), _leverage),
    (("risk", "*"), _cap),
    (("reconciliation", "tolerance"), _cap),
    (("clock", "max_skew"), _skew),
    (("withdrawals", "addresses"), _withdrawals),
)
