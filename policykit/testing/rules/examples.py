"""Run the examples of rules' docstrings: a bad one gives exactly what is written under it, a good one nothing."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

from policykit.finding import Finding
from policykit.lint.state import complete, record_of
from policykit.policy import load_text
from policykit.rules import Entry, Inputs
from policykit.rules.base import DAY_MS
from policykit.rules.code import read
from policykit.rules.config import Config, Git, Past
from policykit.rules.config import read as read_settings
from policykit.rules.fleet import card
from policykit.snapshot import from_dict
from policykit.traits import load as load_traits
from policykit.traits.base import Exchange, KeyExpiry

HERE = Path(__file__).parent
NOW_MS = 1_795_255_200_000  # 2026-11-21T10:00:00Z
#: What the file of an example is called when it does not say: ```settings .env says it.
_FILES = {"yaml": "policy.yaml", "python": "bot.py"}
HEADINGS = ["What it finds", "Why", "Bad", "Good", "Source"]
_STUBS = {
    stub.id: stub
    for stub in (
        Exchange(id="okx", products={}, transfer_separable=False, key_page="OKX > API"),
        Exchange(
            id="bybit",
            products={},
            sub_accounts=True,
            key_page="Bybit > API",
            bundles=(("trade.spot", "trade.margin"),),
            key_expiries=(KeyExpiry(90 * DAY_MS, "creation", only_without_address=True),),
        ),
        Exchange(
            id="htx",
            products={},
            key_page="HTX > API",
            key_expiries=(KeyExpiry(30 * DAY_MS, "last_use", only_without_address=False, scopes=("trade.spot",)),),
        ),
        Exchange(id="mexc", products={}, key_page="MEXC > API", evidence="declared"),
    )
}
_FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Example(NamedTuple):
    """One example: what is linted, and the findings that are written under it."""

    language: str
    text: str
    file: str = "policy.yaml"
    #: Sections of the base policy that are left out: ```yaml without stage.
    absent: tuple[str, ...] = ()
    #: Further policies, by the name of their file.
    others: tuple[tuple[str, str], ...] = ()
    snapshot: str | None = None
    without: str = ""
    record: str | None = None
    findings: tuple[str, ...] = ()
    #: Of settings: what git does with the file, its mode, the commit that it is out of and whether it is still there.
    facts: str = ""


def sections(doc: str) -> dict[str, str]:
    """Return heading to text."""
    parts = re.split(r"^## (.+)\n", doc, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def fences(doc: str) -> tuple[int, int]:
    """Return how many fences are opened and how many are closed."""
    lines = [line for line in doc.splitlines() if line.startswith("```")]
    closed = sum(line == "```" for line in lines)
    return len(lines) - closed, closed


def examples(doc: str, heading: str) -> list[Example]:
    """Return the examples of one section."""
    found: list[Example] = []
    for info, body in _FENCE.findall(sections(doc)[heading]):
        kind, _, rest = info.partition(" ")
        if kind == "yaml" and rest and not rest.startswith("without "):
            found[-1] = found[-1]._replace(others=(*found[-1].others, (rest, body)))
        elif kind == "settings":
            name, _, facts = rest.partition(" ")
            found.append(Example(kind, body, name, facts=facts))
        elif kind in ("yaml", "python"):
            absent = tuple(rest.split()[1:]) if kind == "yaml" else ()
            file = _FILES.get(kind, "") if absent or not rest else rest
            found.append(Example(kind, body, file, absent))
        elif kind == "json" and rest == "record":
            found[-1] = found[-1]._replace(record=body)
        elif kind == "json":
            found[-1] = found[-1]._replace(snapshot=body, without=rest.removeprefix("without").strip())
        elif kind == "finding":
            found[-1] = found[-1]._replace(findings=tuple(body.replace("\n  ", " ").splitlines()))
    return found


def policy_text(fragment: str, absent: tuple[str, ...] = ()) -> str:
    """Return the example policy with the sections of a fragment in place of its own; the fragment comes first."""
    own = {*re.findall(r"^([a-z_]+):", fragment, re.MULTILINE), *absent}
    whole = re.split(r"^(?=[a-z_]+:)", (HERE / "policy.yaml").read_text(), flags=re.MULTILINE)
    return fragment + "".join(part for part in whole if part.partition(":")[0] not in own)


def snapshot_data(fragment: str, without: str = "") -> dict[str, Any]:
    """Return the example snapshot with the fields of a fragment in place of its own; keys are joined by name."""
    data = json.loads((HERE / "snapshot.json").read_text())
    base_key = data["keys"][0]
    for name, value in json.loads(fragment).items():
        if name == "keys":
            data["keys"] = [_joined(copy.deepcopy(base_key), key) for key in value]
        elif name == "limits":
            source = data["limits"][0]["source"] if data["limits"] else {}
            data["limits"] = [{"source": source, **row} for row in value]
        else:
            data[name] = value
    if without:
        box: Any = data
        *path, last = without.split(".")
        for part in path:
            box = box[int(part)] if isinstance(box, list) else box[part]
        del box[last]
    return dict(data)


def _joined(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    for name, value in more.items():
        both = isinstance(value, dict) and isinstance(base.get(name), dict) and name == "permissions"
        base[name] = {**base[name], **value} if both else value
    return base


def traits_of(exchange: str) -> Exchange | None:
    """Return the traits that examples count on: Binance's own, stubs of a few others, and none of any other."""
    return _STUBS.get(exchange) or (load_traits(exchange) if exchange == "binance" else None)


def inputs_of(example: Example) -> Inputs:
    """Return what the rule reads in an example."""
    if example.language == "python":
        return Inputs(NOW_MS, source=read(example.text, example.file))
    if example.language == "settings":
        return Inputs(NOW_MS, config=settings_of(example))
    policy = load_text(policy_text(example.text, example.absent))
    snapshot = None
    missing: tuple[str, ...] = ()
    if example.snapshot is not None:
        data, missing = complete(snapshot_data(example.snapshot, example.without))
        snapshot = from_dict(data)
    record = record_of(json.loads(example.record)) if example.record else None
    traits = traits_of(policy.model.exchange)
    inputs = Inputs(NOW_MS, policy=policy, traits=traits, snapshot=snapshot, missing=missing, record=record)
    others = [Inputs(NOW_MS, policy=load_text(policy_text(text), file)) for file, text in example.others]
    stating = (i.effective.key_places.get("never") for i in others)
    never = tuple(place for place in stating if place is not None)
    return inputs._replace(fleet=tuple(card(i) for i in (inputs, *others)), never=never)


def settings_of(example: Example) -> Config:
    """Return settings with the facts that lint would gather: ```settings .env ignored 0644``` gives them."""
    config = read_settings(example.text.encode(), example.file)
    for fact in example.facts.split():
        if fact.isdigit():
            config = replace(config, world_readable=bool(int(fact, 8) & 0o004))
        elif fact.startswith("commit="):
            commit, _, still = fact.removeprefix("commit=").partition(",")
            config = replace(config, past=Past(commit, "2026-03-01", still == "present"))
        else:
            config = replace(config, git=cast("Git", fact))
    return config


def written(finding: Finding) -> str:
    """Write a finding as an example has it."""
    how = finding.status if finding.status != "open" else f"open {finding.confidence}"
    return f"{how} {finding.primary} {finding.message}"


def run(entry: Entry, example: Example) -> list[Finding]:
    """Return what the rule finds in an example."""
    return list(entry.check(inputs_of(example)))


def all_examples(entries: tuple[Entry, ...], heading: str) -> Iterator[tuple[Entry, int, Example]]:
    """Yield every example of a section of every rule."""
    for entry in entries:
        for index, example in enumerate(examples(entry.doc, heading)):
            yield entry, index, example
