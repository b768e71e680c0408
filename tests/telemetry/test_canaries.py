"""No secret leaves through a span, a log event or a view of the journal."""

from __future__ import annotations

import io
import json
import logging
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from policykit import redact
from policykit.decision import Reason
from policykit.orders.intent import Outcome
from policykit.store import open_store
from policykit.telemetry import events
from policykit.telemetry.tail import JsonTail, Tail, every
from policykit.telemetry.timeline import Story, find, render
from policykit.telemetry.tree import render_tree
from policykit.telemetry.words import verdict, verdict_text
from tests.canary import assert_clean, canaries, leaks
from tests.telemetry.nouns import AT_MS, decision, intent, scope

CASES = 250


def _texts(bird: str) -> list[str]:
    """Return the shapes in which a secret gets into an error's text."""
    return [
        f"timed out: GET https://x/api?apiKey={bird}&signature={bird}",
        f"OSError: {quote(bird, safe='')} at valkey://user:{bird}@host",
        f"bad header X-MBX-APIKEY: {bird.encode().hex()}",
        f"basic {b64encode(('u:' + bird).encode()).decode()}",
        bird,
    ]


def _everything(make: Callable[..., Any], text: str) -> str:
    """Drive every way out with a text, and return all that came out."""
    telemetry, seen = make()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(events.JsonFormatter())
    logger = logging.getLogger(events.LOGGER)
    logger.addHandler(handler)
    try:
        reason = Reason("STORE_DOWN", "store", text, failure=True)
        telemetry.record(decision("A", reasons=(reason,)), scope())
        telemetry.sent(intent("A", state="unknown", error=text), scope())
        telemetry.kill_switch("all", "HALTED", "ops", text)
        telemetry.policy_rejected("mm.yaml", ("PK001",))
        logger.warning("the loop failed: %s", text)
    finally:
        logger.removeHandler(handler)
    store = open_store("memory:")
    store.reserve(decision("AAAA"), intent("AAAA"), (), 0, AT_MS)
    store.outcome("AAAA", Outcome("unknown", AT_MS, error=text))
    store.record(decision("BBBB", reasons=(reason,)), AT_MS)
    store.halt("all", "HALTED", "ops", text, AT_MS)
    store.event("drill", {"text": text}, AT_MS)
    out = [stream.getvalue(), render_tree(seen.spans), json.dumps([dict(s.attributes or {}) for s in seen.spans])]
    for view in (Tail(), JsonTail(), Tail(width=100)):
        out += [view.take(row) or "" for row in every(store)]
    for name in ("AAAA", "BBBB"):
        story = find(store, name)
        assert isinstance(story, Story)
        out.append(render(story))
    out.append(verdict_text(verdict(redact.scrub("sqlite:///x"), 1, text, None)))
    return "\n".join(out)


def test_I23_no_canary_leaves_through_telemetry_or_the_journals_views(
    make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Known secrets in messages, errors, reasons and events, in every encoding: no window of one comes out."""
    caplog.set_level(logging.CRITICAL + 1)
    birds = canaries(seed=23, count=CASES // 5)
    for bird in birds:
        redact.register(bird)
    try:
        for bird in birds:
            for text in _texts(bird):
                out = _everything(make, text)
                assert "RISK" in out or "STORE_DOWN" in out
                assert_clean(out, [bird])
    finally:
        redact.forget(birds)


def test_I23_control_without_the_scrubbing_the_canary_is_found(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with scrubbing taken out of these rooms the same drive leaks, so the test can fail."""
    from policykit.telemetry import attributes, tail, timeline, words

    for module in (attributes, events, tail, timeline, words):
        monkeypatch.setattr(module, "scrub", lambda text: text)
    (bird,) = canaries(seed=24)
    for text in _texts(bird):
        assert leaks(_everything(make, text), [bird])
