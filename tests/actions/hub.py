"""A real HTTP server on loopback that answers as GitHub's REST API does, for what the action asks of it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "acme/bots"
TOKEN = "ghs_token-of-the-job"
#: The token of a pull request from a fork: it reads.
READS = "ghs_token-of-a-fork"


@dataclass
class Hub:
    """What GitHub knows of one pull request. `asked` is every request that came."""

    reviews: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    #: What is answered instead, by the beginning of "METHOD PATH".
    instead: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def review(self, login: str, state: str, commit: str, association: str = "MEMBER") -> None:
        """Add a review, as GitHub lists them: oldest first."""
        self.reviews.append(
            {"user": {"login": login}, "state": state, "commit_id": commit, "author_association": association}
        )

    def say(self, body: str, *, login: str = "someone", kind: str = "User") -> None:
        """Add a comment."""
        number = len(self.comments) + 1
        self.comments.append({"id": number, "body": body, "user": {"login": login, "type": kind}})

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, Any]:
        """Return status and body."""
        parts = urlsplit(target)
        if token not in (TOKEN, READS):
            return 401, {"message": "Bad credentials"}
        if method != "GET" and token != TOKEN:
            return 403, {"message": "Resource not accessible by integration"}
        listed = {"pulls/7/reviews": self.reviews, "issues/7/comments": self.comments}
        path = parts.path.removeprefix(f"/repos/{REPOSITORY}/")
        if method == "GET" and path in listed:
            query = parse_qs(parts.query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            return 200, listed[path][(page - 1) * size : page * size]
        if method == "POST" and path == "issues/7/comments":
            self.say(body["body"], login="github-actions[bot]", kind="Bot")
            return 201, {"html_url": f"https://github.com/{REPOSITORY}/pull/7#issuecomment-{len(self.comments)}"}
        changed = re.fullmatch(r"issues/comments/(\d+)", path)
        if method == "PATCH" and changed:
            self.comments[int(changed[1]) - 1]["body"] = body["body"]
            return 200, {"html_url": f"https://github.com/{REPOSITORY}/pull/7#issuecomment-{changed[1]}"}
        return 404, {"message": "Not Found"}


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve on a free port of loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            said = json.loads(self.rfile.read(length)) if length else None
            asked = f"{self.command} {self.path}"
            hub.asked.append(asked)
            forced = next((answer for start, answer in hub.instead.items() if asked.startswith(start)), None)
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            status, found = forced or hub.answer(self.command, self.path, token, said)
            data = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", data.decode())
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._any()

        def do_POST(self) -> None:
            self._any()

        def do_PATCH(self) -> None:
            self._any()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
