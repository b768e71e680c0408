"""Canaries: fake secrets that are looked for in everything that leaves the program (PROMISES I23).

    bird = canaries(seed=1, count=3)
    ...  # use them as key, secret, passphrase, header, URL query, exception text
    assert_clean(log_text, bird)

`assert_clean` shares no code with `policykit.redact`: it encodes each eight-character window by itself.
"""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Iterable
from urllib.parse import quote

LENGTH = 32
WINDOW = 8


def canaries(seed: int, count: int = 1, length: int = LENGTH) -> list[str]:
    """Return fake secrets of random letters and digits; the same for the same seed."""
    rng = random.Random(seed)
    return ["".join(rng.choices(string.ascii_letters + string.digits, k=length)) for _ in range(count)]


def _forms(window: str) -> Iterable[tuple[str, str]]:
    raw = window.encode()
    yield "plain", window
    yield "url", quote(window, safe="")
    yield "hex", raw.hex()
    yield "hex", raw.hex().upper()
    for shift, start in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(b"\0" * shift + raw + b"\0" * 3).decode()
        part = text[start : (8 * (shift + len(raw))) // 6]
        yield "base64", part
        yield "base64", part.replace("+", "-").replace("/", "_")


def leaks(text: str | bytes, birds: Iterable[str]) -> list[str]:
    """Name every leak as `encoding@offset of canary N`, never the value itself."""
    haystack = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    found = []
    for number, bird in enumerate(birds):
        for i in range(len(bird) - WINDOW + 1):
            found += [
                f"{name}@{i} of canary {number}" for name, form in _forms(bird[i : i + WINDOW]) if form in haystack
            ]
    return found


def assert_clean(text: str | bytes, birds: Iterable[str]) -> None:
    """Fail when any eight-character window of a canary is in the text, plain, URL-, base64- or hex-encoded."""
    found = leaks(text, birds)
    assert not found, f"{len(found)} leaks, first {found[0]}"
