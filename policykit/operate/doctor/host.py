"""The host itself: versions, who may read its files, and whether its store lasts."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from policykit.errors import StoreUnavailable
from policykit.policy import EffectivePolicy
from policykit.secrets import Fact
from policykit.store.base import Store

#: What a bot's security and money rest on.
_PACKAGES: Final = ("policykit-trading", "ccxt", "pydantic", "ruamel.yaml", "opentelemetry-api")


def lines(policies: Sequence[EffectivePolicy], store: Store | None) -> Iterator[Fact]:
    """Yield the lines of the host."""
    yield _versions()
    yield from _store(store)
    yield from _modes(policies, store)


def _versions() -> Fact:
    found: list[str] = [f"Python {platform.python_version()}"]
    missing: list[str] = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    words = ", ".join(found) + (f"; not installed: {', '.join(missing)}" if missing else "")
    return Fact("versions", "unknown" if missing else "yes", words, "pip install policykit-trading" if missing else "")


def _store(store: Store | None) -> Iterator[Fact]:
    """Yield whether the store lasts and is the one that it was: a line each for what stands against it, or one yes."""
    if store is None:
        yield Fact("store", "unknown", "no store was opened", "set POLICYKIT_STORE to where the bots' store is")
        return
    try:
        reset = store.facts("", "").store_problem
    except StoreUnavailable as error:
        yield Fact("store", "no", str(error), "increases are refused until it answers")
        return
    if reset is not None:
        yield Fact("store", "no", reset[1], "increases are refused until a person has re-armed it by name")
    if store.problem is not None:
        yield Fact("store", "no", store.problem[1], "increases are refused until it lies where it lasts")
    for _, message in store.warnings:
        yield Fact("store", "unknown", message, "how much a crash takes back is for its owner to say")
    if reset is None and store.problem is None and not store.warnings:
        where = getattr(store, "path", None) or getattr(store, "address", store.backend)
        yield Fact("store", "yes", f"{store.backend}, {where}, on storage that lasts")


def _modes(policies: Sequence[EffectivePolicy], store: Store | None) -> Iterator[Fact]:
    """Yield one line for files that others may change (policies) or read (the store, and secrets beside policies)."""
    wrong: list[tuple[str, str, str]] = []
    count = 0
    for file in sorted({file for policy in policies for file in (policy.files or (policy.file,))}):
        count += 1
        if _mode(Path(file)) & (stat.S_IWGRP | stat.S_IWOTH):
            wrong.append((file, "others may change it", f"chmod go-w {file}"))
    private = [Path(file).parent / ".env" for file in {policy.file for policy in policies}] + [Path(".env")]
    if store is not None and isinstance(getattr(store, "path", None), str | os.PathLike):
        private.append(Path(str(getattr(store, "path", ""))))
    for path in dict.fromkeys(private):
        if not path.exists():
            continue
        count += 1
        if _mode(path) & (stat.S_IRWXG | stat.S_IRWXO):
            wrong.append((str(path), "others may read it", f"chmod 600 {path}"))
    if not wrong:
        yield Fact("file modes", "yes", f"{count} files: no other user changes a policy or reads a secret or the store")
    for file, what, do in wrong:
        yield Fact("file modes", "no", f"{file}: {what}", do)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0
