"""Policies for exchange API trading: one YAML file, linted against the live exchange, enforced on every order.

    from policykit import Guard, enforce, Denied

Names are loaded on first use: importing this package costs next to nothing and loads neither ccxt nor OpenTelemetry.
"""

from __future__ import annotations

from policykit._foreign import refuse_foreign_files

TYPE_CHECKING = False  # as in typing, whose import would cost half of what this package may
if TYPE_CHECKING:
    from typing import Any

    from policykit.decision import Decision as Decision
    from policykit.decision import Reason as Reason
    from policykit.errors import Denied as Denied
    from policykit.errors import ExchangeUnavailable as ExchangeUnavailable
    from policykit.errors import OutcomeUnknown as OutcomeUnknown
    from policykit.errors import PolicyError as PolicyError
    from policykit.errors import PolicykitError as PolicykitError
    from policykit.errors import SecretUnavailable as SecretUnavailable
    from policykit.errors import StoreUnavailable as StoreUnavailable
    from policykit.finding import Finding as Finding
    from policykit.guard import Guard as Guard
    from policykit.guard.enforce import enforce as enforce
    from policykit.guard.stop import kill as kill
    from policykit.order import Order as Order
    from policykit.policy import EffectivePolicy as EffectivePolicy
    from policykit.policy import load as load

__version__ = "0.1.0"

_HOMES = {
    "Decision": "decision",
    "Denied": "errors",
    "EffectivePolicy": "policy",
    "ExchangeUnavailable": "errors",
    "Finding": "finding",
    "Guard": "guard",
    "Order": "order",
    "OutcomeUnknown": "errors",
    "PolicyError": "errors",
    "PolicykitError": "errors",
    "Reason": "decision",
    "SecretUnavailable": "errors",
    "StoreUnavailable": "errors",
    "enforce": "guard",
    "kill": "guard.stop",
    "load": "policy",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604  # every key is text; the table is the one place of the names

refuse_foreign_files(__path__[0])


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'policykit' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"policykit.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
