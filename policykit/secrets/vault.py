"""`vault://MOUNT/PATH`: a key-value secret (version 1 or 2) of HashiCorp Vault or OpenBao, through hvac.

Where and who, from the variables of the managers' own command lines, VAULT_* or BAO_*: ADDR, NAMESPACE, CACERT, CAPATH;
then ROLE_ID and SECRET_ID (AppRole; its token is revoked after use), or TOKEN, or the file ~/.vault-token.
A secret has the fields api_key, api_secret and, where needed, passphrase, private_key, uid, wallet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from policykit.redact import Secret, quiet
from policykit.secrets import vault_env, vault_facts, wire
from policykit.secrets.base import (
    NAMES,
    Fact,
    Names,
    Problem,
    Reference,
    changed,
    fetch,
    library,
    member,
    settled,
    store,
    unseen,
)

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+"
FORM: Final = re.compile(rf"{_SEGMENT}(/{_SEGMENT})+\Z")
NEEDS: Final = "vault:// needs a mount and a path of letters, digits, . _ - (vault://kv/trading/mm)"

_DENIED = Problem("permission denied", "give this token `read` on the path, and see that the path is right")
_EXPIRED = Problem(
    "the token is refused: expired, revoked, or of another namespace", "log in again, or set a token that is valid"
)
_MISSING = Problem("there is no secret", "write it first, or correct the path", absent=True)
_FORM = Problem("the answer has not the form of a key-value secret", "see that the address is the manager's")
#: What each error class of hvac means; by name, so that hvac is imported only when it is used.
_MEANINGS: Final = {
    "Forbidden": _DENIED,
    "Unauthorized": _EXPIRED,
    "InvalidPath": _MISSING,
    "InvalidRequest": Problem("the manager refuses the request as it is", "see that the path and the login are right"),
    "RateLimitExceeded": Problem("too many requests", "try again later"),
    "VaultNotInitialized": Problem("the manager is not initialized", "initialize it"),
    "VaultDown": Problem("the manager is on standby or in maintenance", "try again, or use the active node's address"),
    "InternalServerError": Problem("the manager failed inside", "see the manager's own log"),
    "BadGateway": Problem("a gateway before the manager failed", "try again, or use the manager's own address"),
}
_SEALED = Problem("the manager is sealed", "unseal it")
_ELSEWHERE = Problem("the address leads on to another one", "set VAULT_ADDR to that of the active node")

Found = TypeVar("Found")


class Server:
    """One conversation with the manager: an hvac client, and what one reference is there."""

    def __init__(self, client: Any, url: str, connection: wire.Wire, reference: Reference) -> None:
        self.client, self.url, self.wire = client, url, connection
        self.place = reference.path
        self.mount, _, self.path = reference.path.partition("/")
        self.version = 2
        self.number = 0

    def ask(self, call: Callable[[], Any], tries: int = wire.TRIES) -> Any | Problem:
        """Make one call. What goes wrong comes back as a problem; what nothing answered is sent once more."""
        problem = _FORM
        for _ in range(tries):
            try:
                answer = call()
            except Exception as error:  # noqa: BLE001 - hvac, requests, ssl: any text of theirs may hold a value
                problem = _meaning(error)
            else:
                return _ELSEWHERE if getattr(answer, "is_redirect", False) else answer
            if problem.reached != "no":
                break
        return problem

    def locate(self) -> Problem | None:
        """Find the mount and its version, as the managers' command lines do (sys/internal/ui/mounts)."""
        found = self.ask(lambda: self.client.adapter.get(f"/v1/sys/internal/ui/mounts/{self.place}"))
        if found is _DENIED:
            return _EXPIRED if isinstance(self.ask(self.client.auth.token.lookup_self), Problem) else _DENIED
        if isinstance(found, Problem):
            return found
        data = member(found, "data")
        mount = member(data, "path")
        if not isinstance(mount, str) or not mount.endswith("/") or not self.place.startswith(mount):
            return _FORM
        if member(data, "type") not in ("kv", "generic"):
            return Problem("the mount holds no key-value secrets", "name a mount of type kv")
        self.mount, self.path = mount.rstrip("/"), self.place[len(mount) :]
        self.version = 2 if member(data, "options", "version") == "2" else 1
        return None

    def current(self) -> dict[str, object] | Problem:
        """Return the fields that lie there."""
        return self.locate() or (self._first() if self.version == 1 else self._second())

    def _first(self) -> dict[str, object] | Problem:
        kv = self.client.secrets.kv.v1
        found = self.ask(lambda: kv.read_secret(self.path, mount_point=self.mount))
        if isinstance(found, Problem):
            return found
        data = member(found, "data")
        return data if isinstance(data, dict) else _FORM

    def _second(self) -> dict[str, object] | Problem:
        kv = self.client.secrets.kv.v2
        found = self.ask(
            lambda: kv.read_secret_version(self.path, mount_point=self.mount, raise_on_deleted_version=False)
        )
        if isinstance(found, Problem):
            return found
        data, number = member(found, "data", "data"), member(found, "data", "metadata", "version")
        if not isinstance(number, int):
            return _FORM
        self.number = number
        if data is None:
            return _MISSING  # the latest version was deleted
        return data if isinstance(data, dict) else _FORM

    def put(self, fields: dict[str, object], new: bool, replace: bool) -> Problem | None:
        """Write the fields over the version read; a mount of version 1 cannot check it: there the last writer wins."""
        if self.version == 1:
            kv = self.client.secrets.kv.v1
            done = self.ask(lambda: kv.create_or_update_secret(self.path, fields, mount_point=self.mount), tries=1)
        else:
            kv = self.client.secrets.kv.v2
            done = self.ask(
                lambda: kv.create_or_update_secret(self.path, fields, cas=self.number, mount_point=self.mount), tries=1
            )
        if done is _MEANINGS["InvalidRequest"]:
            return Problem("another version is there, of this moment or destroyed", "look at it, then do it again")
        if done is _DENIED:
            return Problem("permission denied", "write with a token that may `create` and `update` there")
        return done if isinstance(done, Problem) else None


def read(reference: Reference, names: Names = NAMES) -> dict[str, Secret]:
    """Return the secrets of one key-value secret. Raise SecretUnavailable naming what is missing or refused."""
    return settled(reference, _at(reference, lambda server: fetch(server, names)))


def write(reference: Reference, values: Mapping[str, Secret], replace: bool = False) -> None:
    """Write a complete key as a new version, unless another was written meanwhile. Raise SecretUnavailable."""
    settled(reference, _at(reference, lambda server: store(server, values, replace)))


def change(reference: Reference, work: Callable[[dict[str, object]], dict[str, object] | Problem]) -> None:
    """Write what `work` makes of the fields that lie there. Raise SecretUnavailable."""
    settled(reference, _at(reference, lambda server: changed(server, work)))


def inspect(reference: Reference) -> list[Fact]:
    """Return what this token sees of the manager."""
    found = _at(reference, lambda server: vault_facts.facts(server, fetch(server)))
    return unseen(found) if isinstance(found, Problem) else found


def _at(reference: Reference, work: Callable[[Server], Found | Problem]) -> Found | Problem:
    """Open the conversation, do the work, close it."""
    setting = vault_env.setting()
    if isinstance(setting, Problem):
        return setting
    with quiet():
        hvac, requests = library("hvac", "vault"), library("requests", "vault")
        if isinstance(hvac, Problem):
            return hvac
        connection = wire.Wire()
        session = wire.session(requests, setting.url, connection)
        session.verify = setting.verify  # hvac takes a session's own setting before its argument
        client = hvac.Client(
            url=setting.url,
            token=setting.token.reveal() if setting.token else "",
            namespace=setting.namespace,
            verify=setting.verify,
            timeout=(wire.CONNECT_SECONDS, wire.SILENCE_SECONDS),
            allow_redirects=False,
            session=session,
        )
        server = Server(client, setting.url, connection, reference)
        try:
            refused = _login(server, setting)
            return refused or work(server)
        finally:
            if setting.role and client.token:
                server.ask(client.auth.token.revoke_self, tries=1)
            session.close()


def _login(server: Server, setting: vault_env.Setting) -> Problem | None:
    if not setting.role:
        return None
    role, proof = setting.role.reveal(), setting.role_secret.reveal() if setting.role_secret else None
    done = server.ask(lambda: server.client.auth.approle.login(role_id=role, secret_id=proof), tries=1)
    if isinstance(done, Problem):
        return (
            done if done.reached != "yes" else Problem("the AppRole login is refused", "set a valid role and secret id")
        )
    try:
        Secret(server.client.token)  # known to `scrub` from now on
    except (TypeError, ValueError):
        return _FORM
    return None


def _meaning(error: BaseException) -> Problem:
    for kind in type(error).__mro__:
        if kind.__name__ == "VaultDown" and "sealed" in str(getattr(error, "errors", "")):
            return _SEALED
        if kind.__module__ == "hvac.exceptions" and kind.__name__ in _MEANINGS:
            return _MEANINGS[kind.__name__]
    return wire.meaning(error, "VAULT_ADDR", "VAULT_CACERT") or _FORM
