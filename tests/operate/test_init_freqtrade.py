"""`policykit init --from freqtrade:FILE`: what is taken over, what is said, and that no key is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policykit.operate.init.freqtrade import MAX_BYTES
from policykit.policy import load
from tests.operate.conftest import Run, Said

SECRET = "9fKq2LmX7ZpW4RtY8VbN3HcJ6SdG1AeU"
FILE = "policies/freqtrade.yaml"
UNLIMITED = (
    "note: stake_amount is unlimited: freqtrade would put {} of the balance into one order, and the cap is 2% (G33); "
    "set stake_amount to 2% of your balance or less, else every entry is denied"
)


def config(**changed: Any) -> dict[str, Any]:
    """Return settings as `freqtrade new-config` writes them, with changes; `exchange` is merged."""
    exchange = {
        "name": "binance",
        "key": "",
        "secret": "",
        "ccxt_config": {},
        "ccxt_async_config": {},
        "pair_whitelist": [],
        "pair_blacklist": ["BNB/.*"],
    }
    return {
        "max_open_trades": 3,
        "stake_currency": "USDT",
        "stake_amount": "unlimited",
        "dry_run": True,
        "trading_mode": "spot",
        "margin_mode": "",
        "bot_name": "freqtrade",
        **changed,
        "exchange": exchange | changed.get("exchange", {}),
    }


def init(run: Run, settings: dict[str, Any] | str, *more: str) -> Said:
    """Write settings and start from them."""
    Path("config.json").write_text(settings if isinstance(settings, str) else json.dumps(settings))
    return run("init", "--from", "freqtrade:config.json", "--ci", "none", *more)


def line(key: str) -> str:
    """Return the line of the starter that says `key`, spaces squeezed."""
    (found,) = [row for row in Path(FILE).read_text().splitlines() if row.strip().startswith(f"{key}:")]
    return " ".join(found.split())


def test_a_stock_dry_run(run: Run) -> None:
    """A fresh config is at stage paper with a key that only reads; the pair list and the stake are spoken of."""
    said = init(run, config())
    assert said.code == 0
    assert [row for row in said.out.splitlines() if row.startswith("note: ")] == [
        "note: no pairs are named in the config: the policy allows whatever is quoted in the stake currency",
        UNLIMITED.format("33.3%"),
    ]
    model = load(FILE).model
    assert model.stage is not None
    assert (model.environment, model.stage.current) == ("live", "paper")
    key = (model.keys or {})["freqtrade-bot"]
    assert (key.purpose, key.scopes) == ("market_data", ("read",))
    assert line("symbols") == (
        'symbols: ["*/USDT", "!BNB/*"] # check: the pair list picks by itself: name those you would accept (G01)'
    )
    assert line("max_open_orders") == (
        "max_open_orders: 6 # max_open_trades 3, an entry or exit and a stop for each (G34)"
    )
    assert Path(FILE).read_text().splitlines()[0] == (
        "# A starter policy for binance, made by `policykit init` on 2026-11-21, from freqtrade's config.json."
    )


def test_lint_of_a_stock_config_and_its_policy_is_no_wall(run: Run) -> None:
    """Of a fresh dry run's policy lint asks for the address alone."""
    init(run, config())
    said = run("lint", FILE, "--format", "json")
    opened = [f["rule"] for f in json.loads(said.out)["findings"] if f["status"] == "open" and f["severity"] != "low"]
    assert opened == ["PK201"]


def test_live_futures_with_a_stake(run: Run) -> None:
    """Live futures: caps from stake and trades, Binance's allowance for futures, and no re-send without a fence."""
    init(
        run,
        config(
            dry_run=False,
            trading_mode="futures",
            margin_mode="cross",
            stake_amount=100,
            max_open_trades=4,
            stoploss=-0.1,
            order_types={"stoploss_on_exchange": True},
            exchange={"pair_whitelist": ["BTC/USDT:USDT", "ETH/USDT:USDT"], "pair_blacklist": []},
        ),
    )
    assert line("symbols") == 'symbols: ["BTC/USDT:USDT", "ETH/USDT:USDT"] # exchange.pair_whitelist'
    assert line("scopes") == "scopes: [read, trade.derivatives] # never withdraw, never transfer (G04, G05)"
    assert line("max_order_notional") == (
        "max_order_notional: [2% of equity, 110 USDT] # stake_amount 100 and a tenth for the price; and G33: 1-2%"
    )
    assert line("daily_loss") == (
        "daily_loss: {limit: 3% of equity, on_breach: reduce_only} "
        "# G36: 3-5%; a stop of 10% on an order of 2% costs 0.2% of equity"
    )
    assert line("order_types") == "order_types: [limit, market, stop_market] # check: stoploss_on_exchange is true"
    assert line("position_mode") == "position_mode: one_way # check: hedge, if the account is set so"
    model = load(FILE).model
    assert model.stage is not None
    assert model.retry is not None
    assert model.retry.orders is not None
    assert model.stage.current == "micro-live"
    assert model.retry.orders.when_absent == "hold"
    assert (model.rate_budgets or {})["request-weight"].limit == 2_400


def test_warnings(run: Run) -> None:
    """Cross margin, ccxt's own retries, unbounded trades and patterns that cannot be said are spoken of."""
    said = init(
        run,
        config(
            dry_run=False,
            trading_mode="futures",
            margin_mode="cross",
            max_open_trades=-1,
            exchange={
                "ccxt_config": {"options": {"maxRetriesOnFailure": 3}},
                "pair_whitelist": ["BTC/USDT:USDT", "(ETH|SOL)/USDT:USDT", ".*"],
            },
        ),
    )
    assert [row for row in said.out.splitlines() if row.startswith("note: ")] == [
        "note: pair patterns that no glob can say were left out: (ETH|SOL)/USDT:USDT, .*",
        UNLIMITED.format("any part"),
        "note: max_open_trades has no bound: max_open_orders is a guess",
        "note: ccxt_config sets maxRetriesOnFailure: ccxt would send an order again without looking (G32); take it out",
        "note: margin_mode is cross: one position's loss can take the whole account; isolated keeps it to one",
    ]


@pytest.mark.parametrize("field", ["key", "secret", "password", "uid", "privateKey", "walletAddress"])
def test_no_key_is_copied(run: Run, field: str) -> None:
    """A key in the config is named by its field; its value is in no file and in no output."""
    said = init(run, config(exchange={field: SECRET}))
    assert f"note: config.json holds exchange.{field}: nothing of it was copied. Move it out: " in said.out
    assert "FREQTRADE_API_KEY and FREQTRADE_API_SECRET" in said.out
    assert SECRET not in said.out + said.err + Path(FILE).read_text()


def test_a_broken_config_does_not_show_its_key(run: Run) -> None:
    """A config that cannot be read is refused by its place, and nothing of it is quoted."""
    said = init(run, '{"exchange": {"secret": "' + SECRET + '" "name": "binance"}}')
    assert said.code == 2
    assert said.err.splitlines()[0] == (
        "policykit: config.json:1:60: not JSON (Expecting ',' delimiter); freqtrade's config.json is needed"
    )


def test_comments_and_trailing_commas(run: Run) -> None:
    """JSON as freqtrade takes it: comments of both kinds, commas at the end, and texts that look like comments."""
    text = """{
    // one bot
    "bot_name": "grid // one", /* the
    first */
    "exchange": {"name": "Kraken", "pair_whitelist": ["BTC/USD",], "note": "a, ] /* b */",},
    "stake_currency": "USD",
    "stake_amount": 50.5,
}"""
    assert init(run, text).out.startswith("wrote policies/grid-one.yaml\n")
    model = load("policies/grid-one.yaml").model
    assert (model.exchange, model.account.currency) == ("kraken", "USD")
    assert model.risk is not None
    assert model.risk.symbols == ("BTC/USD",)
    assert [str(bound) for bound in model.risk.max_order_notional or ()] == ["2% of equity", "55.55 USD"]


def test_names_that_ccxt_has_otherwise(run: Run) -> None:
    """The gateio of freqtrade is ccxt's gate; an exchange given on the command line is the one."""
    init(run, config(exchange={"name": "gateio"}))
    assert load(FILE).model.exchange == "gate"
    init(run, config(exchange={"name": "gateio"}), "--exchange", "bybit", "--name", "b")
    assert load("policies/b.yaml").model.exchange == "bybit"


@pytest.mark.parametrize(
    "odd",
    [
        {"stake_amount": True, "max_open_trades": "many", "stoploss": 5, "stake_currency": 7},
        {"stake_amount": "NaN", "max_open_trades": None, "bot_name": "", "trading_mode": []},
        {"stake_amount": -1, "order_types": [], "exchange": {"pair_whitelist": "BTC", "pair_blacklist": [3]}},
    ],
)
def test_odd_values_are_left_out(run: Run, odd: dict[str, Any]) -> None:
    """Values of the wrong kind are not taken over, and the policy loads all the same."""
    assert init(run, config(**odd)).code == 0
    assert load(FILE).name == "freqtrade"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "config.json: there is no `exchange` in it; freqtrade's config.json is needed"),
        ('{"exchange": {}}', "no exchange; --exchange ID is needed, such as --exchange binance"),
        ('{"exchange": {"name": "binanse"}}', "'binanse' is no exchange of ccxt; did you mean binance?"),
        ("[" * 100_000, "config.json: not JSON (too deep); freqtrade's config.json is needed"),
        (" " * (MAX_BYTES + 1), "config.json: over 1000000 bytes; freqtrade's config.json is needed"),
    ],
)
def test_files_that_are_no_config(run: Run, text: str, message: str) -> None:
    """What is wrong with the file is said, and nothing is written."""
    said = init(run, text)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[0] == f"policykit: {message}"
    assert not Path("policies").exists()


def test_files_that_cannot_be_read(run: Run) -> None:
    """A missing file and one that is not UTF-8 are named."""
    said = run("init", "--from", "freqtrade:none.json")
    assert said.err.splitlines()[0] == (
        "policykit: none.json: cannot be read (No such file or directory); freqtrade's config.json is needed"
    )
    Path("b.json").write_bytes(b"\xff\xfe{}")
    said = run("init", "--from", "freqtrade:b.json")
    assert said.err.splitlines()[0] == "policykit: b.json: not UTF-8; freqtrade's config.json is needed"
