"""`policykit status`: is trading on, who guards, what is unknown."""

from __future__ import annotations

import json
import shlex
import socket
from typing import Any

import click

from policykit.cli._monitor import check, check_options
from policykit.cli._options import example, format_option

#: Guards that are gone and still shown, the latest first.
GONE_SHOWN = 3


@click.command(
    epilog=example("policykit status\npolicykit status --format json\npolicykit status --check --max-silent 2m")
)
@click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
@check_options
@format_option()
def command(uri: str | None, output_format: str, **monitor: Any) -> None:
    """Show halts, guards and when each was heard last, and orders whose outcome is unknown."""
    if monitor.pop("check"):
        check(uri, output_format, **monitor)
        return
    from policykit.clock import SystemClock, iso
    from policykit.guard.living import beats, undecided
    from policykit.store import open_store

    store, now = open_store(uri), SystemClock().now_ms()
    unknown = undecided(store, socket.gethostname(), now)
    if output_format == "json":
        said: dict[str, Any] = {
            "version": 1,
            "store": {"backend": store.backend, "epoch": store.epoch},
            "halts": [halt._asdict() | {"at": iso(halt.at_ms)} for halt in store.halts()],
            "guards": [
                {name: value for name, value in guard._asdict().items() if name != "policy"}
                | {"last_heartbeat_s": (now - guard.beat_ms) / 1000}
                for guard in store.guards()
            ],
            "unknown_orders": [intent.id for intent in unknown],
        }
        click.echo(json.dumps(said, indent=2))
        return
    halts = store.halts()
    click.echo("trading: ACTIVE" if not halts else "trading: " + "; ".join(f"{h.state} for {h.scope}" for h in halts))
    for halt in halts:
        frozen = ", exits frozen too" if halt.freeze else ""
        click.echo(f'  {halt.scope} by {halt.by} at {iso(halt.at_ms)}: "{halt.why}"{frozen}')
        click.echo(f"  when it is mended: policykit resume --scope {shlex.quote(halt.scope)} --by NAME --why TEXT")
    guards, host = store.guards(), socket.gethostname()
    live = [guard for guard in guards if beats(guard, host, now)]
    gone = [guard for guard in guards if guard not in live]
    click.echo(f"guards: {len(live)} live, {len(gone)} gone" if guards else "guards: none has used this store")
    gone.sort(key=lambda guard: -guard.beat_ms)
    for guard in live + gone[:GONE_SHOWN]:
        heard = f"{(now - guard.beat_ms) / 1000:.0f} s ago" if guard in live else f"{iso(guard.beat_ms)}, gone"
        click.echo(
            f"  {guard.bot}  {guard.account}  {guard.mode}  {guard.host} pid {guard.pid}, heard {heard}\n"
            f"      policy {guard.policy_name} {guard.policy_version}"
        )
    if len(gone) > GONE_SHOWN:
        click.echo(f"  and {len(gone) - GONE_SHOWN} that are gone for longer (--format json lists them)")
    for account in sorted({guard.account for guard in guards}):
        drift = store.facts(account, "").drift
        if drift:
            click.echo(f"{account} has what nothing explains: {len(drift)}; see policykit reconcile")
    click.echo(f"orders of unknown outcome: {len(unknown)}" + ("; see policykit orders --unknown" if unknown else ""))
