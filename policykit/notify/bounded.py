"""What a message service answers is read up to a bound: apprise would read an endless answer into memory.

Apprise's services call `requests.post` and its like, which read the whole body. They are given a `requests` of their
own here; that of the bot, and of whatever else is in its process, stays as it is.
"""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

#: Bytes of an answer that are read, decoded; services answer with some hundred.
MAX_ANSWER: Final = 1_000_000
_PIECE: Final = 65_536
_CALLS: Final = ("delete", "get", "head", "options", "patch", "post", "put")


class _Bounded(HTTPAdapter):
    """Reads each answer, that of a redirect too, before anybody else can."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send, and read the answer. Raise RequestException for one that is too long."""
        response = super().send(*args, **kwargs)
        body = bytearray()
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > MAX_ANSWER:
                response.close()
                raise requests.exceptions.RequestException(f"the answer is longer than {MAX_ANSWER:,} bytes")
        response._content = bytes(body)  # as its own property `content` does
        return response


def _request(method: str, url: str, **kwargs: Any) -> requests.Response:
    with _session() as session:
        return session.request(method, url, **kwargs)


def _session() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Bounded())
    return session


def _made() -> ModuleType:
    module = ModuleType("requests")
    vars(module).update(vars(requests))
    calls = {name: partial(_request, name) for name in _CALLS}
    vars(module).update(calls, request=_request, Session=_session, session=_session)
    return module


_REQUESTS: Final = _made()


def bind() -> None:
    """Give every service of apprise that is loaded the bounded `requests`."""
    for name, module in list(sys.modules.items()):
        if name.startswith("apprise.") and vars(module).get("requests") is requests:
            vars(module)["requests"] = _REQUESTS
