"""What `policykit doctor` says of a Vault or OpenBao server: as far as the token in use may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policykit.secrets import wire
from policykit.secrets.base import Fact, Problem, member, reading

if TYPE_CHECKING:
    from policykit.secrets.vault import Server

#: What a token may be able to do to a path beside `read` (openbao.org/docs/concepts/policies, 2026-11-21), in the order
#: in which it is told; a capability of another name is counted, not repeated.
CAPABILITIES: Final = ("create", "update", "patch", "delete", "list", "scan", "sudo", "subscribe", "recover")
#: Paths of version 2 under which a secret and its versions are changed (openbao.org/api-docs/secret/kv/kv-v2).
_SIDES: Final = ("data", "metadata", "delete", "undelete", "destroy")


def facts(server: Server, found: object) -> list[Fact]:
    """Return the facts of the manager, given what a read of the reference came to."""
    reachable, readable = reading(found)
    # Vault and OpenBao encrypt everything before it is stored, with AES-256 in GCM (openbao.org/docs/internals/security
    # and /architecture, 2026-11-21). There is no switch, and nothing to look at from here.
    rest = Fact("encrypted at rest", "yes", "it encrypts all it stores with AES-256 (as documented)")
    return [reachable, readable, wire.tls_fact(server.url, server.wire), _audit(server), _rights(server, found), rest]


def _audit(server: Server) -> Fact:
    found = server.ask(server.client.sys.list_enabled_audit_devices)
    devices = member(found, "data")
    if isinstance(found, Problem) or not isinstance(devices, dict):
        return Fact(
            "audit",
            "unknown",
            "this token may not list the audit devices (sys/audit needs sudo)",
            "ask the manager's operator, or run doctor with an operator's token",
        )
    if not devices:
        return Fact("audit", "no", "no audit device is on (G14)", "turn one on in the manager's configuration")
    return Fact("audit", "yes", "1 audit device is on" if len(devices) == 1 else f"{len(devices)} audit devices are on")


def _rights(server: Server, found: object) -> Fact:
    unknown = Fact("rights", "unknown", "this token's rights on the path were not told", "see its policies")
    if isinstance(found, Problem) and found.what != "there is no secret":
        return unknown
    place = [f"{server.mount}/{side}/{server.path}" for side in _SIDES]
    asked = place if server.version == 2 else [f"{server.mount}/{server.path}"]
    answer = server.ask(lambda: server.client.sys.get_capabilities(asked))
    told = [member(answer, "data", path) for path in asked]
    if not all(isinstance(one, list) for one in told):
        return unknown
    held = {str(one) for path in told if isinstance(path, list) for one in path}
    if "root" in held:
        return Fact(
            "rights",
            "no",
            "this token is root: it may do everything",
            "give the bot a token that may only `read` this path",
        )
    more = held - {"read", "deny"}
    if not more:
        return Fact("rights", "yes", "this token may only read it")
    named = [name for name in CAPABILITIES if name in more] + (["others"] if more - set(CAPABILITIES) else [])
    return Fact(
        "rights",
        "no",
        f"this token may also: {', '.join(named)}",
        "give the bot a token that may only `read` this path",
    )
