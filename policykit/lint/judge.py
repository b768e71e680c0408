"""Judge one file: run the rules on it. No output, no network; same file, options and live state, same findings."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from policykit.errors import PolicyError
from policykit.finding import Finding, Severity
from policykit.lint.discover import Target
from policykit.place import Place
from policykit.policy import check, load, read_checked
from policykit.policy.never import reachable
from policykit.rules import Entry, Inputs, catalogue, static
from policykit.rules.fleet import Card, card
from policykit.source import decode
from policykit.traits import load as load_traits

if TYPE_CHECKING:
    from policykit.lint.state import State
    from policykit.policy import Checked, EffectivePolicy
    from policykit.record import Record
    from policykit.rules.code import Project

#: Codes of findings about the file itself: whatever else is asked for, they end in exit code 2.
FILE_FAMILY = "PK0"
#: How many texts are remembered as they were read.
MAX_TEXTS = 16
#: One source alone has no others to follow names into.
MIN_PROJECT = 2


class Options(NamedTuple):
    """How to lint. `select` and `ignore` hold codes or beginnings of codes (`PK2`); select is all when empty."""

    now_ms: int
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: Severity = "medium"
    strict: bool = False
    record: Record | None = None
    #: Told how many of how many files are done.
    progress: Callable[[int, int], None] | None = None
    #: Texts to be read in the place of files, by real path: what `--fix` would write.
    texts: Mapping[str, bytes] | None = None
    #: The bots' sources that are linted together: names that one imports are followed into the others.
    project: Project | None = None
    #: The oldest snapshot that is taken as live, ms; None: what the rule on that says.
    max_age_ms: int | None = None

    def wants(self, code: str) -> bool:
        """Tell whether findings of a rule are asked for. PK0 cannot be left out: such a policy is in force nowhere."""
        if code.startswith(FILE_FAMILY):
            return True
        return (not self.select or code.startswith(self.select)) and not code.startswith(self.ignore or ("-",))


@dataclass(slots=True)
class Judged:
    """What one file came to. Findings are those of every rule, before waivers and before what was asked for."""

    target: Target
    findings: list[Finding] = field(default_factory=list)
    #: The files that a policy extends, as real paths.
    parents: tuple[str, ...] = ()
    #: What a policy that names an exchange shows to the rules on fleets.
    card: Card | None = None
    #: Where a profile says what must never be.
    never: Place | None = None
    #: How many invariants were proved of a policy, and at how many stages.
    proved: int = 0
    stages: int = 0
    #: Whether live state of it was given, and whether some of that could not be read.
    live: bool = False
    unreachable: bool = False


#: Gives the live state of a policy, or None when none was asked for; the flag says that some could not be read.
StateOf = Callable[["EffectivePolicy"], "tuple[State | None, bool]"]


#: Reads what a policy extends.
ReadParent = Callable[[str], "Checked"]


def reader(texts: Mapping[str, bytes] | None) -> ReadParent:
    """Return what reads and types one policy: from the texts, or else from its file."""
    if not texts:
        return read_checked

    def read(path: str) -> Checked:
        raw = texts.get(os.path.realpath(path))
        return read_checked(path) if raw is None else _typed(raw, path)

    return read


@lru_cache(MAX_TEXTS)
def _typed(raw: bytes, path: str) -> Checked:
    """Read and type a text that is no file: an editor, and `--fix`, judge one again and again."""
    return check(decode(raw, path))


def judge(target: Target, options: Options, state_of: StateOf, read_parent: ReadParent) -> Judged:
    """Judge one file by the rules of its kind."""
    if target.kind == "policy":
        return _policy(target, options, state_of, read_parent)
    return _source(target, options) if target.kind == "source" else _config(target, options)


def _policy(target: Target, options: Options, state_of: StateOf, read_parent: ReadParent) -> Judged:
    try:
        policy = load(target.file, now_ms=options.now_ms, read_parent=read_parent, read_own=reader(options.texts))
    except PolicyError as error:
        return Judged(target, list(error.findings))
    judged = Judged(target, parents=tuple(os.path.realpath(file) for file in policy.files[1:]))
    if policy.profile:
        judged.never = policy.key_places.get("never")
        return judged
    judged.proved = len(policy.model.never or ())
    judged.stages = len(reachable(policy.composed)) if judged.proved else 0
    state, judged.unreachable = state_of(policy)
    judged.live = state is not None
    inputs = Inputs(
        options.now_ms,
        policy=policy,
        traits=load_traits(policy.model.exchange),
        snapshot=state.snapshot if state else None,
        missing=state.missing if state else (),
        record=options.record or (state.record if state else None),
        max_age_ms=options.max_age_ms,
    )
    judged.card = card(inputs)
    # INVARIANT I18: a rule on live state is left out only where none was asked for; what is not in it is unknown.
    judged.findings = run(catalogue("policy") if state else static(), inputs, policy.file)
    return judged


def loadable(targets: Iterable[Target], options: Options) -> list[EffectivePolicy]:
    """Return the policies among the targets that load and speak of an exchange; the others' findings come later."""
    found: list[EffectivePolicy] = []
    for target in targets:
        if target.kind == "policy":
            with suppress(PolicyError):
                policy = load(target.file, now_ms=options.now_ms, read_own=reader(options.texts))
                found += [] if policy.profile else [policy]
    return found


def project(targets: Iterable[Target]) -> Project | None:
    """Return what follows names from one bot's source into another; None where there is at most one."""
    sources = tuple(target.file for target in targets if target.kind == "source")
    if len(sources) < MIN_PROJECT:
        return None
    from policykit.rules.code import Project, read

    return Project(sources, read, _text)


def _text(file: str, limit: int) -> str:
    """Return the text of a source for the sake of others; nothing when it cannot be read: its own findings say why."""
    raw, reason = _bytes(file, limit, None)
    try:
        return "" if reason or len(raw) > limit else raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""


def _source(target: Target, options: Options) -> Judged:
    from policykit.rules.code import limit, read, unreadable

    raw, reason = _bytes(target.file, limit(target.file), options.texts)
    code = unreadable(target.file, reason)
    if not reason:
        try:
            if options.project is not None:
                options.project.begin()
            code = read(raw.decode("utf-8-sig"), target.file, options.project)
        except UnicodeDecodeError:
            code = unreadable(target.file, "it is not UTF-8")
    found = run(catalogue("source"), Inputs(options.now_ms, source=code), target.file)
    return Judged(target, [code.in_cell(finding) for finding in found] if code.spots else found)


def _config(target: Target, options: Options) -> Judged:
    from policykit.rules.config import MAX_BYTES, Config, read
    from policykit.rules.config.leaks import leaks

    raw, reason = _bytes(target.file, MAX_BYTES, options.texts)
    config = Config(target.file, "", unreadable=reason) if reason else read(raw, target.file)
    if next(leaks(config), None) is not None:
        from policykit.lint.git import standing, world_readable

        config = replace(config, git=standing(target.file), world_readable=world_readable(target.file))
    return Judged(target, run(catalogue("config"), Inputs(options.now_ms, config=config), target.file))


def _bytes(file: str, limit: int, texts: Mapping[str, bytes] | None) -> tuple[bytes, str]:
    """Return the first `limit` bytes of a file and one more if there is one, or the reason why it cannot be read."""
    try:
        if texts and (raw := texts.get(os.path.realpath(file))) is not None:
            return raw[: limit + 1], ""
        if not stat.S_ISREG(os.stat(file).st_mode):
            return b"", "it is no regular file"
        with Path(file).open("rb") as stream:
            return stream.read(limit + 1), ""
    except OSError as error:
        return b"", f"it cannot be read ({error.strerror})"


def run(entries: Iterable[Entry], inputs: Inputs, file: str) -> list[Finding]:
    """Run rules on one set of inputs. `file` is named where a rule fails."""
    found: list[Finding] = []
    for entry in entries:
        try:
            found += entry.check(inputs)
        except Exception as error:  # noqa: BLE001  # a rule that fails has not passed, and must not hide the others
            message = f"this rule could not be evaluated ({type(error).__name__}); it has not passed"
            found.append(
                entry.rule.finding(Place(file), message, next_step="please report it, with the file that shows it")
            )
    return found


def judge_fleet(judged: Sequence[Judged], options: Options, never: tuple[Place, ...]) -> list[Finding]:
    """Run the rules that compare policies; those that read findings run last, with the findings of all others.

    `never`: where files that others extend, these or not, say what must never be.
    """
    cards = tuple(j.card for j in judged if j.card is not None)
    if not cards:
        return []
    entries = catalogue("fleet")
    inputs = Inputs(options.now_ms, fleet=cards, never=never)
    found = run((e for e in entries if "findings" not in e.rule.reads), inputs, cards[0].file)
    known: dict[str, dict[tuple[str, str], Finding]] = {}
    for finding in (*(f for j in judged for f in j.findings), *found):
        place = finding.primary
        known.setdefault(place.file, {}).setdefault((finding.rule, place.path), finding)
    last = (e for e in entries if "findings" in e.rule.reads)
    return found + run(
        last, inputs._replace(findings={file: tuple(said.values()) for file, said in known.items()}), cards[0].file
    )
