"""`policykit init`: what it writes, what lint then asks for, and that it overwrites nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from policykit import Denied, Guard
from policykit.engine.compile import compile_policy
from policykit.exchanges.about import ids
from policykit.lint.report import formats
from policykit.operate.init import CI_FILES
from policykit.policy import load
from policykit.testing import Sim
from policykit.traits import load as load_traits
from tests.operate.conftest import Run


def failing(run: Run, file: str) -> list[str]:
    """Return the rules of what lint finds open over low; low ones, at most two, are what a live policy lacks."""
    said = run("lint", file, "--format", "json")
    found = [f for f in json.loads(said.out)["findings"] if f["status"] == "open"]
    assert {f["rule"] for f in found if f["severity"] == "low"} <= {"PK114", "PK609", "PK716", "PK717"}
    return [f["rule"] for f in found if f["severity"] != "low"]


def test_what_it_says(run: Run) -> None:
    """It names what it wrote and ends with what to type next."""
    said = run("init", "--exchange", "okx", "--ci", "none")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "wrote policies/okx.yaml\n"
        "wrote policies/okx.test.yaml\n"
        "\n"
        "next:\n"
        "  policykit lint policies/okx.yaml\n"
        "  policykit test policies/okx.yaml\n"
        "  policykit show policies/okx.yaml\n"
        "no guard of this version trades on okx (only on binance, binanceusdm, bybit): lint reads all the same\n"
    )
    assert run("init", "--exchange", "binance", "--ci", "none").out.endswith(
        "  policykit show policies/binance.yaml\n"
        "and where the bot runs:\n"
        "  export BINANCE_API_KEY=...\n"
        "  export BINANCE_API_SECRET=...\n"
        "  export POLICYKIT_POLICY=policies/binance.yaml\n"
    )


def test_without_a_sandbox_it_starts_on_paper(run: Run) -> None:
    """Where ccxt knows no sandbox, the first stage is paper: the exchange itself, a key that reads, no order."""
    run("init", "--exchange", "kraken", "--ci", "none")
    model = load("policies/kraken.yaml").model
    assert model.stage is not None
    assert (model.environment, model.stage.current) == ("live", "paper")
    assert (model.keys or {})["kraken-bot"].scopes == ("read",)


@pytest.mark.parametrize("exchange", ["binance", "binanceusdm", "bybit", "okx", "kraken", "blofin"])
def test_lint_asks_only_for_the_address(run: Run, exchange: str) -> None:
    """A starter policy has one finding that fails: the address, which nobody can guess."""
    assert run("init", "--exchange", exchange).code == 0
    assert failing(run, f"policies/{exchange}.yaml") == ["PK201"]


def test_filling_in_the_address_is_enough(run: Run) -> None:
    """With the marks before the allowlist taken away and an address filled in, lint ends with 0."""
    run("init", "--exchange", "binance")
    file = Path("policies/binance.yaml")
    text = file.read_text().replace(
        "    # ip_allowlist:\n    #   - {address: ADDRESS", "    ip_allowlist:\n      - {address: 45.33.32.156"
    )
    file.write_text(text)
    assert run("lint", file).code == 0


def test_any_exchange_of_ccxt_can_be_started(run: Run, tier: Callable[[int, int], int]) -> None:
    """A starter for any ccxt id loads, and lint asks for the address alone."""
    for exchange in ids()[:: max(1, 104 // tier(13, 104))]:
        assert run("init", "--exchange", exchange, "--ci", "none").code == 0
        assert (exchange, failing(run, f"policies/{exchange}.yaml")) == (exchange, ["PK201"])


def test_a_starter_sets_no_limit_that_nothing_holds(run: Run) -> None:
    """Everything that it limits is enforced by this version: a bot that starts with it can trade."""
    run("init", "--exchange", "binance")
    effective = load("policies/binance.yaml")
    engine = compile_policy(effective, load_traits("binance"))
    assert "policy.unheld" not in {check.id for check in engine.checks}


def test_contracts_of_an_exchange_with_spot_get_the_smaller_budget(run: Run) -> None:
    """Binance's USD-M allows 2,400 weight a minute, spot 6,000: the linter calls the larger one too much."""
    run("init", "--exchange", "binance", "--symbol", "BTC/USDT:USDT", "--name", "usdm")
    text = Path("policies/usdm.yaml").read_text()
    assert "{limit: 2400, per: 1m," in text
    assert "PK401" not in run("lint", "policies/usdm.yaml")[1]


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        ("binance", "  max_leverage: 1                                         # G01: spot"),
        ("okx", None),
        (
            "binanceusdm",
            "  # max_leverage: 2  # check: what is set at the exchange; more, or unknown, denies increases (G01)",
        ),
    ],
)
def test_leverage_is_bounded_only_where_that_denies_nothing(run: Run, exchange: str, said: str | None) -> None:
    """Over a bound, and where leverage cannot be read, every increase is denied: a starter leaves it to a person."""
    run("init", "--exchange", exchange)
    lines = Path(f"policies/{exchange}.yaml").read_text().splitlines()
    assert [line for line in lines if "max_leverage" in line] == [said][: said is not None]


def test_a_bot_trades_under_a_starter(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A guard with the starter policy lets a small order out and denies one over the cap."""
    run("init", "--exchange", "binance")
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path / 'store.db'}")
    with Sim() as sim:
        monkeypatch.setenv("BINANCE_API_KEY", sim.key)
        monkeypatch.setenv("BINANCE_API_SECRET", sim.secret)
        with Guard.load("policies/binance.yaml", endpoint=sim.url) as guard:
            exchange = guard.protect(sim.client())
            assert exchange.create_order("BTC/USDT", "limit", "buy", 0.01, 59_000)["id"] == "1"
            with pytest.raises(Denied, match="max_order_notional"):
                exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 59_000)


def test_it_overwrites_nothing(run: Run) -> None:
    """What is in the way is listed, nothing is written, and the exit code is 2."""
    Path("policies").mkdir()
    Path("policies/binance.yaml").write_text("mine")
    said = run("init", "--exchange", "binance")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "policykit: there already, so nothing was written:\n"
        "  policies/binance.yaml\n"
        "move it away, or give --name, --ci none or another DIR\n"
        "try: policykit init --help\n"
    )
    assert Path("policies/binance.yaml").read_text() == "mine"
    assert not Path(".github").exists()


def test_a_link_to_nowhere_is_in_the_way_too(run: Run) -> None:
    """A dangling link is not followed and written through."""
    Path("policies").mkdir()
    Path("policies/binance.yaml").symlink_to("elsewhere")
    assert run("init", "--exchange", "binance").code == 2
    assert not Path("policies/elsewhere").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--exchange", "binace"], "'binace' is no exchange of ccxt; did you mean binance?"),
        (["--exchange", "Kraken"], "'Kraken' is no exchange of ccxt; did you mean kraken?"),
        (
            ["--exchange", "zzzz"],
            "'zzzz' is no exchange of ccxt; an id of ccxt is needed, such as binance, bybit, kraken",
        ),
        ([], "no exchange; --exchange ID is needed, such as --exchange binance"),
        (["--from", "hummingbot:x"], "--from 'hummingbot:x'; freqtrade:FILE is needed (freqtrade:config.json)"),
        (
            ["--from", "freqtrade:c.json", "--from-history", "t.csv"],
            "--from and --from-history are both given; one of them is needed",
        ),
        (["--exchange", "binance", "--name", "a b"], '--name \'a b\'; letters, digits, ".", "_" and "-" are needed'),
        (["--exchange", "binance", "--owner", "a: b"], "--owner 'a: b'; a plain name or role is needed"),
        (
            ["--exchange", "binance", "--symbol", "BTC"],
            "--symbol 'BTC'; ccxt's name is needed (BTC/USDT, BTC/USDT:USDT)",
        ),
    ],
)
def test_wrong_calls(run: Run, arguments: list[str], message: str) -> None:
    """A wrong call says what is wrong and what may be, writes nothing, and ends with 2."""
    said = run("init", *arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[0] == f"policykit: {message}"
    assert list(Path().iterdir()) == []


def test_a_folder_that_cannot_be_written(run: Run) -> None:
    """A file where a folder should be is named."""
    Path("policies").write_text("")
    said = run("init", "--exchange", "binance")
    assert said.code == 2
    assert said.err.startswith("policykit: policies: cannot be written (")


def test_names_symbols_and_owner_are_taken(run: Run) -> None:
    """What is given is in the file, unmarked; another folder is made."""
    said = run(
        "init", "new", "--exchange", "bybit", "--name", "perp-1", "--owner", "desk-a", "--symbol", "ETH/USDT:USDT"
    )
    assert said.code == 0
    model = load("new/policies/perp-1.yaml").model
    assert (model.name, model.owner, model.account.currency) == ("perp-1", "desk-a", "USDT")
    assert model.risk is not None
    assert model.risk.symbols == ("ETH/USDT:USDT",)
    assert (model.keys or {})["perp-1-bot"].scopes == ("read", "trade.derivatives")
    assert "# Read from PERP_1_API_KEY and PERP_1_API_SECRET." in Path("new/policies/perp-1.yaml").read_text()


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_ci_file(run: Run, ci: str) -> None:
    """The CI file stands where its host looks for it, and calls the command with a format that there is."""
    run("init", "--exchange", "binance", "--ci", ci)
    text = Path(CI_FILES[ci][0]).read_text()
    assert f"policykit lint policies --format {ci}" in text
    assert ci in formats()


def test_beside_a_gitlab_file_it_writes_gitlab_s(run: Run) -> None:
    """A project with a .gitlab-ci.yml gets a file to include; the other is left alone."""
    Path(".gitlab-ci.yml").write_text("stages: [test]\n")
    said = run("init", "--exchange", "binance")
    assert said.out.startswith(
        "wrote policies/binance.yaml\nwrote policies/binance.test.yaml\nwrote .gitlab/policykit.yml\n"
        "note: add to .gitlab-ci.yml:  include: {local: .gitlab/policykit.yml}\n"
    )
    assert not Path(".github").exists()


@pytest.mark.parametrize("first", ["", "polcykit: 1\n"])
def test_a_policy_that_lost_its_first_key_is_not_passed_over(run: Run, first: str) -> None:
    """Without its key `policykit`, or with a misspelt one, a policy is refused, in its folder and by name."""
    run("init", "--exchange", "binance", "--ci", "none")
    file = Path("policies/binance.yaml")
    file.write_text(file.read_text().replace("policykit: 1\n", first))
    for path in ("policies", file):
        said = run("lint", path, "--format", "json")
        assert said.code == 2
        assert "PK012" in [f["rule"] for f in json.loads(said.out)["findings"]]


def test_other_yaml_is_no_policy(run: Run) -> None:
    """Two sections that a policy has too do not make one of another program's file."""
    Path("values.yaml").write_text("retry: 3\nstage: build\nimage: x\n")
    assert run("lint", ".").code == 4
