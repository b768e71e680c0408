"""`policykit check POLICY --order JSON`: one decision, explained; nothing is held, recorded or sent."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from policykit.cli._options import Exit, example, format_option, leave, now_option, write_output

#: The longest file that is read as JSON, bytes.
MAX_BYTES = 1_000_000


def _text(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return JSON text: as it stands, or from the file that `@FILE` names."""
    if value is None or not value.startswith("@"):
        return value
    path = Path(value[1:])
    try:
        if path.stat().st_size > MAX_BYTES:
            raise click.BadParameter(f"{path}: over {MAX_BYTES} bytes; a smaller file is needed")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise click.BadParameter(f"{path}: cannot be read; a JSON file is needed") from None


@click.command(
    epilog=example(
        "policykit check examples/quickstart/policy.yaml \\\n"
        '  --order \'{"symbol": "BTC/USDT", "side": "buy", "type": "limit", "quantity": "0.01", "price": 60000}\' \\\n'
        '  --facts \'{"equity": "100000 USDT", "day_base": "100000 USDT", "net_transfers": "0 USDT", "positions": {},\n'
        '            "marks": {"BTC/USDT": "60000"}, "skew_ms": 0}\''
    )
)
@click.argument("policy", type=click.Path(path_type=Path))
@click.option("--order", "order_json", required=True, metavar="JSON", callback=_text, help="The order, or @FILE.")
@click.option(
    "--facts",
    "facts_json",
    metavar="JSON",
    callback=_text,
    help="What is known of the account, or @FILE.",
)
@format_option()
@now_option
def command(policy: Path, order_json: str, facts_json: str | None, output_format: str, now_ms: int | None) -> None:
    """Say what the policy makes of one order, and why. Exit 1 when it is denied.

    Facts that are not given are unknown, and what is unknown denies an increase. `used` in the facts gives what is
    used of counters already, by the names that an allowed order shows: {"used": {"binance/main|open_orders": 20}}.
    """
    from policykit.engine import compile_policy, trial
    from policykit.policy import load
    from policykit.traits import load as load_traits

    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    effective = load(policy, now_ms=now)
    engine = compile_policy(effective, load_traits(effective.model.exchange), paper=True)
    try:
        order = trial.read_order(trial.read_json(order_json, "--order"))
        facts = trial.read_json(facts_json, "--facts") if facts_json is not None else {}
        given = trial.read_facts(facts, engine.setup.currency, now)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    decision, assessment = trial.decide_once(engine, order, given, now)
    if output_format == "json":
        write_output(json.dumps(decision.to_dict(), indent=2, ensure_ascii=False))
    else:
        write_output(trial.report(engine, decision, assessment, given))
    leave(Exit.NO if decision.outcome == "deny" else Exit.DONE)
