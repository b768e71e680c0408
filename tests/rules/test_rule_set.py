"""The rules as a set: none is there twice, and each speaks the vocabulary of findings."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from policykit.finding import Confidence, Finding, Severity, Status
from policykit.place import Place
from policykit.rules import Entry, Inputs, catalogue, codes, static
from policykit.rules.base import Subject
from policykit.source.codes import CODES
from policykit.testing.rules.examples import Example, all_examples, inputs_of

ENTRIES = catalogue()
BAD = tuple(all_examples(ENTRIES, "Bad"))
GOOD = tuple(all_examples(ENTRIES, "Good"))
BESIDE = Path(__file__).parent / "beside.txt"
#: What a finding is about: its file, the path in the document, and the line and column where there is no path.
About = tuple[str, str, int, int]


def _about(finding: Finding) -> About:
    place = finding.primary
    return (place.file, place.path, 0, 0) if place.path else (place.file, "", place.line, place.column)


def _all(inputs: Inputs, language: str) -> list[Finding]:
    """Return what every rule finds in an example, those that read findings last, as lint runs them."""
    if language != "yaml":
        subject = "source" if language == "python" else "config"
        return [f for e in catalogue(subject) for f in e.check(inputs)]
    found = [f for e in catalogue("policy") for f in e.check(inputs)]
    fleet = catalogue("fleet")
    found += [f for e in fleet if "findings" not in e.rule.reads for f in e.check(inputs)]
    by_file: dict[str, list[Finding]] = {}
    for one in found:
        by_file.setdefault(one.primary.file, []).append(one)
    last = inputs._replace(findings=by_file)
    return found + [f for e in fleet if "findings" in e.rule.reads for f in e.check(last)]


@cache
def _found(example: Example) -> tuple[Finding, ...]:
    return tuple(_all(inputs_of(example), example.language))


def _missed(code: str) -> bool:
    """Say whether some bad example of a rule has a finding of it at a place where no other rule says the same.

    Another rule says the same if it is silent where this one is right to be: one that has findings in a good example of
    this rule claims something else (an order that no policy decides is so with a client order id, and without).
    """
    elsewhere = {f.rule for entry, _, x in GOOD if entry.rule.code == code for f in _found(x)}
    for entry, _, example in BAD:
        if entry.rule.code == code:
            found = _found(example)
            others = {_about(f) for f in found if f.rule != code and f.rule not in elsewhere}
            if {_about(f) for f in found if f.rule == code} - others:
                return True
    return False


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.rule.code)
def test_each_rule_is_missed(entry: Entry) -> None:
    """Without the rule, lint would say nothing at some place of its bad examples: no other rule has a finding there."""
    assert _missed(entry.rule.code)


def test_control_of_a_rule_and_its_copy_neither_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: when another rule finds the same, nobody would miss the rule."""
    from dataclasses import replace

    once = _found
    twice = lambda x: tuple(f for one in once(x) for f in (one, replace(one, rule=f"{one.rule}-copy")))  # noqa: E731
    assert _missed("PK704")
    monkeypatch.setattr("tests.rules.test_rule_set._found", twice)
    assert not _missed("PK704")


def test_every_finding_speaks_the_vocabulary() -> None:
    """Severity, confidence and status of every finding over all bad examples are words of the report; those of a rule
    are its own, and no finding is waived or in a baseline before anybody accepted it.
    """
    severities, confidences = get_args(Severity), get_args(Confidence)
    assert {e.rule.severity for e in ENTRIES} <= {*severities}
    rules = {e.rule.code: e.rule for e in ENTRIES}
    wrong = []
    for _, _, example in BAD:
        for f in _found(example):
            rule = rules[f.rule]
            known = f.severity in severities and f.confidence in confidences and f.status in get_args(Status)
            as_ruled = f.name == rule.name and set(f.guide) <= {*rule.guide} and f.status not in ("waived", "baseline")
            if not (known and as_ruled and f.message and f.why):
                wrong.append((f.rule, f.message))
    assert wrong == []


def test_every_code_is_known_without_its_rule_being_loaded() -> None:
    """The codes that a waiver may name are those of the loader and those of the catalogue."""
    assert [*codes()] == [*CODES, *(e.rule.code for e in ENTRIES)]


def test_rules_of_a_subject_are_loaded_alone() -> None:
    """Lint of a policy loads no rule that reads Python, and all subjects together have every rule."""
    subjects: tuple[Subject, ...] = get_args(Subject)
    by_subject = [catalogue(subject) for subject in subjects]
    assert [{e.rule.subject for e in found} for found in by_subject] == [{subject} for subject in subjects]
    assert sorted(e.rule.code for found in by_subject for e in found) == [e.rule.code for e in ENTRIES]


def test_a_rule_that_needs_live_state_says_nothing_without_it() -> None:
    """Static lint leaves those out: each is silent there on every example, and each that is so silent is left out."""
    examples = [x for _, _, x in (*BAD, *GOOD) if x.language == "yaml"]
    policies = [inputs_of(x)._replace(snapshot=None, missing=()) for x in examples]
    for entry in catalogue("policy"):
        if "snapshot" in entry.rule.reads:
            said = any(True for inputs in policies for _ in entry.check(inputs))
            assert said is not entry.rule.needs_snapshot, entry.rule.code
    left_out = {e.rule.code for e in catalogue("policy")} - {e.rule.code for e in static()}
    assert left_out == {e.rule.code for e in catalogue("policy") if e.rule.needs_snapshot}


def test_what_was_observed_says_so() -> None:
    """A finding with evidence of the exchange is observed, one from the policy alone is certain or likely."""
    assert [
        (f.rule, f.confidence, f.message)
        for _, _, x in BAD
        for f in _found(x)
        if (f.status == "open" and (f.observed is not None) > (f.confidence == "observed"))
        or (f.confidence == "observed") > (x.snapshot is not None or x.record is not None)
    ] == []


def test_each_open_finding_has_a_next_step() -> None:
    """There is always something to do: every open or unknown finding of every bad example says what."""
    assert [
        (f.rule, f.message)
        for _, _, x in BAD
        for f in _found(x)
        if f.status != "declared" and not f.next_step and not f.fix
    ] == []


def _beside() -> list[str]:
    """Return what stands beside the messages of each rule's bad examples: labels, next steps, evidence, fixes."""
    lines = []
    for entry, _, example in BAD:
        for f in (f for f in _found(example) if f.rule == entry.rule.code):
            lines.append(f"{f.rule} says {f.label or '-'}; next: {f.next_step or '-'}")
            lines += [f"{f.rule} shows {what}: {_at(place)}" for what, place in f.context]
            if f.observed is not None:
                seen = f.observed
                lines.append(f"{f.rule} observed {seen.endpoint} at {seen.at}: {seen.path} = {seen.value}")
            if f.fix is not None:
                how = f"{'safe' if f.fix.safe else 'unsafe'} fix ({f.fix.label})"
                lines += [f"{f.rule} {how}: {edit.kind} {_at(edit.place)} {edit.text!r}" for edit in f.fix.edits]
    return lines


def _at(place: Place) -> str:
    """Return where something is without the lines of a policy, which every change of an example moves."""
    return place.path or f"{place.file}:{place.line}:{place.column}"


def test_what_stands_beside_the_messages_is_that_of_the_list() -> None:
    """A label, a next step, evidence or a fix becomes another one only with a change of beside.txt.

    `python -m tests.rules.test_rule_set` writes it anew.
    """
    assert BESIDE.read_text(encoding="utf-8").splitlines() == _beside()


if __name__ == "__main__":
    BESIDE.write_text("".join(f"{line}\n" for line in _beside()), encoding="utf-8")
