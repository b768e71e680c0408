"""Clients of exchanges that the policy does not name, under `policykit run`: public calls pass, private ones cannot.

Such a client has no credentials to sign with, whatever the program gives it: no adapter knows what its requests do. In
shadow mode it keeps them, and what would be refused is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from policykit.decision import Reason
from policykit.guard.client_errors import ClientRefused
from policykit.order import Order

if TYPE_CHECKING:
    from policykit.guard.gate import Gate

#: Every credential of ccxt (`requiredCredentials` of its base class, 4.5.90).
CREDENTIALS: Final = (
    *("apiKey", "secret", "uid", "accountId", "login", "password", "twofa", "privateKey", "walletAddress", "token"),
)


@cache
def foreign_class(cls: Any, current: Callable[[], Gate], shadow: bool) -> Any:
    """Make the class of a client that may only read what is public. `current` gives the gate of the process."""
    members: dict[str, Any] = {"__module__": cls.__module__, "_policykit_of": (cls, current, shadow)}
    if not shadow:
        members |= {name: property(_nothing, _ignore) for name in CREDENTIALS}
    return type(f"Public{cls.__name__.capitalize()}", (_Foreign, cls), members)


class _Foreign:
    id: str
    _policykit_of: tuple[type[Any], Callable[[], Gate], bool]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Be as public where a copy arrives: the class stands in no module."""
        return again, self._policykit_of, self.__getstate__()

    def check_required_credentials(self, error: bool = True) -> Any:
        """Refuse what is private; ccxt asks this before it signs, and with `error=False` whether it could."""
        _, current, shadow = self._policykit_of
        guard = current().guard
        if error:
            why = (
                f"a private call of {self.id}; the policy is for {guard.policy.model.exchange}, so {self.id} may only "
                "read what is public; run the part that trades there under a policy of its own"
            )
            denied = guard.refuse(Order("", action="key.admin"), Reason("RAW_CALL_REFUSED", "gate", why))
            if not shadow:
                raise ClientRefused(denied.decision, str(denied))
        return super().check_required_credentials(error) if shadow else False  # type: ignore[misc]

    checkRequiredCredentials = check_required_credentials  # noqa: N815 - ccxt's other name of it


def again(cls: Any, current: Callable[[], Gate], shadow: bool) -> Any:
    """Make an empty client of the class, for a copy to fill."""
    made = foreign_class(cls, current, shadow)
    return made.__new__(made)


def _nothing(client: Any) -> str:
    return ""


def _ignore(client: Any, value: Any) -> None:
    """Keep no credential."""
