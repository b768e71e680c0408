"""Lose the answer of a request that was executed: what a network does, done on purpose, in a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def losing_answers(client: Any, path: str = "order") -> Iterator[None]:
    """Let the next write of a sync client whose address holds `path` arrive, and its answer be lost; once.

    What is raised is what a read time-out raises: ccxt, and all behind it, meet it as they would the real one.
    """
    import requests

    session = client.session
    usual = session.request
    lost: list[str] = []

    def request(method: str, url: str, *arguments: Any, **more: Any) -> Any:
        answer = usual(method, url, *arguments, **more)
        if method != "GET" and path in url and not lost:
            lost.append(url)
            raise requests.exceptions.ReadTimeout("the answer was lost on purpose")
        return answer

    session.request = request
    try:
        yield
    finally:
        session.request = usual
