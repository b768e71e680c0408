"""`policykit init --from-history FILE`: caps from own trades, each with its figure."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit import Denied, Guard
from policykit.exchanges import trade_csv as trades
from policykit.exchanges.trade_csv import Trade, read
from policykit.operate.init.history import from_rows, observed, percentile, round_up
from policykit.policy import load
from policykit.store.base import Row
from policykit.testing import Sim
from tests.operate.conftest import Run, Said

CCXT = "timestamp,symbol,side,amount,price,cost,order\n"
NO_COLUMN = (
    "trades.csv:1: no column for time, symbol, side, quantity, price or cost among {}; a header such as "
    "timestamp,symbol,side,amount,price,cost is needed"
)
#: 2026-11-01 00:00 UTC.
T0 = 1_793_491_200_000


def init(run: Run, text: str, *more: str) -> Said:
    """Write a history and start from it."""
    Path("trades.csv").write_text(text)
    return run("init", "--exchange", "binance", "--from-history", "trades.csv", "--ci", "none", *more)


def line(key: str, file: str = "policies/binance.yaml") -> str:
    """Return the line of the starter that says `key`, spaces squeezed."""
    (found,) = [row for row in Path(file).read_text().splitlines() if row.strip().startswith(f"{key}:")]
    return " ".join(found.split())


def notes(said: Said) -> list[str]:
    """Return the notes that were printed."""
    return [row.removeprefix("note: ") for row in said.out.splitlines() if row.startswith("note: ")]


def test_caps_and_where_they_come_from(run: Run) -> None:
    """Of 100 orders, one a second, the 99th percentile, the busiest minute and the position are told."""
    rows = [f"{T0 + i * 1000},BTC/USDT,buy,0.01,{10_000 + i * 100},,o{i}" for i in range(100)]
    said = init(run, CCXT + "\n".join(rows))
    assert notes(said) == []
    assert line("max_order_notional") == (
        "max_order_notional: [2% of equity, 250 USDT] "
        "# check: G33, and 1.25 x 198.00, the 99th percentile of 100 orders"
    )
    assert line("max_position_notional") == (
        "max_position_notional: [20% of equity, 25000 USDT] "
        "# check: G35, and 1.25 x 19,900.00, the largest position, BTC/USDT"
    )
    assert line("max_orders") == (
        "max_orders: {limit: 90, per: 1m} # check: 1.5 x 60, the most orders in a minute; over the baseline's 60 (G34)"
    )
    assert line("symbols") == 'symbols: ["BTC/USDT"] # check: all that was traded, 100 orders'
    assert line("current") == (
        "current: full-live # check: it traded from 2026-11-01 to 2026-11-01; a lower one caps it further (G41)"
    )
    assert load("policies/binance.yaml").model.environment == "live"


def test_an_outlier_is_named(run: Run) -> None:
    """An order over the proposed cap is told: it would have been denied."""
    rows = [f"{T0 + i * 60_000},BTC/USDT,{'buy' if i % 2 else 'sell'},1,100,," for i in range(200)]
    init(run, f"{CCXT}{chr(10).join(rows)}\n{T0},BTC/USDT,buy,50,100,,")
    assert line("max_order_notional").endswith("99th percentile of 201 orders (the largest, 5,000.00, would be denied)")


def test_fills_of_one_order_are_one_order(run: Run) -> None:
    """Three fills with one order's id are one order of their sum."""
    said = init(run, CCXT + "".join(f"{T0 + i},BTC/USDT,buy,1,100,100,same\n" for i in range(3)))
    assert line("max_order_notional").endswith("1.25 x 300.00, the 99th percentile of 1 order")
    assert line("max_orders").startswith("max_orders: {limit: 2, per: 1m}")
    assert notes(said) == ["only 1 order: the proposed caps rest on little; look at each"]


def test_binance_s_own_export(run: Run) -> None:
    """Binance's columns: units glued to numbers, Amount in the quote, symbols in one word."""
    text = (
        "\ufeffDate(UTC),Pair,Side,Price,Executed,Amount,Fee\n"
        "2026-11-01 10:00:00,DOGEEUR,BUY,0.31031,500DOGE,155.155EUR,0.5DOGE\n"
        '2026-11-01 10:00:05,DOGEEUR,SELL,0.32,"1,000DOGE",320EUR,0.5DOGE\n'
        "2026-11-01 10:00:09,ETHBTC,BUY,0.04,1.5ETH,0.06BTC,0\n"
    )
    said = init(run, text)
    assert notes(said) == [
        "1 order in another currency than EUR is in no figure",
        "only 2 orders: the proposed caps rest on little; look at each",
    ]
    assert line("symbols") == 'symbols: ["DOGE/EUR"] # check: all that was traded, 2 orders'
    assert line("currency") == "currency: EUR # what most orders were settled in"
    assert line("max_order_notional").startswith("max_order_notional: [2% of equity, 400 EUR]")


def test_kraken_s_own_export(tmp_path: Path) -> None:
    """Kraken's columns: side under `type`, quantity under `vol`, the order under `ordertxid`."""
    file = tmp_path / "trades.csv"
    file.write_text(
        '"txid","ordertxid","pair","time","type","ordertype","price","cost","fee","vol","margin","misc","ledgers"\n'
        '"T1","O1","ETH/USD","2026-11-01 10:00:00.1234","sell","limit","3000","1500","1","0.5","0","",""\n'
    )
    assert read(file).trades == (Trade(1_793_527_200_123, "ETH/USD", "sell", Decimal("0.5"), Decimal(1500), "O1"),)


@pytest.mark.parametrize(
    ("given", "symbol"),
    [("BTC-USDT", "BTC/USDT"), ("btc_usdt", "BTC/USDT"), ("BTC/USDT:USDT", "BTC/USDT:USDT"), ("SOLFDUSD", "SOL/FDUSD")],
)
def test_symbols_are_ccxt_s(tmp_path: Path, given: str, symbol: str) -> None:
    """Every way that exchanges write a pair is ccxt's name of it."""
    file = tmp_path / "t.csv"
    file.write_text(f"time;symbol;side;qty;price\n1793491200;{given};Long;1;2\n")
    assert read(file).trades == (Trade(T0, symbol, "buy", Decimal(1), Decimal(2), ""),)


def test_rows_that_cannot_be_read_are_named(run: Run) -> None:
    """Up to three rows are named with what is wrong, the rest are counted."""
    bad = ["x,BTC/USDT,buy,1,1,,", f"{T0},XYZ,buy,1,1,,", f"{T0},BTC/USDT,hold,1,1,,", f"{T0},BTC/USDT,buy,,1,,", "1"]
    said = init(run, CCXT + "\n".join([f"{T0},BTC/USDT,buy,1,100,,", "", *bad]))
    assert notes(said) == [
        'trades.csv:4 left out: time is "x"; an ISO time or milliseconds are needed',
        'trades.csv:5 left out: symbol is "XYZ"; base and quote are not told apart',
        'trades.csv:6 left out: side is "hold"; buy or sell is needed',
        "5 rows were left out",
        "only 1 order: the proposed caps rest on little; look at each",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a,b\n1,2\n",
            NO_COLUMN.format("a, b"),
        ),
        (
            "",
            NO_COLUMN.format("nothing"),
        ),
        (CCXT, "trades.csv: no trade in it; only a header"),
        (
            f"{CCXT}{T0},BTC/USDT,buy,one,1,,\n",
            'trades.csv: no trade in it; trades.csv:2 left out: quantity is "one"; a number is needed',
        ),
        (f'{CCXT}{T0},"BTC\0', 'trades.csv: no trade in it; trades.csv:2 left out: quantity is ""; a number is needed'),
    ],
)
def test_files_that_are_no_history(run: Run, text: str, message: str) -> None:
    """What is wrong with the file is said, and nothing is written."""
    said = init(run, text)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[0] == f"policykit: {message}"


def test_files_that_cannot_be_read(run: Run) -> None:
    """A missing file and a binary one are named."""
    said = run("init", "--exchange", "binance", "--from-history", "none.csv")
    assert said.err.splitlines()[0] == (
        "policykit: none.csv: cannot be read (No such file or directory); a CSV of trades or a journal is needed"
    )
    Path("x.csv").write_bytes(b"\xff\xfe\x00")
    said = run("init", "--exchange", "binance", "--from-history", "x.csv")
    assert said.err.splitlines()[0] == ("policykit: x.csv: not a CSV in UTF-8; a CSV of trades or a journal is needed")


def test_long_files_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the most rows that are read, the rest is left, and that is said."""
    monkeypatch.setattr(trades, "MAX_ROWS", 3)
    file = tmp_path / "t.csv"
    file.write_text(CCXT + f"{T0},BTC/USDT,buy,1,1,,\n" * 5)
    found = read(file)
    assert (len(found.trades), found.problems) == (2, ("only the first 3 rows were read",))


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("2026-01-05T10:00:00Z;BTC/USDT;buy;0,025;60000", 'quantity is "0,025"; a number with a decimal point'),
        ("2026-01-05T10:00:00Z;BTC/USDT;buy;1;60,000", 'price is "60,000"; a number with a decimal point is needed'),
        ('2026-01-05T10:00:00Z,BTC/USDT,buy,"0,025",60000', 'quantity is "0,025"; a number is needed'),
        ('2026-01-05T10:00:00Z,BTC/USDT,buy,"12,5",60000', 'quantity is "12,5"; a number is needed'),
        ("1767607200000000,BTC/USDT,buy,1,60000", 'time is "1767607200000000"; an ISO time or milliseconds are needed'),
        ("0001-01-01T00:00:00Z,BTC/USDT,buy,1,60000", 'time is "0001-01-01T00:00:00Z"; an ISO time'),
    ],
    ids=["semicolons", "semicolons-thousands", "a-decimal-comma", "no-thousands", "microseconds", "year-1"],
)
def test_what_may_be_another_number_is_left_out(row: str, why: str, tmp_path: Path) -> None:
    """A decimal comma is no separator of thousands: 0,025 is not 25, and microseconds are no year 57,983."""
    head = "time,symbol,side,quantity,price\n"
    file = tmp_path / "trades.csv"
    file.write_text((head.replace(",", ";") if ";" in row else head) + row + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no trade in it") as raised:
        read(file)
    assert why in str(raised.value)


def test_most_traded_symbols_are_kept(run: Run) -> None:
    """Of many symbols the thirty that were traded most are named."""
    init(run, CCXT + "".join(f"{T0 + i},C{i}/USDT,buy,1,1,,\n" for i in range(40)))
    assert line("symbols").endswith("# check: the 30 that were traded most, of 40")


def test_a_percentile_and_rounding() -> None:
    """The percentile is a value of the list; rounding goes up, to two digits."""
    assert percentile([Decimal(i) for i in range(1, 101)], Decimal("0.99")) == 99
    assert percentile([Decimal(7)], Decimal("0.99")) == 7
    assert [round_up(Decimal(v)) for v in ("1187.5", "1200", "0.0123", "0")] == [1200, 1200, Decimal("0.013"), 1]


def test_what_was_observed() -> None:
    """The smallest equity and each symbol's largest position at its mark; what has no mark or two legs is left out."""
    rows: list[dict[str, Any]] = [
        {"equity": "1000", "positions": {"BTC": "0.5"}, "marks": {"BTC/USDT": "100", "ETH/USDT": "10"}},
        {"equity": "900", "positions": {"BTC": "0.2", "ETH": "-7"}, "marks": {"BTC/USDT": "110", "ETH/USDT": "10"}},
        {"positions": {"SOL/USDT:USDT": {"long": "1", "short": "2"}}, "marks": {"SOL/USDT:USDT": "5"}},
        {},
    ]
    assert observed(rows) == (Decimal(900), ((Decimal(70), "ETH/USDT"), (Decimal(50), "BTC/USDT")))


def row(account: str, outcome: str = "allow") -> Row:
    """Return a decision on one BTC as the journal has it."""
    order = {"symbol": "BTC/USDT", "side": "buy", "type": "limit", "quantity": "1", "price": "100"}
    decision = {"outcome": outcome, "action": "order.create", "order": order}
    return Row(1, T0, "decision", {"decision": decision, "notional": "100", "intent": {"account": account}}, "")


def test_a_journal_of_two_accounts() -> None:
    """The account with the most admitted orders is taken, and the others are named."""
    rows = [row("binance/a"), row("binance/b"), row("binance/b"), *[row("binance/a", "deny")] * 3]
    past = from_rows(Path("s.db"), rows)
    assert (past.exchange, past.account, len(past.orders)) == ("binance", "b", 2)
    assert past.notes == ("only binance/b is looked at; the journal has binance/a too",)


def test_a_journal_without_orders() -> None:
    """A journal in which no order was admitted proposes nothing."""
    with pytest.raises(
        ValueError, match=r"^s\.db: the journal has no admitted order; there is nothing to propose caps"
    ):
        from_rows(Path("s.db"), [row("binance/a", "deny")])


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the journal of a bot that had one order admitted, of 590 USDT, and one denied."""
    file = tmp_path / "store.db"
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{file}")
    example = Path(__file__).parents[2] / "examples" / "quickstart" / "policy.yaml"
    with Sim() as sim:
        monkeypatch.setenv("BOT_API_KEY", sim.key)
        monkeypatch.setenv("BOT_API_SECRET", sim.secret)
        with Guard.load(example, endpoint=sim.url) as guard:
            exchange = guard.protect(sim.client())
            exchange.create_order("BTC/USDT", "limit", "buy", 0.05, 59_000)
            with pytest.raises(Denied):
                exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 59_000)
    return file


def test_a_journal(run: Run, journal: Path) -> None:
    """A journal gives exchange, account and equity too; what is over the guide's share is told, and the guide holds."""
    said = run("init", "--from-history", journal, "--ci", "none")
    assert said.code == 0
    assert line("max_order_notional") == (
        "max_order_notional: [2% of equity, 3700 USDT] # check: G33, and 1.25 x 2,950.00, the 99th percentile of "
        "1 order; that is 3.0% of equity, over the guide's, which holds"
    )
    assert notes(said)[-1] == "only 1 order: the proposed caps rest on little; look at each"
    model = load("policies/binance.yaml").model
    assert (model.exchange, model.account.name, model.account.currency) == ("binance", "main", "USDT")


def test_a_journal_of_another_exchange(run: Run, journal: Path) -> None:
    """An exchange that is not the journal's is refused."""
    said = run("init", "--exchange", "kraken", "--from-history", journal)
    assert said.code == 2
    assert said.err.splitlines()[0] == (
        f"policykit: {journal}: the journal is of binance, not kraken; leave --exchange out"
    )
