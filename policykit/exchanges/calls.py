"""What a request is, by method and path: allow-lists, never the HTTP verb. What is not listed is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from policykit.exchanges.base import Call
from policykit.traits.base import Exchange, cost

#: One part of a path in a list that stands for any id: `GET /spot/orders/*`.
_ANY: Final = "[A-Za-z0-9_.:-]{1,80}"


def calls(verb: str, prefix: str, names: str) -> frozenset[str]:
    """Return `VERB /prefix/name` for each of the names, which are parted by blanks; `*` is any one part of a path."""
    return frozenset(f"{verb} {prefix}{name}" for name in names.split())


def listed(name: str, names: frozenset[str]) -> bool:
    """Tell whether a call is in a list."""
    return name in names or (_pattern(names).fullmatch(name) is not None if name else False)


@lru_cache(maxsize=128)
def _pattern(names: frozenset[str]) -> re.Pattern[str]:
    open_ended = sorted(re.escape(name).replace(r"\*", _ANY) for name in names if "*" in name)
    return re.compile("|".join(open_ended) or r"(?!)")


def name_of(method: str, url: str) -> str:
    """Return `METHOD /path` with the `/@host` of an `--endpoint` taken off; empty for a path that is not plain."""
    path = urlsplit(url).path
    if path.startswith("/@"):
        path = path[path.find("/", 1) :] if path.find("/", 1) > 0 else ""
    if not path or "//" in path or ".." in path or "%" in path:
        return ""
    return f"{method.upper()} {path}"


def classify(exchange: Exchange, public: frozenset[str], reads: frozenset[str], method: str, url: str) -> Call:
    """Tell what a request to an exchange is of which only reads are known."""
    name = name_of(method, url)
    weight = weight_of(exchange, name)
    if listed(name, public):
        return Call("public", name, weight=weight)
    if listed(name, reads):
        return Call("read", name, weight=weight)
    return Call("refused", name or "a path that is not plain", None, None, weight)


def weight_of(exchange: Exchange, name: str, variant: str = "") -> int:
    """Return what a call costs of the allowance that reads are counted against; 1 where there is none."""
    return cost(exchange, exchange.rate_windows[0].name, name, variant) if exchange.rate_windows else 1


def pairs_of(url: str, bodies: Iterable[str | None] = ()) -> list[tuple[str, str]]:
    """Return every name and value of a request, one that stands there twice as well."""
    return [*parse_qsl(urlsplit(url).query), *(pair for body in bodies for pair in parse_qsl(body or ""))]


def params_of(url: str, bodies: Iterable[str | None] = ()) -> dict[str, str]:
    """Return the parameters of a request: its query, then what its form bodies say."""
    params = dict(parse_qsl(urlsplit(url).query))
    for body in bodies:
        params |= dict(parse_qsl(body or ""))
    return params
