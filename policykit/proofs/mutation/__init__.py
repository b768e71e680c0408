"""Mutants of a policy: which words of it could be changed without one of its tests noticing."""

from __future__ import annotations
