"""Drive the machine's own chromium by its DevTools protocol: open, ask, type, draw; note errors and what it fetched.

The protocol over `websockets`, which is in the development requirements, is all that is needed of a driver here.
https://chromedevtools.github.io/devtools-protocol/ (read 2026-11-21)
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
START_S = 30
ANSWER_S = 60
LOOK_S = 0.02
MAX_MESSAGE = 64 * 2**20


class BrowserGone(Exception):
    """The browser did not start, or did not answer."""


def program() -> str | None:
    """Return the browser of this machine, if it has one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One browser, headless, with a profile of its own; `with Browser() as browser`."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="policykit-browser-")
        command = [
            str(program()), "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={self._folder}",
            "--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-gpu",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
            *(["--no-sandbox"] if os.getuid() == 0 else []), "about:blank",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._port = self._wait_for_port()

    def _wait_for_port(self) -> str:
        told = Path(self._folder) / "DevToolsActivePort"
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if told.exists() and len(lines := told.read_text().splitlines()) > 1:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(LOOK_S)
        self.close()
        raise BrowserGone("the browser did not start")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and forget its profile."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def tab(self, width: int = 1400, height: int = 1000, *, dark: bool = False) -> Tab:
        """Return a new tab of this size."""
        return Tab(self._port, width, height, dark=dark)


class Tab:
    """One page. `errors`: what its console complained of; `fetched`: every address it asked for."""

    def __init__(self, address: str, width: int, height: int, *, dark: bool) -> None:
        self._socket = connect(address, max_size=MAX_MESSAGE, compression=None)
        self._number = 0
        self._session: str | None = None
        self._loaded: set[str] = set()
        self.errors: list[str] = []
        self.fetched: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        self.resize(width, height)
        self.theme(dark=dark)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its answer; events that come between are noted."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = self._next(ANSWER_S)
            if answer is None:
                raise BrowserGone(f"{method}: no answer")
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserGone(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self, seconds: float) -> dict[str, Any] | None:
        try:
            message: dict[str, Any] = json.loads(self._socket.recv(seconds))
        except TimeoutError:
            return None
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.errors.append(str(params["exceptionDetails"].get("exception", {}).get("description", "exception")))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.errors.append(str([one.get("value") for one in params["args"]]))
            case "Network.requestWillBeSent":
                self.fetched.append(params["request"]["url"])
            case "Page.lifecycleEvent" if params["name"] == "load":
                self._loaded.add(params["loaderId"])
        return message

    def resize(self, width: int, height: int) -> None:
        """Show the page in this size."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def theme(self, *, dark: bool) -> None:
        """Let the system prefer light or dark."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def open(self, address: str) -> None:
        """Go to an address, and return when it is loaded."""
        loader = self.call("Page.navigate", url=address)["loaderId"]
        until = time.monotonic() + ANSWER_S
        while loader not in self._loaded and time.monotonic() < until:
            self._next(1)

    def ask(self, script: str) -> Any:
        """Return what a script in the page comes to; promises are waited for."""
        said = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise BrowserGone(f"{script[:80]}: {said['exceptionDetails'].get('exception', {}).get('description')}")
        return said["result"].get("value")

    def run(self, source: str) -> None:
        """Run a library in the page, as its developer tools would: past the page's own content security policy."""
        self.call("Runtime.evaluate", expression=source, returnByValue=False)

    def until(self, script: str, seconds: float = 20) -> Any:
        """Wait for a script to come to something true, and return it; on a page that is just being left it may fail."""

        def look() -> Any:
            try:
                return self.ask(script)
            except BrowserGone:
                return None

        return wait(look, script, seconds)

    def key(self, name: str, text: str | None = None) -> None:
        """Press and release a key."""
        said = {"key": name} if text is None else {"key": name, "text": text}
        code = {"Enter": 13, "Tab": 9, "Escape": 27}.get(name)
        if code is not None:
            said |= {"windowsVirtualKeyCode": code, "text": {"Enter": "\r"}.get(name, "")}  # type: ignore[assignment]
        self.call("Input.dispatchKeyEvent", type="keyDown", **said)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name)

    def type(self, text: str) -> None:
        """Type letters."""
        for letter in text:
            self.key(letter, letter)

    def draw(self, file: Path, *, whole: bool = True) -> None:
        """Keep what is seen as PNG, the whole page or the window."""
        said = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(said["data"]))

    def close(self) -> None:
        """Leave."""
        self._socket.close()


def wait(look: Callable[[], Any], what: str, seconds: float) -> Any:
    """Look until there is something; raise BrowserGone when time is up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(LOOK_S)
    raise BrowserGone(f"waited {seconds} s for {what}")
