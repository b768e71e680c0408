"""Hold what a protected client raises against the handlers of stock freqtrade, its own source, from .make/bots.

Each case: which of freqtrade's exceptions it became, how often the order was decided, and what reached the exchange. It
is the simulated one on a simulated clock, so freqtrade's back-off costs no time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

TOP = Path(__file__).resolve().parent.parent.parent
PAIR = "BTC/USDT"


class Case(NamedTuple):
    """What is done, and what must come of it: freqtrade's exception, first reasons, orders on the wire, back-off."""

    name: str
    do: Callable[[Any, Any], Any]
    raises: str
    decided: list[str]
    orders: int
    waited: bool = False
    faults: tuple[dict[str, Any], ...] = ()


def entry(amount: float) -> Callable[[Any, Any], Any]:
    """Return an entry as freqtrade places it."""
    return lambda exchange, guard: exchange.create_order(
        pair=PAIR, ordertype="limit", side="buy", amount=amount, rate=59_000.0, leverage=1.0
    )


def stop(exchange: Any, guard: Any) -> Any:
    """Place a stop at the exchange as freqtrade does."""
    types = {"stoploss": "limit", "stoploss_on_exchange_limit_ratio": 0.99}
    return exchange.create_stoploss(
        pair=PAIR, amount=0.01, stop_price=57_000.0, order_types=types, side="sell", leverage=1
    )


def banned(then: Callable[[Any, Any], Any], seconds: int = 60) -> Callable[[Any, Any], Any]:
    """Return what is done while the exchange takes nothing."""

    def do(exchange: Any, guard: Any) -> Any:
        guard.banned(guard.now() + seconds * 1000)
        return then(exchange, guard)

    return do


LOST = ({"at": "order", "do": "drop", "when": [1]}, {"at": "lookup", "do": "drop"})
CASES = (
    Case("an entry that the policy allows", entry(0.01), "", ["allow"], 1),
    Case("an entry over the cap is given up", entry(0.5), "InvalidOrderException", ["RISK_ORDER_NOTIONAL"], 0),
    Case("a stop that the policy allows", stop, "", ["allow"], 1),
    Case("a stop that must wait is tried in the next round", banned(stop), "TemporaryError", ["RATE_BANNED"], 0),
    Case("an entry in a ban is given up", banned(entry(0.01)), "InvalidOrderException", ["RATE_BANNED"], 0),
    Case("an unknown outcome stops the bot", entry(0.01), "OperationalException", ["allow"], 0, faults=LOST),
    Case("a read in a long ban is waited for", banned(lambda e, g: e.fetch_ticker(PAIR), 34), "", [], 0, waited=True),
)


def run(case: Case, folder: Path) -> str:
    """Run one case; return how it differs from what must be, or nothing."""
    from freqtrade.enums import RunMode
    from freqtrade.exchange import common
    from freqtrade.resolvers import ExchangeResolver

    from policykit import Guard
    from policykit.testing import Sim, SimClock

    text = (TOP / "examples" / "freqtrade" / "policy.yaml").read_text(encoding="utf-8")
    text = text.replace("when_absent: new_client_order_id, attempts: 2", "when_absent: hold, attempts: 1, wait: 2s")
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    clock = SimClock()
    held = {"USDT": 100_000, "BTC": "0.01"}
    with Sim(clock=clock, seed=1, amplitude=0, balances=held, faults=case.faults) as sim:
        os.environ.update(FREQTRADE_BOT_API_KEY=sim.key, FREQTRADE_BOT_API_SECRET=sim.secret)
        urls = {name: url for name, url in sim.client().urls["api"].items() if isinstance(url, str)}
        config = {
            "stake_currency": "USDT",
            "dry_run": False,
            "runmode": RunMode.LIVE,
            "trading_mode": "spot",
            "margin_mode": "",
            "candle_type_def": "spot",
            "exchange": {
                "name": "binance",
                "key": sim.key,
                "secret": sim.secret,
                "enable_ws": False,
                "pair_whitelist": [PAIR],
                "ccxt_config": {"urls": {"api": urls}},
                "ccxt_async_config": {"urls": {"api": urls}},
            },
        }
        common.time = SimpleNamespace(sleep=clock.sleep)
        exchange = ExchangeResolver.load_exchange(config, validate=False)
        for client in (exchange._api, exchange._api_async):
            clock.follow(client)
        exchange.reload_markets(force=True, load_leverage_tiers=False)
        guard = Guard.load(path, store="memory:", clock=clock, endpoint=sim.url)
        guard.protect(exchange._api)
        guard.maintain()
        before, orders = clock.now_ms(), sim.truth.by_route["POST /api/v3/order"]
        try:
            case.do(exchange, guard)
            raised = ""
        except Exception as error:  # noqa: BLE001 - whatever freqtrade makes of it
            raised = type(error).__name__
        rows = [row.body["decision"] for row in guard.store.rows(0, 10_000) if row.kind == "decision"]
        made = [row["reasons"][0]["code"] if row["outcome"] == "deny" else "allow" for row in rows]
        found = raised, made, sim.truth.by_route["POST /api/v3/order"] - orders
        wanted = case.raises, case.decided, case.orders
        exchange.close()
        if found != wanted:
            return f"found {found}, must be {wanted}"
        waited = clock.now_ms() - before
        return "" if not case.waited or waited >= 4_000 else f"waited {waited} ms only"


def inside() -> int:
    """Run every case in this Python, which has freqtrade."""
    right = True
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="policykit-handlers-") as folder:
            wrong = run(case, Path(folder))
        print(f"handlers: {case.name}: {'yes' if not wrong else f'NO ({wrong})'}", flush=True)
        right &= not wrong
    return 0 if right else 1


def main() -> int:
    """Run the cases in the Python of .make/bots."""
    if sys.argv[1:] == ["inside"]:
        return inside()
    import bots

    if not bots.install():
        return 1
    command = (str(bots.VENV / "bin" / "python"), __file__, "inside")
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
