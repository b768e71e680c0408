"""Log events: through the logging module, and as one line of JSON."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from policykit.telemetry import events
from tests.telemetry.nouns import NOTIONAL, decision, intent, scope


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Have the log written as JSON and return a reader of its lines; put logging back afterwards."""
    logger = logging.getLogger(events.LOGGER)
    before = (list(logger.handlers), logger.level, logger.propagate)
    stream = io.StringIO()
    events.configure("json", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.handlers, level, logger.propagate = before[0], before[1], before[2]
    logger.setLevel(level)


def test_a_denial_is_one_line_with_the_attributes_of_its_span(make: Callable[..., Any], lines: Any) -> None:
    """A denial logs policykit.order.denied with time in UTC, message and what the span says; an allow logs nothing."""
    telemetry, seen = make()
    telemetry.record(decision(), scope())
    telemetry.record(decision(reasons=(NOTIONAL,)), scope())
    (line,) = lines()
    span = {k: list(v) if isinstance(v, tuple) else v for k, v in seen.spans[-1].attributes.items()}
    assert line == {
        "time": "2026-11-21T10:00:00.000Z",
        "level": "warning",
        "logger": "policykit.events",
        "event_name": "policykit.order.denied",
        "message": (
            "order.create denied: order notional 30000 USDT is over max_order_notional 1500 USDT; "
            "decision 01JD3V7K2M0000000000000001"
        ),
        **span,
    }


def test_every_event_has_its_name_level_and_message(make: Callable[..., Any], lines: Any) -> None:
    """Unknown outcome, kill switch, policy loaded and rejected, shadow denial: each its own line."""
    telemetry, _ = make()
    telemetry.record(decision(reasons=(NOTIONAL, NOTIONAL), mode="shadow"), scope())
    telemetry.sent(intent(state="unknown", error="timed out"), scope())
    telemetry.kill_switch("account:binance/main", "HALTED", "ops", "something is off")
    telemetry.policy_loaded("mm", "sha256:3f9a01c2d4e5", "mm.yaml", stage="full-live", mode="enforce")
    telemetry.policy_rejected("mm.yaml", ("PK001", "PK003"))
    ident = "01JD3V7K2M0000000000000001"
    assert [(x["event_name"], x["level"], x["message"]) for x in lines()] == [
        (
            "policykit.order.denied",
            "warning",
            (
                "order.create would be denied (shadow): order notional 30000 USDT is over max_order_notional 1500 USDT "
                f"(and 1 more); decision {ident}"
            ),
        ),
        (
            "policykit.order.unknown",
            "error",
            f"the outcome of order pk{ident} is unknown (timed out); its reservation is kept",
        ),
        (
            "policykit.kill_switch.changed",
            "warning",
            "trading is HALTED for account:binance/main, by ops: something is off",
        ),
        ("policykit.policy.loaded", "info", "policy mm sha256:3f9a01c2d4e5 is in force (enforce, stage full-live)"),
        (
            "policykit.policy.rejected",
            "error",
            "mm.yaml: the policy cannot be loaded (PK001, PK003); see policykit lint",
        ),
    ]
    assert lines()[4]["policykit.policy.findings"] == ["PK001", "PK003"]


def test_other_records_of_policykit_are_lines_as_well(lines: Any) -> None:
    """A plain log record has time, level, logger and message; an exception only its class: its text is not ours."""
    try:
        raise ValueError("https://x?signature=abcdefgh12345678")
    except ValueError:
        logging.getLogger("policykit.guard").exception("the loop failed")
    (line,) = lines()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "error",
        "logger": "policykit.guard",
        "message": "the loop failed",
        "exception": "ValueError",
    }


def test_configuring_twice_changes_nothing_and_without_a_value_nothing_at_all(lines: Any) -> None:
    """POLICYKIT_LOG unset leaves logging alone, json twice adds one handler, anything else says what may be."""
    count = len(logging.getLogger(events.LOGGER).handlers)
    assert events.configure("") is None
    assert events.configure("json") is not None
    assert len(logging.getLogger(events.LOGGER).handlers) == count
    with pytest.raises(ValueError, match="xml") as wrong:
        events.configure("xml")
    assert str(wrong.value) == 'POLICYKIT_LOG is "xml"; "json" or nothing is possible; set it to json or unset it'


def test_a_logger_that_is_off_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event below the logger's level makes no record."""
    monkeypatch.setattr(logging.getLogger("policykit.events"), "level", logging.CRITICAL)
    logging.getLogger("policykit.events").manager._clear_cache()  # type: ignore[attr-defined]
    monkeypatch.setattr(events, "plain_json", None)
    events.emit("policykit.policy.loaded", logging.INFO, "m", {}, 0)
    logging.getLogger("policykit.events").manager._clear_cache()  # type: ignore[attr-defined]
