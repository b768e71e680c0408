"""What a store or a journal proves of one policy: the record that lint reads.

From a store it costs one read of what operators did, and the rows behind the last grant of a stage; from a journal
file alone, one pass over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from policykit.clock import iso
from policykit.policy import PAPER, EffectivePolicy
from policykit.record import Done, Record
from policykit.store.base import Store
from policykit.store.reader import JournalReader
from policykit.store.staging import Progress, silent, stage_account, staging_of

#: What was looked at, of the reviews whose name ends in the policy's.
_OWN_REVIEWS: Final = ("policy", "denials", "fills", "telemetry")


class _Kept(Protocol):
    """Gives what operators did: `Store.kept`."""

    def __call__(self, account: str, kind: str, /) -> Mapping[str, Mapping[str, Any]]: ...


def record_of(source: Store | JournalReader, policy: EffectivePolicy, progress: Progress = silent) -> Record:
    """Return what a store, or a journal file, proves of a policy. Raise StoreUnavailable.

    `progress` is told how many rows were read, of how many.
    """
    staging = staging_of(source, policy, progress)
    return facts_of(policy, staging.kept, staging.facts(), staging.granted)


def facts_of(policy: EffectivePolicy, kept: _Kept, stages: Mapping[str, Any], granted: str) -> Record:
    """Put a record together: a line each."""
    # Paper trades with the keys of its account; what a person looked at is a policy's, in whatever environment it is.
    account, keys = policy.account_key.removesuffix(PAPER), policy.model.keys or {}
    drills = {name: _done(row) for place in ("", account) for name, row in kept(place, "drill").items()}
    reviews = {name: _done(row) for name, row in kept("", "review").items() if name.startswith("vendor:")}
    for name, row in kept(stage_account(policy), "review").items():
        what, _, of = name.partition(":")
        if what == "vendor":
            reviews[name] = _done(row)
        elif what in _OWN_REVIEWS and of == policy.name:
            reviews[what] = _done(row)
    exposed = {name: row for place in ("", account) for name, row in kept(place, "exposed").items()}
    return Record(
        last_drill_at=drills["kill"].at if "kill" in drills else None,
        stages=stages,
        stage=granted,
        drills=drills,
        reviews=reviews,
        exposed={name: _done(row) for name, row in exposed.items() if name in keys and "withdrawn" not in row},
        rotations={name: _done(row) for name, row in kept(account, "rotation").items() if name in keys},
    )


def _done(row: Mapping[str, Any]) -> Done:
    return Done(iso(row["at_ms"]), str(row.get("by", "")), str(row.get("result", "")))
