"""Recorded decisions under new policies: `policykit diff OLD NEW --replay JOURNAL`."""

from __future__ import annotations

from policykit.proofs.replay.run import Pair, replayed

__all__ = ["Pair", "replayed"]
