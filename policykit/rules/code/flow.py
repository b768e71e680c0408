"""What a name is: followed through assignments, attributes of `self`, helpers, parameters and imports.

Nothing is executed, and order of execution is not simulated: a name is the union of all that is given to it. Measured
against astroid and jedi in docs/linter.md: this follows what matters here in a small part of their time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from policykit.rules.code.libraries import ROOTS, Library, client_of
from policykit.rules.code.tree import Binding, Call, Code, Scope, dotted

#: How many names deep one is followed, and how many steps one file may take; what is deeper is unknown.
MAX_DEPTH = 16
MAX_STEPS = 20_000


class Atom(NamedTuple):
    """One thing that a name may be.

    - `client`: a client made here of `library`; `typed`: a parameter annotated as one, protected or not.
    - `protected`: what a guard's `protect` gives.
    - `instance`, `class`, `function`, `module`: of `scope`; `import`: of `name`, as `parameter` of `scope` is.
    - `unknown`: anything else.
    """

    kind: str
    library: Library | None = None
    scope: Scope | None = None
    name: str = ""


Atoms = frozenset[Atom]
NOTHING: Atoms = frozenset()
UNKNOWN = Atom("unknown")
PROTECTED = Atom("protected")
_UNKNOWN: Atoms = frozenset((UNKNOWN,))
_PROTECTED: Atoms = frozenset((PROTECTED,))
#: Methods of a container that give what it holds.
_TAKES = frozenset(("get", "values", "items", "pop", "copy", "setdefault", "__aenter__", "__enter__"))
#: Functions that give back what they were given, or its elements.
_PASSES = frozenset(("enumerate", "list", "tuple", "sorted", "reversed", "iter", "next", "zip", "cast", "set", "copy"))


def of(node: ast.expr, scope: Scope, depth: int = 0) -> Atoms:
    """Return all that an expression may be; nothing for plain values."""
    memory = scope.code.memory
    key = (id(node), id(scope))
    known = memory.known.get(key)
    if known is not None:
        return known
    memory.steps += 1
    if key in memory.open or depth > MAX_DEPTH or memory.steps > MAX_STEPS:
        memory.cuts += 1
        return NOTHING if key in memory.open else _UNKNOWN  # a name that is made of itself adds nothing
    memory.open.add(key)
    cuts = memory.cuts
    found = _of(node, scope, depth + 1)
    memory.open.discard(key)
    if cuts == memory.cuts or not memory.open:
        memory.known[key] = found  # what was cut short inside a circle does not stay
    return found


def _of(node: ast.expr, scope: Scope, depth: int) -> Atoms:
    match node:
        case ast.Name():
            return _name(node.id, scope, depth)
        case ast.Attribute():
            return _attribute(node, scope, depth)
        case ast.Call():
            return _call(node, scope, depth)
        case ast.Await() | ast.Subscript() | ast.Starred() | ast.NamedExpr() | ast.YieldFrom():
            return of(node.value, scope, depth)
        case ast.IfExp():
            return of(node.body, scope, depth) | of(node.orelse, scope, depth)
        case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return _union(parts, scope, depth)
        case ast.Dict(values=parts):
            return _union(parts, scope, depth)
        case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.GeneratorExp(elt=part) | ast.DictComp(value=part):
            return of(part, scope, depth)
        case ast.Constant() | ast.JoinedStr() | ast.Compare() | ast.UnaryOp() | ast.BinOp():
            return NOTHING
    return _UNKNOWN


def _union(parts: Iterable[ast.expr], scope: Scope, depth: int) -> Atoms:
    found: Atoms = NOTHING
    for part in parts:
        found |= of(part, scope, depth)
    return found


def _name(name: str, scope: Scope, depth: int) -> Atoms:
    """Return what a plain name may be."""
    found = _bound(name, scope, depth)
    if found is not None:
        return found
    origin = scope.code.imports.get(name)
    return _UNKNOWN if origin is None else _imported(origin, scope.code, depth)


def _bound(name: str, scope: Scope, depth: int) -> Atoms | None:
    """Return what a name is given in the scopes around, or None when they do not know it."""
    at: Scope | None = scope
    while at is not None:
        if at.own_class is not None and at.self_name == name:
            return frozenset((Atom("instance", scope=at.own_class),))
        if at is scope or not isinstance(at.node, ast.ClassDef):
            parameter = any(p.arg == name for p in at.parameters)
            bindings = at.names.get(name, ())
            if parameter or bindings:
                found = given(bindings, depth)
                return found | {Atom("parameter", scope=at, name=name)} if parameter and found != _PROTECTED else found
            part = at.parts.get(name)
            if part is not None:
                kind = "class" if isinstance(part.node, ast.ClassDef) else "function"
                return frozenset((Atom(kind, scope=part),))
        at = at.parent
    return None


def given(bindings: Iterable[Binding], depth: int) -> Atoms:
    """Join what a name is given; one that is certainly protected is that, whatever it was before."""
    found: Atoms = NOTHING
    for binding in bindings:
        atoms = _PROTECTED if binding.how == "protect" else of(binding.value, binding.scope, depth)
        if atoms == _PROTECTED and binding.sure:
            return _PROTECTED
        found |= atoms
    return found


def _attribute(node: ast.Attribute, scope: Scope, depth: int) -> Atoms:
    name = dotted(node)
    if name:
        found = _bound(name, scope, depth)
        if found is not None:
            return found
    gathered: Atoms = NOTHING
    for atom in of(node.value, scope, depth):
        gathered |= member(atom, node.attr, depth)
    return gathered


def member(atom: Atom, name: str, depth: int) -> Atoms:
    """Return what an attribute of a thing may be."""
    if atom.kind == "module" and atom.scope is not None:
        return _walk_in(name, atom.scope, depth)
    if atom.kind == "import":
        return _imported(f"{atom.name}.{name}", atom.scope.code if atom.scope else None, depth)
    if atom.kind in ("instance", "class") and atom.scope is not None:
        return _of_class(atom.scope, name, depth)
    if atom.kind == "parameter":
        found: Atoms = NOTHING
        for settled in settle(frozenset((atom,)), depth):
            found |= member(settled, name, depth)
        return found or _UNKNOWN
    if atom.kind == "client" and name in ("rest_api", "websocket_api", "Order", "rest"):
        return frozenset((atom,))
    return _UNKNOWN


def _of_class(cls: Scope, name: str, depth: int) -> Atoms:
    if depth > MAX_DEPTH:
        return _UNKNOWN
    bindings = [*cls.attributes.get(name, ()), *cls.names.get(name, ())]
    if bindings:
        return given(bindings, depth)
    part = cls.parts.get(name)
    if part is not None:
        getter = any(dotted(d).rpartition(".")[2] in ("property", "cached_property") for d in part.decorators)
        return _union(part.returns, part, depth) if getter else frozenset((Atom("function", scope=part),))
    found: Atoms = NOTHING
    for base in bases(cls, depth):
        if base.kind == "class" and base.scope is not None and base.scope is not cls:
            found |= _of_class(base.scope, name, depth + 1)
    return found or _UNKNOWN


def bases(cls: Scope, depth: int) -> Atoms:
    """Return what a class is made from."""
    if cls.parent is None or not isinstance(cls.node, ast.ClassDef):
        return NOTHING
    return _union(cls.node.bases, cls.parent, depth)


def client_class(cls: Scope, depth: int = 0) -> Library | None:
    """Return the library whose client a class extends."""
    for base in bases(cls, depth):
        library = client_of(base.name) if base.kind == "import" else None
        if base.kind == "class" and base.scope is not None and base.scope is not cls and depth < MAX_DEPTH:
            library = client_class(base.scope, depth + 1)
        if library is not None:
            return library
    return None


def _imported(origin: str, code: Code | None, depth: int) -> Atoms:
    if depth > MAX_DEPTH:
        return _UNKNOWN
    if code is not None and code.project is not None and origin not in ROOTS and client_of(origin) is None:
        found = code.project.resolve(origin, code.file)
        if found is not None:
            scope, rest = found
            if not rest:
                return frozenset((Atom("module", scope=scope),))
            return _walk_in(rest, scope, depth + 1)
    scope_of = code.module if code is not None else None
    return frozenset((Atom("import", scope=scope_of, name=origin),))


def _walk_in(rest: str, scope: Scope, depth: int) -> Atoms:
    head, *others = rest.split(".")
    atoms = _name(head, scope, depth)
    for name in others:
        atoms = frozenset(a for atom in atoms for a in member(atom, name, depth))
    return atoms


def _call(node: ast.Call, scope: Scope, depth: int) -> Atoms:
    function = node.func
    if isinstance(function, ast.Attribute):
        if function.attr == "protect" and node.args:
            return _PROTECTED
        if function.attr in _TAKES:
            held = of(function.value, scope, depth)
            if held and all(a.kind in ("client", "protected", "typed") for a in held):
                return held
    elif isinstance(function, ast.Name) and function.id in _PASSES and scope.code.imports.get(function.id) is None:
        return _union(node.args, scope, depth)
    elif isinstance(function, ast.Name) and function.id == "getattr" and len(node.args) > 1:
        return _getattr(node, scope, depth)
    found: Atoms = NOTHING
    for atom in of(function, scope, depth):
        found |= _made(atom, node, scope, depth)
    return found


def _getattr(node: ast.Call, scope: Scope, depth: int) -> Atoms:
    name = node.args[1].value if isinstance(node.args[1], ast.Constant) else "*"
    found: Atoms = NOTHING
    for atom in of(node.args[0], scope, depth):
        found |= member(atom, str(name), depth)
    return found


def _made(atom: Atom, node: ast.Call, scope: Scope, depth: int) -> Atoms:
    """Return what a call of a thing gives."""
    if atom.kind == "import":
        library = client_of(atom.name)
        return frozenset((Atom("client", library),)) if library is not None else _UNKNOWN
    if atom.kind == "class" and atom.scope is not None:
        library = client_class(atom.scope)
        return frozenset((Atom("client", library, atom.scope) if library else Atom("instance", scope=atom.scope),))
    if atom.kind == "function" and atom.scope is not None:
        return _returned(atom.scope, node, scope, depth)
    return _UNKNOWN


def _returned(function: Scope, node: ast.Call, scope: Scope, depth: int) -> Atoms:
    found: Atoms = NOTHING
    for value in function.returns:
        for atom in of(value, function, depth):
            if atom.kind == "parameter" and atom.scope is function:
                given = argument(function, node, atom.name)
                found |= of(given, scope, depth) if given is not None else _UNKNOWN
            else:
                found |= {atom}
    return found or _UNKNOWN


def argument(function: Scope, node: ast.Call, name: str) -> ast.expr | None:
    """Return what a call gives to a parameter of a function, or its default."""
    for keyword in node.keywords:
        if keyword.arg == name:
            return keyword.value
    at = [p.arg for p in function.parameters].index(name) - (1 if function.self_name else 0)
    if 0 <= at < len(node.args):
        return node.args[at]
    return None


def callers(function: Scope) -> Iterator[Call]:
    """Yield the calls of a function, or of the class that it initialises: in its file, else in the other files."""
    cls = function.own_class if function.name == "__init__" else None
    name = cls.name if cls is not None else function.name
    here = list(_calls_in(function.code, name, function, cls))
    yield from here
    if not here and function.code.project is not None:
        for other in function.code.project.naming(name, function.code.file):
            yield from _calls_in(other, name, function, cls)


def _calls_in(code: Code, name: str, function: Scope, cls: Scope | None) -> Iterator[Call]:
    for call in code.calls_of(name):
        if any(a.scope is (cls or function) and a.kind in ("class", "function") for a in of(call.function, call.scope)):
            yield call


def settle(atoms: Atoms, depth: int = 0) -> Atoms:
    """Put what callers give in the place of parameters; one whose callers are not known becomes unknown or typed."""
    found: Atoms = NOTHING
    for atom in atoms:
        if atom.kind != "parameter" or atom.scope is None:
            found |= {atom}
            continue
        found_here: Atoms = NOTHING
        for call in callers(atom.scope) if depth < MAX_DEPTH else ():
            value = argument(atom.scope, call.node, atom.name) if isinstance(call.node, ast.Call) else None
            if value is not None:
                found_here |= settle(of(value, call.scope, depth), depth + 4)
        found |= found_here if found_here and found_here != _UNKNOWN else annotated(atom)
    return found


def annotated(atom: Atom) -> Atoms:
    """Return what the annotation of a parameter says: a client that may be protected, a class here, or unknown."""
    scope = atom.scope
    for parameter in scope.parameters if scope is not None else ():
        if parameter.arg == atom.name and parameter.annotation is not None and scope is not None:
            text = parameter.annotation
            if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value.isidentifier():
                text = ast.Name(text.value, ast.Load())
            for kind in of(text, scope.parent or scope):
                library = client_of(_client_name(kind.name)) if kind.kind == "import" else None
                if library is not None:
                    return frozenset((Atom("typed", library),))
                if kind.kind == "class":
                    return frozenset((Atom("instance", scope=kind.scope),))
    return _UNKNOWN


def _client_name(origin: str) -> str:
    """Return a client's name for the base class that bots annotate with: `ccxt.Exchange`."""
    return origin.replace(".Exchange", ".binance") if origin.startswith("ccxt") else origin
