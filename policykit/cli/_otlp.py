"""What `journal export --otlp` does beside the other formats: a cursor, signals, words on the terminal."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import click

from policykit.cli._options import Exit, leave, progress


def export(reader: Any, url: str, *, follow: bool, start: int | None, cursor: str | None) -> None:
    """Send the spans of a journal to a collector; SIGINT and SIGTERM end it after the batch, the cursor says where."""
    try:
        from policykit.telemetry.otlp import Sender, endpoint
    except ImportError:
        raise click.ClickException(
            "--otlp: OpenTelemetry's exporter is not installed; the extra `otel` has it; "
            'pip install "policykit-trading[otel]"'
        ) from None
    from policykit.telemetry.export import Cursor, Export, Refused, Unreachable

    where = endpoint(url)
    kept = Cursor(Path(cursor) if cursor is not None else _cursor_of(reader.epoch, where))
    with _until_asked() as stop:
        sender = Sender(url, say=_say, stop=stop, forever=follow)
        going = Export(reader, sender, kept, stop=stop, say=_say, progress=progress("otlp", "rows"), start=start)
        try:
            done = going.run(follow=follow)
        except (Refused, Unreachable) as error:
            _say(f"{error}; the collector has everything up to row {kept.seq:,}, from there the next run goes on")
            leave(Exit.NOT_REACHABLE)
    lost = f", {done.rejected:,} rejected" if done.rejected else ""
    odd = f", {done.unreadable:,} rows that this version does not know" if done.unreadable else ""
    click.echo(f"{where}: {done.spans:,} spans of {done.rows:,} rows{lost}{odd}; cursor {kept.path}: row {kept.seq:,}")
    if stop.is_set() and not follow:
        leave(Exit.INTERRUPTED)


@contextmanager
def _until_asked() -> Iterator[Event]:
    """Give an event that SIGINT and SIGTERM set; asked twice is meant at once."""
    stop = Event()

    def asked(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _cursor_of(epoch: str, url: str) -> Path:
    """Return the cursor that nobody named: one a journal and collector, in the user's state directory."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(state) / "policykit" / f"otlp-{epoch[:12]}-{hashlib.sha256(url.encode()).hexdigest()[:8]}.json"


def _say(message: str) -> None:
    click.echo(f"otlp: {message}", err=True)
