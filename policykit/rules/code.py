"""The index of a bot's source that the rules of PK9 read: its calls, its dictionaries, its assignments.

It reads the syntax tree and nothing else: no import, no execution. What it cannot tell, a rule calls "likely".
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeGuard

from policykit.place import Place

#: The longest source that is read: the tree of a longer one takes over a second.
MAX_SOURCE_BYTES = 128 * 1024
#: In a line that is longer than this and not ASCII, columns are counted in bytes: exact ones cost too much there.
MAX_EXACT_LINE = 4_096
#: Names of the library; both are the client of one exchange account.
_CCXT = ("ccxt", "ccxtpro")


@dataclass(frozen=True, slots=True)
class Named:
    """A value given to a name: `key` is the last part of the target, dictionary key or keyword."""

    key: str
    value: ast.expr
    #: Whether it stands inside a call that makes a ccxt client.
    in_client: bool


@dataclass(frozen=True, slots=True)
class Invocation:
    """A method call: `receiver.method(...)`, with the functions around it, innermost last."""

    receiver: str
    method: str
    node: ast.Call
    functions: tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]


@dataclass(slots=True)
class Code:
    """One source file, indexed."""

    file: str
    lines: list[str]
    uses_ccxt: bool = False
    calls: list[Invocation] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    #: Dotted names that a guard's `protect` was given, or that hold what it returned.
    protected: set[str] = field(default_factory=set)
    #: Dotted names that hold a ccxt client made in this file.
    clients: set[str] = field(default_factory=set)
    #: (line, column, reason) when the source could not be read; all else is then empty.
    unreadable: tuple[int, int, str] | None = None
    _ascii: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ascii = [line.isascii() or len(line) > MAX_EXACT_LINE for line in self.lines]

    def place(self, node: ast.expr, path: str) -> Place:
        """Return the span of a node. Columns count characters, as everywhere here (`ast` counts bytes)."""
        end_line, end_offset = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        start = self._column(node.lineno, node.col_offset)
        return Place(self.file, node.lineno, start, end_line, self._column(end_line, end_offset), path)

    def _column(self, line: int, offset: int) -> int:
        if line > len(self.lines) or self._ascii[line - 1]:
            return offset + 1
        return len(self.lines[line - 1].encode()[:offset].decode(errors="ignore")) + 1


def unreadable(file: str, reason: str, line: int = 1, column: int = 1) -> Code:
    """Return the index of a source that could not be read."""
    return Code(file, [], unreadable=(line, column, reason))


def read(text: str, file: str) -> Code:
    """Index Python source. One that cannot be read comes back with the reason, which quotes none of it."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        return unreadable(file, f"a source of over {MAX_SOURCE_BYTES // 1024} KiB is not read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        return unreadable(file, "this does not parse as Python 3", max(1, error.lineno or 1), max(1, error.offset or 1))
    except (ValueError, RecursionError, MemoryError):
        return unreadable(file, "this does not parse: a null byte, or nested too deep")
    code = Code(file, re.split(r"\r\n|\n|\r", text))
    for node, functions, in_client in _walk(tree):
        _index(code, node, functions, in_client)
    return code


#: Nodes without anything inside that is looked for.
_LEAVES = (ast.Constant, ast.Name, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.alias)


def _inner(node: object) -> TypeGuard[ast.AST]:
    return isinstance(node, ast.AST) and not isinstance(node, _LEAVES)


_Functions = tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]


def _walk(tree: ast.Module) -> Iterator[tuple[ast.AST, _Functions, bool]]:
    """Yield nodes in source order with the functions around them; without recursion, so that depth is harmless.

    Names, constants and operators are left out: they hold nothing that is looked for, and are most of a tree.
    """
    stack: list[tuple[ast.AST, _Functions, bool]] = [(tree, (), False)]
    while stack:
        node, functions, in_client = stack.pop()
        yield node, functions, in_client
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions = (*functions, node)
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[0] in _CCXT:
            in_client = True
        for name in reversed(node._fields):
            child = getattr(node, name, None)
            if isinstance(child, list):
                stack.extend((c, functions, in_client) for c in reversed(child) if _inner(c))
            elif _inner(child):
                stack.append((child, functions, in_client))


def _index(code: Code, node: ast.AST, functions: _Functions, in_client: bool) -> None:
    match node:
        case ast.Import(names=names):
            code.uses_ccxt |= any(n.name.split(".")[0] in _CCXT for n in names)
        case ast.ImportFrom(module=str(module)):
            code.uses_ccxt |= module.split(".")[0] in _CCXT
        case ast.Call(func=ast.Attribute(value=receiver, attr=method)):
            code.calls.append(Invocation(dotted(receiver), method, node, functions))
            if method == "protect":
                code.protected.update(filter(None, (dotted(a) for a in node.args)))
            _keywords(code, node, in_client)
        case ast.Call():
            _keywords(code, node, in_client)
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    code.named.append(Named(key.value, value, in_client))
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                _assigned(code, target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            _assigned(code, target, value)


def _keywords(code: Code, call: ast.Call, in_client: bool) -> None:
    in_client = in_client or dotted(call.func).split(".")[0] in _CCXT
    for keyword in call.keywords:
        if keyword.arg is not None:
            code.named.append(Named(keyword.arg, keyword.value, in_client))


def _assigned(code: Code, target: ast.expr, value: ast.expr) -> None:
    name = dotted(target)
    key = name.rpartition(".")[2]
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        key = str(target.slice.value)
    if key:
        code.named.append(Named(key, value, name.rpartition(".")[0] in code.clients))
    if name and isinstance(value, ast.Call):
        function = dotted(value.func)
        if function.rpartition(".")[2] == "protect":
            code.protected.add(name)
        elif function.split(".")[0] in _CCXT:
            code.clients.add(name)


def dotted(node: ast.expr) -> str:
    """Return `self.exchange` of a name or attribute; empty text for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
