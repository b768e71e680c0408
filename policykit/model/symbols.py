"""Symbol patterns: globs in which `*` stands for any characters, and `!` for what is left out.

A list allows a symbol if one of its patterns without `!` matches (or it has none of them), and none with `!` does.
"""

from __future__ import annotations

from collections.abc import Sequence


def matches(pattern: str, text: str) -> bool:
    """Say whether one pattern (without `!`) matches a symbol, or covers a pattern: `*/USDT` covers `BTC*/USDT`.

    Linear in the text: every part between two stars is taken where it comes first.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    last = rest.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in rest:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def allows(patterns: Sequence[str], symbol: str) -> bool:
    """Say whether a list of patterns allows a symbol of ccxt (`BTC/USDT`)."""
    if symbol not in patterns:
        wanted = [p for p in patterns if not p.startswith("!")]
        if wanted and not any(matches(p, symbol) for p in wanted):
            return False
    return not any(p.startswith("!") and matches(p[1:], symbol) for p in patterns)


def within(child: Sequence[str], parent: Sequence[str]) -> tuple[str, ...]:
    """Return those patterns of `child` that may allow what `parent` does not; empty when none does.

    Exclusions need no cover: they only take away, and the parent's own stay in force beside the child's.
    """
    wanted = [p for p in parent if not p.startswith("!")]
    if not wanted:
        return ()
    return tuple(p for p in child if not p.startswith("!") and not any(matches(w, p) for w in wanted))


#: The list that allows nothing.
NOTHING = ("!*",)


def common(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """Return a list that allows only what both allow: every pattern that the other list covers, and all exclusions.

    Two globs of which neither covers the other (`BTC/*`, `*/USDT`) are left out: stricter than both, never looser.
    """
    kept = [p for p in one if not p.startswith("!") and p not in within((p,), other)]
    kept += [p for p in other if not p.startswith("!") and p not in kept and p not in within((p,), one)]
    without = dict.fromkeys(p for p in (*one, *other) if p.startswith("!"))
    return (*kept, *without) if kept and "!*" not in without else NOTHING


def narrowed(child: Sequence[str], parent: Sequence[str]) -> tuple[str, ...]:
    """Return the list that allows what both allow, given that `within(child, parent)` is empty."""
    wanted = [p for p in child if not p.startswith("!")] or [p for p in parent if not p.startswith("!")]
    without = dict.fromkeys(p for p in (*parent, *child) if p.startswith("!"))
    return NOTHING if "!*" in without else (*wanted, *without)


def common_text(one: str, other: str) -> str | None:
    """Return a text that both patterns (without `!`) match, the shortest; None when no text does."""
    # Breadth first over how much of each pattern is used; a star may stand for what the other pattern says next.
    seen = {(0, 0)}
    queue = [(0, 0, "")]
    for at, of, text in queue:
        if at == len(one) and of == len(other):
            return text
        left, right = one[at : at + 1], other[of : of + 1]
        steps = []
        if left == "*":
            steps.append((at + 1, of, ""))
            steps += [(at, of + 1, right)] if right not in ("", "*") else []
        if right == "*":
            steps.append((at, of + 1, ""))
            steps += [(at + 1, of, left)] if left not in ("", "*") else []
        if left == right and left not in ("", "*"):
            steps.append((at + 1, of + 1, left))
        for a, b, more in steps:
            if (a, b) not in seen:
                seen.add((a, b))
                queue.append((a, b, text + more))
    return None
