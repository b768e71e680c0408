"""Formats of a difference: one file a format, found by name; each has `write(difference, style) -> str`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

from policykit.proofs.difference import Difference
from policykit.proofs.gate import Consent


class Style(NamedTuple):
    """What only the caller knows.

    - `colour`: whether the terminal shows colours.
    - `root`: the folder that paths are written relative to, for the formats that ask for it; None leaves them as given.
    - `consents`: who agreed to each looser policy; None: nobody was asked.
    """

    colour: bool = False
    root: str | None = None
    consents: tuple[Consent, ...] | None = None


#: Modules beside this one that are no format.
_HELPERS = ("replayed", "words")


def formats() -> tuple[str, ...]:
    """Return the names of the formats, `text` first."""
    names = {p.stem.rstrip("_") for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_")}
    return ("text", *sorted(names - {"text", *_HELPERS}))


def write(name: str, difference: Difference, style: Style) -> str:
    """Return the difference in a format."""
    module = importlib.import_module(f"{__name__}.{name if name != 'json' else 'json_'}")
    text: str = module.write(difference, style)
    return text
