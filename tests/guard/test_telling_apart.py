"""Desks that share a store are told apart: each has its own targets, and each is told once."""

from __future__ import annotations

from pathlib import Path

import pytest

from policykit.guard import Guard
from tests.guard.world import policy_text, world
from tests.notify.receivers import webhook

NOTIFY = 'notify: {{targets: {{{name}: {{secret: "env://{reference}", severity: {severity}}}}}}}\n'


def desk(folder: Path, name: str, reference: str, severity: str = "warning") -> Path:
    """Write the policy of a desk with an account of its own."""
    path = folder / f"{name}.yaml"
    target = NOTIFY.format(name=name, reference=reference, severity=severity)
    path.write_text(policy_text(name=name, account=name) + target)
    return path


def test_each_desk_is_told_once_of_what_is_everybodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A halt of everything rings at both desks, once each; two desks with one address are told once together."""
    with webhook() as one, webhook() as two, world(tmp_path) as made:
        monkeypatch.setenv("ONE_URL", one.url())
        monkeypatch.setenv("TWO_URL", two.url())
        files = [desk(tmp_path, "a", "ONE"), desk(tmp_path, "b", "TWO"), desk(tmp_path, "c", "TWO")]
        guards = [Guard.load(file, store=made.store, clock=made.clock, testing=True) for file in files]
        for guard in guards:
            guard.endpoint = made.sim.url
        for work in ("halt", "resume"):
            if work == "halt":
                guards[0].store.halt("all", "HALTED", "ops", "x", guards[0].now())
            else:
                guards[0].store.resume("all", "desk-head", "x", guards[0].now())
            for guard in guards * 2:
                guard.maintain(made.sim.client())
        for guard in guards:
            guard._maintenance._watching.close()
        stopped, over = "trading is stopped", "over: trading is stopped"
        assert sorted(got["title"].partition(": ")[2] for got in one.got) == [over, stopped]
        assert sorted(got["title"].partition(": ")[2] for got in two.got) == [over, stopped]


def test_who_was_not_told_of_it_is_not_told_that_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pager for what is critical hears nothing of a warning, nor of its end; when it gets critical it hears both."""
    with webhook() as pager, world(tmp_path) as made:
        monkeypatch.setenv("PAGER_URL", pager.url())
        made.policy.write_text(desk(tmp_path, "a", "PAGER", "critical").read_text())
        guard = made.guard()
        watching = guard._maintenance._watching
        for equity in ("97500 USDT", "100000 USDT", "97000 USDT", "100000 USDT"):  # 83 %, 0, 100 %, 0 of the day's loss
            made.clock.advance(1)
            guard.observe(equity=equity)
            watching.round()
        watching.close()
        assert [got["title"] for got in pager.got] == [
            "policykit binance/a: a loss is near its limit, or at it",
            "policykit binance/a: over: a loss is near its limit, or at it",
        ]
        assert "100 % of" in pager.got[0]["message"]
