"""A session for the SDK's exporters that reads no answer without end, and sends no span on to where it is told to.

`requests` reads a whole answer into memory before anybody looks at it, and follows redirects: an endless answer of a
broken collector took a bot's process from 250 MB to 1.3 GB in five seconds.
"""

from __future__ import annotations

from typing import Any, Final

import requests
from urllib3.exceptions import HTTPError

#: The longest answer that is read, bytes: a collector's is some tens.
MAX_ANSWER: Final = 65_536


class Bounded(requests.Session):
    """A session whose answers are cut at MAX_ANSWER and are never redirected."""

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        """Send a request and read its answer as far as it is worth reading. Raise requests' ConnectionError."""
        answer = super().send(request, **settings | {"stream": True, "allow_redirects": False})
        try:
            answer._content = answer.raw.read(MAX_ANSWER, decode_content=True)
        except HTTPError as error:
            raise requests.ConnectionError(type(error).__name__) from None
        finally:
            answer.close()
        return answer
