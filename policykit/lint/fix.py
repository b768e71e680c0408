"""`--fix`: make the fixes of findings, and prove each before a byte is written.

A fix is made when the edited file still loads, has lost the finding, has none that was not there before and, if the fix
is called safe, has no limit that is looser. Else it is left out, and said. Fixes that touch each other are made in
rounds.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from policykit.errors import PolicyError
from policykit.finding import Edit, Finding, Status
from policykit.lint.discover import Target
from policykit.lint.hush import star
from policykit.lint.judge import reader
from policykit.lint.proof import key, looser, new_findings
from policykit.policy import EffectivePolicy, load
from policykit.source.edits import CannotEdit, Change, apply, changes, remembered

#: Which fixes are made.
Wanted = Literal["safe", "unsafe"]
#: What has been edited and not yet written: real path to bytes.
Texts = Mapping[str, bytes]
#: Lints files, some of them as edited, and returns the findings.
Assess = Callable[[Sequence[Target], Texts], Sequence[Finding]]

#: The most rounds; each makes all fixes that do not touch each other.
MAX_ROUNDS = 32
#: The most fixes of one file in one round, and the longest file that is edited.
MAX_FIXES = 500
MAX_BYTES = 1024 * 1024
#: A value that is refused hides that its key is unknown.
AMBIGUOUS, UNKNOWN_KEY = "PK004", "PK010"
#: Why a fix that its rule calls safe is not made without leave.
LOOSENS = "it would loosen a limit"
#: What a list or a section begins with; no key that replaces another one does.
_OPEN = ("[", "{")


class Edited(NamedTuple):
    """One file that fixes change: what it is called, where it really is, its bytes before and after."""

    name: str
    real: str
    old: bytes
    new: bytes


class Mended(NamedTuple):
    """What came of it: files to write, how many fixes were made, a line for each that was not, and what is left."""

    files: tuple[Edited, ...]
    made: int
    left_out: tuple[str, ...]
    findings: tuple[Finding, ...]


class _Candidate(NamedTuple):
    """A finding and its fix, and what the edits change in the text at hand."""

    finding: Finding
    edits: tuple[Edit, ...]
    changes: tuple[Change, ...] = ()


def mend(
    targets: Sequence[Target],
    findings: Sequence[Finding],
    wanted: Wanted,
    assess: Assess,
    *,
    strict: bool = False,
    wants: Callable[[str], bool] = lambda _: True,
    texts: Texts = MappingProxyType({}),
) -> Mended:
    """Make the fixes of open findings in memory, again and again until nothing changes.

    With `strict` what a fix leaves unknown counts as a finding, too. `wants` says which rules' findings are fixed; what
    a fix comes to is judged by all rules. `texts`: what files hold that an editor has open.
    """
    counted: tuple[Status, ...] = ("open", "unknown") if strict else ("open",)
    fixer = _Fixer(targets, wanted, _counting(assess, counted), wants, texts)
    return fixer.run([f for f in findings if f.status in counted])


def mend_one(
    targets: Sequence[Target], finding: Finding, wanted: Wanted, assess: Assess, texts: Texts
) -> tuple[Edited, ...] | str:
    """Make the fix of one finding in memory, held to all that `mend` holds fixes to; or say in words why not."""
    fixer = _Fixer(targets, wanted, _counting(assess, ("open",)), lambda _: True, texts)
    for real, group in fixer.grouped([finding]).items():
        fixer.file(real, group)
    return fixer.edited() or "; ".join(fixer.left_out.values()) or "it has no fix"


def _counting(assess: Assess, counted: tuple[Status, ...]) -> Assess:
    return lambda some, texts: [f for f in assess(some, texts) if f.status in counted]


class _Fixer:
    """One run of fixes over files."""

    def __init__(
        self, targets: Sequence[Target], wanted: Wanted, assess: Assess, wants: Callable[[str], bool], texts: Texts
    ) -> None:
        self.targets = {os.path.realpath(t.file): t for t in targets}
        self.unsafe = wanted == "unsafe"
        self.assess = assess
        self.wants = wants
        self.original: dict[str, bytes] = dict(texts)
        self.texts: dict[str, bytes] = dict(texts)
        #: Why a fix was left out in this round, by what it is.
        self.left_out: dict[tuple[str, ...], str] = {}
        self.made = 0
        self.users: dict[str, list[Target]] | None = None

    def run(self, findings: Sequence[Finding]) -> Mended:
        for _ in range(MAX_ROUNDS):
            texts, made = dict(self.texts), self.made
            self.left_out.clear()  # what could not be done before this round's changes may be possible after them
            todo = self.grouped(findings)
            done = [self.file(real, todo[real]) for real in sorted(todo)]
            if not any(done):
                break
            after = self.assess(list(self.targets.values()), self.texts)
            # What two files are together is seen only now.
            if len(self.targets) > 1 and new_findings(findings, after, todo):
                self.texts, self.made = texts, made
                for candidate in (c for group in todo.values() for c in group):
                    self.leave(candidate, "another file would have a new finding")
                break
            findings = after
        return Mended(self.edited(), self.made, tuple(sorted(self.left_out.values())), self.asked(findings))

    def edited(self) -> tuple[Edited, ...]:
        """Return the files that have changed."""
        return tuple(
            Edited(self.targets[real].file, real, self.original[real], new)
            for real, new in sorted(self.texts.items())
            if new != self.original[real]
        )

    def asked(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        return tuple(f for f in findings if self.wants(f.rule))

    # -- which fixes --------------------------------------------------------------------------------------------

    def grouped(self, findings: Iterable[Finding]) -> dict[str, list[_Candidate]]:
        """Return the fixes that are wanted, by the file that they change, none of them twice."""
        groups: dict[str, dict[tuple[Edit, ...], _Candidate]] = {}
        for finding in self.asked(findings):
            fix = finding.fix
            if finding.status != "open" or fix is None or not (fix.safe or self.unsafe):
                continue
            candidate = _Candidate(finding, tuple(map(self.sited, fix.edits)))
            files = {os.path.realpath(edit.place.file) for edit in candidate.edits}
            real = min(files, default="")
            if len(files) != 1 or real not in self.targets:
                self.leave(candidate, "what is to be changed stands in a file that is not linted here")
                continue
            group = groups.setdefault(real, {})
            if len(group) < MAX_FIXES:
                group.setdefault(candidate.edits, candidate)
        return {real: list(group.values()) for real, group in groups.items()}

    def sited(self, edit: Edit) -> Edit:
        """Return an edit; what a section lacks that only a parent has is added to the one policy that extends it."""
        real = os.path.realpath(edit.place.file)
        if edit.kind != "add" or real in self.targets:
            return edit
        users = self.users_of(real)
        return replace(edit, place=edit.place._replace(file=users[0].file)) if len(users) == 1 else edit

    def leave(self, candidate: _Candidate, why: str) -> None:
        place, rule = candidate.finding.primary, candidate.finding.rule
        do = "--unsafe-fixes does it" if why == LOOSENS else "mend it by hand"
        self.left_out[_id(candidate)] = f"{place}: {rule} is not fixed ({why}); {do}"

    # -- one file -----------------------------------------------------------------------------------------------

    def file(self, real: str, candidates: list[_Candidate]) -> bool:
        """Make the fixes of one file; return whether it has changed."""
        raw = self.texts.get(real)
        if raw is None:
            raw = self.original[real] = _bytes(self.targets[real].file)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            return False
        placed = self.placed(text, real, candidates)
        if not placed:
            return False
        users = self.users_of(real)
        before = self.assess(users, self.texts)
        new = self.all_at_once(text, real, placed, users, before)
        if new is None:
            new = self.one_by_one(text, real, placed, users, before)
        if new == text:
            return False
        self.texts[real] = new.encode("utf-8")
        return True

    def placed(self, text: str, real: str, candidates: Iterable[_Candidate]) -> list[_Candidate]:
        """Return the fixes that the text has a place for and that do not touch each other: the first of those wins."""
        kept: list[_Candidate] = []
        taken: list[Change] = []
        for candidate in candidates:
            try:
                edits = tuple(self.meant(candidate, text, real))
                made = self.changes(text, real, edits, "keep")
            except CannotEdit as error:
                self.leave(candidate, str(error))
                continue
            if not any(a.start < b.end and b.start < a.end for a in made for b in taken):
                kept.append(_Candidate(candidate.finding, edits, made))
                taken += made
        return kept

    def meant(self, candidate: _Candidate, text: str, real: str) -> Iterator[Edit]:
        """Yield the edits; a list or section of several lines, which findings point at by its key, is meant itself."""
        target = self.targets[real]
        document = remembered(text, target.file) if target.kind == "policy" else None
        for edit in candidate.edits:
            place = edit.place
            name = document.key_places.get(place.path) if document else None
            value = document.places.get(place.path) if document else None
            if edit.text[:1] in _OPEN and name is not None and value is not None and name[1:5] == place[1:5]:
                edit = replace(edit, place=value._replace(file=place.file))
            yield edit

    def changes(
        self, text: str, real: str, edits: Sequence[Edit], emptied: Literal["keep", "drop"]
    ) -> tuple[Change, ...]:
        target = self.targets[real]
        return changes(text, target.file, edits, emptied=emptied, policy=target.kind == "policy")

    def all_at_once(
        self, text: str, real: str, placed: list[_Candidate], users: list[Target], before: Sequence[Finding]
    ) -> str | None:
        edits = [edit for candidate in placed for edit in candidate.edits]
        try:
            new = apply(text, self.changes(text, real, edits, "keep"))
        except CannotEdit:
            return None
        if self.wrong(new, real, placed, users, before):
            return None
        self.made += len(placed)
        return new

    def one_by_one(
        self, text: str, real: str, placed: list[_Candidate], users: list[Target], before: Sequence[Finding]
    ) -> str:
        """Make each fix that goes together with those before it; one that does not go alone is left out."""
        new, accepted, taken = text, list[_Candidate](), list[Change]()
        for candidate in placed:
            wrong = ""
            for emptied in ("keep", "drop"):
                try:
                    made = self.changes(text, real, candidate.edits, emptied)
                    tried = apply(text, [*taken, *made])
                except CannotEdit as error:
                    wrong = wrong or str(error)
                    continue
                found = self.wrong(tried, real, [*accepted, candidate], users, before)
                if not found:
                    new, accepted, taken = tried, [*accepted, candidate], [*taken, *made]
                    wrong = ""
                    break
                wrong = wrong or found
            if wrong and not accepted:
                self.leave(candidate, wrong)
        self.made += len(accepted)
        return new

    def wrong(
        self, new: str, real: str, made: Sequence[_Candidate], users: list[Target], before: Sequence[Finding]
    ) -> str:
        """Return why a file must not become this text, or nothing."""
        texts = {**self.texts, real: new.encode("utf-8")}
        after = self.assess(users, texts)
        freed = {c.finding.primary.path for c in made if c.finding.rule == AMBIGUOUS}
        fresh = [
            f for f in new_findings(before, after, (real,)) if f.rule != UNKNOWN_KEY or f.primary.path not in freed
        ]
        if fresh:
            return f"it would make a new finding, {fresh[0].rule} at {star(fresh[0].primary.path) or fresh[0].primary}"
        were, are = (Counter(key(f) for f in found if f.status == "open") for found in (before, after))
        meant = Counter(key(c.finding) for c in made)
        if any(are[k] > were[k] - count for k, count in meant.items()):
            return "the finding would stay"
        if not self.unsafe and any(self.loosens(user, texts) for user in users if user.kind == "policy"):
            return LOOSENS
        return ""

    def loosens(self, target: Target, texts: Texts) -> bool:
        loaded: list[EffectivePolicy] = []
        for those in (self.texts, texts):
            read_one = reader(those)
            try:
                loaded.append(load(target.file, read_parent=read_one, read_own=read_one))
            except PolicyError:
                return False
        return looser(*loaded)

    def users_of(self, real: str) -> list[Target]:
        """Return the files that a file is part of: itself, and every policy that extends it."""
        own = self.targets.get(real)
        if own is not None and own.kind != "policy":
            return [own]
        if self.users is None:
            self.users = {}
            for target in self.targets.values():
                for file in _files(target, self.original) if target.kind == "policy" else ():
                    self.users.setdefault(os.path.realpath(file), []).append(target)
        return list(dict.fromkeys((*((own,) if own else ()), *self.users.get(real, ()))))


def _id(candidate: _Candidate) -> tuple[str, ...]:
    finding = candidate.finding
    said = (f"{e.kind} {e.place.path} {e.text}" for e in candidate.edits)
    return (finding.rule, finding.primary.file, finding.primary.path, *said)


def _files(target: Target, texts: Texts) -> tuple[str, ...]:
    read_one = reader(texts)
    try:
        return load(target.file, read_own=read_one, read_parent=read_one).files
    except PolicyError:
        return ()


def _bytes(file: str) -> bytes:
    try:
        with Path(file).open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError:
        return b"\xff"
    return raw if len(raw) <= MAX_BYTES else b"\xff"
