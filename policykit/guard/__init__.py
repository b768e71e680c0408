"""The run-time road: a guard, `@enforce`, the protected client and its gate."""

from __future__ import annotations

from policykit.guard.core import Guard
from policykit.guard.enforce import enforce

__all__ = ["Guard", "enforce"]
