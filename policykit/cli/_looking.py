"""What the commands share by which a person looks at things: stages, fills, denials."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from policykit.policy import EffectivePolicy

policy_argument = click.argument("policy", type=click.Path())
store_option = click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
no_input_option = click.option("--no-input", is_flag=True, help="Ask nothing.")
#: A pass over fewer rows is over before progress could be read.
_SAID_FROM = 20_000


def opened(policy: str, uri: str | None, now_ms: int | None) -> tuple[EffectivePolicy, Any, int]:
    """Return the policy, its store and the moment that counts."""
    from policykit.clock import SystemClock
    from policykit.policy import load
    from policykit.store import open_store

    now = SystemClock().now_ms() if now_ms is None else now_ms
    return load(policy, now_ms=now), open_store(uri), now


def asks(no_input: bool) -> bool:
    """Tell whether somebody is there to be asked."""
    return not no_input and sys.stdin.isatty() and sys.stdout.isatty()


def say(done: int, of: int) -> None:
    """Say on a terminal how far a pass over the journal is."""
    if sys.stderr.isatty() and of >= _SAID_FROM:
        click.echo(f"\rjournal: row {done:,} of {of:,}" + "\n" * (done == of), err=True, nl=False)
