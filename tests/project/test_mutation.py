"""The runner of mutants: what it changes, and that it changes one thing at a time."""

from __future__ import annotations

import ast

from tests.project.mutation import ROOMS, TOP, control, mutants, mutated, sites

SOURCE = '''\
"""A text is not changed."""
if TYPE_CHECKING:
    from x import 1 if False else y
def check(a: 1 < 2, b) -> 3:
    if a < 1 and not b.c:
        return []
    for i in a:
        if i:
            continue
        x = "a" + i - 2
    return True
'''.replace("    from x import 1 if False else y\n", "    x = 1\n")
WHAT = [
    *("And -> Or", "Lt -> LtE", "1 -> 2", "not ...", "return None"),
    *("not ...", "continue -> break", "Sub -> Add", "2 -> 3", "return None", "True -> False"),
]


def test_every_operator_and_number_that_runs_is_a_site() -> None:
    """Annotations, imports for types, and texts are left out; everything else that runs is there once."""
    assert [what for _, what, _ in sites(ast.parse(SOURCE))] == WHAT


def test_one_change_at_a_time() -> None:
    """Each site changes the module, and each in another way; the control changes nothing."""
    changed = set()
    for index in range(len(WHAT)):
        tree = ast.parse(SOURCE)
        list(sites(tree))[index][2]()
        changed.add(ast.unparse(ast.fix_missing_locations(tree)))
    assert len(changed | {ast.unparse(ast.parse(SOURCE))}) == len(WHAT) + 1


def test_a_mutant_is_the_module_with_that_change() -> None:
    """The code of a mutant differs from the module's; that of the control does not."""
    file = TOP / "policykit" / "rules" / "stages.py"
    first = next(m for m in mutants([file]) if m.what == "7 -> 8")
    assert file.read_text(encoding="utf-8").splitlines()[first.line - 1].startswith("MINIMUM_DAYS")
    plain = compile(file.read_text(encoding="utf-8"), str(file), "exec")
    assert mutated(first).co_consts != plain.co_consts
    assert mutated(control(file)).co_code == plain.co_code
    assert mutated(control(file)).co_consts == plain.co_consts


def test_every_room_of_the_gate_has_mutants_and_tests() -> None:
    """The four rooms of I24, each with its first files of tests, all of which are there."""
    assert set(ROOMS) == {"rules", "engine", "orders", "store"}
    for name, room in ROOMS.items():
        assert len(mutants(sorted((TOP / "policykit" / name).rglob("*.py")))) > 100
        assert all(list((TOP / "tests" / name).glob(shape)) for shape in room.first)
