"""Clients that answer from a script: the adapters' reads without a network."""

from __future__ import annotations

import threading
from typing import Any


class Scripted:
    """Answer each implicit method from a list; an exception in it is raised. Records what was asked."""

    id = "binance"

    def __init__(self, **answers: Any) -> None:
        self.answers = {name: list(value) for name, value in answers.items()}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.last_http_response: str | None = None
        self.last_response_headers: dict[str, str] = {}
        self.options: dict[str, Any] = {}

    def milliseconds(self) -> int:
        return 1_795_255_200_000

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(params: dict[str, Any]) -> Any:
            self.asked.append((name, params))
            answer = self.answers[name].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class ScriptedAsync(Scripted):
    """The same, awaited."""

    def __getattr__(self, name: str) -> Any:
        call = super().__getattr__(name)

        async def awaited(params: dict[str, Any]) -> Any:
            return call(params)

        return awaited


class JumpClock:
    """A clock on which any thread's wait is over at once and moves the time: for reads that wait in worker threads."""

    def __init__(self, start_ms: int = 1_795_255_200_000) -> None:
        self._lock = threading.Lock()
        self._start_ms = start_ms
        self._elapsed_ms = 0.0

    def now_ms(self) -> int:
        return int(self._start_ms + self._elapsed_ms)

    def monotonic_ms(self) -> float:
        return self._elapsed_ms

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._elapsed_ms += seconds * 1000

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)
