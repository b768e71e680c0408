"""Decide: a policy compiled into checks, assessed against facts. Pure; nothing here knows a clock or a store.

    compile_policy(effective, traits, key=None, host="") -> Engine
    Engine.assess(facts, order, now_ms) -> Assessment
    explain_failed(engine, order, holds, used, failed, facts=..., now_ms=...) -> reasons for the store's refusal
    denial_message(decision, policy_file) -> the lines that a denied bot reads

Names are loaded when they are asked for: the store needs `engine.facts` only, and not the policy language.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from policykit.engine.compile import compile_policy
    from policykit.engine.engine import Engine
    from policykit.engine.explain import denial_message, explain_failed
    from policykit.engine.reasons import REASONS

__all__ = ["REASONS", "Engine", "compile_policy", "denial_message", "explain_failed"]

_WHERE: Final = {
    "REASONS": "reasons",
    "Engine": "engine",
    "compile_policy": "compile",
    "denial_message": "explain",
    "explain_failed": "explain",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
