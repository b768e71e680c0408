"""Files in which bots keep settings, and often keys, read with the place of every value.

One reader a file beside this one. Nothing is executed, resolved or built: what is read is names, values and places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from policykit.rules.config.base import MAX_BYTES, MAX_SETTINGS, Config, Git, Kind, Past, Setting, Unreadable
from policykit.rules.config.kinds import format_of, is_policy, kind_by_content, kind_by_name

__all__ = ["MAX_BYTES", "Config", "Git", "Kind", "Past", "Setting", "read", "read_version"]


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


def read_version(raw: bytes, file: str) -> Config:
    """Read a past version of any file that may hold secrets. One that cannot be read, or is none of ours, has none."""
    kind: Kind = "python" if file.endswith((".py", ".ipynb")) else kind_by_name(file) or kind_by_content(file, raw)
    if not kind and format_of(file) == "yaml" and is_policy(raw):
        kind = "policy"
    try:
        return Config(file, kind, tuple(_settings(raw.decode("utf-8-sig", "replace"), file, kind)) if kind else ())
    except Unreadable:
        return Config(file, kind)


def _settings(text: str, file: str, kind: Kind) -> Iterable[Setting]:
    from policykit.rules.config import json_, lines, source, yaml_  # a lint of policies alone needs none of them

    if kind in ("freqtrade", "json"):
        return json_.read(text, file)
    if kind == "python":
        return source.read_notebook(text, file) if file.endswith(".ipynb") else source.read(text, file)
    if kind in ("compose", "hummingbot", "yaml", "policy"):
        return yaml_.read(text, file)
    settings = lines.read_unit(text, file) if kind == "systemd" else lines.read(text, file)
    found = list(islice(settings, MAX_SETTINGS + 1))
    if len(found) > MAX_SETTINGS:
        raise Unreadable(f"it has over {MAX_SETTINGS} values")
    return found
