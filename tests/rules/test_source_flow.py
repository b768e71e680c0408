"""How names are followed: a client that is protected anywhere in sight is no finding, in one file and over several."""

from __future__ import annotations

import ast

import pytest

from policykit.rules.code import Project, flow, read
from policykit.rules.code.project import MAX_KEPT, MAX_NAMING, MAX_READ
from tests.rules.test_source_recall import findings

CCXT = "import ccxt\n"
OKX = "ccxt.okx()"
BOT = f"{CCXT}class Bot:\n    def __init__(self):\n"
BOT_OF = f"{CCXT}class Bot:\n    def __init__(self, ex):\n"
GUARDED = "guard.protect(ccxt.okx())"
BUY = "create_market_buy_order('BTC/USDT', 1)\n"


def project(files: dict[str, str]) -> Project:
    """Return a project of files that are nowhere but here."""
    return Project(files, read, lambda file, _limit: files[file])


def over(files: dict[str, str], file: str) -> list[str]:
    """Return what is found in one file among others."""
    return findings(files[file], file, project(files))


PROTECTED = {
    "by assignment": f"{CCXT}ex = guard.protect(ccxt.binance())\nex.{BUY}",
    "in place, later in the same function": f"{CCXT}ex = ccxt.binance()\nguard.protect(ex)\nex.{BUY}",
    "given to the name again": f"{CCXT}ex = ccxt.binance()\nex = guard.protect(ex)\nex.{BUY}",
    "in a class": (
        f"{BOT}        self.ex = None\n        self.ex = {GUARDED}\n    def buy(self):\n        self.ex.{BUY}"
    ),
    "by a property": (
        f"{CCXT}class Bot:\n    @property\n    def ex(self):\n        return guard.protect(ccxt.okx())\n"
        f"    def buy(self):\n        self.ex.{BUY}"
    ),
    "by a helper": f"{CCXT}def make():\n    return guard.protect(ccxt.okx())\ndef buy():\n    make().{BUY}",
    "by a helper that takes a client": (
        f"{CCXT}def safe(client):\n    client = guard.protect(client)\n    return client\nex = safe({OKX})\nex.{BUY}"
    ),
    "on both ways": (
        f"{CCXT}if LIVE:\n    ex = guard.protect(ccxt.okx())\nelse:\n    ex = other.protect(ccxt.okx())\nex.{BUY}"
    ),
    "as a parameter": f"{CCXT}def buy(ex):\n    ex.{BUY}\nbuy(guard.protect(ccxt.okx()))\n",
    "as a keyword": f"{CCXT}def buy(*, ex):\n    ex.{BUY}\nbuy(ex=guard.protect(ccxt.okx()))\n",
    "given to a class": (
        f"{BOT_OF}        self.ex = ex\n    def buy(self):\n        self.ex.{BUY}Bot(guard.protect(ccxt.okx()))\n"
    ),
    "given to a base class": (
        f"{CCXT}class Base:\n    def __init__(self, ex):\n        self.ex = guard.protect(ex)\n"
        f"class Bot(Base):\n    def buy(self):\n        self.ex.{BUY}"
    ),
    "on a bot's attribute": (f"{BOT}        self.ex = {GUARDED}\nbot = Bot()\nbot.ex.{BUY}"),
    "several in a dictionary": (
        f"{CCXT}exs = {{'a': guard.protect(ccxt.okx()), 'b': guard.protect(ccxt.kraken())}}\n"
        f"for name, ex in exs.items():\n    ex.{BUY}exs.get('a').{BUY}"
    ),
    "several in a list": f"{CCXT}exs = [guard.protect(make(n)) for n in N]\nfor i, ex in enumerate(exs):\n    ex.{BUY}",
    "in a context": f"{CCXT}with guard.protect(ccxt.okx()) as ex:\n    ex.{BUY}",
    "awaited": f"{CCXT}async def main():\n    ex = await make()\n    ex.{BUY}async def make():\n    return {GUARDED}\n",
    "yielded by a fixture": f"{CCXT}def make():\n    yield guard.protect(ccxt.okx())\nex = next(make())\nex.{BUY}",
    "with a walrus": f"{CCXT}if (ex := guard.protect(ccxt.okx())):\n    ex.{BUY}",
    "unpacked": f"{CCXT}ex, n = guard.protect(ccxt.okx()), 1\nex.{BUY}",
    "or another": f"{CCXT}ex = guard.protect(ccxt.okx()) or guard.protect(ccxt.kraken())\nex.{BUY}",
    "a retried order of a protected client": (
        f"{CCXT}from tenacity import retry\nex = guard.protect(ccxt.okx())\n@retry\ndef buy():\n    ex.{BUY}"
    ),
    "a loop around a protected client": (
        f"{CCXT}ex = guard.protect(ccxt.okx())\nfor attempt in range(3):\n    try:\n        ex.{BUY}        break\n"
        "    except Exception:\n        pass\n"
    ),
    "a helper that only @enforce calls": (
        f"{CCXT}ex = ccxt.okx()\ndef _send(i):\n    ex.create_market_buy_order('BTC/USDT', 1, {{'clientOrderId': i}})\n"
        "@enforce('order.create')\ndef buy(symbol, side, amount):\n    _send(1)\n"
    ),
}


@pytest.mark.parametrize("name", PROTECTED)
def test_protected_client_is_no_finding(name: str) -> None:
    """However a protected client comes to the call, nothing is found."""
    assert findings(PROTECTED[name]) == []


NO_ORDERS = {
    "a strategy of freqtrade": (
        "from freqtrade.strategy import IStrategy\nclass S(IStrategy):\n    def populate_entry_trend(self, df, meta):\n"
        "        df.loc[df['rsi'] < 30, 'enter_long'] = 1\n        return df\n    order_types = {'entry': 'limit'}\n"
    ),
    "a strategy of a framework": "class S(Strategy):\n    def go(self):\n        self.create_order('BTC', 1, 'buy')\n",
    "a wrapper's method": (
        f"{CCXT}class Broker:\n    def create_order(self, symbol, type, side, amount):\n        return 1\n"
        "broker = Broker()\nbroker.create_order('BTC/USDT', 'limit', 'buy', 1)\n"
    ),
    "a super call": f"{CCXT}class M(Base):\n    def create_order(self, *a):\n        super().create_order(*a)\n",
    "a shop": f"{CCXT}shop.create_order(customer=1, basket=[2])\nshop.create_order(1)\n",
    "another function of the library": f"{CCXT}ex = ccxt.okx()\nex.cancel_order('1')\nex.fetch_orders()\n",
    "another library's client": "from binance.client import Client\nc = Client()\nc.place_order('limit', 'buy')\n",
    "a module's function": "import orders\norders.create_order('BTC', 'limit', 'buy', 1)\n",
    "nothing that is called": "print(None.create_order('limit'))\n",
    "a protected client of one library": "guard.protect(x)\nx.place_order('limit')\n",
}


@pytest.mark.parametrize("name", NO_ORDERS)
def test_what_only_looks_like_an_order(name: str) -> None:
    """Strategies of frameworks, wrappers and shops give nothing."""
    assert findings(NO_ORDERS[name]) == []


def test_orders_of_mocks_in_tests_are_none() -> None:
    """In a test file a call on something unknown is none; a client that is made there is one."""
    mocked = f"{CCXT}def test_x(exchange):\n    exchange.{BUY}"
    assert findings(mocked, "tests/x.py") == []
    assert findings(f"{CCXT}ex = ccxt.okx()\nex.{BUY}", "test_x.py") == ["PK901 3 certain", "PK906 3 certain"]


CLIENTS = f"{CCXT}exchange = guard.protect(ccxt.okx())\nraw = ccxt.kraken()\ndef make():\n    return exchange\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"from clients import exchange\nexchange.{BUY}", []),
        (f"from .clients import exchange\nexchange.{BUY}", []),
        (f"from . import clients\nclients.exchange.{BUY}", []),
        (f"import clients as c\nc.make().{BUY}", []),
        (f"from bots.clients import make\nmake().{BUY}", []),
        (f"from clients import raw\nraw.{BUY}", ["PK901 2 certain", "PK906 2 certain"]),
        (f"from clients import *\nexchange.{BUY}", ["PK901 2 likely", "PK906 2 likely"]),
        (f"from clients import nothing\nnothing.{BUY}", ["PK901 2 likely", "PK906 2 likely"]),
        (f"from elsewhere import exchange\nexchange.{BUY}", []),
    ],
)
def test_clients_of_another_file(text: str, found: list[str]) -> None:
    """A name imported from another given file is what it is there."""
    assert over({"bots/clients.py": CLIENTS, "bots/run.py": text}, "bots/run.py") == found


def test_callers_in_another_file() -> None:
    """A parameter is what the callers in the other files give."""
    strategy = (
        f"class Grid:\n    def __init__(self, ex):\n        self.ex = ex\n    def buy(self):\n        self.ex.{BUY}"
    )
    main = f"{CCXT}from bots.grid import Grid\nGrid(guard.protect(ccxt.okx()))\n"
    files = {"bots/grid.py": strategy, "main.py": main, "other.py": "Grid(1)\n", "broken.py": "Grid(:\n"}
    assert over(files, "bots/grid.py") == []
    files["main.py"] = main.replace("guard.protect(ccxt.okx())", "ccxt.okx()")
    assert over(files, "bots/grid.py") == ["PK901 5 certain", "PK906 5 certain"]
    many = {f"m{n}.py": "Grid(1)\n" for n in range(MAX_NAMING + 1)}
    assert over(files | many, "bots/grid.py") == ["PK901 5 likely", "PK906 5 likely"]


def test_bounds_of_a_project() -> None:
    """Files that lead back to themselves, that cannot be read or are too many end in what is not known."""
    circle = {"a.py": "from b import x\n", "b.py": "from a import x\n", "c.py": f"from a import x\nx.{BUY}"}
    assert over(circle, "c.py") == ["PK901 2 likely", "PK906 2 likely"]
    broken = {"a.py": "def (:\n", "b.py": "", "c.py": f"from a import x\nfrom b import y\nx.{BUY}y.{BUY}"}
    assert over(broken, "c.py") == []
    chain = {f"m{n}.py": f"from m{n + 1} import x\n" for n in range(MAX_READ + 2)}
    assert over(chain | {"c.py": f"from m0 import x\nx.{BUY}"}, "c.py") == ["PK901 2 likely", "PK906 2 likely"]
    wide = {f"w{n}.py": "x = 1\n" for n in range(MAX_KEPT + 1)}
    source = "".join(f"from w{n} import x as x{n}\nx{n}.{BUY}" for n in range(MAX_KEPT + 1))
    files = wide | {"c.py": source, "d.py": f"from w0 import x\nx.{BUY}"}
    shared = project(files)
    assert findings(source, "c.py", shared) == []
    for first in range(0, MAX_KEPT, MAX_READ // 2):
        shared.begin()
        some = source.split("\n")[2 * first : 2 * first + MAX_READ]
        assert findings("\n".join(some), "elsewhere.py", shared) == []
    shared.begin()
    assert findings(files["d.py"], "d.py", shared) == []


def test_bounds_of_a_flow() -> None:
    """Names in a circle, deep chains and classes that extend themselves end, as unknown."""
    assert findings(f"{CCXT}a = b\nb = a\na.{BUY}") == []
    deep = "".join(f"x{n} = x{n + 1}\n" for n in range(40))
    assert findings(f"{CCXT}{deep}x40 = ccxt.okx()\nx0.{BUY}") == ["PK901 43 likely", "PK906 43 likely"]
    loop = f"{CCXT}class A(B):\n    pass\nclass B(A):\n    def go(self):\n        self.ex.{BUY}"
    assert findings(loop) == ["PK901 6 likely", "PK906 6 likely"]
    rest = "def f(a):\n    return a\nf().b\nf(1).c\nlambda: 1\n{**{}}\n"
    code = read(rest, "b.py")
    nodes = [n for n in ast.walk(code.module.node) if isinstance(n, ast.expr) and not isinstance(n, ast.Starred)]
    kinds = {a.kind for n in nodes for a in flow.settle(flow.of(n, code.module))}
    assert kinds == {"function", "unknown"}


SURE = "certain"
RARER = {
    "one of two": (f"{CCXT}ex = {OKX} if a else ccxt.kraken()\nex.{BUY}", "certain"),
    "a class that extends one that extends a client": (
        f"{CCXT}class A(ccxt.okx):\n    pass\nclass B(A):\n    pass\nB().{BUY}",
        "certain",
    ),
    "a function in a method": (
        f"{BOT}        self.ex = {OKX}\n    def a(self):\n        def f():\n            self.ex.{BUY}",
        SURE,
    ),
    "an attribute of another base": (f"{CCXT}class A(Base):\n    def go(self):\n        self.ex.{BUY}", "likely"),
    "an attribute of a parameter": (f"{BOT}        self.ex = {OKX}\ndef f(bot):\n    bot.ex.{BUY}f(Bot())\n", SURE),
    "an attribute of a parameter that no one gives": (f"{CCXT}def f(bot):\n    bot.ex.{BUY}", "likely"),
    "a parameter that one caller leaves out": (f"{CCXT}def f(ex=None):\n    ex.{BUY}f()\nf(b=1, ex={OKX})\n", SURE),
    "an annotation in quotes": (f"{CCXT}from ccxt import okx\ndef f(ex: 'okx'):\n    ex.{BUY}", "likely"),
    "an annotation of something else": (f"{CCXT}def f(ex: list):\n    ex.{BUY}", "likely"),
    "out of the settings": (f"{CCXT}ex = settings.get('ex')\nex.{BUY}", "likely"),
    "a static helper": (
        f"{CCXT}class H:\n    @staticmethod\n    def f(ex):\n        ex.{BUY}H.f({OKX})\n",
        "certain",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RARER)
def test_rarer_ways_of_a_client(name: str) -> None:
    """A client that is not protected is found however it comes."""
    source, sure = RARER[name]
    assert [f.split()[2] for f in findings(source) if f.startswith("PK901")] == [sure]


def test_annotation_of_a_class_here() -> None:
    """A parameter that is annotated with a class of the file is one: its methods are looked into where they stand."""
    source = f"{BOT}        self.ex = {GUARDED}\ndef f(bot: Bot):\n    bot.ex.{BUY}"
    assert findings(source) == []


def test_client_with_parts() -> None:
    """What a client of binance-sdk offers under a name is the client."""
    source = (
        "from binance_sdk_spot.spot import Spot\nc = Spot(s)\nc.rest_api.new_order(symbol='B', new_client_order_id=i)\n"
    )
    assert findings(source) == ["PK901 3 certain"]


def test_name_behind_a_name_of_another_file() -> None:
    """A name of a class of another file is followed."""
    files = {"a.py": f"{CCXT}class box:\n    ex = {GUARDED}\n", "b.py": f"from a.box import ex\nex.{BUY}"}
    assert over(files, "b.py") == []


def test_withdrawals_on_something_unknown() -> None:
    """Without a client in sight the name of the receiver, and how much is given, tell."""
    assert findings("ctx.exchange.withdraw('BTC', 1, address)\n") == ["PK909 1 likely"]
    assert findings("ctx.exchange.withdraw(1)\nvault.withdraw('BTC', 1, address)\n") == []
    assert findings("guard.protect(ex)\nex.withdraw_from_bridge(1)\n") == []
