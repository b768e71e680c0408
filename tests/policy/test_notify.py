"""`notify:` in a policy: what loads, what is refused, how it composes."""

from __future__ import annotations

from pathlib import Path

import pytest

from policykit.errors import PolicyError
from policykit.model import Notify
from policykit.policy import load

HEAD = "policykit: 1\nname: a\nexchange: binance\naccount: {name: main, currency: USDT}\n"
TOKEN = "123456789:alphaBravoCharlie"


def put(folder: Path, text: str, name: str = "a.yaml", head: str = HEAD) -> Path:
    """Write a policy with this `notify` section."""
    path = folder / name
    path.write_text(head + text)
    return path


def test_an_address_in_the_policy_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """A token that somebody wrote into the policy stops it from loading, and no message has it."""
    with pytest.raises(PolicyError) as caught:
        load(put(tmp_path, f"notify: {{targets: {{ops: {{secret: 'tgram://{TOKEN}/1'}}}}}}\n"), now_ms=0)
    said = str(caught.value)
    assert "5:34" in said
    assert "a reference (" in said
    assert "alphaBravo" not in said + repr(caught.value.findings)


def test_a_cause_that_there_is_not_is_named(tmp_path: Path) -> None:
    """The causes are a closed set."""
    with pytest.raises(PolicyError, match=r'causes\.0 is "halted"; one of `halt`, `unknown_order`'):
        load(put(tmp_path, "notify: {targets: {ops: {secret: 'env://OPS', causes: [halted]}}}\n"), now_ms=0)


def test_a_layer_tells_no_less(tmp_path: Path) -> None:
    """Who extends a policy may have its targets told of more, never of less."""
    base = "notify: {targets: {ops: {secret: 'env://OPS', causes: [halt, drift]}}}\n"
    put(tmp_path, base, "base.yaml", "policykit: 1\nname: base\n")
    head = HEAD + "extends: [base.yaml]\n"
    more = "notify: {targets: {ops: {secret: 'env://OPS', causes: [halt, drift, loss]}, me: {secret: 'env://ME'}}}\n"
    policy = load(put(tmp_path, more, head=head), now_ms=0)
    assert policy.model.notify is not None
    targets = policy.model.notify.targets or {}
    assert {name: target.causes for name, target in targets.items()} == {
        "me": None,
        "ops": ("halt", "drift", "loss"),
    }
    less = "notify: {targets: {ops: {secret: 'env://OPS', causes: [halt]}}}\n"
    targets = (load(put(tmp_path, less, head=head), now_ms=0).model.notify or Notify()).targets or {}
    assert targets["ops"].causes == ("halt", "drift")
    rarer = less.replace("[halt]", "[halt], severity: critical")
    with pytest.raises(PolicyError, match=r'severity is "critical", looser than .* allows'):
        load(put(tmp_path, rarer, head=head), now_ms=0)
