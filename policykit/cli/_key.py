"""`policykit lint --key REF --exchange ID`: one key, no policy."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from policykit.cli._options import leave, use_colour, write_output

#: What needs a policy, or files, and has no meaning for one key.
_WITH_POLICIES = ("live", "states", "verify_keys", "record", "git_history", "fix", "unsafe_fixes", "diff", "baseline")


def page_of_key(paths: tuple[str, ...], output: Path | None, output_format: str, asked: dict[str, Any]) -> None:
    """Lint one key by the built-in baseline, write the report, and leave with lint's exit code.

    Raise ValueError, or click.UsageError, for a wrong call.
    """
    if not asked["key"] or not asked["exchange"]:
        raise click.UsageError("--key and --exchange go together: --key env://PREFIX --exchange binance")
    others = [f"--{name.replace('_', '-')}" for name in (*_WITH_POLICIES, "write_baseline") if asked[name]]
    if paths or others:
        what = ", ".join([*(paths[:1]), *others])
        raise click.UsageError(f"{what} is given with --key, which needs no policy; leave it out")

    from policykit import secrets
    from policykit.clock import SystemClock
    from policykit.exchanges.endpoints import endpoints
    from policykit.exchanges.session import Session
    from policykit.exchanges.snapshot import plan
    from policykit.lint import Options
    from policykit.lint.live import cost_line
    from policykit.lint.one_key import effective, lint_key, page
    from policykit.lint.report import Style, write

    started = time.monotonic()
    now_ms = asked["now_ms"] if asked["now_ms"] is not None else time.time_ns() // 1_000_000
    options = Options(now_ms, asked["select"], asked["ignore"], asked["fail_on"], asked["strict"])
    policy, options = effective(asked["key"], asked["exchange"], options)
    session = Session(secrets.read, SystemClock(), endpoints(asked["endpoints"]))
    click.echo(f"{cost_line(policy, plan(policy, keys_only=True))}\n", err=True)
    done = lint_key(session, policy, options)
    for line in done.lines:
        click.echo(f"policykit: {line}", err=True)
    seconds = None if asked["now_ms"] is not None else time.monotonic() - started
    style = Style(use_colour() and output is None, seconds=seconds, fail_on=options.fail_on, strict=options.strict)
    text = write(output_format, done.report, style._replace(code=done.code))
    if output_format == "text":
        text = f"{page(asked['key'], done, now_ms)}\n{text}"
    if text:
        write_output(text, output)
    leave(done.code)
