"""What pydantic refuses, as findings with an exact place. Its own messages and input values are never passed on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from policykit.finding import Finding, Fix
from policykit.model.policy import Policy
from policykit.model.shape import keys_at
from policykit.place import Place
from policykit.policy.needs import form, wanted
from policykit.source import Document, finding, shown
from policykit.source.reader import MAX_FINDINGS

#: The longest value that a message quotes.
MAX_QUOTED = 40
#: How alike a key must be to be suggested.
_ALIKE = 0.6

#: Fields of a key where nobody keeps a secret: what stands there may be quoted.
_NO_SECRET = (("purpose",), ("scopes",), ("ip_allowlist",), ("rotation",), ("address_proof",))
#: A run of characters that could be a secret: not quoted, wherever it stands.
_TOKEN = re.compile(r"[A-Za-z0-9+=_-]{16}")

#: The words that a field may have, in pydantic's message.
_WORD = re.compile(r"'([^']+)'")
#: A whole number, a percentage of nothing, and a word that needs no quotes inside of brackets.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_SHARE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?%\Z")
_ITEM = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,40}\Z")

_NEEDS: Mapping[str, str] = {
    "int_type": "a whole number is needed",
    "bool_type": "`true` or `false` is needed",
    "string_type": "text is needed",
}


def faults(error: ValidationError, document: Document) -> list[Finding]:
    """Return one finding for each error, in the order of the file; none for what the reader has refused already."""
    found: dict[tuple[str, str], Finding] = {}
    cut = any(one.rule == "PK002" for one in document.findings)
    for row in error.errors(include_input=False, include_url=False)[:MAX_FINDINGS]:
        path = _path(row["loc"], document.data)
        dotted = ".".join(str(part) for part in path)
        if any(dotted == p or dotted.startswith(f"{p}.") for p in _prefixes(dotted, document.refused)):
            continue
        if row["type"] == "too_short" and f"{dotted}.0" in document.places:
            continue  # pydantic does not count items that it refused; those have findings of their own
        if cut and row["type"] == "missing":
            continue  # it may stand behind the place where reading ended
        one = _fault(row, path, dotted, document)
        found.setdefault((one.rule, dotted), one)
    return sorted(found.values(), key=lambda f: (f.primary.line, f.primary.column))


def _prefixes(dotted: str, refused: set[str]) -> Iterator[str]:
    while dotted:
        if dotted in refused:
            yield dotted
        dotted = dotted.rpartition(".")[0]


def _path(loc: tuple[int | str, ...], data: Any) -> tuple[str | int, ...]:
    """Drop from pydantic's location what is not in the document: `[key]`, and steps that our widening put in."""
    path: list[str | int] = []
    for step in loc:
        if step == "[key]" or not isinstance(data, dict | list):
            break
        if isinstance(data, dict):
            path.append(step)
            data = data.get(str(step))
        elif isinstance(step, int) and step < len(data):
            path.append(step)
            data = data[step]
    return tuple(path)


def _fault(row: Any, path: tuple[str | int, ...], dotted: str, document: Document) -> Finding:
    kind = row["type"]
    if kind == "extra_forbidden":
        return _unknown_key(path, dotted, document)
    if kind == "missing":
        parent = ".".join(str(part) for part in path[:-1])
        place = document.key_places.get(parent) or _nearest(document, parent)
        where = f"`{_safe(path[:-1])}` has no `{path[-1]}`" if parent else f"there is no `{path[-1]}`"
        needs = f"`{path[-1]}: ...` is needed here, {wanted(path)}"
        return finding("PK012", place._replace(path=_safe(path[:-1])), where, needs)
    context = row.get("ctx") or {}
    needs = form(path, kind) or _needs(kind, row, context)
    is_key = "[key]" in row["loc"]
    place = document.key_places[dotted] if is_key and dotted in document.key_places else _nearest(document, dotted)
    given = "no key that may be here" if is_key else _given(document.data, path)
    what = f"{_safe(path) or 'the policy'} is {given}"
    place = place._replace(path=_safe(path))
    exact = not is_key and dotted in document.places
    pasted = path[:1] == ("keys",) and path[2:] == ("secret",)
    do = "if the secret itself was written here, revoke the key at the exchange" if pasted else ""
    return finding("PK011", place, what, needs, do=do, fix=_cure(row, path, place, document.data) if exact else None)


def _cure(row: Any, path: tuple[str | int, ...], place: Place, data: Any) -> Fix | None:
    """Return a fix where it is certain what is meant: the same word, number or item, as the field wants it written.

    Of words that are only alike, the nearest is a guess.
    """
    for step in path:
        data = data[step]
    kind = row["type"]
    if kind == "literal_error" and isinstance(data, str):
        close = difflib.get_close_matches(data.lower(), _WORD.findall(row["ctx"]["expected"]), n=1, cutoff=_ALIKE)
        return Fix.replace(place, close[0], f"write `{close[0]}`") if close else None
    bare = (kind == "int_type" and isinstance(data, str) and _WHOLE.match(data)) or (
        kind == "bool_type" and data in ("true", "false")
    )
    if bare:
        return Fix.replace(place, str(data), "leave the quotes out", safe=True)
    if type(data) is int and kind == "string_type":
        return Fix.replace(place, f'"{data}"', "put it in quotes", safe=True)
    if kind == "policykit" and isinstance(data, str) and _SHARE.match(data) and "% of equity" in row["msg"]:
        return Fix.replace(place, f"{data} of equity", f"write `{data} of equity`")
    if kind == "tuple_type" and isinstance(data, str) and _ITEM.match(data):
        return Fix.replace(place, f"[{data}]", "make it a list", safe=True)
    return None


def _needs(kind: str, row: Any, context: Mapping[str, Any]) -> str:
    if kind == "policykit":
        return str(row["msg"])
    if kind == "literal_error":
        return f"one of {context['expected']} is needed".replace("'", "`")
    if kind == "greater_than_equal":
        return f"at least {context['ge']} is needed"
    if kind == "less_than_equal":
        return f"at most {context['le']} is allowed"
    if kind == "too_long":
        return f"at most {context['max_length']} items are allowed"
    if kind == "too_short":
        return f"at least {context['min_length']} item is needed"
    return _NEEDS.get(kind, "another value is needed")


def _unknown_key(path: tuple[str | int, ...], dotted: str, document: Document) -> Finding:
    known = keys_at(Policy, path[:-1])
    key = str(path[-1])
    close = difflib.get_close_matches(key, known, n=1, cutoff=_ALIKE)
    place = document.key_places.get(dotted) or _nearest(document, dotted)
    name = _safe(path)
    what = f"{name} is not a key of the language"
    if close:
        fix = Fix.replace(place, close[0], f"write `{close[0]}`")
        return finding("PK010", place._replace(path=name), what, f"did you mean `{close[0]}`?", fix=fix)
    return finding("PK010", place._replace(path=name), what, f"here may be: {', '.join(known)}")


def _nearest(document: Document, dotted: str) -> Place:
    while dotted and dotted not in document.places:
        dotted = dotted.rpartition(".")[0]
    return document.places.get(dotted) or Place(document.file)


def _safe(path: tuple[str | int, ...]) -> str:
    """Return a path as messages show it: names of the language as they are, others only if they look like words."""
    out: list[str] = []
    for index, step in enumerate(path):
        known = isinstance(step, int) or step in keys_at(Policy, path[:index]) or step == "default"
        out.append(str(step) if known else shown(str(step)))
    return ".".join(out)


def plain(text: str) -> bool:
    """Say whether a text may be quoted: short, on one line, and without a run that could be a secret."""
    return len(text) <= MAX_QUOTED and "\n" not in text and not _TOKEN.search(text)


def _given(data: Any, path: tuple[str | int, ...]) -> str:
    """Describe what was given; below `keys` only where no secret belongs, and never what could be one."""
    for step in path:
        inside = step in data if isinstance(data, dict) else isinstance(data, list) and int(step) < len(data)
        if not inside:
            break
        data = data[step]
    if isinstance(data, dict):
        return "a section"
    if isinstance(data, list):
        return "a list"
    if isinstance(data, bool):
        return "true" if data else "false"
    if data is None:
        return "empty"
    if (path[:1] == ("keys",) and path[2:3] not in _NO_SECRET) or not plain(str(data)):
        return "a text that is not shown here" if not isinstance(data, int) else "a number"
    return str(data) if isinstance(data, int) else f'"{data}"'
