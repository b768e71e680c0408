"""Prove the invariants of a policy (`never`), or show what it allows that they forbid. Pure; knows no engine.

A statement on a cap is proved when a bound of the policy that the engine holds entails it: no order that can increase
exposure is allowed beyond it. A bound entails only in its own dimension: `5000 USDT` says nothing of `2% of equity`,
because equity may be small. What is not proved counts as broken: closed by default. A limit that only warns
(`on_breach: warn`) bounds nothing. Waivers accept findings and never touch a cap; a scope that an exchange grants
together with one that a key has is held, whatever is waived.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any, Final, NamedTuple

from policykit.model.never import Statement, Window, parse, subjects
from policykit.model.policy import Policy
from policykit.model.rate import CountWindow
from policykit.model.stage import Stage, StageName
from policykit.model.symbols import common_text, matches
from policykit.policy.layers import Layer
from policykit.policy.stages import staged
from policykit.policy.values import quoted, size
from policykit.traits import load as load_traits
from policykit.traits.base import comes_with
from policykit.units import dimension

#: Stages, highest first; a policy may be at its own and at every lower one.
STAGES: Final[tuple[StageName, ...]] = ("full-live", "small-live", "micro-live", "paper", "sandbox")
#: Of what the model says lies inside of another limit, what does not follow from it order by order: a short position
#: may turn into a long one by an order of twice the cap.
NOT_ENTAILED: Final = frozenset((("risk.max_order_notional", "risk.max_position_notional"),))
#: What follows beside that: an order counts into its asset's exposure as it counts into all of it.
ALSO_INSIDE: Final = {"risk.max_order_notional": ("risk.max_asset_exposure",)}


class Proved(NamedTuple):
    """The policy cannot break it. `by`: the fields that entail it, dotted paths; none: there is nothing to break it."""

    statement: Statement
    by: tuple[str, ...]


class Broken(NamedTuple):
    """The policy allows it, or cannot be proved not to. `path`: where; `said`: what stands there, or `nothing`.

    `why`: what is allowed, in one sentence. `key` and `symbol`: whose scope it is, and which market it is about.
    """

    statement: Statement
    path: str
    said: str
    why: str
    key: str = ""
    symbol: str = ""


Verdict = Proved | Broken


class Judged(NamedTuple):
    """One invariant at one stage. `number`: that of the statement in the policy's list, from 0."""

    number: int
    stage: str
    verdict: Verdict


def prove(layer: Layer) -> Iterator[Judged]:
    """Judge every invariant of a composed policy, before its stage, at each stage that it may be at, highest first."""
    model = layer.model
    if not model.never or not model.exchange:
        return
    statements = [parse(text) for text in model.never]
    for stage in reachable(model):
        at = _at(staged(layer, stage).model, stage)
        for number, statement in enumerate(statements):
            yield Judged(number, stage, judge(at, statement))


def reachable(model: Policy) -> tuple[StageName, ...]:
    """Return the stages that a policy may be at: its own and each lower one; all, where it says none."""
    return STAGES[STAGES.index(model.stage.current if model.stage is not None else STAGES[0]) :]


def _at(model: Policy, stage: StageName) -> Policy:
    said = model.stage or Stage.model_construct(_fields_set={"current"}, current=stage)
    return model.model_copy(update={"stage": said.model_copy(update={"current": stage})})


def judge(model: Policy, statement: Statement | str) -> Verdict:
    """Judge one invariant of a policy as it is in force: extended, and at its stage."""
    said = parse(statement) if isinstance(statement, str) else statement
    subject = said.subject
    if subject.kind == "scope":
        return _scope(model, said)
    if subject.kind == "symbols" and said.op == "==":
        return _symbol(model, said)
    found = list(values(model, subject.path))
    if said.op != "absent":
        return _limit(model, said, found)
    for path, value in found:
        if value is None or value in ((), {}):
            return Broken(said, path, "nothing", f"{path} is not said")
    return Proved(said, tuple(path for path, _ in found))


def values(section: Any, path: str, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, value) of a field, one for each entry where the path has `*`; None where nothing says it."""
    step, _, rest = path.partition(".")
    if step == "*":
        for name, item in (section or {}).items():
            yield from values(item, rest, f"{at}.{name}")
        return
    value = getattr(section, step, None)
    at = f"{at}.{step}" if at else step
    if rest:
        yield from values(value, rest, at)
    else:
        yield at, value


# -- limits -------------------------------------------------------------------------------------------------------


def _limit(model: Policy, said: Statement, found: list[tuple[str, Any]]) -> Verdict:
    by: list[str] = []
    for path, value in found:
        passes = warns(model, path)
        broken = _loose(model, said, path, value)
        if broken is None and not passes:
            by.append(path)
            continue
        outer = None if passes else _entailed(model, said)
        if outer is not None:
            by.append(outer)
        elif broken is None:
            return Broken(said, path, _shown(value), f"{path} only warns")
        else:
            return broken
    return Proved(said, tuple(dict.fromkeys(by)))


def _loose(model: Policy, said: Statement, path: str, value: Any) -> Broken | None:
    """Return how one value of a field fails to entail a statement; None when it entails it."""
    if isinstance(value, dict):
        return _entries(model, said, path, value)
    if within(said, value):
        return None
    if value is None:
        return Broken(said, path, "nothing", f"{path} is not said")
    return Broken(said, path, _shown(value), f"{path} is {_shown(value)}")


def within(said: Statement, value: Any) -> bool:
    """Tell whether a value of the subject's field keeps what the statement forbids from happening."""
    subject, limit = said.subject, said.value
    if value is None:
        return False
    if subject.kind in ("bound", "amount"):
        return any(dimension(bound) == dimension(limit) and size(bound) <= size(limit) for bound in value)
    if subject.kind == "window":
        # Any span is covered by so many windows, and each lets its limit through at most once.
        return bool(ceil(limit.per.ms / value.per.ms) * value.limit <= limit.limit)
    if subject.kind == "switch":
        return value is True
    if subject.kind == "word":
        return subject.words.index(value) > subject.words.index(limit)
    if subject.kind == "words":
        return limit not in value
    return bool(size(value) <= size(limit) if said.op == ">" else size(value) >= size(limit))


def _entries(model: Policy, said: Statement, path: str, entries: Mapping[str, Any]) -> Broken | None:
    """Judge a map by symbol: each entry, and what has none."""
    for key, value in entries.items():
        if not within(said, value):
            at = f"{path}.{key}"
            named = "" if key == "default" else key
            return Broken(said, at, _shown(value), f"{at} is {_shown(value)}", symbol=named)
    if "default" in entries:
        return None
    for pattern in _wanted(model):
        if "*" in pattern or pattern not in entries:
            return Broken(
                said, path, "nothing", f"{path} says nothing of {pattern}", symbol=pattern.replace("*", "BTC")
            )
    return None


def _wanted(model: Policy) -> tuple[str, ...]:
    """Return the patterns of what may be traded at all; `*` where nothing keeps anything out."""
    said = model.risk.symbols if model.risk is not None and not warns(model, "risk.symbols") else None
    wanted = tuple(p for p in said or () if not p.startswith("!"))
    return wanted or ("*",)


def _entailed(model: Policy, said: Statement) -> str | None:
    """Return another limit that entails the statement, because it bounds the same thing from above; None: none does."""
    subject = said.subject
    if said.op != ">":
        return None
    for other in (*subject.meta.inside, *ALSO_INSIDE.get(subject.path, ())):
        outer = next((one for one in subjects().values() if one.path == other), None)
        if outer is None or outer.kind != subject.kind or (subject.path, other) in NOT_ENTAILED:
            continue
        (_, value), *_ = values(model, other)
        counts = subject.path != "risk.max_order_notional" or counted(model)
        if (
            counts
            and not warns(model, other)
            and _loose(model, Statement(outer, ">", said.value), other, value) is None
        ):
            return str(other)
    return None


def counted(model: Policy) -> bool:
    """Tell whether all that may be traded counts into exposure: the account's own currency on spot does not."""
    own = f"{model.account.currency}/"
    return all(
        ":" in p or p.endswith(f"/{model.account.currency}") or ("*" not in p and not p.startswith(own))
        for p in _wanted(model)
    )


def warns(model: Policy, path: str) -> bool:
    """Tell whether a limit lets pass what is beyond it: it, or the section that it is in, only warns."""
    steps = path.split(".")
    if steps[0] == "risk" and model.risk is not None and (model.risk.on_breach or {}).get(steps[1]) == "warn":  # type: ignore[call-overload]
        return True
    if steps[-1] == "on_breach":
        return False
    section: Any = model
    for step in steps[:-1]:
        section = section.get(step) if isinstance(section, dict) else getattr(section, step, None)
    return steps != ["risk", steps[-1]] and getattr(section, "on_breach", None) == "warn"


def _shown(value: Any) -> str:
    """Return a value as messages show it: a cap of one bound as that bound."""
    if isinstance(value, CountWindow):
        return f'"{Window(value.limit, value.per)}"'
    return quoted(value[0] if type(value) is tuple and len(value) == 1 else value)


# -- symbols and scopes --------------------------------------------------------------------------------------------


def _symbol(model: Policy, said: Statement) -> Verdict:
    risk, path = model.risk, "risk.symbols"
    allowed = risk.symbols if risk is not None else None
    if allowed is None or warns(model, path):
        why = f"{path} is not said" if allowed is None else f"{path} only warns"
        return Broken(said, path, _shown(allowed) if allowed else "nothing", why)
    kept_out = [p[1:] for p in allowed if p.startswith("!")]
    if any(matches(out, said.value) for out in kept_out):
        return Proved(said, (path,))
    for index, pattern in enumerate(allowed):
        if pattern.startswith("!") or any(matches(out, pattern) for out in kept_out):
            continue
        shared = common_text(pattern, said.value)
        if shared is not None:
            at = f"{path}.{index}"
            return Broken(said, at, quoted(pattern), f"{path} allows {quoted(pattern)}", symbol=shared)
    if all(p.startswith("!") for p in allowed):
        return Broken(said, path, _shown(allowed), f"{path} leaves out {_shown(allowed)}, and allows all else")
    return Proved(said, (path,))


def _scope(model: Policy, said: Statement) -> Verdict:
    """Judge what each key may hold: what it asks for, what a person saw, and what the exchange grants along with it."""
    scope = said.subject.name.removeprefix("key.")
    traits = load_traits(model.exchange)
    by: list[str] = []
    for name, key in (model.keys or {}).items():
        path = f"keys.{name}.scopes"
        if key.scopes is None:
            return Broken(said, path, "nothing", f"{path} is not said, so {name} may hold any scope", key=name)
        for index, asked in enumerate(key.scopes):
            if covers(scope, asked):
                return Broken(said, f"{path}.{index}", asked, f"key {name} has {asked}", key=name)
        seen = (key.declared.scopes if key.declared is not None else None) or ()
        for index, asked in enumerate(seen):
            if covers(scope, asked):
                at = f"keys.{name}.declared.scopes.{index}"
                return Broken(said, at, asked, f"key {name} has {asked}, as {key.declared.by} declared", key=name)  # type: ignore[union-attr]
        trades = next((asked for asked in key.scopes if asked.startswith("trade")), None)
        along = comes_with(traits, _single(key.scopes))
        bundled = traits is not None and traits.transfer_separable is False and scope == "transfer" and trades
        if bundled or any(covers(scope, one) for one in along):
            why = f"{model.exchange} gives every key that has {trades or ', '.join(key.scopes)} {scope}, too"
            return Broken(said, path, ", ".join(key.scopes), why, key=name)
        by.append(path)
    return Proved(said, tuple(by))


def covers(scope: str, held: str) -> bool:
    """Tell whether a key that holds one scope holds another, or a part of it: `trade` and `trade.spot`, both ways."""
    return held == scope or held.startswith(f"{scope}.") or scope.startswith(f"{held}.")


def _single(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """Return scopes with `trade` as each kind of it: exchanges bundle kinds."""
    kinds = ("trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other")
    return tuple(dict.fromkeys(one for scope in scopes for one in (kinds if scope == "trade" else (scope,))))
