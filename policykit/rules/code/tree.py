"""The index of one Python source: its calls, assignments, loops and scopes, made in one pass over the syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from policykit.place import Place
from policykit.rules.credentials import MIN_LENGTH

if TYPE_CHECKING:
    from policykit.finding import Finding
    from policykit.rules.code.flow import Atom
    from policykit.rules.code.notebook import Spot
    from policykit.rules.code.orders import Sent
    from policykit.rules.code.project import Project

#: In a line that is longer than this and not ASCII, columns are counted in bytes: exact ones cost too much there.
MAX_EXACT_LINE = 4_096

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Step(NamedTuple):
    """One statement around a node, and the part of it that the node stands in (`body`, `orelse`, `handlers`)."""

    node: ast.AST
    part: str


Around = tuple[Step, ...]


class Binding(NamedTuple):
    """A value given to a name. `protect`: the name was handed to a guard's `protect`, which works in place."""

    value: ast.expr
    how: Literal["value", "protect"]
    scope: Scope
    around: Around
    line: int

    @property
    def sure(self) -> bool:
        """Whether it happens whenever its function runs."""
        return not any(isinstance(s.node, ast.If | ast.ExceptHandler | ast.match_case) for s in self.around)


@dataclass(slots=True, eq=False, repr=False)
class Scope:
    """A module, a class or a function, and the names bound in it; a class has the attributes of `self` too."""

    node: ast.Module | ast.ClassDef | Function
    parent: Scope | None
    code: Code
    names: dict[str, list[Binding]] = field(default_factory=dict)
    attributes: dict[str, list[Binding]] = field(default_factory=dict)
    parts: dict[str, Scope] = field(default_factory=dict)
    returns: list[ast.expr] = field(default_factory=list)
    around: Around = ()

    @property
    def name(self) -> str:
        """The name it was defined under; empty for a module."""
        return "" if isinstance(self.node, ast.Module) else self.node.name

    @property
    def own_class(self) -> Scope | None:
        """The class that this is a method of."""
        return self.parent if self.parent and isinstance(self.parent.node, ast.ClassDef) else None

    @property
    def parameters(self) -> list[ast.arg]:
        """The parameters of a function that a caller gives by place or by name."""
        if isinstance(self.node, ast.Module | ast.ClassDef):
            return []
        return [*self.node.args.posonlyargs, *self.node.args.args, *self.node.args.kwonlyargs]

    @property
    def decorators(self) -> list[ast.expr]:
        """What decorates it."""
        return [] if isinstance(self.node, ast.Module) else self.node.decorator_list

    @property
    def self_name(self) -> str:
        """The name of the object in a method, usually `self`; empty elsewhere."""
        parameters = self.parameters
        static = any(dotted(d) == "staticmethod" for d in self.decorators)
        return parameters[0].arg if self.own_class and parameters and not static else ""


class Named(NamedTuple):
    """A value given to a key: a name, an attribute, a dictionary's key or a keyword; `owner` is what it belongs to."""

    key: str
    value: ast.expr
    #: Whether it stands inside a call that makes a client of an exchange.
    in_client: bool
    owner: ast.expr | None
    scope: Scope


class Call(NamedTuple):
    """A call, or a method that is handed on without being called."""

    node: ast.expr
    function: ast.expr
    scope: Scope
    around: Around
    #: The last part of what is called; empty for what has no name.
    method: str

    @property
    def arguments(self) -> list[ast.expr]:
        """What it is given, by place and by name; empty for a method that is handed on."""
        if not isinstance(self.node, ast.Call):
            return []
        return [*self.node.args, *(k.value for k in self.node.keywords)]


@dataclass(slots=True, eq=False, repr=False)
class Memory:
    """What was found of expressions while one file is judged, and how many steps that took."""

    known: dict[tuple[int, int], frozenset[Atom]] = field(default_factory=dict)
    #: What is being followed now, and how often that was cut short by a circle or a limit.
    open: set[tuple[int, int]] = field(default_factory=set)
    cuts: int = 0
    steps: int = 0

    def clear(self) -> None:
        """Forget all: what is found of a file never depends on the files before it."""
        self.known.clear()
        self.steps = self.cuts = 0


@dataclass(slots=True, eq=False, repr=False)
class Code:
    """One source file, indexed. It has no text form: its lines may hold secrets."""

    file: str
    lines: list[str]
    module: Scope = field(init=False)
    #: Local name to where it comes from: `Client` to `binance.client.Client`, `.clients.exchange` when relative.
    imports: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    #: Methods whose name speaks of orders, handed on and not called: `to_thread(exchange.create_order, ...)`.
    handed: list[Call] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    functions: list[Scope] = field(default_factory=list)
    function_names: set[str] = field(default_factory=set)
    texts: list[ast.Constant] = field(default_factory=list)
    #: (line, column, reason) when the source could not be read; all else is then empty.
    unreadable: tuple[int, int, str] | None = None
    #: Cells of a notebook that could not be read, as `unreadable` has it.
    skipped: list[tuple[int, int, str]] = field(default_factory=list)
    #: Of a notebook: for each line, where it stands in the file.
    spots: list[Spot] = field(default_factory=list)
    project: Project | None = None
    orders: list[Sent] | None = None
    memory: Memory = field(default_factory=Memory)
    _by_method: dict[str, list[Call]] = field(default_factory=dict)
    _by_scope: dict[int, list[Call]] = field(default_factory=dict)
    _ascii: dict[int, bool] = field(default_factory=dict)

    def calls_of(self, method: str) -> list[Call]:
        """Return the calls of a name, the last part of what is called."""
        if not self._by_method:
            for call in self.calls:
                self._by_method.setdefault(call.method, []).append(call)
        return self._by_method.get(method, [])

    def calls_in(self, scope: Scope) -> list[Call]:
        """Return the calls that stand in a scope itself."""
        if not self._by_scope:
            for call in self.calls:
                self._by_scope.setdefault(id(call.scope), []).append(call)
        return self._by_scope.get(id(scope), [])

    def place(self, node: ast.expr, path: str) -> Place:
        """Return the span of a node. Columns count characters, as everywhere here (`ast` counts bytes)."""
        end_line, end_offset = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        line, start = self._spot(node.lineno, node.col_offset)
        end, column = self._spot(end_line, end_offset)
        return Place(self.file, line, start, end, column, path)

    def in_cell(self, finding: Finding) -> Finding:
        """Return a finding on a notebook with the cell in its message."""
        at = (finding.primary.line, finding.primary.column)
        cell = next((s.cell for s in reversed(self.spots) if (s.line, s.column) <= at), 0)
        return replace(finding, message=f"cell {cell}: {finding.message}") if cell else finding

    def _spot(self, line: int, offset: int) -> tuple[int, int]:
        column = self._column(line, offset)
        return self.spots[line - 1].at(column) if self.spots else (line, column)

    def _column(self, line: int, offset: int) -> int:
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        plain = self._ascii.get(line)
        if plain is None:
            plain = self._ascii[line] = text.isascii() or len(text) > MAX_EXACT_LINE
        return offset + 1 if plain else len(text.encode()[:offset].decode(errors="ignore")) + 1


def dotted(node: ast.expr | None) -> str:
    """Return `self.exchange` of a name or attribute; empty text for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


#: Nodes without anything inside that is looked for.
_LEAVES = (ast.Name, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.alias, ast.Constant)
_BRANCHES = (
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.Try,
    ast.TryStar,
    ast.If,
    ast.With,
    ast.AsyncWith,
    ast.ExceptHandler,
    ast.match_case,
)
#: A method's name that is worth a look when it is handed on.
_HANDED = re.compile(r"(?i)order|withdraw")

#: A node, the scope it is in, the statements around it, and whether a client is being made around it.
_Item = tuple[ast.AST, Scope, Around, bool]


def index(tree: ast.Module, code: Code, makes_client: Callable[[Code, str], bool]) -> None:
    """Fill the index of a source; without recursion, so that depth is harmless."""
    code.module = Scope(tree, None, code)
    _Indexer(code, makes_client).run(tree)


class _Indexer:
    """One pass over a tree in the order of the source."""

    def __init__(self, code: Code, makes_client: Callable[[Code, str], bool]) -> None:
        self.code = code
        self.makes_client = makes_client
        self.stack: list[_Item] = []
        #: Attributes that are what is called: no need to look at them again.
        self.called: set[int] = set()

    def run(self, tree: ast.Module) -> None:
        self.stack.append((tree, self.code.module, (), False))
        while self.stack:
            node, scope, around, client = self.stack.pop()
            visit = _VISITS.get(type(node))
            if visit is not None:
                scope, around, client = visit(self, node, scope, around, client)
            self._descend(node, scope, around, client)

    def _descend(self, node: ast.AST, scope: Scope, around: Around, client: bool) -> None:
        branch = isinstance(node, _BRANCHES)
        push = self.stack.append
        for name in reversed(node._fields):
            child = getattr(node, name, None)
            if isinstance(child, list):
                inside = (*around, Step(node, name)) if branch else around
                for item in reversed(child):
                    if not isinstance(item, _LEAVES) and isinstance(item, ast.AST):
                        push((item, scope, inside, client))
                    elif isinstance(item, ast.Constant):
                        self._text(item)
            elif isinstance(child, ast.Constant):
                self._text(child)
            elif isinstance(child, ast.AST) and not isinstance(child, _LEAVES):
                push((child, scope, around, client))

    def _text(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and len(node.value) >= MIN_LENGTH:
            self.code.texts.append(node)

    def _function(self, node: Function, scope: Scope, around: Around, client: bool) -> _Place:
        inner = Scope(node, scope, self.code, around=around)
        scope.parts[node.name] = inner
        self.code.functions.append(inner)
        self.code.function_names.add(node.name)
        return inner, (), False

    def _class(self, node: ast.ClassDef, scope: Scope, around: Around, client: bool) -> _Place:
        inner = Scope(node, scope, self.code, around=around)
        scope.parts[node.name] = inner
        return inner, (), False

    def _import(self, node: ast.Import, scope: Scope, around: Around, client: bool) -> _Place:
        for alias in node.names:
            if alias.asname:
                self.code.imports[alias.asname] = alias.name
            else:
                root = alias.name.split(".")[0]
                self.code.imports[root] = root
                self.code.imports.setdefault(alias.name, alias.name)
        return scope, around, client

    def _from(self, node: ast.ImportFrom, scope: Scope, around: Around, client: bool) -> _Place:
        base = "." * node.level + (node.module or "")
        for alias in node.names:
            dot = "" if base.endswith(".") else "."
            self.code.imports[alias.asname or alias.name] = f"{base}{dot}{alias.name}"
        return scope, around, client

    def _call(self, node: ast.Call, scope: Scope, around: Around, client: bool) -> _Place:
        self.code.calls.append(Call(node, node.func, scope, around, _last(node.func)))
        self.called.add(id(node.func))
        if isinstance(node.func, ast.Attribute) and node.func.attr == "protect":
            for argument in node.args:
                self._bind(argument, Binding(node, "protect", scope, around, node.lineno))
        client = client or self.makes_client(self.code, dotted(node.func))
        for keyword in node.keywords:
            if keyword.arg is not None:
                self.code.named.append(Named(keyword.arg, keyword.value, client, node.func, scope))
        return scope, around, client

    def _attribute(self, node: ast.Attribute, scope: Scope, around: Around, client: bool) -> _Place:
        if id(node) not in self.called and isinstance(node.ctx, ast.Load) and _HANDED.search(node.attr):
            self.code.handed.append(Call(node, node, scope, around, node.attr))
        return scope, around, client

    def _dict(self, node: ast.Dict, scope: Scope, around: Around, client: bool) -> _Place:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self.code.named.append(Named(key.value, value, client, None, scope))
        return scope, around, client

    def _assign(self, node: ast.Assign, scope: Scope, around: Around, client: bool) -> _Place:
        for target in node.targets:
            self._assigned(target, node.value, scope, around)
        return scope, around, client

    def _annotated(self, node: ast.AnnAssign, scope: Scope, around: Around, client: bool) -> _Place:
        if node.value is not None:
            self._assigned(node.target, node.value, scope, around)
        return scope, around, client

    def _walrus(self, node: ast.NamedExpr, scope: Scope, around: Around, client: bool) -> _Place:
        self._assigned(node.target, node.value, scope, around)
        return scope, around, client

    def _assigned(self, target: ast.expr, value: ast.expr, scope: Scope, around: Around) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                for one, other in zip(target.elts, value.elts, strict=True):
                    self._assigned(one, other, scope, around)
            else:
                for one in target.elts:
                    self._bind(one, Binding(value, "value", scope, around, value.lineno))
            return
        self._bind(target, Binding(value, "value", scope, around, value.lineno))
        if isinstance(target, ast.Subscript):
            if isinstance(target.slice, ast.Constant):
                self.code.named.append(Named(str(target.slice.value), value, False, target.value, scope))
        elif isinstance(target, ast.Attribute):
            self.code.named.append(Named(target.attr, value, False, target.value, scope))
        else:
            self.code.named.append(Named(dotted(target), value, False, None, scope))

    def _bind(self, target: ast.expr, binding: Binding) -> None:
        """Bind a name, an attribute of `self`, or the elements of either."""
        while isinstance(target, ast.Subscript | ast.Starred):
            target = target.value
        name = dotted(target)
        if not name:
            return
        scope = binding.scope
        head, _, rest = name.partition(".")
        owner: Scope | None = scope
        while owner is not None and owner.self_name != head:
            owner = owner.parent
        if rest and owner is not None and owner.own_class is not None:
            owner.own_class.attributes.setdefault(rest, []).append(binding)
        else:
            scope.names.setdefault(name, []).append(binding)

    def _loop(self, node: ast.For | ast.AsyncFor, scope: Scope, around: Around, client: bool) -> _Place:
        self._assigned(node.target, node.iter, scope, around)
        return scope, around, client

    def _each(self, node: ast.comprehension, scope: Scope, around: Around, client: bool) -> _Place:
        self._assigned(node.target, node.iter, scope, around)
        return scope, around, client

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope, around: Around, client: bool) -> _Place:
        for item in node.items:
            if item.optional_vars is not None:
                self._assigned(item.optional_vars, item.context_expr, scope, around)
        return scope, around, client

    def _return(self, node: ast.Return, scope: Scope, around: Around, client: bool) -> _Place:
        if node.value is not None:
            scope.returns.append(node.value)
        return scope, around, client

    def _yield(self, node: ast.Yield, scope: Scope, around: Around, client: bool) -> _Place:
        if node.value is not None:
            scope.returns.append(node.value)
        return scope, around, client


_Place = tuple[Scope, Around, bool]
_VISITS: dict[type[ast.AST], Callable[..., _Place]] = {
    ast.FunctionDef: _Indexer._function,
    ast.AsyncFunctionDef: _Indexer._function,
    ast.ClassDef: _Indexer._class,
    ast.Import: _Indexer._import,
    ast.ImportFrom: _Indexer._from,
    ast.Call: _Indexer._call,
    ast.Attribute: _Indexer._attribute,
    ast.Dict: _Indexer._dict,
    ast.Assign: _Indexer._assign,
    ast.AnnAssign: _Indexer._annotated,
    ast.NamedExpr: _Indexer._walrus,
    ast.For: _Indexer._loop,
    ast.AsyncFor: _Indexer._loop,
    ast.comprehension: _Indexer._each,
    ast.With: _Indexer._with,
    ast.AsyncWith: _Indexer._with,
    ast.Return: _Indexer._return,
    ast.Yield: _Indexer._yield,
}
