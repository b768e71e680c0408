"""`policykit dashboard`: listen on loopback, open the browser, end cleanly."""

from __future__ import annotations

import logging
import socket
import webbrowser
from collections.abc import Callable
from typing import Final

from policykit.dashboard.desk import Desk
from policykit.dashboard.server import application

HOST: Final = "127.0.0.1"
#: Pages that follow are let go after so many seconds at the end.
LEAVE_S: Final = 1


class PortTaken(Exception):
    """The port cannot be listened on; the text says why."""


def serve(uri: str | None, port: int, said: Callable[[str], None], *, show: bool) -> None:
    """Serve the page until interrupted. `said` gets its address once it listens. Raise PortTaken."""
    import uvicorn

    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    listening = listen(port)
    port = listening.getsockname()[1]
    address = f"http://{HOST}:{port}/"
    config = uvicorn.Config(
        application(Desk(uri), port, lambda: running.should_exit),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=LEAVE_S,
        lifespan="on",
    )
    running = uvicorn.Server(config)
    said(address)
    if show:
        webbrowser.open(address)
    try:
        running.run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # uvicorn ended cleanly, and raises it anew
    finally:
        listening.close()


def listen(port: int, host: str = HOST) -> socket.socket:
    """Take the port before anything is said, so that a second process ends with one line. Raise PortTaken."""
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(64)
    except OSError as error:
        found.close()
        raise PortTaken(f"port {port} of {host} cannot be used ({error.strerror}); give another by --port") from None
    return found
