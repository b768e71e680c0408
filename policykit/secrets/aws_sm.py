"""`aws-sm://NAME`: one secret of AWS Secrets Manager, a JSON object, through boto3.

Region, profile, credentials, certificates and endpoint come from boto3's own environment (AWS_REGION, AWS_PROFILE,
AWS_CA_BUNDLE, AWS_ENDPOINT_URL_SECRETS_MANAGER, ...). The object has the fields api_key, api_secret and, where needed,
passphrase, private_key, uid, wallet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from policykit import redact
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
    member,
    reading,
    settled,
    store,
    unseen,
)

#: Letters, digits and /_+=.- (CreateSecret, Name, API reference, 2026-11-21), and `:` for a full ARN.
FORM: Final = re.compile(r"[A-Za-z0-9/_+=.:-]{1,512}\Z")
NEEDS: Final = "aws-sm:// needs a name of letters, digits and /_+=.- (aws-sm://trading/mm)"
#: The longest value that the manager stores, in bytes (CreateSecret, SecretString, API reference, 2026-11-21).
MAX_VALUE: Final = 65_536
ENDPOINT: Final = "AWS_ENDPOINT_URL_SECRETS_MANAGER"

_DENIED = Problem(
    "access denied",
    "allow this identity secretsmanager:GetSecretValue on it, and kms:Decrypt if it has a key of its own",
)
_EXPIRED = Problem("the credentials have expired", "log in again")
_REFUSED = Problem("the credentials are refused", "set valid ones, for example by AWS_PROFILE")
_MISSING = Problem("there is no secret", "write it first, or correct the name, the region or the account", absent=True)
_EXISTS = Problem("it is there, but holds no value that can be read", "see what it is, or say that it may be replaced")
_FORM = Problem("the answer is not that of Secrets Manager", f"see that {ENDPOINT} is right")
#: Error code of the manager -> what it means (GetSecretValue and Common Errors, API reference, 2026-11-21).
_CODES: Final = {
    "ResourceNotFoundException": _MISSING,
    "ResourceExistsException": _EXISTS,
    "AccessDeniedException": _DENIED,
    "AccessDenied": _DENIED,
    "NotAuthorized": _DENIED,
    "DecryptionFailure": Problem("its encryption key cannot be used", "allow kms:Decrypt on it, or turn it on again"),
    "EncryptionFailure": Problem("its encryption key cannot be used", "allow kms:GenerateDataKey on it"),
    "InvalidRequestException": Problem("it is marked for deletion, or in no state to be used", "restore it"),
    "InvalidParameterException": Problem("the name is refused", "correct it"),
    "ValidationException": Problem("the name is refused", "correct it"),
    "ExpiredTokenException": _EXPIRED,
    "ExpiredToken": _EXPIRED,
    "RequestExpired": Problem("the request came too late for the manager's clock", "set this machine's clock"),
    "UnrecognizedClientException": _REFUSED,
    "InvalidClientTokenId": _REFUSED,
    "InvalidSignatureException": _REFUSED,
    "IncompleteSignature": _REFUSED,
    "MissingAuthenticationToken": _REFUSED,
    "OptInRequired": _REFUSED,
    "ThrottlingException": Problem("too many requests", "try again later"),
    "InternalServiceError": Problem("the manager failed inside", "try again later"),
    "InternalFailure": Problem("the manager failed inside", "try again later"),
    "ServiceUnavailable": Problem("the manager failed inside", "try again later"),
}
_NO_LOGIN = Problem("there are no credentials", "set AWS_PROFILE, or run where a role is attached", "unknown")
#: Error class of botocore -> what it means; by name, so that botocore is imported only when it is used.
_CLASSES: Final = {
    "NoCredentialsError": _NO_LOGIN,
    "PartialCredentialsError": _NO_LOGIN,
    "CredentialRetrievalError": _NO_LOGIN,
    "TokenRetrievalError": _EXPIRED,
    "SSOError": _EXPIRED,
    "NoRegionError": Problem("no region is set", "set AWS_REGION", "unknown"),
    "ProfileNotFound": Problem("the profile is not there", "correct AWS_PROFILE", "unknown"),
    "ConfigParseError": Problem("the AWS configuration file cannot be read", "correct it", "unknown"),
    "InvalidRegionError": Problem("the region has no form of one", "correct AWS_REGION", "unknown"),
    "ParamValidationError": Problem("the name is refused", "correct it", "unknown"),
}

Found = TypeVar("Found")


class Server:
    """One conversation with the manager about one secret."""

    def __init__(self, client: Any, name: str, connection: wire.Wire) -> None:
        self.client, self.name, self.wire = client, name, connection
        self.url = str(client.meta.endpoint_url)

    def ask(self, action: str, **values: Any) -> Any | Problem:
        """Make one call. What goes wrong comes back as a problem."""
        try:
            return getattr(self.client, action)(**values)
        except Exception as error:  # noqa: BLE001 - botocore, urllib3, ssl: any text of theirs may hold a value
            return _meaning(error)

    def current(self) -> dict[str, object] | Problem:
        """Return the fields that lie there."""
        found = self.ask("get_secret_value", SecretId=self.name)
        if isinstance(found, Problem):
            return found
        if not isinstance(found, dict) or not {"SecretString", "SecretBinary"} & set(found):
            return _FORM
        return decoded(found.get("SecretString"))

    def put(self, fields: dict[str, object], new: bool, replace: bool) -> Problem | None:
        """Create the secret, or put a new version into it."""
        text = json.dumps(fields, ensure_ascii=False)
        if len(text.encode()) > MAX_VALUE:
            return Problem(f"the key is longer than {MAX_VALUE} bytes", "use another place")
        done = self.ask("create_secret", Name=self.name, SecretString=text) if new else _EXISTS
        if done is _EXISTS and (replace or not new):
            done = self.ask("put_secret_value", SecretId=self.name, SecretString=text)
        if done is _DENIED:
            return Problem(
                "access denied", "write as an identity that may secretsmanager:CreateSecret and PutSecretValue"
            )
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
    """Return what is seen of the manager; rights and trails are told by other services of AWS, and not asked."""
    found = _at(reference, _facts)
    return unseen(found) if isinstance(found, Problem) else found


def _facts(server: Server) -> list[Fact]:
    found = reading(fetch(server))
    host = urlsplit(server.url).hostname or ""
    own = host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))
    rights = Fact(
        "rights",
        "unknown",
        "what this identity may do is not told by Secrets Manager",
        "allow the bot's identity secretsmanager:GetSecretValue on this secret, and nothing else of it",
    )
    if not own:
        other = Fact("audit", "unknown", "the endpoint is not one of AWS", "see what it records itself")
        return [*found, wire.tls_fact(server.url, server.wire), other, rights, other._replace(name="encrypted at rest")]
    # "AWS CloudTrail records all API calls for Secrets Manager as events", the last 90 days of which are always there;
    # for longer a trail is needed (Secrets Manager user guide, "Log events with AWS CloudTrail", 2026-11-21).
    audit = Fact("audit", "yes", "CloudTrail records every call for 90 days (as documented); a trail keeps it longer")
    # Each value is encrypted with an AES-256 data key of KMS (same guide, "Secret encryption and decryption").
    rest = Fact("encrypted at rest", "yes", "it encrypts every value with AES-256 (as documented)")
    return [*found, wire.tls_fact(server.url, server.wire), audit, rights, rest]


def _at(reference: Reference, work: Callable[[Server], Found | Problem]) -> Found | Problem:
    """Open the conversation, do the work, close it."""
    with quiet():
        boto3, config = library("boto3", "aws"), library("botocore.config", "aws")
        if isinstance(boto3, Problem):
            return boto3
        connection = wire.Wire()
        server = _server(boto3, config, reference, connection)
        if isinstance(server, Problem):
            return server
        try:
            return wire.refused_address(server.url, ENDPOINT) or work(server)
        finally:
            server.client.close()


def _server(boto3: Any, config: Any, reference: Reference, connection: wire.Wire) -> Server | Problem:
    try:
        session = boto3.session.Session()
        credentials = session.get_credentials()
        if credentials is None:
            return _NO_LOGIN
        frozen = credentials.get_frozen_credentials()
        for value in (frozen.secret_key, frozen.token):
            if isinstance(value, str):
                redact.register(value)  # known to `scrub` from now on
        client = session.client(
            "secretsmanager",
            config=config.Config(
                connect_timeout=wire.CONNECT_SECONDS,
                read_timeout=wire.SILENCE_SECONDS,
                retries={"total_max_attempts": wire.TRIES, "mode": "standard"},
            ),
        )
        endpoint = client._endpoint
        endpoint.http_session = wire.BotoSession(endpoint.http_session, connection)
    except Exception as error:  # noqa: BLE001 - botocore reads files, processes and services for the credentials
        return _meaning(error)
    return Server(client, reference.path, connection)


def _meaning(error: BaseException) -> Problem:
    response = getattr(error, "response", None)
    code = member(response, "Error", "Code")
    if isinstance(code, str) and type(error).__module__.startswith("botocore"):
        return _CODES.get(code) or _CODES.get(code.rpartition("#")[2]) or _by_status(response)
    for kind in type(error).__mro__:
        if kind.__name__ in _CLASSES:
            return _CLASSES[kind.__name__]
    return wire.meaning(error, ENDPOINT, "AWS_CA_BUNDLE") or _FORM


def _by_status(response: object) -> Problem:
    status = member(response, "ResponseMetadata", "HTTPStatusCode")
    if isinstance(status, int) and status >= 500:
        return _CODES["InternalServiceError"]
    return Problem("the manager refuses the request", "see that the region, the account and the identity are right")
