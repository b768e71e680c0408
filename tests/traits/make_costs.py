"""Write policykit/traits/binance_costs.py from the installed ccxt: `python -m tests.traits.make_costs > FILE`.

ccxt's costs are in units of its throttler: on Binance spot one unit of request weight is 0.2 (`rateLimit` 50 ms,
6000 a minute). A variant is written behind the path: ` all` without a symbol, ` <=N` for a `limit` up to N.
"""

from __future__ import annotations

from typing import Any

#: ccxt's cost of one unit of request weight under /api.
UNIT = 0.2
PREFIX = "/api/v3/"


def table(api: dict[str, Any]) -> dict[str, int]:
    """Return `METHOD /path` -> weight of every spot endpoint that ccxt knows."""
    out: dict[str, int] = {}
    for group in ("public", "private"):
        for verb, paths in api[group].items():
            for path, config in paths.items():
                call = f"{verb.upper()} {PREFIX}{path}"
                out[call] = round(config["cost"] / UNIT)
                if "noSymbol" in config:
                    out[f"{call} all"] = round(config["noSymbol"] / UNIT)
                for limit, cost in config.get("byLimit", ()):
                    out[f"{call} <={limit}"] = round(cost / UNIT)
    return dict(sorted(out.items()))


def main() -> None:
    """Print the module."""
    import ccxt

    print(f'"""Request weights of Binance spot, from ccxt {ccxt.__version__}; made by tests/traits/make_costs.py."""\n')
    print("from __future__ import annotations\n\nfrom typing import Final\n")
    print("#: `METHOD /path` -> weight; ` all`: without a symbol; ` <=N`: with `limit` up to N.")
    print("WEIGHTS: Final[dict[str, int]] = {")
    for call, weight in table(ccxt.binance().api).items():
        print(f'    "{call}": {weight},')
    print("}")


if __name__ == "__main__":
    main()
