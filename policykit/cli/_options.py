"""What the commands share: exit codes, `--now`, `--format`, `--output`, colour, the example in `--help`."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


#: Work of fewer items is over before progress could be read; and how many items lie between two words of it.
PROGRESS_FROM = 512
PROGRESS_EVERY = 64


class Exit(IntEnum):
    """Exit codes of INTERFACE. Of lint, the first that applies: CALL, NO, NOT_REACHABLE, NOTHING, DONE."""

    DONE = 0
    NO = 1
    CALL = 2
    NOT_REACHABLE = 3
    NOTHING = 4
    INTERRUPTED = 130


def parse_moment(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read `2026-11-21` or `2026-11-21T10:00:00Z` as UTC milliseconds; no zone is UTC."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no moment; an ISO date or time is needed (2026-11-21 or 2026-11-21T10:00:00Z)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def now_option(function: F) -> F:
    """Add `--now ISO` as `now_ms`: the moment ages are counted from; None is the machine's clock."""
    return click.option(
        "--now",
        "now_ms",
        metavar="ISO",
        callback=parse_moment,
        help="Count ages from this moment (default: the machine's clock).",
    )(function)


def endpoint_option(function: F) -> F:
    """Add `--endpoint URL` as `endpoint`, an origin or None: what is none is a wrong call, before anything is done."""
    return click.option(
        "--endpoint", metavar="URL", callback=_origin, help="Send the exchange's client to this origin."
    )(function)


def _origin(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if not value:
        return None
    from policykit.exchanges.client import check_endpoint

    try:
        return check_endpoint(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def format_option(formats: Sequence[str] = ("text", "json")) -> Callable[[F], F]:
    """Add `--format` as `output_format`, the first of `formats` by default."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(list(formats)),
        default=formats[0],
        show_default=True,
        help="How to write the answer.",
    )


def output_option(function: F) -> F:
    """Add `-o/--output FILE` as `output`: a path, or None for standard output."""
    return click.option(
        "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file, not to the terminal."
    )(function)


def write_output(text: str, output: Path | None = None) -> None:
    """Write to the file, whole or not at all, or to standard output; a file that cannot be written is a wrong call."""
    if not text.endswith("\n"):
        text += "\n"
    if output is None:
        try:
            click.echo(text, nl=False)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise click.ClickException(
                f"standard output: cannot be written ({error.strerror}); a place with room is needed; give --output"
            ) from None
        return
    with whole(output) as path:
        path.write_text(text, encoding="utf-8")


@contextmanager
def whole(output: Path) -> Iterator[Path]:
    """Give the path to write to: it becomes the file at the end, so that nobody ever finds half of it there.

    A link is followed; what is no regular file (/dev/null, a pipe) is written to, never replaced.
    """
    beside: Path | None = None
    try:
        target = output.resolve()
        if target.exists() and not target.is_file():
            yield target
            return
        beside = target.with_name(f".{target.name}.{os.getpid()}.part")
        yield beside
        beside.replace(target)
    except OSError as error:
        raise click.ClickException(
            f"{output}: cannot be written ({error.strerror}); a writable place is needed; give another --output"
        ) from None
    finally:
        if beside is not None:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


def progress(what: str, items: str) -> Callable[[int, int], None]:
    """Return what says on a terminal how far long work is: `lint: 1,024 of 10,000 files`, in one line."""

    def say(done: int, of: int) -> None:
        if of >= PROGRESS_FROM and sys.stderr.isatty() and (done % PROGRESS_EVERY == 0 or done == of):
            click.echo(f"\r{what}: {done:,} of {of:,} {items}" + "\n" * (done == of), err=True, nl=False)

    return say


@contextmanager
def starting() -> Iterator[None]:
    """Import inside without the garbage collector: what imports make stays, so it is looked through neither then nor
    at exit (a sixth of a cold `lint`). For commands that start and end at once.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def use_colour(stream: Any = None) -> bool:
    """Say whether to colour: a terminal, and neither NO_COLOR (any value) nor TERM=dumb."""
    stream = sys.stdout if stream is None else stream
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream is not None and bool(stream.isatty())


def leave(code: Exit | int) -> None:
    """End the command with an exit code."""
    click.get_current_context().exit(int(code))


def example(text: str) -> str:
    """Return the epilog of a command: an example that can be typed as it stands. `command(epilog=example("..."))`."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in text.strip().splitlines())
