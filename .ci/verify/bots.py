"""Prove `policykit run` on stock freqtrade (spot, USD-M) and `@enforce` on python-binance, on a simulated exchange.

Both come from PyPI into .make/bots, pinned and checked by hash (requirements/bots.txt); not a line of them is changed.
Each proof has its control: what the same bots do without policykit.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple, Self

from policykit.sim.contracts import ContractOrder
from policykit.sim.limits import LimitSizes
from policykit.sim.server import Setup
from policykit.store import open_store
from policykit.testing import Sim

TOP = Path(__file__).resolve().parent.parent.parent
VENV = TOP / ".make" / "bots"
REQUIREMENTS = TOP / "requirements" / "bots.txt"
FREQTRADE = TOP / "examples" / "freqtrade"
#: How long a proof waits for a bot to do what it must, seconds.
SECONDS = 150
#: The fleet, and how long it trades in each of both runs, seconds; longer where it takes longer to begin.
INSTANCES, FLEET_SECONDS = 6, 75
#: A market so calm that a limit order at the best price of the other side fills at once.
CALM = 0.0005
#: A fall that is through the strategy's stop (2.5 % at a leverage of 2) and not yet through the stop's limit (3.5 %).
FALL = Decimal("0.97")


def install() -> bool:
    """Make .make/bots from the pinned, hash-checked requirements and this tree; nothing to do when it stands."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + (TOP / "pyproject.toml").read_bytes()).hexdigest()
    stamp = VENV / "policykit.stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return True
    venv.create(VENV, clear=True, with_pip=True)
    pip = (str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q")
    for arguments in (
        ("--require-hashes", "-r", str(REQUIREMENTS)),
        ("--no-deps", "--no-build-isolation", "-e", str(TOP)),
    ):
        if subprocess.run((*pip, *arguments), capture_output=True, check=False).returncode != 0:
            print("bots: pip did not end well; is an index reachable?", file=sys.stderr)
            return False
    stamp.write_text(wanted)
    return True


class Market(NamedTuple):
    """What is traded: the end of the names of its files in examples/freqtrade, and what the exchange is set up with."""

    name: str
    files: str
    setup: Setup
    #: The calls that come before an entry, each at least once.
    settings: tuple[str, ...] = ()
    #: Its stop at the exchange.
    stop: str = "STOP_LOSS_LIMIT"
    #: The window and the allowance of one address, which six bare instances use up.
    limit: str = "weight_1m"
    allowance: int = 900


SPOT = Market("spot", "", {})
CONTRACTS: Setup = {"grants": ("read", "trade.derivatives"), "margin": {"USDT": 150_000}, "balances": {}}
USDM = Market(
    "USD-M",
    "-usdm",
    CONTRACTS,
    ("POST /fapi/v1/leverage", "POST /fapi/v1/marginType"),
    "STOP",
    "futures_1m",
    1_200,
)


class Bots:
    """Stock freqtrades on one simulated exchange, with policykit or without; ended at the end."""

    def __init__(
        self, sim: Sim, folder: Path, market: Market, *, protected: bool, change: Callable[[str], str] = str
    ) -> None:
        self.sim, self.folder, self.market, self.protected = sim, folder, market, protected
        self.store = f"sqlite:///{folder}/store.db"
        self.started: list[subprocess.Popen[bytes]] = []
        shutil.copytree(FREQTRADE, folder / "bot", dirs_exist_ok=True)
        self.policy = policy = folder / "bot" / f"policy{market.files}.yaml"
        policy.write_text(change(policy.read_text(encoding="utf-8")), encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.started:
            process.terminate()
        for process in self.started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, **changes: object) -> Path:
        """Start one instance in a folder of its own; return the file of its log."""
        home = self.folder / name
        home.mkdir()
        config = json.loads((self.folder / "bot" / f"config{self.market.files}.json").read_text(encoding="utf-8"))
        config["exchange"] |= {"key": self.sim.key, "secret": self.sim.secret}
        config["internals"]["process_throttle_secs"] = 1
        config |= {"db_url": f"sqlite:///{home}/trades.sqlite", **changes}
        if not self.protected:  # what `--endpoint` does, in stock freqtrade's own words
            urls = {"urls": {"api": self._urls()}}
            config["exchange"] |= {"ccxt_config": urls, "ccxt_async_config": urls}
        (home / "config.json").write_text(json.dumps(config), encoding="utf-8")
        freqtrade = (str(VENV / "bin" / "freqtrade"), "trade", "--userdir", str(home), "-c", "config.json")
        command = (*freqtrade, "--strategy-path", str(self.folder / "bot" / "strategies"))
        if self.protected:
            run = (
                str(VENV / "bin" / "policykit"),
                "run",
                "--policy",
                str(self.policy),
                "--endpoint",
                self.sim.url,
                "--",
            )
            command = (*run, *command)
        keys = {"FREQTRADE_BOT_API_KEY": self.sim.key, "FREQTRADE_BOT_API_SECRET": self.sim.secret}
        env = {**os.environ, **keys, "POLICYKIT_STORE": self.store, "POLICYKIT_BOT": name}
        log = home / "log"
        with log.open("wb") as out:
            self.started.append(subprocess.Popen(command, cwd=home, env=env, stdout=out, stderr=subprocess.STDOUT))
        return log

    def _urls(self) -> dict[str, str]:
        client = self.sim.client()
        return {name: url for name, url in client.urls["api"].items() if isinstance(url, str)}

    def decisions(self) -> Counter[tuple[str, str, str]]:
        """Count what was decided: action, type of order, outcome."""
        rows = [row.body["decision"] for row in open_store(self.store).rows(0, 100_000) if row.kind == "decision"]
        return Counter((row["action"], row["order"].get("type") or "", row["outcome"]) for row in rows)


def until(what: Callable[[], bool], seconds: float = SECONDS) -> bool:
    """Look once a second; return whether it came true in time."""
    end = monotonic() + seconds
    while monotonic() < end:
        if what():
            return True
        sleep(1)
    return what()


def say(what: str, right: bool, detail: object = "") -> bool:
    """Print one line of the proof."""
    print(f"bots: {what}: {'yes' if right else 'NO'}{f' ({detail})' if detail else ''}", flush=True)
    return right


def traded(sim: Sim) -> Counter[tuple[str, str, str]]:
    """Count the exchange's orders: side, type, state; not those that a stop placed when it triggered."""
    spot = Counter((o.new.side, o.new.type, o.status) for o in list(sim.venue.orders.values()))
    return spot + Counter((o.side, o.type, o.status) for o in sent(sim))


def sent(sim: Sim) -> list[ContractOrder]:
    """Return the orders on contracts that a bot sent."""
    known = list(sim.linear.book.known.values())
    children = [order.child for order in known]
    return [order for order in known if order not in children]


def ids(sim: Sim) -> list[str]:
    """Return the client order id of every order that a bot sent."""
    return [order.new.client_order_id for order in list(sim.venue.orders.values())] + [o.client_id for o in sent(sim)]


def went_round(sim: Sim, stop: str) -> bool:
    """Tell whether a bot entered twice, took a stop back, and left."""
    seen = traded(sim)
    entered, left = seen["BUY", "LIMIT", "FILLED"] >= 2, seen["SELL", "MARKET", "FILLED"] >= 1
    return entered and left and seen["SELL", stop, "CANCELED"] >= 1


def one(folder: Path, market: Market) -> bool:
    """An entry, its stop at the exchange, an exit that takes the stop back, and the next entry; then a halt."""
    with Sim(seed=3, amplitude=CALM, **market.setup) as sim, Bots(sim, folder, market, protected=True) as bots:
        log = bots.start("one")
        done = until(lambda: went_round(sim, market.stop))
        right = say(f"freqtrade on {market.name} enters, keeps a stop, and exits", done, dict(traded(sim)))
        if not done:
            print(log.read_text(errors="replace")[-4_000:])
        ours = bool(ids(sim)) and all(name.startswith("pk") for name in ids(sim))
        right &= say("every order that arrived was decided", ours)
        for call in market.settings:
            times = sim.truth.by_route[call]
            right &= say(f"{call} came before the entries", times > 0, f"{times} times")
        if market.settings:
            settled = sum(n for key, n in bots.decisions().items() if key[0] == "account.configure")
            right &= say("each setting was a decision", settled >= sum(sim.truth.by_route[c] for c in market.settings))
            right &= stopped_out(sim, market)
        right &= say("and nothing was denied", not any(key[2] == "deny" for key in bots.decisions()))
        return right & halted(sim, bots, log)


def stopped_out(sim: Sim, market: Market) -> bool:
    """Let the price fall through a stop: the exchange itself sells, and the bot takes that in and enters again."""

    def waits() -> bool:
        return any(o.type == market.stop and o.is_open for o in sent(sim))

    ready = until(waits)
    sim.pin("BTC/USDT", sim.linear.mark(sim.linear.book.named("BTC/USDT:USDT"), sim.clock.now_ms()) * FALL)
    fell = until(lambda: any(o.child is not None and o.child.status == "FILLED" for o in sent(sim)), 30)
    sim.pin("BTC/USDT", None)
    before = traded(sim)["BUY", "LIMIT", "FILLED"]
    again = until(lambda: traded(sim)["BUY", "LIMIT", "FILLED"] > before)
    right = say("a stop at the exchange sells by itself", ready and fell)
    return right & say("the bot takes that in and enters again", again)


def too_much_leverage(folder: Path) -> bool:
    """Under a policy that allows less leverage than the bot asks for, nothing is entered."""

    def stricter(policy: str) -> str:
        return policy.replace("max_leverage: 2", "max_leverage: 1")

    with Sim(seed=3, amplitude=CALM, **USDM.setup) as sim:
        with Bots(sim, folder, USDM, protected=True, change=stricter) as bots:
            bots.start("eager")
            right = say("leverage over the policy's is denied", until(lambda: "RISK_LEVERAGE" in codes(bots)))
        return right & say("and nothing was entered", not sent(sim), dict(traded(sim)))


def halted(sim: Sim, bots: Bots, log: Path) -> bool:
    """Halt, end the bot, and start it again elsewhere on the same store: no entry leaves, exits do."""
    halt = (str(VENV / "bin" / "policykit"), "kill", "--scope", "all", "--by", "verify", "--why", "drill")
    keys = {"FREQTRADE_BOT_API_KEY": sim.key, "FREQTRADE_BOT_API_SECRET": sim.secret}
    env = {**os.environ, **keys, "POLICYKIT_STORE": bots.store}
    subprocess.run(halt, env=env, capture_output=True, check=False)
    before = sum(n for key, n in traded(sim).items() if key[0] == "BUY")
    for name in ("again", "elsewhere"):
        bots.__exit__()
        bots.started.clear()
        log = bots.start(name)
        if not say(f"a halt is kept in a container made anew: {name}", until(lambda: "TRADING_HALTED" in codes(bots))):
            print(log.read_text(errors="replace")[-2_000:])
            return False
    after = sum(n for key, n in traded(sim).items() if key[0] == "BUY")
    return say("no entry left after the halt", after == before, f"{before} before, {after} after")


def codes(bots: Bots) -> set[str]:
    """Return the codes of every denial."""
    rows = [row.body["decision"] for row in open_store(bots.store).rows(0, 100_000) if row.kind == "decision"]
    return {reason["code"] for row in rows if row["outcome"] == "deny" for reason in row["reasons"]}


def fleet(folder: Path, market: Market, enough: Callable[[Sim], bool], *, protected: bool) -> Sim:
    """Let six instances trade behind one address, until it is enough; return the exchange, stopped."""

    def smaller(policy: str) -> str:
        return re.sub(r"(request-weight: {limit: )\d+", rf"\g<1>{market.allowance}", policy)

    sizes = LimitSizes(**{market.limit: market.allowance})
    with Sim(seed=3, amplitude=CALM, limits=sizes, **market.setup) as sim:
        with Bots(sim, folder, market, protected=protected, change=smaller) as bots:
            for number in range(INSTANCES):
                bots.start(f"bot{number}")
            sleep(FLEET_SECONDS)
            until(lambda: enough(sim))
            if protected:
                print(f"bots: of what the six asked: {dict(bots.decisions())}, {sorted(codes(bots))}")
        return sim


def six(folder: Path, market: Market) -> bool:
    """Six instances on one address: a 418 without policykit, with it none, and exits still leave."""

    def left(sim: Sim) -> bool:
        return traded(sim)["SELL", "MARKET", "FILLED"] > 0

    bare = fleet(folder / "bare", market, lambda sim: sim.truth.bans > 0, protected=False).truth
    what = f"six bare instances on {market.name} are banned"
    right = say(what, bare.bans > 0, f"{bare.throttled} x 429, {bare.bans} bans")
    sim = fleet(folder / "guarded", market, left, protected=True)
    truth = sim.truth
    detail = f"{truth.throttled} x 429, {truth.bans} bans, allowance {market.allowance} a minute"
    right &= say("six instances behind policykit are not", truth.bans == 0, detail)
    return right & say("and they enter and leave", left(sim), dict(traded(sim)))


def python_binance(folder: Path) -> bool:
    """The example around `@enforce`: a small order leaves, a large one does not."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import python_binance_bot as bot\n"
        "from binance.client import Client\n"
        "from policykit import Guard\n"
        "client = Client(sys.argv[3], sys.argv[4], ping=False)\n"
        "client.API_URL = sys.argv[2] + '/api'\n"
        "with Guard.load(bot.POLICY, endpoint=sys.argv[2]) as guard:\n"
        "    orders = [('BTC/USDT', 'buy', '0.01', 59000), ('BTC/USDT', 'buy', '1', 59000)]\n"
        "    print(bot.trade(client, guard, orders))\n"
    )
    with Sim(seed=3) as sim:
        env = {**os.environ, "BOT_API_KEY": sim.key, "BOT_API_SECRET": sim.secret}
        env["POLICYKIT_STORE"] = f"sqlite:///{folder}/store.db"
        python = str(VENV / "bin" / "python")
        command = (python, "-c", program, str(TOP / "examples"), sim.url, sim.key, sim.secret)
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
        said = done.stdout.strip().splitlines()[-1:]
        right = said == ["['open', 'RISK_ORDER_NOTIONAL']"] and [o.quantity for o in sim.truth.executed] != []
        return say("python-binance behind @enforce", right, "" if right else (done.stdout + done.stderr)[-2_000:])


def main() -> int:
    """Run every proof, or those whose names are given, also after one that failed."""
    proofs: dict[str, Callable[[Path], bool]] = {
        "python-binance": python_binance,
        "spot": lambda folder: one(folder, SPOT),
        "usdm": lambda folder: one(folder, USDM),
        "usdm-leverage": too_much_leverage,
        "spot-six": lambda folder: six(folder, SPOT),
        "usdm-six": lambda folder: six(folder, USDM),
    }
    asked = sys.argv[1:] or list(proofs)
    if unknown := sorted(set(asked) - set(proofs)):
        print(f"bots: {unknown[0]} is no proof; may be {', '.join(proofs)}", file=sys.stderr)
        return 2
    if not install():
        return 1
    right = True
    with ExitStack() as stack:
        for name in asked:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="policykit-bots-")))
            right &= proofs[name](folder)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
