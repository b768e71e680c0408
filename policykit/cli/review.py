"""`policykit review`: what persons look at: denials, the dashboards and a test alert, the policy itself."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import click

from policykit.cli._looking import asks, no_input_option, opened, policy_argument, say, store_option
from policykit.cli._options import Exit, example, format_option, leave, now_option
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.operate.person import Person

_note = click.option("--note", default="", help="What was seen, for the record.")


@click.group(
    "review",
    epilog=example("policykit review status policies/mm.yaml\npolicykit review denials policies/mm.yaml --by alice"),
)
def command() -> None:
    """What persons look at, and when they last did: a stage is left, and full size kept, only with that."""


@command.command(epilog=example("policykit review status policies/mm.yaml"))
@policy_argument
@store_option
@format_option()
@now_option
def status(policy: str, uri: str | None, output_format: str, now_ms: int | None) -> None:
    """Show when POLICY, its denials, fills and alerts were last looked at, and by whom."""
    from policykit.operate.stages.reviewing import render, reviews

    loaded, store, now = opened(policy, uri, now_ms)
    with closing(store):
        rows = reviews(store, loaded)
    if output_format == "json":
        click.echo(json.dumps({"version": 1, "policy": loaded.name, "reviews": rows}, indent=2))
        return
    for line in render(rows, loaded, now):
        click.echo(line)


@command.command(epilog=example("policykit review denials policies/mm.yaml --by alice"))
@policy_argument
@by_option("Who looks at them; without, they are only shown.", required=False)
@click.option("--through", metavar="ROW", type=click.IntRange(0), help="Without a terminal: up to this row.")
@_note
@no_input_option
@store_option
@format_option()
@now_option
def denials(
    policy: str,
    by: Person | None,
    through: int | None,
    note: str,
    uri: str | None,
    output_format: str,
    now_ms: int | None,
    *,
    no_input: bool,
) -> None:
    """Show what was denied to POLICY since the last review, by reason and symbol, and record that a person saw it.

    Without a terminal --through says up to which row of the journal was looked at. Exit code 1: some are left.
    """
    from policykit.operate.stages.reviewing import left, reviewed
    from policykit.redact import scrub

    loaded, store, now = opened(policy, uri, now_ms)
    with closing(store):
        found = left(store, loaded, "denials", say)
        groups = list(found.denials.values())
        if output_format == "json":
            shown = json.dumps(
                {"version": 1, "through": found.last, "denials": [one.to_dict() for one in groups]}, indent=2
            )
        else:
            shown = "\n".join([*map(str, groups), f"{len(groups)} kinds of denials, up to row {found.last}"])
        click.echo(scrub(shown))
        seen = through if through is not None else found.last
        sure = through is not None or not groups or (asks(no_input) and click.confirm("all of them as meant?"))
        if by is not None and sure:
            reviewed(store, loaded, "denials", by, now, note, through=min(seen, found.last), kinds=len(groups))
            groups = [] if seen >= found.last else groups
    leave(Exit.NO if groups else Exit.DONE)


@command.command(epilog=example("policykit review telemetry policies/mm.yaml --by alice"))
@policy_argument
@by_option("Who saw it.")
@_note
@store_option
@now_option
def telemetry(policy: str, by: Person, note: str, uri: str | None, now_ms: int | None) -> None:
    """Record that a person saw POLICY on the dashboards, and that a test alert arrived (`policykit notify test`)."""
    _record("telemetry", policy, by, note, uri, now_ms)


@command.command(epilog=example('policykit review done policies/mm.yaml --by desk-head --note "caps still fit"'))
@policy_argument
@by_option("Who reviewed it.")
@_note
@store_option
@now_option
def done(policy: str, by: Person, note: str, uri: str | None, now_ms: int | None) -> None:
    """Record that POLICY was reviewed as a whole: every cap, key and contact (`review.every` asks for it)."""
    _record("policy", policy, by, note, uri, now_ms)


def _record(what: str, policy: str, by: Person, note: str, uri: str | None, now_ms: int | None) -> None:
    from policykit.operate.stages.reviewing import reviewed

    loaded, store, now = opened(policy, uri, now_ms)
    with closing(store):
        reviewed(store, loaded, what, by, now, note)
    click.echo(f"{loaded.name} {loaded.version}: {what} looked at by {by}")
