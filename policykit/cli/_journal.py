"""What the commands on the journal share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from policykit.cli._options import Exit, leave

if TYPE_CHECKING:
    from policykit.store.reader import JournalReader

OUTCOMES = ("allow", "deny", "acknowledged", "rejected", "unknown", "found", "absent", "expired", "not_sent", "settled")

store_option = click.option(
    "--store",
    "uri",
    metavar="URI",
    help="Which store (default: POLICYKIT_STORE, else the one in the user's state directory).",
)
outcome_option = click.option(
    "--outcome", type=click.Choice(OUTCOMES), help="Only decisions, or outcomes of sends, of this kind."
)


def named(uri: str | None) -> str:
    """Return the store's URI as it may be shown."""
    from policykit.redact import scrub
    from policykit.store import default_uri

    return scrub(uri or default_uri())


def counters_beside(uri: str | None) -> bool:
    """Tell whether the journal's file holds the store's counters, too: not where they are on a server."""
    from policykit.store import default_uri

    return (uri or default_uri()).startswith("sqlite:")


def damage_said(journal: JournalReader) -> None:
    """Say behind what was shown where the journal is damaged, if that was met; exit 1 then."""
    from policykit.redact import scrub

    if journal.damage is not None:
        click.echo(f"policykit: {scrub(str(journal.damage))}", err=True)
        leave(Exit.NO)
