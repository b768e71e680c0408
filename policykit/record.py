"""Facts from the journal that lint reads: drills, stages, reviews, exposed keys. Given by `--record`, else unknown.

A record is of one policy. `store/record.py` makes it from a store or a journal, `policykit journal export --record`
writes it as JSON, `lint --record` reads that again. A new fact is a field here, a line in `facts_of` there, and, in
what reads the file (`lint/state.py`), its form; most facts are a `Done` by name and need no form of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What the journal proves of one stage: when it was entered (ISO), the orders sent in it, the denials of it that
    nobody has looked at yet. `external`: that it was passed is kept elsewhere, as a named person said.
    """

    since: str
    orders: int | None = None
    denials_open: int | None = None
    external: bool = False


class Done(NamedTuple):
    """What somebody did: when (ISO), who, and what came of it in a word (`passed`, `active`, ...; empty: nothing)."""

    at: str
    by: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What the journal proves of a policy. None: it does not say; an empty mapping: there is none. Times are ISO text.

    Mappings to `Done` are the newest of each name, as the rows of `store.keep` have it: `at`, `by`, `result`.
    """

    #: The last drill of the kill switch (row `drill`, name `kill`).
    last_drill_at: str | None = None
    #: Each stage that this policy was at, by name; None: the journal does not say.
    stages: Mapping[str, StageFacts] | None = None
    #: The highest stage that was granted to it (row `stage`); empty: none ever was.
    stage: str | None = None
    #: Every drill by name: `kill`, `incident` (row `drill`).
    drills: Mapping[str, Done] | None = None
    #: What persons looked at: `policy`, `denials`, `fills` of this policy, and `vendor:NAME` (row `review`).
    reviews: Mapping[str, Done] | None = None
    #: Keys of this policy that may be in other hands, by name (row `exposed`).
    exposed: Mapping[str, Done] | None = None
    #: How far the successor of each key of this policy has come, by the key's name (row `rotation`).
    rotations: Mapping[str, Done] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what `--record` reads; what is not known is left out."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self) if self.knows(field.name)}

    def knows(self, field: str) -> bool:
        """Tell whether the journal says something of this."""
        return getattr(self, field) is not None


def _plain(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: one._asdict() if isinstance(one, Done) else asdict(one) for name, one in value.items()}
