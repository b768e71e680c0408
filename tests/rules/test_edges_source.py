"""What the examples and the known bugs leave out of the rules on source: rarer shapes, each with what is found."""

from __future__ import annotations

import json

import pytest

from policykit.rules import catalogue
from policykit.rules.base import Inputs
from policykit.rules.code import MAX_SOURCE_BYTES, limit, read
from policykit.rules.code.notebook import MAX_NOTEBOOK_BYTES
from policykit.testing.rules.examples import NOW_MS, written
from tests.rules.test_source_recall import findings

RAW = "import ccxt\nex = ccxt.okx()\n"
ORDER = "ex.create_market_buy_order('BTC/USDT', 1, {'clientOrderId': i})\n"
TRY = "while True:\n    try:\n        {}"
PASS = "    except OSError:\n        pass\n"
SMILE = "ex.create_order(\"BTC/USDT\", 'limit', 'buy', 1, 2, {'clientOrderId': '\U0001f600'})"
UNREAD = "unknown bot.ipynb:{}this source was not read: "
TENACITY = "from tenacity import *\nimport tenacity as t\nimport backoff\n"


def only(source: str, *codes: str) -> list[str]:
    """Return the findings of some rules."""
    return [f for f in findings(source) if f.startswith(codes)]


@pytest.mark.parametrize(
    ("decorator", "found"),
    [
        ("t.retry", ["PK904 6 certain"]),
        ("t.retry(stop=t.stop_after_attempt(1))", []),
        ("t.retry(stop=stop)", ["PK904 6 certain"]),
        ("t.retry(retry=t.retry_if_exception_type(ccxt.InsufficientFunds))", []),
        ("t.retry(retry=t.retry_if_exception_type((ccxt.InvalidNonce, ccxt.BadSymbol)))", []),
        ("t.retry(retry=t.retry_if_exception_type(()))", ["PK904 6 certain"]),
        ("t.retry(wait=t.wait_none(), retry=check)", ["PK904 6 certain"]),
        ("backoff.on_exception(backoff.expo, ccxt.InvalidOrder)", []),
        ("retrier(retries=0)", []),
        ("retrier(retries=1)", ["PK904 6 likely"]),
        ("retry(3)(other)", ["PK904 6 likely"]),
        ("t.after_log", []),
        ("cached", []),
    ],
)
def test_decorators_that_repeat(decorator: str, found: list[str]) -> None:
    """One try, and errors that say that nothing was executed, are no repetition."""
    source = f"{RAW}{TENACITY.replace('from tenacity import *', '')}@{decorator}\ndef buy():\n    {ORDER}"
    assert only(source, "PK904") == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("while True:\n    try:\n        {}        break\n    except Exception:\n        raise\n", []),
        ("while True:\n    try:\n        {}        break\n    except Exception:\n        sys.exit(1)\n", []),
        ("while True:\n    try:\n        {}        break\n    except ccxt.InvalidOrder:\n        pass\n", []),
        ("while True:\n    try:\n        {}    except OSError:\n        ex.fetch_order(i)\n", []),
        ("while True:\n    try:\n        {}    except OSError:\n        pass\n    break\n", ["PK905 3 certain"]),
        (TRY + PASS + "    else:\n        break\n", ["PK905 3 certain"]),
        ("while True:\n    try:\n        {}    except OSError:\n        pass\n", ["PK905 3 likely"]),
        ("while n < 3:\n  if a:\n    try:\n        {}        n = 9\n    except E:\n        pass\n", ["PK905 3 likely"]),
        ("while True:\n    if go:\n        try:\n            {}        except OSError:\n            pass\n", []),
        ("for d in count():\n    try:\n        {}        if ok:\n            break\n" + PASS, ["PK905 3 certain"]),
        ("for retry_at in DELAYS:\n    try:\n        {}        return\n" + PASS, ["PK905 3 certain"]),
        ("for s in SYMBOLS:\n    try:\n        {}        break\n    except OSError:\n        pass\n", []),
        ("for s in range(3):\n    try:\n        {}    except OSError:\n        pass\n", []),
        ("for s in range(3):\n    with lock:\n        {}", []),
        ("for s in f():\n    with lock:\n        {}", []),
        ("while True:\n    try:\n        with a:\n            {}            break\n" + PASS, ["PK905 3 certain"]),
        ("while True:\n    try:\n        a = 1\n    except OSError:\n        {}", []),
        ("while True:\n    try:\n        connect()\n    except OSError:\n        pass\nelse:\n    {}", []),
    ],
)  # fmt: skip
def test_loops_that_repeat(body: str, found: list[str]) -> None:
    """A loop repeats an order when an error is swallowed and success leaves it, or nothing stands between."""
    assert only(RAW + body.replace("{}", ORDER), "PK905") == found


def test_two_orders_in_one_loop_are_one_finding() -> None:
    """A loop is found once, whatever it sends."""
    body = f"while True:\n    try:\n        {ORDER}        {ORDER}        break\n    except OSError:\n        pass\n"
    assert only(RAW + body, "PK905") == ["PK905 3 certain"]


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("ex.create_order(*order)", []),
        ("ex.create_order('a', 'limit', 'buy', 1, 2, params={**more})", []),
        ("ex.create_order('a', 'limit', 'buy', 1, 2, params=options)", []),
        ("ex.create_order('a', 'limit', 'buy', 1, 2, params=make_params())", []),
        ("ex.create_order('a', 'limit', 'buy', 1, 2, params={'postOnly': True})", ["PK906 4 certain"]),
        ("ex.create_order('a', 'limit', 'buy', round(x), 2)", ["PK906 4 certain"]),
        ("ex.create_order('a', 'limit', 'buy', 1, 2, empty_params)", ["PK906 4 certain"]),
        ("ex.create_order('a', 'limit', 'buy', amount, price)", ["PK906 4 certain"]),
        ("ex.create_order('a', 'limit', 'buy', 1, 2); ex.create_order('b', 'limit', 'buy', 1, 2)", ["PK906 4 certain"]),
        ("[ex.create_market_buy_order('a', 1), ex.create_market_buy_order('b', 1), ex.create_market_buy_order('c', 1)]",
         ["PK906 4 certain"]),
        ("ex.edit_order('1', 'a', 'limit', 'buy')", []),
        ("ex.create_market_buy_order", []),
        ("ex.create_order('a', 'limit', 'buy', 1, 2, (lambda: 1))", []),
    ],
)  # fmt: skip
def test_where_an_id_may_be(call: str, found: list[str]) -> None:
    """Only arguments that are in sight and hold no id are a finding."""
    assert only(f"{RAW}empty_params = {{}}\n{call}\n", "PK906") == found


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("print(api_secret)", 1),
        ("print([api_secret], (api_secret,))", 2),
        ("print('%s' % api_secret)", 1),
        ("print('a' + str(api_secret))", 1),
        ("print('{}'.format(api_secret))", 1),
        ("print(json.dumps({'a': api_secret}))", 1),
        ("print(*api_secret)", 1),
        ("print(api_secret or 'none')", 1),
        ("print(api_secret if debug else '')", 1),
        ("print(os.environ)", 1),
        ("print(ex.sign('order', 'private'))", 1),
        ("print(pen.sign('order'))", 0),
        ("print(config[0], config['symbol'], load()['secret'])", 1),
        ("logging.getLogger(__name__).info(api_secret)", 1),
        ("self._logger.warning(api_secret)", 1),
        ("info(api_secret)", 0),
        ("math.log(api_secret)", 0),
        ("make().info(api_secret)", 0),
        ("queue.send_message(api_secret)", 0),
        ("print(len(api_secret), mask(api_secret), api_secret[:4], not api_secret, api_secret == 1)", 0),
        ("print(" + ", ".join(["1"] * 400) + ", api_secret)", 0),
    ],
)
def test_what_is_printed(call: str, found: int) -> None:
    """A secret that ends up in the text is found; one that is masked, cut or counted is none."""
    assert len(only(f"import os\n{RAW}{call}\n", "PK907")) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("http.client.HTTPConnection.debuglevel = 1", ["PK908 4 certain"]),
        ("other.verbose = True", []),
        ("f(verbose=True)", []),
        ("f(log_requests=True)", []),
        ("verbose = True", []),
        ("from pybit.unified_trading import HTTP; HTTP(log_requests=True)", ["PK908 4 certain"]),
        ("logging.getLogger().setLevel(logging.DEBUG)", ["PK908 4 likely"]),
        ("logging.getLogger('ccxt.base').setLevel('DEBUG')", ["PK908 4 likely"]),
        ("logging.getLogger('mine').setLevel(DEBUG)", []),
        ("logging.getLogger(__name__).setLevel(DEBUG)", []),
        ("handler.setLevel(logging.DEBUG)", []),
        ("logging.basicConfig(level=logging.DEBUG); logging.getLogger('ccxt').setLevel(logging.INFO)", []),
        ("logging.basicConfig(format='x')", []),
        ("x.setLevel()", []),
    ],
)
def test_what_writes_requests(line: str, found: list[str]) -> None:
    """Switches of other things, and levels of loggers of one's own, are none."""
    assert only(f"import logging\n{RAW}{line}\n", "PK908") == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("        run()\n    except OSError:\n        time.sleep(delay)\n        delay *= 2\n", []),
        ("        run()\n    except OSError:\n        restart_later()\n", []),
        ("        run()\n    except OSError:\n        time.sleep(next(delays))\n", []),
        ("        run()\n    except OSError:\n        log.error('x')\n", ["at once"]),
        ("        run()\n    except OSError:\n        time.sleep(self.pause)\n", ["always after 3 s"]),
        ("        run()\n    except OSError:\n        time.sleep(self.other)\n", []),
        ("        run()\n    except OSError:\n        event.wait()\n", []),
        ("        run()\n    except OSError:\n        raise\n", []),
        ("        run()\n        while True:\n            read()\n    except OSError:\n        break\n", []),
        ("        for u in URLS:\n            run()\n    except OSError:\n        pass\n", []),
        ("        try:\n            run()\n        except ValueError:\n            raise\n" + PASS, ["at once"]),
    ],
)  # fmt: skip
def test_how_a_connection_is_made_anew(body: str, found: list[str]) -> None:
    """A wait that may grow is none; the same wait always, or none, is one."""
    run = body.replace("run()", "websocket.create_connection(URL)").replace("\n", "\n    ")
    source = (
        "import time, websocket\nclass Feed:\n  def __init__(self):\n    self.pause = 3\n    self.other = 1\n"
        f"    self.other = 2\n  def go(self):\n    delay = 1\n    while self.alive:\n        try:\n    {run}"
    )
    entry = next(e for e in catalogue("source") if e.rule.code == "PK911")
    said = [f.message for f in entry.check(Inputs(NOW_MS, source=read(source, "bot.py")))]
    assert [any(word in message for message in said) for word in found] == [True] * len(said)
    assert len(said) == len(found)


def test_loops_without_an_end_in_sight() -> None:
    """A loop with a test that counts, and a connection outside of a loop, are none; two in one loop are one."""
    head = "import websockets\nasync def run():\n"
    tail = "        try:\n            await websockets.connect(U)\n        except OSError:\n            pass\n"
    assert findings(f"{head}    while n < 3:\n{tail}") == []
    assert findings(f"{head}    if n:\n{tail}") == []
    twice = tail.replace("        except", "            await websockets.connect(U)\n        except")
    assert findings(f"{head}    while True:\n{twice}") == ["PK911 3 certain"]


@pytest.mark.parametrize(
    ("decorator", "found"),
    [
        ("t.retry(stop=t.stop_after_attempt(5), wait=t.wait_random(1, 2))", []),
        ("t.retry(stop=t.stop_after_attempt(9), wait=pause)", ["tries 9 times"]),
        ("t.retry(stop=t.stop_after_delay(9))", ["does not wait"]),
        ("t.retry(stop=t.stop_after_attempt(n), wait=t.wait_fixed(1))", ["waits without a random part"]),
        ("t.retry(**shape)", []),
        ("backoff.on_exception(backoff.expo, OSError)", ["never stops"]),
        ("backoff.on_exception(backoff.expo, OSError, max_time=9, jitter=None)", ["waits without a random part"]),
        ("backoff.on_predicate(backoff.expo, max_tries=5)", []),
        ("cached", []),
    ],
)
def test_shape_of_a_data_retry(decorator: str, found: list[str]) -> None:
    """Each fault of a retry is named; what cannot be seen is none."""
    source = (
        f"import tenacity as t\nimport backoff\n@{decorator}\ndef price():\n    x()\n    return ex.fetch_ticker('a')\n"
    )
    entry = next(e for e in catalogue("source") if e.rule.code == "PK912")
    said = [f.message for f in entry.check(Inputs(NOW_MS, source=read(source, "bot.py")))]
    assert said == [f"this retry of `ex.fetch_ticker` {fault}" for fault in found]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("aiohttp.TCPConnector(ssl=False)", 1),
        ("session.get(url, ssl=False)", 1),
        ("aiohttp.TCPConnector(verify_ssl=False)", 1),
        ("context.check_hostname = False", 1),
        ("context = ssl._create_unverified_context()", 1),
        ("verify = False", 0),
        ("verify_ssl = False", 0),
        ("form.verify = False", 0),
        ("check(verify=False)", 0),
        ("socket.ssl = False", 0),
        ("requests.get(url, verify=True)", 0),
    ],
)
def test_what_switches_the_certificate_off(line: str, found: int) -> None:
    """Only what goes to a connection is one."""
    assert len(only(f"import ssl\n{line}\n", "PK913")) == found


def test_a_seed_without_traces_is_none() -> None:
    """Without OpenTelemetry, of another generator, or without a value, a seed is none."""
    assert findings("import random\nrandom.seed(1)\n") == []
    assert findings("import random, policykit\nrng.seed(1)\nrandom.seed()\n") == []


def test_partly_protected_and_other_libraries_say_what_to_do() -> None:
    """The next step fits the library, and says what to give to lint where another file may protect the client."""
    entry = next(e for e in catalogue("source") if e.rule.code == "PK901")
    source = (
        "import krakenex\nk = krakenex.API()\nk.query_private('AddOrder')\nk.query_private(x)\nk.query_private()\n"
        f"import ccxt\ndef f(ex):\n    {ORDER}    {ORDER}    {ORDER}"
    )
    steps = [(f.next_step, f.label) for f in entry.check(Inputs(NOW_MS, source=read(source, "bot.py")))]
    assert steps == [
        ("put `@enforce` on the function that calls krakenex, or trade through a protected ccxt client",
         "not protected, not inside @enforce"),
        ("give the client to `guard.protect(...)`; if another file does, give that one to lint too",
         "not protected, not inside @enforce; nor are 2 calls more on it"),
    ]  # fmt: skip
    partly = f"{RAW}if live:\n    guard.protect(ex)\n{ORDER}{ORDER}"
    labels = [f.label for f in entry.check(Inputs(NOW_MS, source=read(partly, "bot.py")))]
    assert labels == ["not always protected, not inside @enforce; nor is 1 call more on it"]


def notebook(*cells: object, **metadata: object) -> str:
    """Return a notebook of code cells, one line of a cell a line of the file."""
    data = [c if isinstance(c, dict) else {"cell_type": "code", "source": c} for c in cells]
    return json.dumps({"cells": data, "metadata": metadata, "nbformat": 4}, indent=1)


def test_finding_of_a_notebook_points_into_the_file() -> None:
    """The place is the line and column of the `.ipynb` file, the message names the cell; magics are passed over."""
    text = notebook(
        {"cell_type": "markdown", "source": ["# ccxt\n"]},
        [
            "%matplotlib inline\n",
            "import ccxt\n",
            "x = !ls\n",
            "!pip install ccxt\n",
            "ex?\n",
            "k = 'é'; ex = ccxt.okx()",
        ],
        ["%%bash\n", "ls (\n"],
        f"%%time\n{SMILE} ; ex.verbose = True\n",
        {"cell_type": "code"},
        {"cell_type": "code", "source": 5},
        "cell",
    )
    code = read(text, "bot.ipynb")
    found = [code.in_cell(f) for e in catalogue("source") for f in e.check(Inputs(NOW_MS, source=code))]
    assert [written(f) for f in found] == [
        "open certain bot.ipynb:29:23 cell 4: `ex.create_order` sends an order that no policy decides",
        "open certain bot.ipynb:29:125 cell 4: `verbose` is on: every signed request is printed",
    ]
    line = text.split("\n")[28]
    shown = [line[f.primary.column - 1 : f.primary.end_column - 1] for f in found]
    assert shown == [json.dumps(SMILE)[1:-1], "True"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", [f"{UNREAD.format('1:1 ')}this is not the JSON of a notebook"]),
        ("[]", [f"{UNREAD.format('1:1 ')}this is not a notebook of format 4: it has no list `cells`"]),
        (notebook(["def (:\n"], ["x = 1\n"]), [f"{UNREAD.format('6:6 cell 1: ')}it does not parse as Python 3"]),
        (notebook(["x <- 1\n"], kernelspec={"language": "R"}), []),
        (notebook(["x = 1\n"], language_info={"name": "python"}), []),
        (notebook(), []),
    ],
)  # fmt: skip
def test_notebooks_that_are_not_read(text: str, found: list[str]) -> None:
    """Broken JSON is said of the file, a broken cell of the cell; another language is passed over."""
    entry = next(e for e in catalogue("source") if e.rule.code == "PK900")
    code = read(text, "bot.ipynb")
    assert [written(code.in_cell(f)) for f in entry.check(Inputs(NOW_MS, source=code))] == found


def test_limits_by_kind() -> None:
    """A notebook may be longer than a source: most of it is what its cells printed."""
    assert (limit("bot.py"), limit("bot.ipynb")) == (MAX_SOURCE_BYTES, MAX_NOTEBOOK_BYTES)


def test_orders_handed_on_without_a_client() -> None:
    """A method that is handed on is one by its name alone; what it is given by stars may be anything."""
    assert findings("run(x.create_market_order)\nrun(x.create_order)\n") == ["PK901 1 likely"]
    assert findings("import ccxt\nx.create_order(*order)\nx.create_order(**order)\n") == ["PK901 2 likely"]


def test_helpers_in_a_circle_and_deep() -> None:
    """A helper that calls itself, classes by name, and chains that are too long end; a long file has no helpers."""
    loop = "while True:\n    try:\n        {}()\n        break\n    except OSError:\n        pass\n"
    circle = f"{RAW}def a():\n    a()\n    B()\n    b()\nclass B:\n    pass\ndef b():\n    c()\ndef c():\n    {ORDER}"
    assert only(circle + loop.format("a"), "PK905") == ["PK905 13 certain"]
    deep = "".join(f"def f{n}():\n    f{n + 1}()\n" for n in range(4)) + f"def f4():\n    {ORDER}"
    assert only(RAW + deep + loop.format("f0"), "PK905") == []
    assert only(RAW + deep + loop.format("f1"), "PK905") == ["PK905 13 certain"]


def test_shapes_without_a_name() -> None:
    """Assignments to what has no name, bare returns and yields, and same parts of a client twice are passed over."""
    source = (
        "f()[0] = 1\ng()().x = 2\nx: int\n(a, b) = 1, 2\n(a, *b) = c\nfor f().y in z:\n    pass\n"
        "with p, q as r:\n    pass\n"
        "def h():\n    yield\n    return\n{**a, 1: 2}\nh()(1)\nfrom . import y\nprotect()\nguard.protect(f())\n"
    )
    assert findings(source) == []
    assert findings("import os\nos.getenv(name, 'EXAMPLEexample0123456789EXAMPLEexample')\n") == []


def test_span_that_ends_with_the_line_of_a_cell() -> None:
    """The end of a line without a break is a column too."""
    code = read(notebook(["exchange.verbose = 1"], ["import ccxt"], ["x = ccxt.okx(verbose=True)"]), "bot.ipynb")
    found = [f.primary for e in catalogue("source") for f in e.check(Inputs(NOW_MS, source=code))]
    assert [(p.line, p.column, p.end_column) for p in found] == [(18, 27, 31)]
    code = read(notebook(["import ccxt\n", "ccxt.okx().create_orders([])"]), "bot.ipynb")
    found = [f.primary for e in catalogue("source") for f in e.check(Inputs(NOW_MS, source=code))]
    assert [(p.line, p.column, p.end_column) for p in found] == [(7, 6, 34)]
