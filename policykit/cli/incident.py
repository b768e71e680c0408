"""`policykit incident`: what to do when a key may be in other hands."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policykit.cli._options import Exit, example, format_option, leave, output_option, parse_moment, write_output
from policykit.cli._person import by_option
from policykit.redact import scrub

if TYPE_CHECKING:
    from policykit.operate.incident.book import Book
    from policykit.operate.incident.steps import Task
    from policykit.operate.person import Person

store_option = click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
endpoint_option = click.option(
    "--endpoint", "endpoints", multiple=True, metavar="[ID=]URL", help="Send an exchange's client to this origin."
)
incident_option = click.option("--incident", "ident", metavar="ID", help="Which (default: the newest that is open).")
no_input_option = click.option("--no-input", is_flag=True, help="Ask nothing.")


#: How many commands a refusal of a name that several keys have names.
MAX_PICKS: Final = 12


@click.group(
    "incident",
    epilog=example(
        'policykit incident start --key mm-exec --by alice --why "secret in a public log"\n'
        "policykit incident status\npolicykit incident report --output incident.md"
    ),
)
def command() -> None:
    """Lead through a leak, from the first second: revoke, halt, cancel, look, tell; docs/runbook.md is the page."""


class _Typed(click.Command):
    """Keeps the words as they were typed: a refusal names the command that is meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.obj = tuple(args)
        return super().parse_args(ctx, args)


@command.command(
    "start", cls=_Typed, epilog=example('policykit incident start --key mm-exec --by alice --why "secret in a log"')
)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--key", "keys", multiple=True, metavar="NAME", help="A key that may be in other hands.")
@click.option("--all", "everything", is_flag=True, help="It is not known which key: take all of them.")
@click.option("--exchange", metavar="ID", help="The exchange of a key that no policy names.")
@click.option("--master", metavar="NAME", help="The main account's key, to end a sub-account's key by the API.")
@click.option("--sub-account", metavar="NAME", help="The sub-account of the key, as the exchange names it.")
@by_option("Who starts it.")
@click.option("--why", required=True, help="What happened, for the record.")
@click.option("--detected", metavar="ISO", callback=parse_moment, help="When it was noticed (default: now).")
@click.option("--since", metavar="ISO", callback=parse_moment, help="Since when it may be (default: a day before).")
@click.option("--freeze", is_flag=True, help="Block orders that can only reduce, too.")
@click.option("--keep-exits", is_flag=True, help="Do not cancel orders that can only reduce, such as stops.")
@click.option("--state", "good", type=click.Path(exists=True, path_type=Path), help="The last snapshot that was good.")
@store_option
@endpoint_option
@no_input_option
@format_option()
@click.pass_obj
def start_command(
    typed: tuple[str, ...],
    /,
    paths: tuple[str, ...],
    keys: tuple[str, ...],
    uri: str | None,
    endpoints: tuple[str, ...],
    **options: Any,
) -> None:
    """Start the clock: show at once how each key is revoked; beside it halt, cancel and look at every account.

    No exchange waits for another, and a step that fails keeps nothing else from being done. Exit code 0: nothing of the
    first five minutes is open; 1: something is, and stands at the end of what is printed; 2: several keys have the
    name and nobody can be asked, so nothing was done: say POLICY/KEY, as the commands that are printed do.
    """
    from policykit.clock import SystemClock
    from policykit.operate.incident import start as starting
    from policykit.operate.incident.subjects import Ambiguous, NoSubject

    person: Person = options["by"]
    clock = SystemClock()
    quiet = options["output_format"] == "json"
    options["one_each"] = not _asks(quiet=quiet, no_input=options["no_input"])
    try:
        head, problems = starting.new(clock, paths or ("policies",), keys, person.to_dict(), endpoints, options)
    except Ambiguous as error:
        raise click.UsageError(f"{error}; nothing was done, type {_instead(typed, error.choices)}") from None
    except (NoSubject, ValueError) as error:
        raise click.UsageError(str(error)) from None
    _say(starting.opening(head, problems), quiet)
    book = starting.opened(clock, uri, head)
    if book.unwritten:
        _say(f"NOT RECORDED, AND BOTS ARE NOT HALTED: end their processes; {book.unwritten}\n", quiet)
    _go_on(book, uri, quiet=quiet, no_input=options["no_input"])


@command.command("status", epilog=example("policykit incident status\npolicykit incident status --format json"))
@incident_option
@click.option("--all", "everything", is_flag=True, help="Show what every step found.")
@store_option
@format_option()
def status_command(ident: str | None, uri: str | None, *, everything: bool, output_format: str) -> None:
    """Show what was done, with its time, and what is still open; on any host of the store.

    Exit code 0: nothing of the first five minutes is open; 1: something is; 4: there was no incident.
    """
    from policykit.operate.incident import text

    book = _book(ident, uri)
    write_output(json.dumps(text.to_dict(book), indent=1) if output_format == "json"
                 else text.status(book, everything=everything))  # fmt: skip
    leave(_exit(book))


@command.command("resume", epilog=example("policykit incident resume"))
@incident_option
@store_option
@endpoint_option
@no_input_option
@format_option()
def resume_command(
    ident: str | None, uri: str | None, endpoints: tuple[str, ...], *, no_input: bool, output_format: str
) -> None:
    """Go on: try again what is not done, on this host; what is done stays done. Trading stays halted."""
    book = _book(ident, uri)
    if endpoints:
        book.head["endpoints"] = list(endpoints)
    _go_on(book, uri, quiet=output_format == "json", no_input=no_input)


@command.command("step", epilog=example('policykit incident step revoke/mm-exec --done --by alice --why "deleted it"'))
@click.argument("step")
@click.option("--done", "state", flag_value="done", help="It is done.")
@click.option("--skip", "state", flag_value="skipped", help="It does not apply; the reason says why.")
@click.option("--owner", metavar="WHO", help="Who will do it.")
@by_option("Who says so.")
@click.option("--why", required=True, help="What was seen, for the record.")
@incident_option
@store_option
@endpoint_option
@format_option()
def step_command(
    step: str, ident: str | None, uri: str | None, endpoints: tuple[str, ...], output_format: str, **said: Any
) -> None:
    """Say that a step is done: STEP as `incident status` names it, or a part of it that names one (revoke/mm-exec).

    Of a key that is said to be dead the exchange is asked: one that still works stays open, exit code 1.
    """
    from policykit.operate.incident import confirm, text

    word = confirm.Word(said["state"], said["owner"], said["by"].to_dict(), said["why"])
    if word.state is None and word.owner is None:
        raise click.UsageError("one of --done, --skip and --owner is needed")
    book = _book(ident, uri)
    if endpoints:
        book.head["endpoints"] = list(endpoints)
    told = confirm.confirm(book, step, word, uri)
    if output_format == "json":
        write_output(json.dumps(text.to_dict(book), indent=1))
    else:
        write_output("\n".join([*told.lines, "", text.open_steps(book)]))
    leave(Exit.DONE if told.taken else Exit.NO)


@command.command("report", epilog=example("policykit incident report --output incident.md"))
@incident_option
@click.option("--account", metavar="EXCHANGE/NAME", help="For one exchange's support: of this account only.")
@store_option
@output_option
@format_option(("markdown", "json"))
def report_command(
    ident: str | None, account: str | None, uri: str | None, output: Path | None, output_format: str
) -> None:
    """Write the incident with its timeline as Markdown, for the exchange's support; no secret is in it."""
    from policykit.operate.incident import report, text

    book = _book(ident, uri)
    if account is not None and account not in [one["account"] for one in book.head["accounts"]]:
        raise click.UsageError(
            f"--account is {account}; {', '.join(o['account'] for o in book.head['accounts'])} may be"
        )
    made = json.dumps(text.to_dict(book), indent=1) if output_format == "json" else report.markdown(book, uri, account)
    write_output(made, output)


@command.command("drill", epilog=example("policykit incident drill --by alice"))
@by_option("Who drills.")
@click.option("--exchanges", metavar="ID,..", help="Which are simulated (default: five).")
@click.option("--keys", default=20, show_default=True, help="How many keys there are.")
@click.option("--orders", default=500, show_default=True, help="How many orders are open.")
@click.option("--answer", default="100ms", show_default=True, help="How long an exchange takes to answer.")
@store_option
@format_option()
def drill_command(by: Person, exchanges: str | None, *, uri: str | None, output_format: str, **sizes: Any) -> None:
    """Practise on simulated exchanges: start to all cancelled, against what the exchanges' own limits allow.

    It is journaled as a drill in the store. Exit code 0: all was cancelled in the time and each key proved dead;
    1: it was not.
    """
    from policykit.clock import SystemClock
    from policykit.operate.incident import drill
    from policykit.store import open_store
    from policykit.units import parse_duration

    quiet = output_format == "json"
    store = open_store(uri)
    try:
        made = drill.drill(
            by.to_dict(),
            lambda words: _say(words, quiet),
            exchanges=exchanges.split(",") if exchanges else drill.EXCHANGES,
            keys=sizes["keys"],
            orders=sizes["orders"],
            latency_ms=parse_duration(sizes["answer"]).ms,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    drill.keep(store, made, by.to_dict(), SystemClock().now_ms())
    write_output(json.dumps(made.to_dict(), indent=1) if quiet else drill.rendered(made))
    leave(Exit.DONE if made.passed else Exit.NO)


def _book(ident: str | None, uri: str | None) -> Book:
    from policykit.clock import SystemClock
    from policykit.operate.incident.book import find, heads
    from policykit.store import open_store

    store = open_store(uri)
    book = find(store, SystemClock(), ident)
    if book is None:
        known = ", ".join(heads(store)) or "none; policykit incident start --key NAME --by YOU --why TEXT starts one"
        click.echo(f"there is no incident {ident or ''}in this store; known: {known}", err=True)
        click.get_current_context().exit(Exit.NOTHING)
    return book


def _asks(*, quiet: bool, no_input: bool) -> bool:
    """Tell whether a person on a terminal can be asked."""
    return not (no_input or quiet) and sys.stdin is not None and sys.stdin.isatty()


def _instead(typed: Sequence[str], choices: Mapping[str, Sequence[str]]) -> str:
    """Return the commands that say which key is meant: each alone, then all of them."""
    picks = [
        dict(zip(choices, ([one] for one in pick), strict=True))
        for pick in islice(product(*choices.values()), MAX_PICKS)
    ]
    lines = [_retyped(typed, pick) for pick in picks]
    return "\n  ".join(["the one that is meant:", *lines, "or all of them:", _retyped(typed, choices)]) + "\n"


def _retyped(typed: Sequence[str], instead: Mapping[str, Sequence[str]]) -> str:
    """Return the command as it was typed, with other keys in place of some."""
    words = ["policykit", "incident", "start"]
    rest = iter(typed)
    for word in rest:
        option, is_set, name = word.partition("=")
        if option == "--key":
            name = name if is_set else next(rest, "")
            words += [it for key in instead.get(name, (name,)) for it in ("--key", key)]
        else:
            words.append(word)
    return scrub(shlex.join(words))


def _go_on(book: Book, uri: str | None, *, quiet: bool, no_input: bool) -> None:
    """Do what policykit can do, told line by line; then ask a person on a terminal; then say what is open."""
    from policykit.operate.incident import text
    from policykit.operate.incident.confirm import prove
    from policykit.operate.incident.hands import RealHands
    from policykit.operate.incident.runner import Runner

    def tell(task: Task, row: Mapping[str, Any]) -> None:
        _say("\n".join([text.line(book, task, row), *(f"         {one}" for one in row.get("lines") or ())]), quiet)

    hands = RealHands(book, book.clock, book.head.get("endpoints") or (), uri)
    asks = _asks(quiet=quiet, no_input=no_input)
    if asks:
        hands.let = _let
    Runner(book, hands, tell).run()
    prove(book, hands, tell)
    if asks:
        _ask(book, uri)
    write_output(json.dumps(text.to_dict(book), indent=1) if quiet else f"\n{text.open_steps(book)}")
    leave(_exit(book))


def _ask(book: Book, uri: str | None) -> None:
    """Ask a person on a terminal which steps of the first five minutes are done; anything but y leaves a step open."""
    from policykit.operate.incident import confirm

    for task in book.left(0):
        if task.step.hand == "policykit":
            continue
        click.echo("\n" + "\n".join([task.what, *(f"  {one}" for one in task.do)]))
        if click.confirm("done?", default=False):
            word = confirm.Word("done", None, book.head["claim"], "said on the terminal")
            told = confirm.confirm(book, task.id, word, uri)
            click.echo("\n".join(told.lines))


def _let(task: Task) -> bool:
    """Ask before a key is ended by the API; the other steps go on meanwhile."""
    return click.confirm(f"{task.what} by the API now? It cannot be undone", default=True)


def _say(words: str, quiet: bool) -> None:
    """Print at once; with JSON asked for on standard error, so that nobody waits for the end of it."""
    click.echo(words, err=quiet)


def _exit(book: Book) -> Exit:
    return Exit.NO if book.left(0) else Exit.DONE
