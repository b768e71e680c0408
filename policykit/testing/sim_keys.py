"""Keys of a simulated exchange as a person writes them: `OKX_MM=read,trade.spot,withdraw,from=203.0.113.7,age=140d`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Final, NamedTuple

from policykit.sim.keys import GRANTS, REFUSALS, SimKey
from policykit.sim.server import KeySetup, SimServer
from policykit.units import parse_duration

_PREFIX: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
_DAY_MS: Final = 86_400_000
#: The name of the key that every run begins with.
MAIN: Final = "MM_EXEC"


class KeySpec(NamedTuple):
    """One key to make: of which dialect ("" is all of them), under which prefix, what it is."""

    dialect: str
    prefix: str
    age_days: float
    setup: KeySetup


def read_key(text: str) -> KeySpec:
    """Read `[DIALECT:]PREFIX=WORD,...`; raise ValueError saying which word cannot be."""
    name, _, said = text.partition("=")
    dialect, _, prefix = name.rpartition(":")
    if not _PREFIX.match(prefix) or not said:
        raise ValueError(f"key {text!r:.80} has no form [DIALECT:]PREFIX=WORD,...; MM_EXEC=read,trade.spot may be")
    setup: KeySetup = {}
    grants: list[str] = []
    addresses: list[str] = []
    age = 1.0
    for word in (part.strip() for part in said.split(",")):
        what, _, value = word.partition("=")
        if word in GRANTS:
            grants.append(word)
        elif what == "from" and value:
            addresses.append(value)
        elif what == "age" and value:
            age = _days(prefix, what, value)
        elif what == "expires" and value:
            setup["expires_in_days"] = _days(prefix, what, value)
        elif what == "used" and value:
            setup["used_days_ago"] = _days(prefix, what, value)
        elif what == "label" and value:
            setup["label"] = value
        elif what == "refused" and value in REFUSALS:
            setup["refused"] = value
        else:
            may = f"{', '.join(GRANTS)}, from=ADDRESS, age=, expires=, used=90d, label=, refused={'|'.join(REFUSALS)}"
            raise ValueError(f"key {prefix}: {word!r:.40} is no word of a key; may be {may}")
    if grants:
        setup["grants"] = grants
    if addresses:
        setup["addresses"] = addresses
    return KeySpec(dialect, prefix, age, setup)


def _days(prefix: str, what: str, value: str) -> float:
    try:
        return parse_duration(value).ms / _DAY_MS
    except ValueError as error:
        raise ValueError(f'key {prefix}: {what} is "{value:.40}"; {error}') from None


def show(prefix: str, key: SimKey, say: Callable[[str], None]) -> None:
    """Print a key as what a shell needs for `env://PREFIX`."""
    for name, value in key.credentials().items():
        say(f"export {prefix}_{name.upper()}={shlex.quote(value)}")


def make(sim: SimServer, spec: KeySpec) -> SimKey:
    """Make the key on a simulated exchange."""
    return sim.grant_key(spec.age_days, **spec.setup)
