"""`policykit status --check`: its options, and what it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from policykit.cli._options import Exit, leave

F = TypeVar("F", bound=Callable[..., Any])
#: The most rows of the journal that one check holds against their chain; the next goes on there.
ROWS = 100_000


def _silence(ctx: click.Context, param: click.Parameter, value: str) -> int:
    from policykit.units import parse_duration

    try:
        return parse_duration(value).ms
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def check_options(function: F) -> F:
    """Add `--check` and what it puts up with, as `check`, `max_unknown`, `max_silent_ms` and `min_guards`."""
    options = (
        click.option(
            "--check", is_flag=True, help="For monitors: one line, exit 0 all is well, 1 it is not, 3 not reachable."
        ),
        click.option(
            "--max-unknown", type=click.IntRange(0), default=0, show_default=True, help="So many orders may be unknown."
        ),
        click.option(
            "--max-silent",
            "max_silent_ms",
            default="60s",
            show_default=True,
            metavar="DURATION",
            callback=_silence,
            help="So long a guard may be silent.",
        ),
        click.option(
            "--min-guards", type=click.IntRange(0), default=0, show_default=True, help="So many guards are to live."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def check(uri: str | None, output_format: str, *, max_unknown: int, max_silent_ms: int, min_guards: int) -> None:
    """Look at the store and its journal, say what is wrong in one line, and leave with the answer."""
    import socket

    from policykit.clock import SystemClock
    from policykit.errors import StoreUnavailable
    from policykit.guard.monitoring import Bounds, State, damaged, inspect
    from policykit.redact import scrub
    from policykit.store import default_uri, open_store

    host, now, damage = socket.gethostname(), SystemClock().now_ms(), None
    try:
        damage = _damage(uri or default_uri())
        store = open_store(uri)
        try:
            state = inspect(store, host, now, Bounds(max_unknown, max_silent_ms, min_guards), damage)
        finally:
            store.close()
    except StoreUnavailable as error:
        if damage is None and error.code != "STORE_DAMAGED":
            why = " ".join(scrub(str(error)).split())
            click.echo(json.dumps({"version": 1, "error": why}) if output_format == "json" else f"UNKNOWN: {why}")
            leave(Exit.NOT_REACHABLE)
            return
        state = State((damaged(damage or str(error)),))
    click.echo(json.dumps(state.to_dict(), indent=2) if output_format == "json" else state.line())
    leave(Exit.DONE if state.well else Exit.NO)


def _damage(uri: str) -> str | None:
    """Return what is wrong with the journal among the rows that no check has seen yet."""
    from policykit.dashboard.index import Index
    from policykit.errors import StoreUnavailable
    from policykit.store import open_journal

    try:
        reader = open_journal(uri)
    except StoreUnavailable as error:
        if error.code == "STORE_DAMAGED":
            return str(error)
        if uri.startswith("sqlite:") or uri == "memory:":
            raise
        return None  # a host that only looks at a server's store has no journal of its own
    index = Index(reader)
    try:
        index.advance(ROWS)
        return index.health().problem
    finally:
        index.close()
        reader.close()
