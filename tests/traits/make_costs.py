"""Write policykit/traits/binance_costs.py from the installed ccxt: `python -m tests.traits.make_costs > FILE`.

ccxt's costs are in units of its throttler (`rateLimit` 50 ms, so cost 1 is 1,200 a minute); its comments say what one
unit of each allowance is. A variant is written behind the path: ` all` without a symbol, ` <=N` for a `limit` up to N.
A call that ccxt counts for less than 1 weighs 1: it is never nothing.
"""

from __future__ import annotations

import math
import textwrap
from typing import Any, Final

#: ccxt's cost of one unit of weight: by address, and (sapi) by account, as the comments in ccxt's `describe` say.
UNIT: Final = {"api": 0.2, "papi": 0.2, "sapi": 0.1}
UID_UNIT: Final = 0.006667
#: ccxt's part of the API -> our table, and where its paths begin.
PARTS: Final[dict[str, tuple[str, str]]] = {
    "public": ("api", "/api/v3/"),
    "private": ("api", "/api/v3/"),
    "sapi": ("sapi", "/sapi/v1/"),
    "sapiV2": ("sapi", "/sapi/v2/"),
    "sapiV3": ("sapi", "/sapi/v3/"),
    "sapiV4": ("sapi", "/sapi/v4/"),
    "fapiPublic": ("fapi", "/fapi/v1/"),
    "fapiPublicV2": ("fapi", "/fapi/v2/"),
    "fapiPrivate": ("fapi", "/fapi/v1/"),
    "fapiPrivateV2": ("fapi", "/fapi/v2/"),
    "fapiPrivateV3": ("fapi", "/fapi/v3/"),
    "fapiData": ("fapi-data", "/futures/data/"),
    "dapiPublic": ("dapi", "/dapi/v1/"),
    "dapiPrivate": ("dapi", "/dapi/v1/"),
    "dapiPrivateV2": ("dapi", "/dapi/v2/"),
    "dapiData": ("dapi-data", "/futures/data/"),
    "eapiPublic": ("eapi", "/eapi/v1/"),
    "eapiPrivate": ("eapi", "/eapi/v1/"),
    "papi": ("papi", "/papi/v1/"),
    "papiV2": ("papi", "/papi/v2/"),
}
#: Where ccxt's cost is of another limit than the weight (its comments: "Weight(UID): 18000 + (Additional: 10 requests
#: per second)"), or in another unit (dapi: "Weight(IP): 5 => cost = 0.1 * 5").
OTHERWISE: Final = {
    "GET /sapi/v1/capital/withdraw/history": ("sapi-uid", 18_000),
    "POST /sapi/v1/bswap/liquidityAdd": ("sapi-uid", 1_000),
    "POST /sapi/v1/bswap/liquidityRemove": ("sapi-uid", 1_000),
    "POST /sapi/v1/bswap/swap": ("sapi-uid", 1_000),
}
DAPI_SMALL: Final = 0.1

Tables = dict[str, dict[str, int]]


def tables(api: dict[str, Any]) -> Tables:
    """Return our table -> `METHOD /path` -> weight, of every endpoint that ccxt knows."""
    out: Tables = {}
    for part, verbs in api.items():
        name, prefix = PARTS.get(part, ("", ""))
        for verb, paths in verbs.items():
            for path, config in paths.items():
                call = f"{verb.upper()} {prefix}{path}"
                table, weight = OTHERWISE.get(call) or _weight(name, config["cost"])
                row = out.setdefault(table, {})
                row[call] = max(weight, row.get(call, 0))  # apiTradingStatus is in two of ccxt's parts
                if "noSymbol" in config:
                    row[f"{call} all"] = _weight(name, config["noSymbol"])[1]
                for limit, cost in config.get("byLimit", ()):
                    row[f"{call} <={limit}"] = _weight(name, cost)[1]
    return {table: dict(sorted(row.items())) for table, row in sorted(out.items())}


def _weight(table: str, cost: float) -> tuple[str, int]:
    """Return the table that a cost is of, and the weight: sapi has one by address and one by account."""
    units = cost / (DAPI_SMALL if table == "dapi" and cost < 1 else UNIT.get(table, 1))
    if table == "sapi" and abs(units - round(units)) > 1e-6:
        return "sapi-uid", round(cost / UID_UNIT)
    return table, max(1, math.ceil(units - 1e-6))


def text(row: dict[str, int]) -> str:
    """Write one table: a line with verb and folder, then a line a weight: `20: account account/commission`."""
    groups: dict[str, dict[int, list[str]]] = {}
    for call, weight in row.items():
        name, _, variant = call.partition(" ")[2].partition(" ")
        folder = "/".join(name.split("/")[:3]) + "/"
        short = name.removeprefix(folder) + (f"?{variant}" if variant else "")
        groups.setdefault(f"{call.partition(' ')[0]} {folder}", {}).setdefault(weight, []).append(short)
    lines: list[str] = []
    for head, weights in groups.items():
        lines.append(head)
        for weight, names in sorted(weights.items()):
            lines += textwrap.wrap(f"{weight}: {' '.join(names)}", 116, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def module(version: str, made: Tables) -> str:
    """Return the module's source."""
    out = [
        f'"""What each endpoint of Binance weighs, from ccxt {version}; made by tests/traits/make_costs.py."""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import Final",
        "",
        "#: By family: what counts against one allowance. `sapi` by address, `sapi-uid` by account, each endpoint of",
        "#: these two for itself; the others by address together. A line is a weight and its paths; `?all`: without a",
        "#: symbol; `?<=N`: with `limit` up to N.",
        "_TEXT: Final[dict[str, str]] = {",
    ]
    for table, row in made.items():
        out += [f'    "{table}": """', text(row), '""",']
    out += [
        "}",
        "",
        "",
        "def _read(text: str) -> dict[str, int]:",
        '    """Read one table: `METHOD /path` -> weight, a variant behind it (` all`, ` <=N`)."""',
        "    out: dict[str, int] = {}",
        '    head, weight = "", 0',
        '    for line in text.split("\\n"):',
        '        first, _, rest = line.strip().partition(" ")',
        '        if rest.startswith("/"):',
        '            head = f"{first} {rest}"',
        "            continue",
        '        if first.endswith(":"):',
        "            weight = int(first[:-1])",
        "        else:",
        '            rest = f"{first} {rest}"',
        '        out |= {head + name.replace("?", " "): weight for name in rest.split()}',
        "    return out",
        "",
        "",
        "#: Family -> `METHOD /path` -> weight. 825 endpoints of ccxt, one of them in two of its parts.",
        "COSTS: Final[dict[str, dict[str, int]]] = {family: _read(text) for family, text in _TEXT.items()}",
        "#: Those of spot.",
        'WEIGHTS: Final = COSTS["api"]',
        "",
    ]
    return "\n".join(out)


def main() -> None:
    """Print the module."""
    import ccxt

    print(module(ccxt.__version__, tables(ccxt.binance().api)), end="")


if __name__ == "__main__":
    main()
