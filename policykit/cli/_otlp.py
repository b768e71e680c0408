"""What `journal export --otlp` does beside the other formats: a cursor, signals, words on the terminal."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from threading import Event
from typing import Any

import click

from policykit.cli._options import Exit, leave, progress


def export(reader: Any, url: str, *, follow: bool, start: int | None, cursor: str | None) -> None:
    """Send the spans of a journal to a collector; SIGINT and SIGTERM end it at the next row, the cursor says where."""
    from policykit.telemetry.export import Cursor, Export, Refused, Unreachable

    try:
        from policykit.telemetry.otlp import Sender, endpoint
    except ImportError:
        raise click.ClickException(
            "opentelemetry-exporter-otlp-proto-http is not installed; install the extra: pip install "
            '"policykit-trading[otel]"'
        ) from None
    stop = Event()

    def asked(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)  # asked twice is meant at once

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
    kept = Cursor(Path(cursor) if cursor is not None else _cursor_of(reader.epoch, endpoint(url)))
    sender = Sender(url, say=_say, stop=stop, forever=follow)
    going = Export(reader, sender, kept, stop=stop, say=_say, progress=progress("otlp", "rows"), start=start)
    try:
        done = going.run(follow=follow)
    except (Refused, Unreachable) as error:
        click.echo(
            f"{error}; everything up to row {kept.seq:,} is there, and the cursor says so: {kept.path}", err=True
        )
        leave(Exit.NOT_REACHABLE)
    lost = f", {done.rejected:,} rejected" if done.rejected else ""
    odd = f", {done.unreadable:,} rows that this version does not know" if done.unreadable else ""
    click.echo(
        f"{sender.url}: {done.spans:,} spans of {done.rows:,} rows{lost}{odd}; cursor {kept.path}: row {kept.seq:,}"
    )
    if stop.is_set() and not follow:
        leave(Exit.INTERRUPTED)


def _cursor_of(epoch: str, url: str) -> Path:
    """Return the cursor that nobody named: one a journal and collector, in the user's state directory."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(state) / "policykit" / f"otlp-{epoch[:12]}-{hashlib.sha256(url.encode()).hexdigest()[:8]}.json"


def _say(message: str) -> None:
    click.echo(f"otlp: {message}", err=True)
