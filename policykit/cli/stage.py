"""`policykit stage`: how far on the way to full size a policy is, what the next stage needs, moving on and back."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._looking import asks, no_input_option, opened, policy_argument, say, store_option
from policykit.cli._options import Exit, example, format_option, leave, now_option
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.operate.person import Person
    from policykit.policy import EffectivePolicy

_STAGES = ("sandbox", "paper", "micro-live", "small-live", "full-live")


@click.group("stage", epilog=example("policykit stage status policies/mm.yaml\npolicykit stage check policies/mm.yaml"))
def command() -> None:
    """Going live in stages: sandbox, paper, micro-live, small-live, full-live; each is left on evidence only."""


@command.command(epilog=example("policykit stage status policies/mm.yaml"))
@policy_argument
@store_option
@format_option()
@now_option
def status(policy: str, uri: str | None, output_format: str, now_ms: int | None) -> None:
    """Show the stages of POLICY, what the journal has of each, and what the next one needs."""
    _shown(policy, uri, output_format, now_ms)


@command.command(epilog=example("policykit stage check policies/mm.yaml"))
@policy_argument
@store_option
@format_option()
@now_option
def check(policy: str, uri: str | None, output_format: str, now_ms: int | None) -> None:
    """The same, for a script. Exit code 1: something is missing for the next stage."""
    of = _shown(policy, uri, output_format, now_ms)
    leave(Exit.NO if of.missing else Exit.DONE)


@command.command(epilog=example('policykit stage promote policies/mm.yaml --by desk-head --why "two calm weeks"'))
@policy_argument
@by_option("Who grants it: stage.next_needs.approver of the policy, else who may re-arm after a halt.")
@click.option("--why", default="", help="The reason, for the record.")
@click.option("--external", is_flag=True, help="The evidence is kept elsewhere: take the file's stage as reached.")
@click.option("--write", is_flag=True, help="Write the edit into the policy's file as well.")
@no_input_option
@store_option
@format_option()
@now_option
def promote(policy: str, by: Person, uri: str | None, output_format: str, now_ms: int | None, **asked: Any) -> None:
    """Grant POLICY the next stage, if all of its evidence is there; running guards take it up in their next round.

    The evidence is journaled and the edit of the file printed. Refused (exit code 1) with what is missing, and what
    provides it.
    """
    from policykit.operate import stages

    loaded, store, now = opened(policy, uri, now_ms)
    with closing(store):
        of = stages.standing(loaded, store, now, say)
        stage = _stage_of(loaded) if asked["external"] else of.next
        question = f"Grant {loaded.name} on {loaded.account_key} {stage}?"
        if not of.missing or asked["external"]:
            _ask(question, asked["no_input"])
        try:
            if asked["external"]:
                stages.adopt(store, of, str(stage), by, asked["why"])
            else:
                stage = stages.promote(store, of, by, asked["why"])
        except stages.Refused as refused:
            _refused(refused, of, output_format)
            return
    _moved(loaded, str(stage), by, now, output_format, write=asked["write"])


@command.command(epilog=example('policykit stage demote policies/mm.yaml --to paper --by ops --why "fills look odd"'))
@policy_argument
@click.option("--to", "stage", type=click.Choice(_STAGES), required=True, help="The stage to go back to.")
@by_option("Who says so; anybody may.")
@click.option("--why", required=True, help="The reason, for the record.")
@click.option("--write", is_flag=True, help="Write the edit into the policy's file as well.")
@no_input_option
@store_option
@format_option()
@now_option
def demote(
    policy: str, stage: str, by: Person, uri: str | None, output_format: str, now_ms: int | None, **asked: Any
) -> None:
    """Take POLICY back to a stage, at once and without a restart; it is to be earned anew from there."""
    from policykit.operate import stages

    loaded, store, now = opened(policy, uri, now_ms)
    with closing(store):
        of = stages.standing(loaded, store, now, say)
        _ask(f"Take {loaded.name} on {loaded.account_key} back to {stage}?", asked["no_input"])
        try:
            stages.demote(store, of, stage, by, asked["why"])
        except stages.Refused as refused:
            _refused(refused, of, output_format)
            return
    _moved(loaded, stage, by, now, output_format, write=asked["write"])


@command.command(epilog=example("policykit stage exercise policies/mm.yaml --symbol BTC/USDT"))
@policy_argument
@click.option("--symbol", help="Where to trade; default: the first symbol that the policy names.")
@click.option("--key", help="The key to trade with, by its name in the policy.")
@click.option(
    "--endpoint", metavar="URL", help="Send every URL of the exchange to this origin (the simulated exchange)."
)
@store_option
@format_option()
def exercise(policy: str, output_format: str, uri: str | None, **asked: str | None) -> None:
    """Try each order type that POLICY allows, and each error path, in its sandbox and through the real guard.

    Orders are sent, amended, cancelled, refused on purpose, and one answer is lost on purpose. What came of them is in
    the journal: `stage check` counts it. Exit code 1: a step did not come out as it should.
    """
    from policykit.guard import Guard
    from policykit.operate.stages.exercise import symbol_of, tried
    from policykit.redact import scrub

    guard = Guard.load(policy, asked["key"], store=uri, endpoint=asked["endpoint"])
    steps = []
    for step in tried(guard, asked["symbol"] or symbol_of(guard)):
        steps.append(step)
        if output_format == "text":
            click.echo(scrub(f"[{'x' if step.ok else ' '}] {step.name}: {step.words}"))
    failed = sum(not step.ok for step in steps)
    if output_format == "json":
        said = {"version": 1, "policy": guard.policy.name, "steps": [step._asdict() for step in steps]}
        click.echo(scrub(json.dumps(said, indent=2)))
    else:
        click.echo(f"{len(steps) - failed} of {len(steps)} as they should be; policykit stage check {policy}")
    leave(Exit.NO if failed else Exit.DONE)


@command.command(epilog=example("policykit stage report policies/mm.yaml"))
@policy_argument
@store_option
@format_option()
def report(policy: str, uri: str | None, output_format: str) -> None:
    """Compare the stages of POLICY: fill ratio, latency, slippage against the market when an order was decided.

    Paper that did better than micro-live was kinder than the market. With a server's store it is this host's journal.
    """
    from policykit.operate.stages.report import render
    from policykit.operate.stages.report import report as made

    loaded, store, _ = opened(policy, uri, None)
    with closing(store):
        found = made(store, loaded, say)
    if output_format == "json":
        stages = {name: one.to_dict() for name, one in found.measured.items()}
        click.echo(json.dumps({"version": 1, "policy": loaded.name, "stages": stages}, indent=2))
    else:
        click.echo(render(found))


def _stage_of(policy: EffectivePolicy) -> str:
    said = policy.composed.stage
    if said is None:
        raise click.UsageError(f"{policy.file}: it has no stage; add stage: {{current: STAGE}}")
    return said.current


def _shown(policy: str, uri: str | None, output_format: str, now_ms: int | None) -> Any:
    from policykit.operate.stages import standing
    from policykit.operate.stages.words import render
    from policykit.redact import scrub

    loaded, store, now = opened(policy, uri, now_ms)
    with closing(store):
        of = standing(loaded, store, now, say)
    text = json.dumps(of.to_dict(), indent=2) if output_format == "json" else render(of)
    click.echo(scrub(text).rstrip("\n"))
    return of


def _ask(question: str, no_input: bool) -> None:
    """Ask on a terminal; who says no changed nothing."""
    if asks(no_input):
        click.confirm(question, abort=True)


def _refused(refused: Exception, of: Any, output_format: str) -> None:
    from policykit.redact import scrub

    if output_format == "json":
        click.echo(scrub(json.dumps({**of.to_dict(), "moved": False, "why": str(refused)}, indent=2)))
    else:
        click.echo(scrub(str(refused)), err=True)
    leave(Exit.NO)


def _moved(policy: EffectivePolicy, stage: str, by: Person, now_ms: int, output_format: str, *, write: bool) -> None:
    """Say what was granted and which edit of the file takes it up; write that if it is wanted."""
    from policykit.lint.rewrite import diff
    from policykit.lint.rewrite import write as rewrite
    from policykit.operate.stages.edit import edited
    from policykit.source.edits import CannotEdit

    shown, problem, written = "", "", False
    try:
        edit = edited(policy, stage, now_ms)
        if edit is not None:
            shown = diff([edit])
            problem = rewrite(edit) if write else ""
            written = write and not problem
    except (CannotEdit, OSError, UnicodeDecodeError) as error:
        problem = f"{policy.file}: {error}; write stage: {{current: {stage}}} there by hand"
    if output_format == "json":
        said = {"version": 1, "moved": True, "policy": policy.name, "stage": stage, "by": by.to_dict()}
        click.echo(json.dumps(said | {"edit": shown, "written": written, "problem": problem or None}, indent=2))
    else:
        click.echo(f"{policy.name} on {policy.account_key}: {stage}, by {by}")
        done = f"written to {policy.file}:" if written else f"the edit of {policy.file} (--write makes it):"
        click.echo(f"{done}\n{shown}".rstrip("\n") if shown else "its file says so already")
        if problem:
            click.echo(problem, err=True)
    leave(Exit.NO if problem else Exit.DONE)
