"""`--record`: what a record may hold, and what is said of one that holds something else."""

from __future__ import annotations

from typing import Any

import pytest

from policykit.lint.state import record_of
from policykit.record import Record, StageFacts

STAGES = "sandbox, paper, micro-live, small-live, full-live"
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"last_drill_at": 20261120}, "record: last_drill_at is no ISO time"),
    ({"last_drill_at": "soon"}, "record: last_drill_at is no ISO time"),
    ({"stages": []}, f"record: stages is no object of objects with the keys {STAGES}"),
    ({"stages": {"live": {}}}, f"record: stages is no object of objects with the keys {STAGES}"),
    ({"stages": {"paper": "2026-11-01"}}, f"record: stages is no object of objects with the keys {STAGES}"),
    ({"stages": {"paper": {}}}, "record: stages.paper.since is no ISO time"),
    ({"stages": {"paper": {"since": "2026-11-01", "orders": True}}}, "record: stages.paper.orders is no count"),
    ({"stages": {"paper": {"since": "2026-11-01", "orders": "3"}}}, "record: stages.paper.orders is no count"),
    (
        {"stages": {"paper": {"since": "2026-11-01", "denials_open": -1}}},
        "record: stages.paper.denials_open is no count",
    ),
    ({"stage": "live"}, f"record: stage is none of {STAGES}"),
    ({"drills": []}, "record: drills is no object of objects"),
    ({"exposed": {"trader": "yes"}}, "record: exposed is no object of objects"),
    ({"reviews": {"policy": {"by": "head"}}}, "record: reviews.policy.at is no ISO time"),
    ({"rotations": {"trader": {"at": "2026-11-01", "by": 7}}}, "record: rotations.trader.by is no text"),
]


def test_a_record_is_read_as_it_says() -> None:
    """Times are kept as written; what is left out is None; what is not known to this version is passed over."""
    stage = {"since": "2026-11-01", "orders": 0, "denials_open": 2}
    record = record_of(
        {
            "last_drill_at": "2026-11-10T10:00:00Z",
            "stages": {"paper": stage, "sandbox": {"since": "2026-10-01"}},
            "more": 1,
        }
    )
    assert record == Record(
        "2026-11-10T10:00:00Z", {"paper": StageFacts("2026-11-01", 0, 2), "sandbox": StageFacts("2026-10-01")}
    )
    assert record_of({}) == record_of({"last_drill_at": None, "stages": None}) == Record()
    assert record_of({"stages": {}}) == Record(None, {})


@pytest.mark.parametrize(("data", "message"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_a_wrong_record_is_refused_by_name(data: dict[str, Any], message: str) -> None:
    """A wrong value is named by its path; nothing of it is taken as a fact."""
    with pytest.raises(ValueError, match="record: ") as error:
        record_of(data)
    assert str(error.value) == message
