"""What a finding is recognised by when lines have moved: its rule, its path in the document, the content there."""

from __future__ import annotations

import hashlib
import re
import warnings
from functools import lru_cache

from policykit.finding import Finding
from policykit.lint.hush import star
from policykit.lint.report.quote import mask

#: Hex digits of a hash of content, and of a fingerprint.
CONTENT_DIGITS = 16
FINGERPRINT_DIGITS = 32
#: The longest source whose functions are looked for.
MAX_SOURCE = 128 * 1024
#: How many sources' functions are kept.
_KEPT = 8

_LINE_END = re.compile(r"\r\n|\n|\r")
_SPACE = re.compile(r"\s+")


def fingerprint(finding: Finding, text: str) -> str:
    """Return 32 hex digits that stay the same while the finding does: rule, path in the document, content.

    `text` is that of the finding's file. Moved lines, new indentation and reordered lists change nothing. The name of
    the file is not part of it, and two findings that are alike have the same one.
    """
    parts = (finding.rule, path_of(finding, text), content_of(finding, text))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:FINGERPRINT_DIGITS]


def path_of(finding: Finding, text: str) -> str:
    """Return the path in the document with `*` for each place in a list; in Python, after the function around it."""
    path = ".".join("*" if part.isdigit() else part for part in star(finding.primary.path).split("."))
    if not finding.primary.file.endswith(".py"):
        return path
    around = _function(text, finding.primary.line)
    return f"{star(around)}:{path}" if around else path


def content_of(finding: Finding, text: str) -> str:
    """Return a hash of the text at the place, of what an exchange said included; blanks and line ends do not count.

    Of what may be a secret nothing is hashed, because a short one could be guessed from its hash.
    """
    said = "" if finding.observed is None else f"\0{finding.observed.path}\0{finding.observed.value!r}"
    whole = f"{'' if _secret(finding) else _SPACE.sub('', _at(finding, text))}{said}"
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:CONTENT_DIGITS]


def _secret(finding: Finding) -> bool:
    return "secret" in finding.name or finding.rule.startswith("PK95")


def _at(finding: Finding, text: str) -> str:
    """Return the text of the place, what looks like a secret starred; of a place without width, its whole line."""
    place = finding.primary
    lines = [mask(line) for line in _LINE_END.split(text.removeprefix("\ufeff"))[place.line - 1 : place.end_line]]
    if not lines or place[1:] == (1, 1, 1, 1, place.path):
        return ""
    if (place.line, place.column) == (place.end_line, place.end_column):
        return lines[0]
    if place.end_line - place.line + 1 == len(lines):
        lines[-1] = lines[-1][: place.end_column - 1]
    lines[0] = lines[0][place.column - 1 :]
    return "\n".join(lines)


def _function(text: str, line: int) -> str:
    """Return the qualified name of the innermost function or class around a line, or nothing."""
    inside = [name for first, last, name in _functions(text) if first <= line <= last]
    return max(inside, key=lambda name: name.count("."), default="")


@lru_cache(maxsize=_KEPT)
def _functions(text: str) -> tuple[tuple[int, int, str], ...]:
    if len(text) > MAX_SOURCE:
        return ()
    import ast  # for lint of source only

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found: list[tuple[int, int, str]] = []
    stack: list[tuple[ast.AST, str]] = [(tree, "")]
    while stack:
        node, around = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            around = f"{around}.{node.name}" if around else node.name
            found.append((node.lineno, node.end_lineno or node.lineno, around))
        stack.extend(
            (child, around)
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case)
        )
    return tuple(found)
