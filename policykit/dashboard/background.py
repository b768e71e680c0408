"""An HTTP server in a thread of its own, so that the main thread hears SIGTERM and ends it in order."""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from collections.abc import Iterable
from typing import Any, Final

#: Requests at once; more are answered 503.
MAX_REQUESTS: Final = 32
#: How long an idle connection is kept, and how long the end waits for answers, seconds.
IDLE_S: Final = 15
END_S: Final = 2


def loopback(host: str) -> bool:
    """Tell whether an address to listen on is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_host(host: str, names: Iterable[str]) -> bool:
    """Tell whether a Host header names this machine by an address, as localhost, or by one of `names`.

    A page of another site that has its name lead to this machine (DNS rebinding) asks by that name.
    """
    if host.startswith("["):
        name = host[1:].partition("]")[0]
    else:
        name = host.rpartition(":")[0] if host.count(":") == 1 else host
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rstrip(".") in {"localhost", *(known.lower() for known in names)}
    return True


class Background:
    """Serve an application on a socket that listens, until SIGTERM, Ctrl-C or `stop`."""

    def __init__(self, app: Any, listening: socket.socket) -> None:
        import uvicorn

        from policykit.dashboard.prompt import Prompt

        self._socket = listening
        name, port = listening.getsockname()[:2]
        self.url = f"http://{f'[{name}]' if ':' in name else name}:{port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=Prompt,
                ws="none",
                lifespan="off",
                loop="asyncio",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=MAX_REQUESTS,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=END_S,
            )
        )
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="policykit-http")
        self._thread.daemon = True

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.server_state.connections)

    def stop(self) -> None:
        """Answer what was asked, then end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(2 * END_S)
        self._socket.close()

    def run(self) -> None:
        """Answer until SIGTERM or SIGINT; both end it the same way."""
        ended = threading.Event()
        before = {sign: signal.signal(sign, lambda *_: ended.set()) for sign in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.start()
            while self._thread.is_alive() and not ended.wait(1.0):
                pass
        finally:
            self.stop()
            for sign, handler in before.items():
                signal.signal(sign, handler)
