"""A stand-in for Azure: the sign-in of Entra, the challenge of Key Vault, and one vault's secrets.

No server of Azure's can run here. What this answers is from Microsoft's pages (Get Secret, Set Secret,
"Authentication, requests and responses", OAuth 2.0 client credentials); that Azure answers so is not proved by it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.secrets.standin import Answer, Asked

HOST = "desk.vault.azure.net"
LOGIN = "login.microsoftonline.com"
TENANT = "11111111-2222-3333-4444-555555555555"


class Cloud:
    """What answers as Azure: the sign-in, the challenge, and one vault's secrets."""

    def __init__(self) -> None:
        self.stored: dict[str, str] = {}
        self.let_in = 0
        self.refuse: Callable[[Asked], Answer | None] = lambda asked: None

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request."""
        if asked.headers["Host"] == LOGIN:
            return self._login(asked)
        challenge = f'Bearer authorization="https://{LOGIN}/{TENANT}", resource="https://vault.azure.net"'
        if asked.headers.get("Authorization") != "Bearer access-0123456789":
            return Answer(401, error("Unauthorized"), {"WWW-Authenticate": challenge})
        self.let_in += 1
        if refused := self.refuse(asked):
            return refused
        name = asked.path.partition("?")[0].split("/")[2]
        if asked.method == "PUT":
            self.stored[name] = json.loads(asked.body)["value"]
        if name not in self.stored:
            return Answer(404, error("SecretNotFound"))
        ident = f"https://{HOST}/secrets/{name}/4387e9f3d6e14c459867679a90fd0f79"
        return Answer(body={"value": self.stored[name], "id": ident, "attributes": {"enabled": True}})

    def _login(self, asked: Asked) -> Answer:
        base = f"https://{LOGIN}/{TENANT}"
        if "/discovery/instance" in asked.path:
            return Answer(body={"tenant_discovery_endpoint": f"{base}/v2.0/.well-known/openid-configuration"})
        if "openid-configuration" in asked.path:
            return Answer(
                body={
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "issuer": f"{base}/v2.0",
                }
            )
        if b"client_secret=right-" not in asked.body:
            return Answer(401, {"error": "invalid_client", "error_description": "AADSTS7000215"})
        return Answer(body={"token_type": "Bearer", "expires_in": 3599, "access_token": "access-0123456789"})


def error(code: str) -> dict[str, Any]:
    """Return the body of a refusal, as Key Vault writes it."""
    return {"error": {"code": code, "message": "words of the manager"}}
