"""`policykit journal verify`: whether the record is what was written."""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._journal import named, store_option
from policykit.cli._options import Exit, example, format_option, leave

if TYPE_CHECKING:
    from policykit.store.anchor import Anchor
    from policykit.store.reader import JournalReader


@click.command(
    "verify",
    epilog=example(
        "policykit journal verify --anchor /mnt/elsewhere/journal.anchor\n"
        "policykit journal verify archive/store-1.db archive/store-2.db --store sqlite:///var/lib/policykit/store.db"
    ),
)
@click.argument("archives", nargs=-1, metavar="[ARCHIVE]...", type=click.Path(exists=True, dir_okay=False))
@store_option
@click.option(
    "--anchor", type=click.Path(dir_okay=False, path_type=Path), help="Hold against this file; then renew it."
)
@click.option("--timestamp", "url", metavar="URL", help="With --anchor: let this RFC 3161 authority sign it.")
@click.option("--timestamp-roots", "roots", type=click.Path(path_type=Path), help="The authority's certificates (PEM).")
@format_option()
def verify(archives: tuple[str, ...], uri: str | None, anchor: Path | None, output_format: str, **stamp: Any) -> None:
    """Check that no row was changed, taken out or put in: each row carries a hash over itself and the row before.

    The rows are counted anew on the way: the state that a store keeps beside them must be what they make.

    ARCHIVEs (oldest first) are checked too, and that each file begins where the one before ends. What the chain cannot
    show is that its newest rows were cut off: --anchor FILE keeps the newest row's hash in a file elsewhere, holds the
    journal against it the next time, and renews it when all is well.
    """
    from policykit.store import open_journal
    from policykit.store.reader import JournalReader
    from policykit.store.verify import verify_file
    from policykit.telemetry import words

    if anchor is None and any(stamp.values()):
        raise click.UsageError("--timestamp and --timestamp-roots go with --anchor")
    with ExitStack() as opened:
        files = [opened.enter_context(closing(JournalReader(path))) for path in archives]
        journals = [*files, opened.enter_context(closing(open_journal(uri)))]
        said: list[dict[str, Any]] = []
        for at, journal in enumerate(journals):
            good, problem = verify_file(journal.path, _say)
            problem = problem or (_joined(journals[at - 1], journal) if at else None)
            said.append(words.verdict(archives[at] if at < len(archives) else named(uri), good, problem, journal))
        whole = all(one["intact"] for one in said)
        notes = _anchored(journals, anchor, **stamp) if anchor is not None and whole else []
    wrong = next((note for note, good in notes if not good), None)
    if wrong is not None:
        said[-1] |= {"intact": False, "problem": wrong}
    if output_format == "json":
        click.echo(json.dumps({**said[-1], "archives": said[:-1], "notes": [note for note, _ in notes]}, indent=2))
    else:
        click.echo("\n".join([*map(words.verdict_text, said), *(note for note, good in notes if good)]))
    if wrong is not None or not whole:
        leave(Exit.NO)


def _say(row: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\rjournal verify: row {row:,}", err=True, nl=False)


def _joined(before: JournalReader, journal: JournalReader) -> str | None:
    from policykit.store.anchor import joined

    return joined(before, journal)


def _anchored(journals: list[JournalReader], path: Path, url: str | None, roots: Path | None) -> list[tuple[str, bool]]:
    """Hold the journals against the anchor and renew it; return what is to be said, each with whether it is good."""
    from policykit.clock import SystemClock, iso
    from policykit.store import anchor as anchors

    try:
        known = anchors.read(path)
    except ValueError as error:
        return [(str(error), False)]
    notes: list[tuple[str, bool]] = []
    if known is not None:
        problem = anchors.check(known, journals)
        notes.append((problem or f"{path}: row {known.seq:,} of {known.at} is there", problem is None))
        notes += _stamped(known, roots) if known.timestamp is not None else []
    newest = journals[-1].newest()
    if newest is None or not all(good for _, good in notes):
        return notes
    new = anchors.Anchor(journals[-1].epoch, newest.seq, newest.hash, iso(SystemClock().now_ms()))
    if url is not None:
        new = _stamp(new, url)
    try:
        anchors.write(path, new)
        notes.append((f"{path}: now keeps row {new.seq:,}", True))
    except OSError as error:
        notes.append((f"{path}: could not be written ({error.strerror}); it keeps what it had", known is not None))
    return notes


def _stamp(anchor: Anchor, url: str) -> Anchor:
    from policykit.operate.timestamp import TimestampError, stamp
    from policykit.redact import scrub

    try:
        answer = stamp(url, anchor.message())
    except TimestampError as error:
        raise click.ClickException(f"{scrub(url)}: {error}; the anchor was left as it was") from None
    return anchor._replace(timestamp={"url": scrub(url), "response": b64encode(answer).decode()})


def _stamped(anchor: Anchor, roots: Path | None) -> list[tuple[str, bool]]:
    from policykit.operate.timestamp import TimestampError, proved

    if anchor.timestamp is None or roots is None:
        return [("its timestamp was not looked at; give --timestamp-roots", True)]
    try:
        at = proved(b64decode(anchor.timestamp["response"]), anchor.message(), roots)
    except (TimestampError, ValueError) as error:
        return [(f"the anchor's timestamp: {error}", False)]
    return [(f"signed at {at} by {anchor.timestamp['url']}", True)]
