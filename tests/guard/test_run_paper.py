"""`policykit run` with a policy at the paper stage: a program that knows nothing of it trades, and no order leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from policykit.clock import SystemClock
from policykit.store import open_store
from tests.guard.paper_world import paper_text
from tests.guard.test_paper_leaves import _written
from tests.guard.test_run import Runner
from tests.guard.world import World

#: A bot: trades by sync, async, copied and forked clients, and tries to go round; prints what became of it.
BOT = """
import asyncio, copy, json, multiprocessing, os, pickle
import ccxt, ccxt.pro

SETTINGS = {"apiKey": os.environ["BOT_KEY"], "secret": os.environ["BOT_SECRET"], "enableRateLimit": False}
MARKET, LIMIT = ("BTC/USDT", "market", "buy", 0.01), ("BTC/USDT", "limit", "buy", 0.01, 50_000)

def said(order):
    return [order["status"], order["id"].startswith("paper-"), order["info"]["paper"]]

async def traded():
    client = ccxt.pro.binance(SETTINGS)
    try:
        return said(await client.create_order(*MARKET))
    finally:
        await client.close()

def inherited(queue):
    queue.put(said(CLIENT.create_order(*MARKET)))

def forked():
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=inherited, args=(queue,))
    process.start()
    answer = queue.get(timeout=60)
    process.join()
    return answer

def refused(call, *args):
    try:
        call(*args)
    except ccxt.BaseError as error:
        return type(error).__name__
    return "sent"

if __name__ == "__main__":
    CLIENT = ccxt.binance(SETTINGS)
    resting = CLIENT.create_order(*LIMIT)
    told = {
        "resting": said(resting),
        "open": [one["id"] == resting["id"] for one in CLIENT.fetch_open_orders("BTC/USDT")],
        "cancelled": CLIENT.cancel_order(resting["id"], "BTC/USDT")["status"],
        "market": said(CLIENT.createOrder(*MARKET)),
        "copies": [said(one.create_order(*MARKET)) for one in (copy.copy(CLIENT), copy.deepcopy(CLIENT))],
        "pickled": said(pickle.loads(pickle.dumps(CLIENT)).create_order(*MARKET)),
        "async": asyncio.run(traded()),
        "fork": forked(),
        "raw": refused(CLIENT.private_post_order, {"symbol": "BTCUSDT", "side": "BUY", "quantity": 1}),
        "transfer": refused(CLIENT.transfer, "USDT", 1, "spot", "future"),
        "balance": CLIENT.fetch_balance()["total"],
    }
    print(json.dumps(told))
"""
FILLED = ["closed", True, True]


def test_I15_an_unchanged_program_trades_on_paper_and_no_order_leaves(
    start: Callable[..., World], tmp_path: Path
) -> None:
    """One account for all its processes; six buys of 0.01 at the ask, with the fee in what was bought.

    That an order which leaves is seen by this look is the control of `test_paper_leaves`.
    """
    folder = tmp_path / "program"
    folder.mkdir()
    text = paper_text().replace("environment: live", "environment: sandbox")
    run = Runner(start(clock=SystemClock(), text=text), folder)
    code, out, err = run.program(BOT)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told.pop("balance") == {"USDT": pytest.approx(100_000 - 6 * 600.06), "BTC": pytest.approx(6 * 0.00999)}
    assert told == {
        "resting": ["open", True, True],
        "open": [True],
        "cancelled": "canceled",
        "market": FILLED,
        "copies": [FILLED, FILLED],
        "pickled": FILLED,
        "async": FILLED,
        "fork": FILLED,
        "raw": "ClientDenied",
        "transfer": "NotSupported",
    }
    assert (run.world.sent, _written(run.world)) == ([], [])
    rows = [row for row in open_store(run.world.store).rows(0, 100_000) if row.kind == "paper"]
    assert {row.body["account"] for row in rows} == {"binance/main@sandbox@paper"}
