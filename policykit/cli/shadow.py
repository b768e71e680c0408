"""`policykit shadow`: try a candidate beside the policy in force, see what it would decide, put it in its place."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._looking import store_option
from policykit.cli._options import Exit, example, format_option, leave, now_option, parse_moment
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.guard.beside import Run
    from policykit.operate.person import Person
    from policykit.proofs.shadow.starting import Who
    from policykit.store import Store

_policy = click.option("--policy", metavar="NAME|FILE", help="The policy that it is a candidate for.")
_why = click.option("--why", required=True, help="The reason, for the record.")
_journals = click.option(
    "--journal",
    "journals",
    multiple=True,
    metavar="FILE",
    help="Read these journals instead of this host's: of several hosts, each named.",
)


@click.group(
    "shadow",
    epilog=example(
        'policykit shadow start mm-next.yaml --by alice --why "tighter caps, OPS-12" --for 1d\n'
        "policykit shadow report\n"
        'policykit shadow promote --by alice --why "a day without a surprise"'
    ),
)
def command() -> None:
    """Run a candidate beside the active policy in every live guard. It judges each order too, and acts on nothing."""


@command.command(
    epilog=example('policykit shadow start mm-next.yaml --by alice --why "tighter caps, OPS-12" --for 1d'),
)
@click.argument("new", type=click.Path())
@_policy
@by_option("Who starts it.")
@_why
@click.option("--for", "length", metavar="SPAN", default="1d", show_default=True, help="How long it runs; at most 90d.")
@store_option
@now_option
@format_option()
def start(new: str, policy: str | None, by: Person, why: str, length: str, **more: Any) -> None:
    """Have every live guard of the policy's account and name judge by NEW, too; no bot is restarted.

    Each takes it in with its next round (5 s), on every host of the store. A newer candidate replaces an older one.
    """
    from policykit.policy import load
    from policykit.proofs.shadow.starting import Refused
    from policykit.proofs.shadow.starting import start as begin
    from policykit.proofs.shadow.words import headline, run_data
    from policykit.units import parse_duration

    try:
        for_ms = parse_duration(length).ms
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from None
    now = _now(more["now_ms"])
    candidate = load(new, now_ms=now)
    with _opened(more["uri"]) as store:
        try:
            done = begin(store, candidate, policy, for_ms, _who(by, why), now)
        except Refused as refused:
            _refused(refused)
            return
    if more["output_format"] == "json":
        before = None if done.replaces is None else run_data(done.replaces, now)
        click.echo(json.dumps({"version": 1, "candidate": run_data(done.run, now), "replaces": before}, indent=2))
        return
    click.echo(headline(done.run, now))
    if done.replaces is not None:
        click.echo(f"it takes the place of {done.replaces.version}, which {done.replaces.by} started")
    click.echo("guards take it in with their next round; policykit shadow status says which do")


@command.command(epilog=example("policykit shadow status"))
@store_option
@now_option
@format_option()
def status(uri: str | None, now_ms: int | None, output_format: str) -> None:
    """Show the candidates of this store, and which live guards judge by them."""
    from policykit.proofs.shadow.starting import every_run
    from policykit.proofs.shadow.words import guards_data, guards_text, run_data

    now = _now(now_ms)
    with _opened(uri) as store:
        runs = every_run(store)
        found = [(run, store.guards()) for run in runs]
    if output_format == "json":
        said = [{**run_data(run, now), "guards": guards_data(run, guards, _host(), now)} for run, guards in found]
        click.echo(json.dumps({"version": 1, "candidates": said}, indent=2))
        return
    for run, guards in found:
        click.echo(guards_text(run, guards, _host(), now))
    if not found:
        click.echo("no candidate was started; policykit shadow start NEW --by NAME --why TEXT starts one")


@command.command(
    epilog=example("policykit shadow report --policy mm\npolicykit shadow report --journal a.db --journal b.db")
)
@_policy
@click.option("--since", "since_ms", metavar="ISO", callback=parse_moment, help="Count from this moment on.")
@_journals
@store_option
@now_option
@format_option()
def report(policy: str | None, since_ms: int | None, journals: tuple[str, ...], **more: Any) -> None:
    """Show what the candidate would have decided otherwise, worst first, and whether it was tried long enough.

    Exit code 1: not yet.
    """
    from policykit.proofs.shadow.starting import Refused, found
    from policykit.proofs.shadow.words import data, text

    now = _now(more["now_ms"])
    with _opened(more["uri"]) as store:
        try:
            made = _report(store, found(store, policy, now), more["uri"], journals, since_ms, now)
        except Refused as refused:
            _refused(refused)
            return
    click.echo(json.dumps(data(made), indent=2) if more["output_format"] == "json" else text(made), nl=False)
    leave(Exit.NO if made.short else Exit.DONE)


@command.command(epilog=example('policykit shadow stop --policy mm --by alice --why "denies too much"'))
@_policy
@by_option("Who stops it.")
@_why
@store_option
@now_option
def stop(policy: str | None, by: Person, why: str, uri: str | None, now_ms: int | None) -> None:
    """Stop the candidate: guards let go of it with their next round, and its report stays."""
    from policykit.proofs.shadow.starting import Refused, found
    from policykit.proofs.shadow.starting import stop as end

    now = _now(now_ms)
    with _opened(uri) as store:
        try:
            run = found(store, policy, now)
        except Refused as refused:
            _refused(refused)
            return
        stopped = end(store, run, _who(by, why), now)
    said = "stopped; guards let go of it with their next round" if stopped else f"{run.said(now)} already"
    click.echo(f"candidate {run.name} {run.version} on {run.account}: {said}")


@command.command(epilog=example('policykit shadow promote --policy mm --by alice --why "a day without a surprise"'))
@_policy
@by_option("Who puts it in force.")
@_why
@click.option("--early", is_flag=True, help="Though it was not tried as long as was asked.")
@_journals
@store_option
@now_option
def promote(policy: str | None, by: Person, why: str, *, early: bool, journals: tuple[str, ...], **more: Any) -> None:
    """Write the candidate into the policy's file on this host, keep the old one, and say which guards took it.

    Refused (exit code 1) for what was not tried long enough, was not signed, or changed since. Exit code 1 as well when
    a live guard does not have it at the end: each is named with what it waits for.
    """
    from policykit.proofs.shadow.starting import Refused

    with _opened(more["uri"]) as store:
        try:
            _promote(store, policy, _who(by, why), more["uri"], journals, more["now_ms"], early=early)
        except Refused as refused:
            _refused(refused)


def _promote(
    store: Store,
    policy: str | None,
    who: Who,
    uri: str | None,
    journals: tuple[str, ...],
    now_ms: int | None,
    *,
    early: bool,
) -> None:
    from policykit.clock import SystemClock
    from policykit.proofs.diff import diff
    from policykit.proofs.shadow.promoting import planned, watched
    from policykit.proofs.shadow.promoting import promote as put
    from policykit.proofs.shadow.starting import Refused, found, is_file
    from policykit.proofs.shadow.words import promoted, verdict

    clock = SystemClock().now_ms if now_ms is None else lambda: now_ms
    now = clock()
    run = found(store, policy, now)
    plan = planned(store, run, policy if is_file(policy) else None, _host(), now)
    if not plan.done:
        click.echo(verdict(diff(plan.old, plan.new, now)), nl=False)
        made = _report(store, run, uri, journals, None, now)
        if made.short and not early:
            more = "wait" if now < run.until_ms else "its time is over: start it again"
            raise Refused(f"{run.name} {run.version}: not tried enough: {made.short}; {more}, or say --early")
    kept = put(store, plan, who, now)
    took = watched(store, plan, _host(), clock, time.sleep)
    click.echo(promoted(plan, kept, took), nl=False)
    leave(Exit.DONE if all(one.has for one in took) else Exit.NO)


def _report(store: Store, run: Run, uri: str | None, journals: tuple[str, ...], since_ms: int | None, now: int) -> Any:
    from policykit.proofs.shadow.report import journals_of
    from policykit.proofs.shadow.report import report as made

    since = max(run.started_ms, since_ms or 0)
    return made(store, run, journals_of(uri, journals, since), _host(), now)


def _opened(uri: str | None) -> Any:
    from policykit.store import open_store

    return closing(open_store(uri))


def _who(by: Person, why: str) -> Who:
    from policykit.proofs.shadow.starting import Who

    return Who(by.name, why, by.to_dict())


def _now(now_ms: int | None) -> int:
    from policykit.clock import SystemClock

    return SystemClock().now_ms() if now_ms is None else now_ms


def _host() -> str:
    return socket.gethostname()


def _refused(why: Exception) -> None:
    click.echo(f"policykit: {why}", err=True)
    leave(Exit.NO)
