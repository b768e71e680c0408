"""What the rules of PK9 read of a bot's source: its index, what its names are, and which of its calls send orders.

It reads the syntax tree and nothing else: no import, no execution. What it cannot tell, a rule calls "likely".
"""

from __future__ import annotations

import ast
import re
import warnings

from policykit.rules.code import notebook
from policykit.rules.code.libraries import client_of
from policykit.rules.code.project import Project
from policykit.rules.code.tree import Code, Scope, index

__all__ = ["MAX_SOURCE_BYTES", "MAX_TOKENS", "Code", "Project", "limit", "read", "unreadable"]

#: The longest source that is read, and the most words and signs in it: the tree of more takes over a second or 200 MiB.
MAX_SOURCE_BYTES = 1024 * 1024
MAX_TOKENS = 60_000
_TOKEN = re.compile(r"\w+|[^\w\s]")


def limit(file: str) -> int:
    """Return how many bytes of a file are read at most."""
    return notebook.MAX_NOTEBOOK_BYTES if file.endswith(".ipynb") else MAX_SOURCE_BYTES


def unreadable(file: str, reason: str, line: int = 1, column: int = 1) -> Code:
    """Return the index of a source that could not be read."""
    return _empty(Code(file, [], unreadable=(line, column, reason)))


def read(text: str, file: str, project: Project | None = None) -> Code:
    """Index Python source, or the cells of a notebook. One that cannot be read comes back with the reason only."""
    code = Code(file, [], project=project)
    if file.endswith(".ipynb"):
        found = notebook.cells(text)
        if isinstance(found, str):
            return unreadable(file, found)
        text, code.spots = "\n".join(found.lines), found.spots
    if len(text.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        return unreadable(file, f"a source of over {MAX_SOURCE_BYTES // 1024} KiB is not read")
    if len(text) > MAX_TOKENS and sum(1 for _ in _TOKEN.finditer(text)) > MAX_TOKENS:
        return unreadable(file, f"a source of over {MAX_TOKENS} words and signs is not read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree, lines = _parse(text, code)
    except SyntaxError as error:
        return unreadable(file, "this does not parse as Python 3", max(1, error.lineno or 1), max(1, error.offset or 1))
    except (ValueError, RecursionError, MemoryError):
        return unreadable(file, "this does not parse: a null byte, or nested too deep")
    code.lines = lines
    if project is not None:
        code.memory = project.memory
        project.know(code)
    index(tree, code, _makes_client)
    return code


def _parse(text: str, code: Code) -> tuple[ast.Module, list[str]]:
    if not code.spots:
        return ast.parse(text), re.split(r"\r\n|\n|\r", text)
    tree, left, broken = notebook.parse(notebook.Cells(text.split("\n"), code.spots))
    for number in broken:
        first = next(s for s in code.spots if s.cell == number)
        code.skipped.append((first.line, first.column, "it does not parse as Python 3"))
    return tree, left.lines


def _empty(code: Code) -> Code:
    code.module = Scope(ast.Module([], []), None, code)
    return code


def _makes_client(code: Code, name: str) -> bool:
    """Tell whether a call of this name makes a client, as far as the imports above it say."""
    if not name:
        return False
    head, dot, rest = name.partition(".")
    origin = code.imports.get(head, head)
    return client_of(f"{origin}{dot}{rest}") is not None
