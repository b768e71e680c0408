"""`azure-kv://VAULT/NAME`: one secret of Azure Key Vault, a JSON object, through azure-keyvault-secrets.

VAULT is the vault's name, or its full host outside the public cloud. Who is asking comes from azure-identity's own
environment (DefaultAzureCredential: AZURE_CLIENT_ID and its fellows, workload or managed identity, `az login`). The
object has the fields api_key, api_secret and, where needed, passphrase, private_key, uid, wallet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from policykit.redact import Secret, quiet
from policykit.secrets import wire
from policykit.secrets.base import (
    NAMES,
    Fact,
    Names,
    Problem,
    Reference,
    changed,
    decoded,
    fetch,
    library,
    reading,
    settled,
    store,
    unseen,
)

#: The hosts of Key Vault in each cloud (learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates,
#: "Vault name and object name", from memory): the bearer token goes to no other.
HOSTS: Final = ("vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net")
_VAULT: Final = r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]"
FORM: Final = re.compile(rf"{_VAULT}(\.({'|'.join(map(re.escape, HOSTS))}))?/[A-Za-z0-9-]{{1,127}}\Z")
NEEDS: Final = "azure-kv:// needs a vault and a name of letters, digits and - (azure-kv://trading/mm)"
#: The longest value that the manager stores, in bytes (learn.microsoft.com/azure/key-vault/secrets/about-secrets, 25k).
MAX_VALUE: Final = 25_000

_DENIED = Problem("access denied", "give this identity the role `Key Vault Secrets User`, and see the vault's firewall")
_LOGIN = Problem(
    "no identity of this machine is accepted", "set AZURE_CLIENT_ID and its fellows, or attach an identity"
)
_MISSING = Problem("there is no secret", "write it first, or correct the name", absent=True)
_FAILED = Problem("the manager failed inside", "try again later")
_FORM = Problem("the answer is not that of Key Vault", "see that the vault's name is right")
#: Status of the answer -> what it means (learn.microsoft.com/azure/key-vault/general/rest-error-codes, from memory).
_STATUS: Final = {
    401: _LOGIN,
    403: _DENIED,
    404: _MISSING,
    409: Problem("a deleted secret of this name is still kept", "recover or purge it, or take another name"),
    429: Problem("too many requests", "try again later"),
}

Found = TypeVar("Found")


class Server:
    """One conversation with the manager about one secret."""

    def __init__(self, client: Any, name: str, connection: wire.Wire) -> None:
        self.client, self.name, self.wire = client, name, connection

    def ask(self, action: str, *values: str) -> Any | Problem:
        """Make one call. What goes wrong comes back as a problem."""
        try:
            return getattr(self.client, action)(self.name, *values)
        except Exception as error:  # noqa: BLE001 - azure-core, azure-identity, requests: any text may hold a value
            return _meaning(error)

    def current(self) -> dict[str, object] | Problem:
        """Return the fields that lie there."""
        found = self.ask("get_secret")
        return found if isinstance(found, Problem) else decoded(getattr(found, "value", None))

    def put(self, fields: dict[str, object], new: bool, replace: bool) -> Problem | None:
        """Write the secret, as a new version where it is there already."""
        text = json.dumps(fields)
        if len(text.encode()) > MAX_VALUE:
            return Problem(f"the key is longer than {MAX_VALUE} bytes", "use another place")
        done = self.ask("set_secret", text)
        if done is _DENIED:
            return Problem("access denied", "write as an identity with the role `Key Vault Secrets Officer`")
        return done if isinstance(done, Problem) else None


def read(reference: Reference, names: Names = NAMES) -> dict[str, Secret]:
    """Return the secrets of one stored JSON object. Raise SecretUnavailable naming what is missing or refused."""
    return settled(reference, _at(reference, lambda server: fetch(server, names)))


def write(reference: Reference, values: Mapping[str, Secret], replace: bool = False) -> None:
    """Write a complete key. Raise SecretUnavailable. The manager has no check against a write at the same moment."""
    settled(reference, _at(reference, lambda server: store(server, values, replace)))


def change(reference: Reference, work: Callable[[dict[str, object]], dict[str, object] | Problem]) -> None:
    """Write what `work` makes of the fields that lie there. Raise SecretUnavailable."""
    settled(reference, _at(reference, lambda server: changed(server, work)))


def inspect(reference: Reference) -> list[Fact]:
    """Return what is seen of the manager; rights and records are told by other services of Azure, and not asked."""
    found = _at(reference, _facts)
    return unseen(found) if isinstance(found, Problem) else found


def _facts(server: Server) -> list[Fact]:
    found = reading(fetch(server))
    return [
        *found,
        wire.tls_fact("https://", server.wire),
        # A vault records nothing until a diagnostic setting says where to (learn.microsoft.com/azure/key-vault/general/
        # howto-logging, from memory): it is part of Azure Monitor, which this identity has no business with.
        Fact(
            "audit",
            "unknown",
            "whether the vault's log is kept is not told by Key Vault",
            "see its diagnostic settings",
        ),
        Fact(
            "rights",
            "unknown",
            "what this identity may do is not told by Key Vault",
            "give the bot's identity the role `Key Vault Secrets User` on this secret, and nothing else",
        ),
        # "All secrets in your Key Vault are stored encrypted", with keys in modules of FIPS 140-2 (learn.microsoft.com/
        # azure/key-vault/secrets/about-secrets, 2026-11-21); the page names no cipher.
        Fact("encrypted at rest", "yes", "it encrypts every secret (as documented)"),
    ]


def _at(reference: Reference, work: Callable[[Server], Found | Problem]) -> Found | Problem:
    """Open the conversation, do the work, close it."""
    vault, _, name = reference.path.partition("/")
    url = f"https://{vault if '.' in vault else f'{vault}.{HOSTS[0]}'}"
    with quiet():
        identity, secrets = library("azure.identity", "azure"), library("azure.keyvault.secrets", "azure")
        transport, requests = library("azure.core.pipeline.transport", "azure"), library("requests", "azure")
        if isinstance(identity, Problem) or isinstance(secrets, Problem):
            return identity if isinstance(identity, Problem) else secrets
        if isinstance(transport, Problem) or isinstance(requests, Problem):
            return transport if isinstance(transport, Problem) else requests
        connection = wire.Wire()
        session = wire.session(requests, url, connection)
        client = None
        try:
            credential = identity.DefaultAzureCredential(connection_timeout=wire.CONNECT_SECONDS, retry_total=1)
        except Exception:  # noqa: BLE001 - an environment that azure-identity refuses, in words with its values
            session.close()
            return _LOGIN
        try:
            client = secrets.SecretClient(
                url,
                credential,
                transport=transport.RequestsTransport(
                    session=session,
                    session_owner=False,
                    use_env_settings=False,
                    connection_timeout=wire.CONNECT_SECONDS,
                    read_timeout=wire.SILENCE_SECONDS,
                    connection_verify=wire.ca_bundle(),
                ),
                retry_total=wire.TRIES - 1,
                redirect_max=0,
            )
            return work(Server(client, name, connection))
        except Exception as error:  # noqa: BLE001 - a client that cannot be made: any text may hold a value
            return _meaning(error)
        finally:
            if client is not None:
                client.close()
            credential.close()
            session.close()


def _meaning(error: BaseException) -> Problem:
    names = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(error, "status_code", None)
    if names & {"CredentialUnavailableError", "ClientAuthenticationError"}:
        return _LOGIN
    if isinstance(status, int):
        unknown = Problem("the manager refuses the request", "see that the vault and the name are right")
        return _STATUS.get(status) or (_FAILED if status >= 500 else unknown if status >= 400 else _FORM)
    return wire.meaning(error, "the vault's name", "REQUESTS_CA_BUNDLE") or _FORM
