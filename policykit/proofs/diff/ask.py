"""What is asked of two policies by one field: which is the tight one, and what each says there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from policykit.engine.check import Check
from policykit.engine.engine import Engine
from policykit.proofs.diff.worlds import Ordinary


@dataclass(frozen=True)
class Ask:
    """One field: which check holds it, and what is asked of both policies. `path` is the changed one's."""

    path: str
    check: str
    tight: Engine
    loose: Engine
    ordinary: Ordinary

    @property
    def name(self) -> str:
        """Return the name of the field."""
        return self.check.rpartition(".")[2]

    def of(self, engine: Engine) -> Check | None:
        """Return the check as a policy compiled it; None where it denies nothing: it is not there, or only warns."""
        if self._warns(engine):
            return None
        return next((check for check in engine.checks if check.id == self.check), None)

    def said(self, engine: Engine, path: str = "") -> Any:
        """Return what a policy says at a path outside of maps."""
        value: Any = None if self._warns(engine) else engine.setup.policy
        for name in (path or self.check).split("."):
            value = getattr(value, name, None)
        return value

    def _warns(self, engine: Engine) -> bool:
        return engine is self.loose and (self.path.startswith("risk.on_breach.") or self.path.endswith(".on_breach"))

    def both(self, path: str = "") -> tuple[Any, Any]:
        """Return what the tight and the loose policy say."""
        return self.said(self.tight, path), self.said(self.loose, path)
