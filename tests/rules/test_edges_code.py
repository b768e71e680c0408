"""What the tests of names and the examples leave out of rules on source: bounds to the unit, and rarer shapes."""

from __future__ import annotations

import pytest

from policykit.rules import find
from policykit.rules.base import Inputs
from policykit.rules.code import read
from policykit.testing.rules.examples import NOW_MS
from tests.rules.test_source_recall import findings

RAW = "import ccxt\nex = ccxt.okx()\n"


def said(code: str, source: str) -> list[str]:
    """Return the messages of one rule."""
    entry = find(code)
    assert entry is not None
    return [f.message for f in entry.check(Inputs(NOW_MS, source=read(source, "bot.py")))]


@pytest.mark.parametrize(
    ("value", "found"),
    [("Xy7Xy7Xy7Xy7Xy7Xy7Xy7", 0), ("hK3-live-key-8Fj3kD93kfD2", 0), ("hK3-8Fj3kD93kfD2mQ9z", 1)],
)
def test_stand_ins_in_source(value: str, found: int) -> None:
    """A run repeated, and a value that says what it is, are stand-ins of a test; any other is a secret."""
    assert len(said("PK903", f"secret = '{value}'\n")) == found


def test_a_name_of_a_client_is_no_look_up() -> None:
    """Only what is given to a client without a name counts as a secret; a look-up without a default gives none."""
    value = "'aB3dE5gH7jK9mN1pQ3'"
    source = f"import os\nfrom binance.client import Client\nos.environ.get(X, {value})\nClient()\nClient(k, {value})\n"
    assert said("PK903", source) == ["`secret` holds a secret in the source"]


def test_retries_inside_of_a_function_under_enforce() -> None:
    """What is decided once around a function, and repeated within it, is not decided each time."""
    order = "ex.create_market_buy_order('BTC/USDT', 1, {'clientOrderId': 'a'})"
    inner = f"    @retry\n    def send():\n        {order}\n    send()\n"
    source = f"{RAW}from tenacity import retry\n@enforce('order.create')\ndef buy(symbol, side, amount):\n{inner}"
    assert len(said("PK904", source)) == 1
    under = source.replace("    @retry\n", "    @retry\n    @enforce('order.create')\n")
    assert said("PK904", under) == []


@pytest.mark.parametrize(
    ("count", "more"),
    [(1, ""), (2, "; nor has 1 call more on it"), (3, "; nor have 2 calls more on it")],
)
def test_orders_without_an_id_on_one_client(count: int, more: str) -> None:
    """The first order is shown, the others on the same client are counted."""
    entry = find("PK906")
    assert entry is not None
    source = RAW + "ex.create_order('BTC/USDT', 'limit', 'buy', 1, 2)\n" * count
    labels = [f.label for f in entry.check(Inputs(NOW_MS, source=read(source, "bot.py")))]
    assert labels == [f"no clientOrderId among its arguments{more}"]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("clientOrderId='a'", []),
        ("amount=1, price=2, postOnly=True", ["PK906 3 certain"]),
        ("params={'clientOrderId': 'a'}", []),
        ("params={}, extra={'clientOrderId': 'a'}", []),
    ],
)
def test_keywords_of_an_order(arguments: str, found: list[str]) -> None:
    """An id may stand among the keywords, or in a dictionary that one of them gives."""
    said_here = findings(f"{RAW}ex.create_market_buy_order('BTC/USDT', 1, {arguments})\n")
    assert [f for f in said_here if f.startswith("PK906")] == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("http.client.HTTPConnection.debuglevel = 2", 1),
        ("http.client.HTTPConnection.debuglevel = 0", 0),
        ("http.client.HTTPConnection.timeout = 1", 0),
        ("parser.debuglevel = 1", 0),
        ("ccxt.okx().verbose = True", 1),
        ("make().verbose = True", 0),
        ("verbose = True", 0),
        ("logging.getLogger('ccxt').setLevel(10)", 1),
        ("logging.getLogger('ccxt.base').setLevel('INFO')", 0),
        ("logging.getLogger('ccxt.base').setLevel(logging.INFO)", 0),
        ("logging.getLogger('ccxt').log(logging.DEBUG, 'x')", 0),
    ],
)
def test_switches_that_write_requests(line: str, found: int) -> None:
    """Only the switch itself, switched on, on a client or its logger, is one."""
    assert len(said("PK908", f"import http.client, logging\n{RAW}{line}\n")) == found


FEED = "import time, websocket\ndef go():\n    delay = 1\n"
LOOP = "    while True:\n        try:\n            {}\n        except OSError:\n            {}\n"
CONNECT = "websocket.create_connection(URL)"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (LOOP.format("make().read()", "pass"), 0),
        (LOOP.format("make().run_forever()", "pass"), 1),
        (LOOP.format("run_forever()", "pass"), 0),
        (LOOP.format(CONNECT, "time.sleep(1); time.sleep(wait)"), 0),
        (LOOP.format(CONNECT, "time.sleep(1); time.sleep(2)"), 1),
        (LOOP.format(CONNECT, "time.sleep(delay)"), 1),
        (LOOP.format(CONNECT, "time.sleep(delay); delay = 60"), 0),
        (f"    {CONNECT}\n" + LOOP.format(CONNECT, "time.sleep(wait)") + LOOP.format(CONNECT, "pass"), 1),
        ("    start()\n" + LOOP.format(f"{CONNECT}; {CONNECT}", "pass") + LOOP.format(CONNECT, "pass"), 2),
    ],
)
def test_loops_that_connect(body: str, found: int) -> None:
    """Each loop is looked at by itself: what connects in it, and whether each of its waits stays the same."""
    assert len(said("PK911", FEED + body)) == found


def test_a_wait_of_the_object_that_grows() -> None:
    """A wait that starts as a number and is made longer in the loop grows."""
    source = (
        "import time, websocket\nclass Feed:\n  def __init__(self):\n    self.pause = 3\n  def go(self):\n"
        f"{LOOP.format(CONNECT, 'time.sleep(self.pause); self.pause *= 2')}"
    )
    assert said("PK911", source) == []
    assert len(said("PK911", source.replace("; self.pause *= 2", ""))) == 1


@pytest.mark.parametrize(
    ("stop", "faults"),
    [
        ("stop_after_attempt(5)", []),
        ("stop_after_attempt(6)", ["tries 6 times"]),
        ("stop_after_delay(60)", []),
        ("stop_after_attempt(most)", []),
        ("stop_after_attempt('9')", []),
    ],
)
def test_five_attempts_are_the_guide_s_most(stop: str, faults: list[str]) -> None:
    """A retry of data by tenacity tries 5 times at most, as far as that is in sight."""
    decorator = f"@tenacity.retry(stop=tenacity.{stop}, wait=tenacity.wait_random(1, 2))"
    source = f"import tenacity\n{decorator}\ndef price():\n    return ex.fetch_ticker('a')\n"
    assert said("PK912", source) == [f"this retry of `ex.fetch_ticker` {fault}" for fault in faults]


def test_what_the_library_retries_is_set_to_0() -> None:
    """A number over 0 is safely 0; what the source does not say is 0 only where that is asked for."""
    entry = find("PK902")
    assert entry is not None
    source = "ex.max_retries_on_failure = 2\nex.max_retries_on_failure = settings.retries\n"
    fixes = [f.fix for f in entry.check(Inputs(NOW_MS, source=read(source, "bot.py"))) if f.fix is not None]
    assert [(fix.safe, fix.edits[0].text, fix.edits[0].place.line) for fix in fixes] == [
        (True, "0", 1),
        (False, "0", 2),
    ]


@pytest.mark.parametrize(
    ("decorator", "found"),
    [
        ("tenacity.retry(stop=tenacity.stop_after_attempt(1))", 0),
        ("tenacity.retry(stop=tenacity.stop_after_attempt(2))", 1),
        ("retrier(retries=0)", 0),
        ("retrier(tries=1)", 0),
        ("backoff.on_exception(backoff.expo)", 1),
    ],
)
def test_how_often_an_order_is_tried(decorator: str, found: int) -> None:
    """One try is no retry, whether the first is counted or not."""
    source = f"import tenacity, backoff\n{RAW}@{decorator}\ndef buy():\n    ex.create_market_buy_order('a', 1)\n"
    assert len(said("PK904", source)) == found


TRY = "try:\n        ex.create_market_buy_order('a', 1)\n        break\n    except OSError:\n        pass\n"
NESTED = "try:\n        try:\n            ex.create_market_buy_order('a', 1)\n            break\n"


@pytest.mark.parametrize(
    ("loop", "text"),
    [
        ("for attempt in range(3)", "for attempt in range(3)"),
        ("for symbol in SYMBOLS", ""),
        ("for i in DELAYS", ""),
        ("for next_attempt_at in DELAYS", "for next_attempt_at in DELAYS"),
        (f"for {'a' * 30} in range({'9' * 50})", f"for {'a' * 20} in range({'9' * 34}"),
        (f"while {'go' * 30}", f"while {'go' * 20}"),
        ("while i < 3", "while i < 3"),
    ],
)
def test_how_a_loop_is_shown(loop: str, text: str) -> None:
    """A loop over something is none; of one that counts tries, 20 characters of its name and 40 behind are shown."""
    shown = f"`{text}` repeats `ex.create_market_buy_order` after an error"
    assert said("PK905", f"{RAW}{loop}:\n    {TRY}") == ([shown] if text else [])


@pytest.mark.parametrize(("test", "found"), [("n < 3", 1), ("tries < 3", 1), ("running", 0)])
def test_a_loop_that_counts_its_tries(test: str, found: int) -> None:
    """A `while` on a counter repeats an order that fails, also when nothing in it leaves."""
    source = f"{RAW}while {test}:\n    {TRY}".replace("        break\n", "")
    assert len(said("PK905", source)) == found


def test_the_try_that_swallows_is_the_inner_one() -> None:
    """What an inner handler swallows is tried again, whatever an outer one raises."""
    handlers = "        except OSError:\n            pass\n    except ValueError:\n        raise\n"
    source = f"{RAW}while True:\n    {NESTED}{handlers}"
    assert len(said("PK905", source)) == 1


def test_a_function_of_a_module_is_not_the_method_of_that_name() -> None:
    """A function of another module sends no order because a method here has its name and does."""
    method = "class Bot:\n    def buy(self):\n        ex.create_market_buy_order('a', 1)\n"
    source = f"{RAW}import lib\nfrom tenacity import retry\n{method}@retry\ndef go():\n    lib.buy()\n"
    assert said("PK904", source) == []
