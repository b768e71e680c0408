"""What is proved of policies: their own tests, mutants, differences, invariants, replays; and the editor's server."""

from __future__ import annotations
