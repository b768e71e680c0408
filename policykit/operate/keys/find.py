"""Find a key by its name among the policies of a project."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from policykit.errors import PolicyError
from policykit.lint.discover import discover
from policykit.model import Key
from policykit.policy import EffectivePolicy, load


class Found(NamedTuple):
    """A key and the policy that names it."""

    policy: EffectivePolicy
    name: str
    key: Key

    @property
    def place(self) -> str:
        """Where the policy names it: `policies/mm.yaml:12:3`."""
        return str(self.policy.key_place(f"keys.{self.name}"))


class KeyNotFound(ValueError):
    """No key, or several, by that name: `NAME: what is; what may be; what to do`."""


def every(paths: Sequence[str]) -> tuple[list[Found], list[str]]:
    """Return each key of each policy under the paths, and one line for each policy that cannot be read."""
    loaded, problems = policies(paths)
    return [Found(one, name, key) for one in loaded for name, key in (one.model.keys or {}).items()], problems


def policies(paths: Sequence[str]) -> tuple[list[EffectivePolicy], list[str]]:
    """Return each policy under the paths that a guard could run, and one line for each that cannot be read."""
    found = discover(tuple(paths))
    loaded: list[EffectivePolicy] = []
    problems = list(found.problems)
    for target in found.targets:
        if target.kind != "policy":
            continue
        try:
            policy = load(Path(target.file))
        except PolicyError as error:
            problems.append(str(error))
            continue
        if not policy.profile:
            loaded.append(policy)
    return loaded, problems


def one(paths: Sequence[str], name: str) -> Found:
    """Return the key of that name; `POLICY/NAME` where two policies name one alike. Raise KeyNotFound."""
    keys, problems = every(paths)
    wanted, slash, own = name.partition("/")
    hits = [
        found
        for found in keys
        if found.name == (own if slash else wanted) and (not slash or found.policy.name == wanted)
    ]
    if len(hits) == 1:
        return hits[0]
    where = ", ".join(paths)
    if hits:
        both = ", ".join(f"{hit.policy.name}/{hit.name}" for hit in hits)
        raise KeyNotFound(f"{name}: {len(hits)} policies of {where} name this key; one of {both} may be")
    spelt = [f"{found.policy.name}/{found.name}" if slash else found.name for found in keys]
    near = [] if slash else get_close_matches(name, spelt, n=1)
    may = f"did you mean {near[0]}?" if near else f"{', '.join(spelt) or 'none'} may be"
    problem = f" ({problems[0]})" if problems and not keys else ""
    raise KeyNotFound(f"{name}: no policy of {where} names this key; {may}{problem}")
