"""Log events through the standard logging module, and the one-line JSON form of them (POLICYKIT_LOG=json)."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

from policykit.clock import iso
from policykit.redact import scrub
from policykit.telemetry.attributes import AttributeValue, plain_json

LOGGER: Final = "policykit"
VARIABLE: Final = "POLICYKIT_LOG"

_log = logging.getLogger("policykit.events")
# A library writes nothing where nobody asked: without this, a bot that set up no logging has warnings on stderr.
logging.getLogger(LOGGER).addHandler(logging.NullHandler())


def emit(event: str, level: int, message: str, attributes: Mapping[str, AttributeValue], at_ms: int) -> None:
    """Write one log event; `event_name` and every attribute are fields of the record."""
    if _log.isEnabledFor(level):
        fields: dict[str, Any] = {"event_name": event, "at_ms": at_ms, "attributes": plain_json(attributes)}
        _log.log(level, "%s", message, extra=fields)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC, Z), level, logger, event_name, message, attributes."""

    def format(self, record: logging.LogRecord) -> str:
        at_ms = getattr(record, "at_ms", None)
        line: dict[str, Any] = {
            "time": iso(at_ms if isinstance(at_ms, int) else int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        event = getattr(record, "event_name", None)
        if event is not None:
            line["event_name"] = event
        line["message"] = record.getMessage()
        line.update(getattr(record, "attributes", None) or {})
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__  # its text can hold a signed URL
        return scrub(json.dumps(line, ensure_ascii=False, default=str))


def configure(value: str | None = None, stream: TextIO | None = None) -> logging.Handler | None:
    """Have policykit's log written as POLICYKIT_LOG says; without it a library leaves logging alone.

    `json`: one object a line on stderr. Raise ValueError for any other value. Calling it twice changes nothing.
    """
    value = os.environ.get(VARIABLE) if value is None else value
    if not value:
        return None
    if value != "json":
        raise ValueError(f'{VARIABLE} is "{value[:40]}"; "json" or nothing is possible; set it to json or unset it')
    logger = logging.getLogger(LOGGER)
    for handler in logger.handlers:
        if isinstance(handler.formatter, JsonFormatter):
            return handler
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return handler
