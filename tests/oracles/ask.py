"""Ask Cedar and CEL, and say what they deny with."""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

import cedarpy
from cel_expr_python import cel

from policykit.policy import EffectivePolicy
from policykit.proofs.export.cel import CEL
from policykit.proofs.export.conditions import Key, conditions
from policykit.proofs.export.write import export

#: The one check of the store that the engine adds to what is denied anyway.
POSITION = "risk.max_position_notional"


class Oracle(Protocol):
    """Something that a policy was translated for."""

    def denies(self, asked: dict[str, Any]) -> set[Key]:
        """Return check and code of every condition that holds."""
        ...


class Cedar:
    """Amazon's policy language, by its own Rust library."""

    def __init__(self, policy: EffectivePolicy) -> None:
        self.policies = cedarpy.PolicySet.from_str(export(policy, "cedar"))
        self.entities = cedarpy.Entities.from_json_str("[]")

    def denies(self, asked: dict[str, Any]) -> set[Key]:
        """Return what forbids. Raise ValueError for a condition that could not be evaluated: Cedar passes it over."""
        request = {"principal": 'Bot::"a"', "action": 'Action::"order"', "resource": 'Account::"b"', "context": asked}
        result = cedarpy.is_authorized(request, self.policies, self.entities)
        if result.diagnostics.errors:
            raise ValueError(result.diagnostics.errors[0])
        if result.allowed:
            return set()
        return {key(name) for name in result.diagnostics.id_annotations_by_reason.values()}


class Cel:
    """Google's expression language, by its own C++ library."""

    def __init__(self, policy: EffectivePolicy) -> None:
        self.program = _environment().compile(export(policy, "cel"))

    def denies(self, asked: dict[str, Any]) -> set[Key]:
        """Return what holds. An error of the language is one of ours."""
        found = self.program.eval(data={"o": asked}).plain_value()
        return {key(name) for name, denied in found.items() if denied}


@cache
def _environment() -> Any:
    """Return CEL's environment: `o` is a map from texts to anything."""
    return cel.NewEnv(variables={"o": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})


def key(name: str) -> Key:
    """Read `check|CODE`."""
    check, _, code = name.partition("|")
    return check, code


class Stages:
    """In which order policykit asks: the store only for what the engine lets through."""

    def __init__(self, policy: EffectivePolicy) -> None:
        self.engine, self.store = (set(part) for part in conditions(policy.model, CEL))

    def answer(self, held: set[Key]) -> set[Key]:
        """Return what policykit has to answer where these conditions hold."""
        position = {name for name in held & self.store if name[0] == POSITION}
        unknown = any(code != "RISK_POSITION" for _, code in position)
        return held & self.engine | position if held & self.engine or unknown else held
