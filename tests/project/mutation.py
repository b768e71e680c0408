"""Mutation score of a room (I24): change one operator or number at a time, and see whether the room's tests notice.

    python tests/project/mutation.py [--room ROOM] [--sample N] [--seconds S] [--only PATTERN] [--least PERCENT]
        [--quick]

Each mutant runs in a process of its own, forked before anything of the room was imported, with the changed module in
the place of the module: for a rule first the examples of its docstring (for a helper, of every rule), then the room's
tests, those first that are over soonest. What is changed: comparisons, `and` and `or`, `not`, conditions, arithmetic,
whole numbers, `True` and `False`, returned values, `continue` and `break`. Texts are not: the tests hold every message
to the letter. valkey.lua has mutants of its own, in tests/store/test_valkey_histories.py.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.util
import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

TOP = Path(__file__).resolve().parent.parent.parent
SEED = 3


class Room(NamedTuple):
    """How the mutants of a room are judged: by these files of its tests first, and what is imported before the fork."""

    first: tuple[str, ...]
    stands_on: tuple[str, ...]
    #: A mutant that runs for longer than this has been noticed: the tests do not end.
    seconds: int


_BELOW = ("policykit.policy", "policykit.snapshot", "policykit.traits")
ROOMS = {
    "rules": Room(("test_edges*.py",), _BELOW, 60),
    "engine": Room(("test_checks.py", "test_*_limits.py", "test_losses.py", "test_exposure.py"), _BELOW, 120),
    "orders": Room(("test_life.py", "test_intent.py", "test_fence.py", "test_ids.py", "test_recovery.py"), _BELOW, 240),
    "store": Room(
        (
            *("test_conformance*.py", "test_positions.py", "test_windows.py", "test_opening.py", "test_bad_stores.py"),
            *("test_versions.py", "test_failing_stores.py", "test_backup.py", "test_damage.py", "test_durability.py"),
            *("test_leases.py", "test_valkey.py", "test_valkey_histories.py"),
        ),
        (*_BELOW, "policykit.engine", "policykit.orders.recovery"),
        600,
    ),
}
#: Exit codes of a mutant's process.
SURVIVED, KILLED, ENDLESS = 0, 1, -signal.SIGALRM

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
Change = Callable[[], None]


class Mutant(NamedTuple):
    """One change: the file, which of its sites, and what was done there."""

    file: Path
    index: int
    line: int
    what: str


def control(file: Path) -> Mutant:
    """Return the mutant that changes nothing: the tests must not notice it."""
    return Mutant(file, -1, 0, "nothing")


def sites(tree: ast.AST) -> Iterator[tuple[int, str, Change]]:
    """Yield (line, what is done, the change) of each place of a module that can be changed, in order."""
    for node in _code(tree):
        yield from ((getattr(node, "lineno", 0), what, change) for what, change in _changes(node))


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run: no annotations, no imports for types."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            types_only = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            if isinstance(child, ast.AST) and not types_only:
                yield from _code(child)


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                other = _COMPARE[type(op)]
                yield f"{type(op).__name__} -> {other.__name__}", _put(ops, index, other())
        case ast.BoolOp(op=op):
            swapped: ast.boolop = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"{type(op).__name__} -> {type(swapped).__name__}", _set(node, "op", swapped)
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _ARITHMETIC:
            if not any(isinstance(side, ast.JoinedStr | ast.List | ast.Tuple) or _text(side) for side in (left, right)):
                yield (
                    f"{type(op).__name__} -> {_ARITHMETIC[type(op)].__name__}",
                    _set(node, "op", _ARITHMETIC[type(op)]()),
                )
        case ast.Constant(value=bool(flag)):
            yield f"{flag} -> {not flag}", _set(node, "value", not flag)
        case ast.Constant(value=int(number)):
            yield f"{number} -> {number + 1}", _set(node, "value", number + 1)
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and not value.value):
            yield "return None", _set(node, "value", ast.Constant(None))
    yield from _flow(node)


def _flow(node: ast.AST) -> Iterator[tuple[str, Change]]:
    for field in ("test", "operand"):
        inner = getattr(node, field, None)
        if field == "operand" and not (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            continue
        if isinstance(inner, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.NamedExpr):
            yield "not ...", _set(node, field, ast.UnaryOp(ast.Not(), inner))
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        for index, statement in enumerate(block if isinstance(block, list) else []):
            if isinstance(statement, ast.Continue):
                yield "continue -> break", _put(block, index, ast.Break())
            elif isinstance(statement, ast.Break):
                yield "break -> continue", _put(block, index, ast.Continue())


def _text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _set(node: ast.AST, name: str, value: object) -> Change:
    return lambda: setattr(node, name, value)


def _put(items: list[object], index: int, value: object) -> Change:
    return lambda: items.__setitem__(index, value)


def mutants(files: Sequence[Path]) -> list[Mutant]:
    """Return every mutant of the files."""
    return [
        Mutant(file, index, line, what)
        for file in files
        for index, (line, what, _) in enumerate(sites(ast.parse(file.read_text(encoding="utf-8"))))
    ]


def mutated(mutant: Mutant) -> CodeType:
    """Return the module's code with one change; with none for the control."""
    tree = ast.parse(mutant.file.read_text(encoding="utf-8"))
    if mutant.index >= 0:
        list(sites(tree))[mutant.index][2]()
    return compile(ast.fix_missing_locations(tree), str(mutant.file), "exec")


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module its changed code."""

    def __init__(self, name: str, file: Path, code: CodeType) -> None:
        self.name, self.file, self.code = name, file, code

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        inside = [str(self.file.parent)] if self.file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, self.file, loader=self, submodule_search_locations=inside
        )

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)  # our own module, one operator changed


def _noticed(mutant: Mutant, *, quick: bool) -> bool:
    """Say, in the mutant's own process, whether a test fails; `quick`: of those that are over soonest."""
    parts = mutant.file.relative_to(TOP).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    if name in sys.modules:
        raise RuntimeError(f"{name} was imported before it was changed")
    sys.meta_path.insert(0, _Finder(name, mutant.file, mutated(mutant)))
    room = mutant.file.relative_to(TOP / "policykit").parts[0]
    if room == "rules" and _examples_differ(mutant):
        return True
    import pytest

    # The tests of single answers first: most mutants end there; those over generated cases take longest.
    tests = TOP / "tests" / room
    soon = sorted(str(file.relative_to(TOP)) for shape in ROOMS[room].first for file in tests.glob(shape))
    # Pages that are generated are made anew by `make docs`, and are no proof of a mutant.
    plain = ("-x", "-q", "-p", "no:cacheprovider", "-k", "not fresh")
    chosen = (soon,) if quick else (soon, [f"tests/{room}"])
    return any(pytest.main([*plain, *files]) != 0 for files in chosen)


def _examples_differ(mutant: Mutant) -> bool:
    """Run the examples that rules have in their docstrings."""
    from policykit.rules import catalogue
    from policykit.testing.rules.examples import all_examples, run, written

    code = mutant.file.name[:5].upper()
    entries = tuple(e for e in catalogue() if e.rule.code == code) or catalogue()
    for heading in ("Bad", "Good"):
        for entry, _, example in all_examples(entries, heading):
            if [written(finding) for finding in run(entry, example)] != list(example.findings):
                return True
    return False


def tried(mutant: Mutant, seconds: int, *, quick: bool = False) -> int:
    """Run one mutant in a process of its own; return how that ended."""
    child = os.fork()
    if child == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        signal.alarm(seconds)
        try:
            os._exit(KILLED if _noticed(mutant, quick=quick) else SURVIVED)
        except BaseException:  # an error is noticed as well as a wrong finding
            os._exit(KILLED)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _preload(room: str) -> None:
    """Import what a room stands on, so that each process starts with it, and nothing of the room."""
    sys.path.insert(0, str(TOP))
    os.chdir(TOP)
    for name in ROOMS[room].stands_on:
        importlib.import_module(name)
    if any(name.startswith(f"policykit.{room}") for name in sys.modules):
        raise RuntimeError(f"what {room} stands on imports it")


def main(arguments: Sequence[str]) -> int:
    """Run a sample of the mutants; print the score and what survived; return 1 when the score is too low."""
    parser = argparse.ArgumentParser(description="Mutation score of a room of policykit.")
    parser.add_argument("--room", choices=ROOMS, default="rules", help="whose code is changed")
    parser.add_argument("--sample", type=int, default=0, help="how many mutants, 0 for all")
    parser.add_argument("--seconds", type=int, default=0, help="start no mutant after this time, 0 for no bound")
    parser.add_argument("--only", default="", help="files whose name fits this pattern")
    parser.add_argument("--least", type=float, default=95.0, help="the least score in percent")
    parser.add_argument("--quick", action="store_true", help="judge by the tests that are over soonest: a lower bound")
    asked = parser.parse_args(arguments)
    _preload(asked.room)
    folder, seconds = TOP / "policykit" / asked.room, ROOMS[asked.room].seconds
    files = sorted(f for f in folder.rglob("*.py") if re.search(asked.only, f.relative_to(folder).as_posix()))
    every = mutants(files)
    sample = random.Random(SEED).sample(every, min(asked.sample or len(every), len(every)))
    if tried(control(files[0]), seconds, quick=asked.quick) != SURVIVED:
        print(f"mutation: tests/{asked.room} fails without any change; make it pass first", file=sys.stderr)
        return 1
    started = time.monotonic()

    def judge(mutant: Mutant) -> int | None:
        late = asked.seconds and time.monotonic() - started > asked.seconds
        return None if late else tried(mutant, seconds, quick=asked.quick)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(judge, sample))
    ran = [(mutant, outcome) for mutant, outcome in zip(sample, outcomes, strict=True) if outcome is not None]
    alive = sorted(mutant for mutant, outcome in ran if outcome == SURVIVED)
    endless = sum(outcome == ENDLESS for _, outcome in ran)
    for mutant in alive:
        print(f"survived  {mutant.file.relative_to(TOP)}:{mutant.line}: {mutant.what}")
    score = 100.0 * (len(ran) - len(alive)) / max(len(ran), 1)
    spent = time.monotonic() - started
    noticed = f"{len(ran) - len(alive)} of {len(ran)} noticed, {endless} of them by not ending"
    print(f"mutation score of policykit/{asked.room}: {score:.1f} % ({noticed})")
    print(f"{len(every)} mutants in all, {len(ran)} run in {spent:.0f} s; at least {asked.least:g} % is needed")
    return 0 if ran and score >= asked.least else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
