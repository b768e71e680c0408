"""How far names are followed, to the unit, and the shapes that the tests of names leave out."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Callable

import pytest

from policykit.rules import catalogue, find
from policykit.rules.base import Inputs
from policykit.rules.code import Code, Project, flow, limit, read
from policykit.testing.rules.examples import NOW_MS, written
from tests.rules.test_edges_source import notebook
from tests.rules.test_source_flow import BUY, CCXT, GUARDED, OKX, over
from tests.rules.test_source_recall import findings

Files = dict[str, str]


def unprotected(source: str) -> list[str]:
    """Return line and confidence of each unprotected order."""
    return [f.removeprefix("PK901 ") for f in findings(source) if f.startswith("PK901")]


def _names(count: int) -> str:
    return CCXT + "".join(f"x{n} = x{n + 1}\n" for n in range(count)) + f"x{count} = {OKX}\nx0.{BUY}"


def _attributes(count: int) -> str:
    classes = "".join(f"class C{n}(C{n + 1}):\n    pass\n" for n in range(count))
    return f"{CCXT}{classes}class C{count}:\n    ex = {OKX}\nC0.ex.{BUY}"


def _classes(count: int) -> str:
    classes = "".join(f"class C{n}(C{n + 1}):\n    pass\n" for n in range(count))
    return f"{CCXT}{classes}class C{count}(ccxt.okx):\n    pass\nC0().{BUY}"


def _callers(count: int) -> str:
    functions = "".join(f"def f{n + 1}(ex):\n    f{n}(ex)\n" for n in range(count))
    return f"{CCXT}def f0(ex):\n    ex.{BUY}{functions}f{count}({OKX})\n"


@pytest.mark.parametrize(
    ("source", "most"),
    [(_names, 12), (_attributes, 12), (_classes, 14), (_callers, 3)],
    ids=["names", "attributes", "classes", "callers"],
)
def test_how_deep_names_are_followed(source: Callable[[int], str], most: int) -> None:
    """Names, bases of classes and callers are followed so many deep; what is deeper is not certain."""
    sure = ["certain" in "".join(unprotected(source(count))) for count in (most, most + 1)]
    assert sure == [True, False]


def test_how_deep_imports_are_followed() -> None:
    """A name is followed through 11 files that import it from the next."""

    def chain(count: int) -> list[str]:
        files = {f"m{n}.py": f"from m{n + 1} import ex\n" for n in range(count)}
        return over({**files, f"m{count}.py": f"{CCXT}ex = {OKX}\n", "c.py": f"from m0 import ex\nex.{BUY}"}, "c.py")

    assert chain(11) == ["PK901 2 certain", "PK906 2 certain"]
    assert chain(12) == ["PK901 2 likely", "PK906 2 likely"]


def test_how_many_steps_one_file_takes() -> None:
    """What a file has is followed for 20,000 steps; then it is unknown."""

    def kinds(count: int) -> set[str]:
        code = read(f"{CCXT}x = {OKX}\n", "b.py")
        before: list[ast.expr] = [ast.Constant(n) for n in range(count)]
        return {atom.kind for atom in flow.of(ast.List([*before, ast.Name("x")]), code.module)}

    assert kinds(19_995) == {"client"}
    assert kinds(19_996) == {"unknown"}


def test_what_is_asked_often_is_followed_once() -> None:
    """A name that many ways lead to takes no more steps than its ways."""
    wide = "".join(f"x{n} = [{f'x{n + 1}, ' * 20}]\n" for n in range(5))
    assert unprotected(f"{CCXT}{wide}x5 = {OKX}\nx0[0].{BUY}") == ["8 certain"]


SHAPES = {
    "names that lead to each other": (f"a = b or {OKX}\nb = a\na.{BUY}b.{BUY}", ["4 certain", "5 certain"]),
    "a name of the class body is not one of its methods": (
        f"ex = {OKX}\nclass Bot:\n    ex = {GUARDED}\n    def buy(self):\n        ex.{BUY}",
        ["6 certain"],
    ),
    "a part of a client": (f"ex = {OKX}\nex.other.{BUY}", ["3 likely"]),
    "a method called get": (
        f"class Pool:\n    def get(self):\n        return {OKX}\nPool().get().{BUY}",
        ["5 certain"],
    ),
    "getattr with a name": (f"getattr(ccxt, 'okx')().{BUY}getattr(ccxt)().{BUY}", ["2 certain", "3 likely"]),
    "a parameter that is called": (
        f"def buy(make):\n    make().{BUY}    return {GUARDED}\nbuy(load)\n",
        ["3 likely"],
    ),
    "a function that gives back what it is given": (
        f"def same(c):\n    return c\nsafe = same({GUARDED})\nraw = same({OKX})\nsafe.{BUY}raw.{BUY}same().{BUY}",
        ["7 certain", "8 likely"],
    ),
    "a parameter of the function around": (
        f"def outer(ex):\n    def inner():\n        return ex\n    inner().{BUY}outer({OKX})\n",
        ["5 certain"],
    ),
    "a function that has a method": (f"def run():\n    pass\nrun.{BUY}", []),
    "methods of one name": (
        (
            f"class A:\n    def go(self, x):\n        pass\nclass B:\n    def go(self, ex):\n        ex.{BUY}"
            f"A().go({OKX})\nB().go({GUARDED})\n"
        ),
        [],
    ),
    "a name of binance's `Exchange`": ("def f(ex: ccxt.Exchange):\n    ex.create_order(1)\n", ["3 likely"]),
    "another library's `Exchange`": (
        "from hyperliquid.exchange import Exchange\ndef f(ex: Exchange):\n    ex.order(1)\n",
        ["4 likely"],
    ),
    "a parameter called as its annotation": (
        "from ccxt import okx\ndef f(okx: okx):\n    okx.create_order(1)\n",
        ["4 likely"],
    ),
    "the annotation of another parameter": ("def f(ex: ccxt.okx, shop):\n    shop.create_order(1)\n", []),
    "unpacked in order": (f"raw, ex = {OKX}, {GUARDED}\nex.{BUY}raw.{BUY}", ["4 certain"]),
    "unpacked with a rest": (f"ex, *rest = {GUARDED}, 1, 2\nex.{BUY}", []),
    "an attribute set in a function of a method": (
        (
            f"class Bot:\n    def start(self):\n        def go():\n            self.ex = {GUARDED}\n"
            f"    def buy(self):\n        self.ex.{BUY}"
        ),
        [],
    ),
    "an attribute of another object set in a method": (
        (
            f"class Bot:\n    ex = {OKX}\n    def start(self, other):\n        other.ex = {GUARDED}\n"
            f"    def buy(self):\n        self.ex.{BUY}"
        ),
        ["7 certain"],
    ),
    "a class's own order method": (
        f"class M(ccxt.okx):\n    def create_market_buy_order(self, *a):\n        return 1\nM().{BUY}",
        [],
    ),
    "a method of a client's class": (f"class M(ccxt.okx):\n    pass\nM.{BUY}", ["4 likely"]),
    "a function called as an order method": (f"def {BUY.split('(')[0]}(*a):\n    pass\n{BUY}", []),
    "protected later in a loop": (f"ex = {OKX}\nfor s in S:\n    ex.{BUY}    ex = guard.protect(ex)\n", []),
    "protected later, in no loop": (f"ex = {OKX}\nex.{BUY}ex = guard.protect(ex)\n", ["3 certain"]),
    "protected on the same line": (f"ex = {OKX}\nex = guard.protect(ex); ex.{BUY}ex = {OKX}\n", []),
    "used before it is given": (f"ex.{BUY}ex = {OKX}\n", ["2 certain"]),
    "given unless a caller gives one": (
        f"def buy(ex=None):\n    if ex is None:\n        ex = {OKX}\n    ex.{BUY}buy({GUARDED})\n",
        ["5 likely"],
    ),
    "an order handed on": ("to_thread(api.create_order, 'BTC/USDT')\n", ["2 likely"]),
    "what an order needs, by place and name": ("x.create_order('BTC', 'limit', side='buy', amount=1)\n", ["2 likely"]),
    "less than an order needs": ("x.create_order('BTC', 'limit', side='buy')\n", []),
}


@pytest.mark.parametrize("name", SHAPES)
def test_rarer_shapes_of_names(name: str) -> None:
    """What a call goes through is told from where its name comes from, at that line."""
    source, found = SHAPES[name]
    assert unprotected(CCXT + source) == found


def test_what_takes_four_things_is_no_order() -> None:
    """Without a library in sight a call needs words of an order, however much it is given."""
    assert findings("shop.create_order(1, 2, 3, 4)\n") == []


def test_a_guard_gives_no_permission() -> None:
    """A withdrawal through a protected client needs the permission all the same."""
    assert findings(f"{CCXT}ex = {GUARDED}\nex.withdraw('BTC', 1, address)\n") == ["PK909 3 likely"]


def test_how_many_callers_deep_enforce_covers() -> None:
    """A helper is covered by an `@enforce` that is 3 callers above it, and not by one above those."""

    def chain(count: int) -> list[str]:
        helpers = "".join(f"def f{n + 1}():\n    f{n}()\n" for n in range(count - 1))
        top = f"@enforce('order.create')\ndef buy(symbol, side, amount):\n    f{count - 1}()\n"
        return unprotected(f"{CCXT}ex = {OKX}\ndef f0():\n    ex.{BUY}{helpers}{top}")

    assert chain(3) == []
    assert chain(4) == ["4 certain"]


def test_a_finding_points_at_three_further_calls() -> None:
    """One finding for all calls on one client points at the next three of them."""
    entry = find("PK901")
    assert entry is not None
    for count, lines in ((1, []), (2, [4]), (5, [4, 5, 6])):
        code = read(f"{CCXT}ex = {OKX}\n" + f"ex.{BUY}" * count, "b.py")
        assert [[p.line for _, p in f.context] for f in entry.check(Inputs(NOW_MS, source=code))] == [lines]


@pytest.mark.parametrize(("functions", "found"), [(2_000, ["PK905"]), (2_001, [])])
def test_helpers_in_a_file_of_many_functions(functions: int, found: list[str]) -> None:
    """In a file of over 2,000 functions a loop around a helper is not looked for."""
    rest = "def f(): pass\n" * (functions - 1)
    loop = "while True:\n    try:\n        go()\n        break\n    except OSError:\n        pass\n"
    code = read(f"{CCXT}ex = {OKX}\ndef go():\n    ex.{BUY}{loop}{rest}", "b.py")
    entry = find("PK905")
    assert entry is not None
    assert [f.rule for f in entry.check(Inputs(NOW_MS, source=code))] == found


class Shelf:
    """Files that are nowhere but here, and how often each was read."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.reads: Counter[str] = Counter()
        self.project = Project(files, self.read, self.load)

    def read(self, text: str, file: str, project: Project) -> Code:
        """Read one for the project."""
        self.reads[file] += 1
        return read(text, file, project)

    def load(self, file: str, most: int) -> str:
        """Return a text, or nothing when it is longer than wanted."""
        return self.files[file] if len(self.files[file]) <= most else ""

    def certain(self, file: str) -> list[int]:
        """Return the lines of one file that surely send an order past any policy."""
        found = findings(self.files[file], file, self.project)
        return [int(f.split()[1]) for f in found if f.startswith("PK901") and f.endswith("certain")]


RAW = f"{CCXT}raw = {OKX}\n"
USE = f"from clients import raw\nraw.{BUY}"


@pytest.mark.parametrize(
    ("within", "over_it"),
    [
        ({f"f{n}.py": "" for n in range(1_999)}, {f"f{n}.py": "" for n in range(2_000)}),
        ({"clients.py": RAW + "#".ljust(262_144 - len(RAW))}, {"clients.py": RAW + "#".ljust(262_145 - len(RAW))}),
    ],
)
def test_how_much_is_looked_into(within: Files, over_it: Files) -> None:
    """The first 2,000 files are looked into, each if it has 256 KiB at most."""
    for files, found in ((within, [2]), (over_it, [])):
        assert Shelf({**files, "clients.py": files.get("clients.py", RAW), "run.py": USE}).certain("run.py") == found


@pytest.mark.parametrize(
    ("file", "module", "found"),
    [
        ("a/b/c/d/e/f/g/run.py", "clients", [2]),
        ("a/b/c/d/e/f/g/h/run.py", "clients", []),
        ("a/run.py", "..clients", [2]),
        ("a/b/run.py", "...clients", [2]),
        ("a/b/run.py", "..clients", []),
        ("run.py", ".clients", [2]),
    ],
)
def test_where_a_module_is_looked_for(file: str, module: str, found: list[int]) -> None:
    """A module is looked for up to 7 folders above; with dots, in the folder that they say."""
    files = {"clients.py": RAW, file: USE.replace("clients", module)}
    assert Shelf(files).certain(file) == found


def test_how_many_files_are_read_for_one() -> None:
    """With the file that is judged, 24 are read; names of those behind are not followed."""
    users = "".join(f"from c{n} import raw as r{n}\nr{n}.{BUY}" for n in range(24))
    shelf = Shelf({**{f"c{n}.py": RAW for n in range(24)}, "run.py": users})
    assert sorted(shelf.certain("run.py")) == list(range(2, 48, 2))
    assert sum(shelf.reads.values()) == 23


@pytest.mark.parametrize(("count", "reads"), [(64, 1), (65, 2)])
def test_how_many_files_are_kept(count: int, reads: int) -> None:
    """Up to 64 files are kept for the next one; with more all are forgotten."""
    names = [f"c{n}" for n in range(count)]
    shelf = Shelf({f"{name}.py": RAW for name in names})
    for first in range(0, count, 20):
        shelf.project.begin()
        findings(
            "".join(f"from {n} import raw as r{n}\nr{n}.{BUY}" for n in names[first : first + 20]), "x", shelf.project
        )
    shelf.project.begin()
    findings(f"from c0 import raw\nraw.{BUY}", "x", shelf.project)
    assert shelf.reads["c0.py"] == reads


def test_how_far_callers_are_looked_for() -> None:
    """Callers are looked for in 16 MiB of source, and known where 8 files or fewer call the name."""
    grid, call = f"def buy(ex):\n    ex.{BUY}", f"{CCXT}from grid import buy\nbuy({OKX})\n"
    full = "\n" * 262_144
    for count, found in ((62, [2]), (63, [2]), (64, [])):
        files = {f"f{n}.py": full for n in range(count)}
        assert Shelf({**files, "main.py": call, "grid.py": grid}).certain("grid.py") == found
    for count, found in ((8, [2]), (9, [])):
        assert Shelf({**{f"m{n}.py": call for n in range(count)}, "grid.py": grid}).certain("grid.py") == found


def test_how_long_files_are() -> None:
    """A source of 1 MiB and a notebook of 8 MiB are read."""
    assert [limit("a.py"), limit("a.ipynb")] == [1_048_576, 8_388_608]


def spans(text: str, file: str = "bot.py") -> list[str]:
    """Return the whole span of each finding."""
    found = [f.primary for e in catalogue("source") for f in e.check(Inputs(NOW_MS, source=read(text, file)))]
    return [f"{p.line}:{p.column}-{p.end_line}:{p.end_column}" for p in found]


@pytest.mark.parametrize(("length", "column"), [(4_096, 4_093), (4_097, 4_094 + 4_059)])
def test_columns_of_a_long_line(length: int, column: int) -> None:
    """Columns count characters in a line of up to 4,096, also in the last of a file; in a longer one, bytes."""
    switch = "'; ex = ccxt.okx(); ex.verbose = True"
    line = "'" + "é" * (length - len(switch) - 1) + switch
    assert spans(CCXT + line) == [f"2:{column}-2:{column + 4}"]


def test_a_call_over_several_lines() -> None:
    """A span ends where the call does."""
    source = f"{CCXT}ex = {OKX}\nex.create_market_buy_order(\n    'BTC/USDT',\n    1,\n    {{'clientOrderId': i}},\n)\n"
    assert spans(source) == ["3:1-7:2"]


def test_what_stands_in_a_function_inside_of_a_client() -> None:
    """A switch in a function or a class is one of the client only when it is given to the client."""
    assert findings(f"{CCXT}def main():\n    f(verbose=True)\nclass A:\n    x = f(verbose=True)\n") == []


def test_a_short_text_that_is_a_secret() -> None:
    """A text of 16 characters is looked at for what it holds."""
    assert findings("store = 'rs://:Passw0rd@h'\n") == ["PK903 1 certain"]


def test_a_notebook_in_another_language() -> None:
    """What is no Python by the notebook's own word is no fault."""
    for metadata in ({"kernelspec": {"language": "R"}}, {"language_info": {"name": "R"}}):
        assert read(notebook(["if (x) {\n"], **metadata), "a.ipynb").skipped == []
    assert len(read(notebook(["if (x) {\n"], language_info={"name": "Python"}), "a.ipynb").skipped) == 1
    code = read(json.dumps({"cells": [], "metadata": None}), "a.ipynb")
    assert (code.unreadable, code.skipped) == (None, [])


def test_a_notebook_on_one_line_with_equal_cells() -> None:
    """Each of two equal cells has its own place, also when the whole file is one line."""
    cell = {"cell_type": "code", "source": [CCXT, "ex = ccxt.okx()\n", "ex.verbose = True"]}
    text = json.dumps({"cells": [cell, cell]})
    code = read(text, "a.ipynb")
    found = [code.in_cell(f) for e in catalogue("source") for f in e.check(Inputs(NOW_MS, source=code))]
    starts = [text.index("True") + 1, text.rindex("True") + 1]
    said = "`verbose` is on: every signed request is printed"
    assert [written(f) for f in found] == [
        f"open certain a.ipynb:1:{at} cell {n}: {said}" for n, at in enumerate(starts, 1)
    ]
