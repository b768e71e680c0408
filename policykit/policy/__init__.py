"""load and compose: the effective policy with the origin of every value (DESIGN 2 and 3)."""

from __future__ import annotations

from policykit.policy.canonical import dump, version
from policykit.policy.compare import Change, Comparison, compare
from policykit.policy.effective import PAPER, UNWAIVABLE, EffectivePolicy, accepted, expired
from policykit.policy.layers import Layer, compose, outspoken
from policykit.policy.load import Checked, check, load, load_text, read_checked
from policykit.policy.stages import staged

__all__ = [
    "PAPER",
    "UNWAIVABLE",
    "Change",
    "Checked",
    "Comparison",
    "EffectivePolicy",
    "Layer",
    "accepted",
    "check",
    "compare",
    "compose",
    "dump",
    "expired",
    "load",
    "load_text",
    "outspoken",
    "read_checked",
    "staged",
    "version",
]
