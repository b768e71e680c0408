"""`policykit vendor`: ask a third party what the guide asks before it gets a key, and see who was asked when."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._looking import asks, no_input_option, store_option
from policykit.cli._options import Exit, example, format_option, leave, now_option
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.operate.person import Person
    from policykit.policy import EffectivePolicy


@click.group(
    "vendor",
    epilog=example("policykit vendor review tax-report --by alice\npolicykit vendor status policies/mm.yaml"),
)
def command() -> None:
    """Third parties that hold a key: the questions to ask before, the answers, and when they are due again."""


@command.command(
    epilog=example(
        "policykit vendor review tax-report --by alice --policy policies/mm.yaml\n"
        "policykit vendor review tax-report --by alice --answers tax-report.json --no-input"
    )
)
@click.argument("name")
@by_option("Who asked them.")
@click.option("--policy", type=click.Path(), help="A policy that has answers of it under `vendors`.")
@click.option(
    "--answers", type=click.Path(dir_okay=False, path_type=Path), help="Answers as JSON, and `evidence` by question."
)
@click.option("--note", default="", help="What else is to be known, for the record.")
@no_input_option
@store_option
@now_option
@format_option()
def review(  # noqa: PLR0913  # click gives every option by name
    name: str,
    by: Person,
    policy: str | None,
    answers: Path | None,
    note: str,
    uri: str | None,
    now_ms: int | None,
    output_format: str,
    *,
    no_input: bool,
) -> None:
    """Ask the guide's six questions about vendor NAME, or read the answers, and keep what came of it.

    On a terminal each question is asked, with the answer that is known; `?` is no answer. Exit code 1: it did not pass.
    One that asks for withdrawal, the secret or remote access, shows no log, or does not answer, is disqualified.
    """
    from policykit.clock import SystemClock
    from policykit.operate import vendors
    from policykit.store import open_store

    now_ms = now_ms or SystemClock().now_ms()
    known = _known(policy, name, now_ms)
    evidence: dict[str, str] = {}
    if answers is not None:
        told, evidence = vendors.read(answers)
        known |= told
    with closing(open_store(uri)) as store:
        if asks(no_input):
            before = vendors.last(store, name)
            known = vendors.asked({**(before or {}).get("answers", {}), **known}, _ask)
        elif not known:
            raise click.UsageError("nobody is there to be asked; give the answers with --answers FILE or --policy FILE")
        done = vendors.review(name, known, evidence)
        vendors.keep(store, done, by, note, now_ms)
    if output_format == "json":
        said: dict[str, Any] = {**done._asdict(), "reasons": list(done.reasons), "by": by.name}
        click.echo(json.dumps({"version": 1, **said}, indent=2))
    else:
        click.echo(f"{name}: {done.result}, asked by {by.name}")
        for reason in done.reasons:
            click.echo(f"  it {reason}")
        if done.result != "passed":
            click.echo("  it gets no key; delete the ones that it has: policykit keys exposed --vendor " + name)
    leave(Exit.DONE if done.result == "passed" else Exit.NO)


@command.command(epilog=example("policykit vendor status policies/mm.yaml"))
@click.argument("policies", nargs=-1, type=click.Path())
@store_option
@now_option
@format_option()
def status(policies: tuple[str, ...], uri: str | None, now_ms: int | None, output_format: str) -> None:
    """List vendors: those of POLICIES and those that the store knows. Exit code 1: one holds a key without a review."""
    from policykit.clock import SystemClock, iso
    from policykit.operate import vendors
    from policykit.store import open_store

    now_ms = now_ms or SystemClock().now_ms()
    with closing(open_store(uri)) as store:
        rows = vendors.status(store, _loaded(policies, now_ms), now_ms)
    if output_format == "json":
        click.echo(json.dumps({"version": 1, "vendors": rows}, indent=2))
    elif not rows:
        click.echo("no vendor is known; `vendors:` of a policy names who holds a key")
    else:
        for row in rows:
            when = "never reviewed"
            if row["at_ms"] is not None:
                when = f"{row['result']} on {iso(row['at_ms'])[:10]} by {row['by']}, due {iso(row['due_ms'])[:10]}"
            held = ", ".join(row["keys"]) or "no key of these policies"
            click.echo(f"{row['vendor']}: {when}; holds {held}")
    leave(Exit.NO if any(row["keys"] and not row["holds"] for row in rows) else Exit.DONE)


def _loaded(files: Iterable[str], now_ms: int) -> list[EffectivePolicy]:
    from policykit.policy import load

    return [load(file, now_ms=now_ms) for file in files]


def _known(policy: str | None, name: str, now_ms: int) -> dict[str, Any]:
    """Return the answers that a policy has of a vendor."""
    from policykit.rules.vendors import QUESTIONS

    for loaded in _loaded([policy] if policy else [], now_ms):
        vendor = (loaded.model.vendors or {}).get(name)
        if vendor is None:
            raise click.UsageError(
                f"{policy}: vendors has no {name}; {', '.join(loaded.model.vendors or {}) or 'none'}"
            )
        said = {field: getattr(vendor, field) for field in QUESTIONS}
        return {field: list(v) if isinstance(v, tuple) else v for field, v in said.items() if v is not None}
    return {}


def _ask(name: str, question: str, known: Any) -> Any:
    """Ask one question; `?` is no answer."""
    from policykit.operate.vendors import ASKS

    if name == "asks_for":
        shown = ",".join(known) if known else "?"
        text = click.prompt(f"{question} ({','.join(ASKS)}; ? for no answer)", default=shown)
        return None if text == "?" else [word.strip() for word in str(text).split(",") if word.strip()]
    shown = {True: "yes", False: "no"}.get(known, "?")
    text = click.prompt(f"{question} (yes, no, ?)", type=click.Choice(["yes", "no", "?"]), default=shown)
    return {"yes": True, "no": False}.get(text)
