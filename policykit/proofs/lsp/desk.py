"""The desk: the texts that are open in an editor, and what is known of each, once for each state of the texts.

What is open counts, saved or not: a policy that extends an open one is judged with the text that is seen. Nothing here
writes, asks a network, or reads git.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from policykit.errors import PolicyError
from policykit.finding import Finding
from policykit.lint import filed
from policykit.lint.discover import Target
from policykit.lint.hush import hushed
from policykit.lint.judge import FILE_FAMILY, Options, StateOf, reader
from policykit.lint.run import lint_targets
from policykit.lint.state import State, StateUnreadable, read_state
from policykit.model.policy import Policy
from policykit.policy import Checked, EffectivePolicy, load, read_checked
from policykit.policy.load import MAX_FILES
from policykit.proofs.lsp.cursor import outline
from policykit.proofs.lsp.text import Text
from policykit.rules.config.kinds import is_policy
from policykit.source import Document
from policykit.source.reader import MAX_BYTES

#: Files beside a policy that are taken for its last snapshot.
SNAPSHOTS: Final = ("snapshot.json", "*.snapshot.json")
#: The most snapshots that are looked at for one policy.
MAX_SNAPSHOTS: Final = 16
#: Tests of policies are no policies.
TESTS: Final = (".test.yaml", ".test.yml")
#: Findings after which the rest of a file was not read: places of it stand for nothing.
_UNREAD: Final = frozenset(("PK001", "PK002", "PK003"))


class Open(NamedTuple):
    """One open text: how the editor calls its file, the file's real path, the text, and its version."""

    file: str
    real: str
    text: Text
    version: int | None
    policy: bool

    @property
    def tests(self) -> bool:
        """Whether it is a file of tests."""
        return self.file.endswith(TESTS)

    @property
    def begins(self) -> bool:
        """Whether it may become a policy: nothing stands in it but keys of the language."""
        tops = {str(key.path[0]) for key in outline(self.text.text).keys}
        return tops <= Policy.model_fields.keys() and not self.tests


class Judged(NamedTuple):
    """What lint says of a file: as it is shown, and beside each finding the one that a fix works from."""

    shown: tuple[Finding, ...]
    raw: tuple[Finding, ...]


class Desk:
    """Open texts by real path. Every answer is of the texts as they are now."""

    def __init__(self, now_ms: Callable[[], int], snapshots: Sequence[str] = ()) -> None:
        self.now_ms = now_ms
        #: Snapshots that were named; they are linted with, as by `--state`.
        self.snapshots = tuple(snapshots[:MAX_SNAPSHOTS])
        self.open: dict[str, Open] = {}
        self._bytes: dict[str, bytes] = {}
        self._good: dict[str, EffectivePolicy] = {}
        self._readable: dict[str, Document] = {}
        self._found: dict[str, tuple[Finding, ...]] = {}
        self.forget()

    # -- texts --------------------------------------------------------------------------------------------------

    def put(self, file: str, text: str, version: int | None = None) -> Open:
        """Take the text of a file that was opened or changed."""
        real = os.path.realpath(file)
        before = self.open.get(real)
        # Longer texts are refused by their length: that much of them is kept, and no more.
        raw = text[: MAX_BYTES + 1].encode("utf-8", "surrogatepass")
        policy = not file.endswith(TESTS) and ((before is not None and before.policy) or is_policy(raw))
        self.open[real] = Open(file, real, Text(text[: MAX_BYTES + 1]), version, policy)
        self._bytes[real] = raw
        self.forget()
        return self.open[real]

    def drop(self, file: str) -> None:
        """Forget a text that was closed: the file counts again."""
        real = os.path.realpath(file)
        self.open.pop(real, None)
        for known in (self._bytes, self._good, self._readable, self._found):
            known.pop(real, None)
        self.forget()

    def forget(self) -> None:
        """Forget what was made of the texts, and of files on the disk: something has changed."""
        self._files: dict[str, Checked] = {}
        self._loaded: dict[str, EffectivePolicy | None] = {}
        self._judged: dict[str, Judged] = {}
        self._states: list[tuple[str, State | str]] | None = None

    def text(self, file: str) -> Text:
        """Return the text of a file: as it is open, else as it is on the disk; empty when it cannot be read."""
        known = self.open.get(os.path.realpath(file))
        if known is not None:
            return known.text
        try:
            with Path(file).open("rb") as stream:
                return Text(stream.read(MAX_BYTES).decode("utf-8", "replace"))
        except (OSError, ValueError):
            return Text("")

    # -- what they say ------------------------------------------------------------------------------------------

    def checked(self, file: str) -> Checked:
        """Read and type one file: the open text of it, or the file."""
        real = os.path.realpath(file)
        if real not in self._bytes:
            if real not in self._files:
                self._files[real] = read_checked(file)
            return self._files[real]
        checked = reader(self._bytes)(file)
        if checked.document.data is not None and not any(f.rule in _UNREAD for f in checked.findings):
            self._readable[real] = checked.document
        return checked

    def missing(self, file: str) -> bool:
        """Tell whether there is no such file, open or on the disk."""
        return os.path.realpath(file) not in self.open and not os.path.isfile(file)

    def document(self, file: str) -> tuple[Document, bool]:
        """Return what a file says, and whether that is its text of now; else it is the last that could be read."""
        now = self.checked(file).document
        last = self._readable.get(os.path.realpath(file), now)
        whole = not any(f.rule in _UNREAD for f in now.findings)
        return (now, True) if whole else (last, False)

    def effective(self, file: str) -> EffectivePolicy | None:
        """Return the policy as it is in force, or None while it does not load."""
        real = os.path.realpath(file)
        if real not in self._loaded:
            try:
                found = load(file, now_ms=self.now_ms(), read_own=self.checked, read_parent=self.checked)
            except PolicyError:
                self._loaded[real] = None
            else:
                self._loaded[real] = self._good[real] = found
        return self._loaded[real]

    def last_effective(self, file: str) -> EffectivePolicy | None:
        """Return the policy as it is in force, or as it was when it last loaded."""
        return self.effective(file) or self._good.get(os.path.realpath(file))

    def above(self, file: str) -> Iterator[tuple[str, Document]]:
        """Yield what a file extends, the nearest first, and what those extend; each file once."""
        seen = {os.path.realpath(file)}
        todo = [(file, self.document(file)[0])]
        while todo and len(seen) <= MAX_FILES:
            base, document = todo.pop(0)
            named = document.data.get("extends") if isinstance(document.data, dict) else None
            for name in named if isinstance(named, list) else ():
                at = os.path.join(os.path.dirname(base), name) if isinstance(name, str) else ""
                if at and not name.startswith("/") and os.path.realpath(at) not in seen:
                    seen.add(os.path.realpath(at))
                    todo.append((at, self.document(at)[0]))
                    yield todo[-1]

    def users(self, file: str) -> list[Open]:
        """Return the open policies that extend a file."""
        real = os.path.realpath(file)
        return [
            one
            for one in self.open.values()
            if one.policy and one.real != real and any(os.path.realpath(at) == real for at, _ in self.above(one.file))
        ]

    # -- judging ------------------------------------------------------------------------------------------------

    def judged(self, file: str) -> Judged:
        """Return what `policykit lint FILE` says of the texts as they are now, with `--state` for named snapshots."""
        real = os.path.realpath(file)
        if real not in self._judged:
            raw = self.lint([Target(file, "policy", named=True)], self._bytes)
            self._judged[real] = Judged(tuple(map(hushed, raw)), tuple(raw))
            if not any(finding.rule.startswith(FILE_FAMILY) for finding in raw):
                self._found[real] = self._judged[real].shown
        return self._judged[real]

    def last_findings(self, file: str) -> tuple[Finding, ...]:
        """Return what lint said of a file when it last loaded."""
        self.judged(file)
        return self._found.get(os.path.realpath(file), ())

    def lint(self, targets: Sequence[Target], texts: Mapping[str, bytes]) -> list[Finding]:
        """Lint files with texts in the place of some of them."""
        options = Options(self.now_ms(), texts=texts)
        return lint_targets(targets, options, self.state_of(), alone=True)[0].findings

    @property
    def bytes(self) -> Mapping[str, bytes]:
        """The open texts, by real path."""
        return self._bytes

    def state_of(self) -> StateOf:
        """Return what gives a policy the snapshots that were named."""
        read = self.states()
        good = [state for _, state in read if isinstance(state, State)]
        return filed(good, len(good) < len(read))

    def states(self) -> list[tuple[str, State | str]]:
        """Return the snapshots that were named: each by its file, read, or in words why it was not."""
        if self._states is None:
            self._states = [(file, _state(file)) for file in self.snapshots]
        return self._states

    def states_for(self, file: str) -> list[tuple[str, State | str]]:
        """Return the snapshots that were named or, where none was, those beside a policy."""
        if self.snapshots:
            return self.states()
        folder = Path(os.path.dirname(os.path.abspath(file)))
        try:
            found = sorted({path for pattern in SNAPSHOTS for path in folder.glob(pattern)})
        except OSError:
            return []
        return [(str(path), _state(str(path))) for path in found[:MAX_SNAPSHOTS]]


def _state(file: str) -> State | str:
    try:
        return read_state(file)
    except StateUnreadable as error:
        return str(error)
