"""A sandbox policy's clients stay in the sandbox: its checks trust that nothing is at stake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from policykit.decision import Reason
from policykit.guard.client_errors import ClientRefused
from policykit.order import Order

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: Under which name a client keeps the addresses that were last held against the policy.
HOSTS: Final = "_policykit_hosts"


def check_environment(guard: Guard, client: Any) -> None:
    """Refuse a client of the live exchange under a sandbox policy. Raise ValueError."""
    live = _hosts(type(client)().urls.get("api"))
    ours = {host for host in _hosts(client.urls.get("api")) if host in live}
    if guard.policy.model.environment == "sandbox" and ours:
        raise ValueError(
            f"the policy's environment is sandbox and the client talks to {min(ours)}; set_sandbox_mode(True)"
        )


def _hosts(urls: Any) -> set[str]:
    if isinstance(urls, dict):
        return {host for inner in urls.values() for host in _hosts(inner)}
    return {urlsplit(str(urls)).netloc} if urls else set()


def hold_environment(guard: Guard, client: Any) -> None:
    """Do so again when the client was sent elsewhere since (`set_sandbox_mode(False)`). Raise ClientRefused."""
    if client.urls["api"] is client.__dict__.get(HOSTS):
        return
    try:
        check_environment(guard, client)
    except ValueError as error:
        denied = guard.refuse(Order("", action="key.admin"), Reason("RAW_CALL_REFUSED", "gate", str(error)))
        if guard.mode != "shadow":
            raise ClientRefused(denied.decision, str(denied)) from None
    client.__dict__[HOSTS] = client.urls["api"]
