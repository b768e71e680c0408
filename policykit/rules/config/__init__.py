"""Files in which bots keep settings, and often keys, read with the place of every value.

One reader a file beside this one. Nothing is executed, resolved or built: what is read is names, values and places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from policykit.rules.config import json_, lines, yaml_
from policykit.rules.config.base import MAX_BYTES, Config, Git, Kind, Past, Setting, Unreadable
from policykit.rules.config.kinds import format_of, kind_by_content, kind_by_name

__all__ = ["MAX_BYTES", "Config", "Git", "Kind", "Past", "Setting", "read"]


def read(raw: bytes, file: str) -> Config:
    """Read the settings of a file. One that cannot be read comes back with the reason, which quotes none of it."""
    kind = kind_by_name(file) or kind_by_content(file, raw) or format_of(file) or "dotenv"
    config = Config(file, kind)
    if len(raw) > MAX_BYTES:
        return replace(config, unreadable=f"a file of over {MAX_BYTES // 1024} KiB is not read")
    try:
        return replace(config, settings=tuple(_settings(raw.decode("utf-8-sig"), file, kind)))
    except UnicodeDecodeError:
        return replace(config, unreadable="it is not UTF-8")
    except Unreadable as error:
        return replace(config, unreadable=str(error))


def _settings(text: str, file: str, kind: Kind) -> Iterable[Setting]:
    if kind in ("freqtrade", "json"):
        return json_.read(text, file)
    if kind in ("compose", "hummingbot", "yaml"):
        return yaml_.read(text, file)
    return lines.read_unit(text, file) if kind == "systemd" else lines.read(text, file)
