"""`policykit sim`."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.sync.client import connect

from policykit.cli.__main__ import main
from policykit.errors import PolicyError
from policykit.sim import Fault, dialects
from policykit.testing import Sim, SimClock, SimServer
from policykit.testing.serve import read_faults, serve
from policykit.testing.sim_holdings import hold, read_holding
from policykit.testing.sim_keys import KeySpec, read_key
from policykit.units import Duration

FAULTS = """\
- {at: order, do: lost_reply, ratio: 12%, after: 3s}
- {at: order, do: late, when: [3], delay: 500ms, processing: 8}
- {at: order, do: partial, ratio: "0.5", share: 40%}
- {at: lookup, do: unknown, executed: false, limit: 2}
"""


def test_a_file_of_faults_is_read_with_units(tmp_path: Path) -> None:
    """Shares may be percentages, times durations; plain numbers are shares and seconds."""
    file = tmp_path / "faults.yaml"
    file.write_text(FAULTS)
    assert read_faults(str(file)) == (
        Fault("order", "lost_reply", ratio=0.12, after=3.0),
        Fault("order", "late", when=(3,), delay=0.5, processing=8.0),
        Fault("order", "partial", ratio=0.5, share=0.4),
        Fault("lookup", "unknown", executed=False, limit=2),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- {at: order, do: lost_reply, ratio: 300%}\n", "rule 1: fault: ratio is 3.0; a share from 0 to 1 is needed"),
        (
            "- {at: order, do: drop}\n- {at: order}\n",
            "rule 2: fault: do is missing; each rule says at which point it does",
        ),
        ("at: order\n", "a list of faults is needed, each with `at` and `do`"),
        (
            "- {at: order, do: lag, seconds: 1.5.2s}\n",
            'rule 1: a duration ("500ms", "30s", "5m", "24h", "90d") is needed',
        ),
    ],
)
def test_a_wrong_file_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    """File, rule, value and what may be; exit code 2 and no traceback."""
    file = tmp_path / "faults.yaml"
    file.write_text(text)
    assert main(["sim", "--faults", str(file), "--for", "1ms"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0].startswith(f"policykit: {file}: {told}")) == ("", True), err


def test_a_file_that_is_no_yaml_or_not_there_is_told_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The strict reader's findings are shown, exit code 2."""
    file = tmp_path / "faults.yaml"
    file.write_text("- &a {at: order}\n")
    with pytest.raises(PolicyError, match=r"faults.yaml:1:3"):
        read_faults(str(file))
    assert main(["sim", "--faults", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml:1:1: there is no such file" in capsys.readouterr().err


def test_the_command_says_how_to_reach_it_and_stops_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """URL, seed and the run's own key are printed, then what happened; exit code 0."""
    assert main(["sim", "--seed", "7", "--faults", "demo", "--for", "20ms"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("policykit sim: binance spot and USD-M at http://127.0.0.1:")
    assert lines[0].endswith(", seed 7; stop with Ctrl-C")
    assert [line.partition("=")[0] for line in lines[2:4]] == ["export MM_EXEC_API_KEY", "export MM_EXEC_API_SECRET"]
    assert [len(line.partition("=")[2]) for line in lines[2:4]] == [64, 64]
    assert lines[-2:] == [
        "0 orders executed, 0 of them alike, 0 bans,",
        "0 weight in the worst minute, 0 connections cut",
    ]


def test_a_taken_port_and_an_unknown_dialect_are_wrong_calls(capsys: pytest.CaptureFixture[str]) -> None:
    """Each is one line with what to do, exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["sim", "--port", str(port), "--for", "1ms"]) == 2
    assert main(["sim", "--dialect", "nowhere", "--for", "1ms"]) == 2
    assert main(["sim", "--for", "soon"]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("policykit: ")]
    assert told == [
        f"policykit: port {port} cannot be used (Address already in use); give another, or none",
        f"policykit: sim: dialect is 'nowhere'; may be {', '.join(dialects.known())}",
        'policykit: a duration ("500ms", "30s", "5m", "24h", "90d") is needed',
    ]


def test_ctrl_c_ends_it_with_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt stops the exchange, not the report."""
    said: list[str] = []

    def interrupt(seconds: float | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("policykit.testing.serve._wait", interrupt)
    serve([SimServer()], Duration(60_000), said.append)
    assert said[-1] == "0 weight in the worst minute, 0 connections cut"


def test_the_address_of_its_websockets_is_printed_and_what_was_tried_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed address is a stream that can be opened as it stands; afterwards the tries are counted."""
    said: list[str] = []

    def listen(seconds: float | None) -> None:
        (address,) = (line.rpartition(": ")[2] for line in said if line.startswith("# websockets, binance: "))
        with connect(address) as stream:
            said.append(str(stream.recv(timeout=10)))

    monkeypatch.setattr("policykit.testing.serve._wait", listen)
    serve([SimServer(dialect="kraken"), SimServer()], Duration(60_000), said.append)
    assert [line for line in said if '"s":"BTCUSDT"' in line]
    assert said[-1] == "1 websockets tried, 1 in the worst five minutes, 1 opened"
    assert not [line for line in said if line.startswith("# websockets, kraken")]


def test_a_reader_that_went_is_no_fault_of_the_port(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`policykit sim | head` ends without a word about ports."""

    def gone(*_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("policykit.testing.serve.serve", gone)
    with suppress(BrokenPipeError, SystemExit):
        main(["sim", "--for", "1ms"])
    assert "port" not in capsys.readouterr().err


def test_several_exchanges_at_once_with_keys_that_are_bad_in_their_ways(capsys: pytest.CaptureFixture[str]) -> None:
    """Each has its own origin; a key of one dialect is made there, one of none on each; the endpoints are spelt out."""
    assert main([
        "sim", "--dialect", "bybit,binance", "--for", "1ms",
        "--key", "bybit:BAD=read,withdraw,refused=address", "--key", "OLD=read,age=140d,from=203.0.113.7",
    ]) == 0  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" at ")[0] for line in lines[:2]] == [
        "policykit sim: bybit spot",
        "policykit sim: binance spot and USD-M",
    ]
    prefixes = [line.removeprefix("export ").partition("=")[0] for line in lines if line.startswith("export ")]
    assert prefixes == [
        f"{name}_{part}"
        for name in ("BYBIT_MM_EXEC", "BAD", "BYBIT_OLD", "BINANCE_MM_EXEC", "BINANCE_OLD")
        for part in ("API_KEY", "API_SECRET")
    ]
    urls = [line.split(" at ")[1].split(",")[0] for line in lines[:2]]
    then = f"# then: policykit lint --live --endpoint bybit={urls[0]} --endpoint binance={urls[1]} POLICY"
    assert then in lines


def test_a_key_as_a_person_writes_it() -> None:
    """Grants, addresses, ages and how it is refused are words; days are counted from now."""
    assert read_key("okx:A=read,withdraw,from=203.0.113.7,age=140d,expires=36h,used=2d,label=x,refused=ban") == KeySpec(
        "okx",
        "A",
        140.0,
        {
            "grants": ["read", "withdraw"],
            "addresses": ["203.0.113.7"],
            "expires_in_days": 1.5,
            "used_days_ago": 2.0,
            "label": "x",
            "refused": "ban",
        },
    )
    assert read_key("A=age=1d") == KeySpec("", "A", 1.0, {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A", "key 'A' has no form [DIALECT:]PREFIX=WORD,...; MM_EXEC=read,trade.spot may be"),
        ("a=read", "key 'a=read' has no form [DIALECT:]PREFIX=WORD,...; MM_EXEC=read,trade.spot may be"),
        ("A=fly", "key A: 'fly' is no word of a key; may be read, trade.spot, "),
        ("A=refused=never", "key A: 'refused=never' is no word of a key; may be read, trade.spot, "),
        ("A=read,age=10", 'key A: age is "10"; a duration ("500ms", "30s", "5m", "24h", "90d") is needed'),
        ("okx:A=read", "key A: okx is not served; --dialect okx serves it"),
    ],
)
def test_a_wrong_key_is_told(text: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with what may be, exit code 2."""
    assert main(["sim", "--for", "1ms", "--key", text]) == 2
    assert capsys.readouterr().err.startswith(f"policykit: {told}")


def test_an_account_holds_what_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    """Contracts at their entry or the market's price, money to trade them with; stock ccxt reads them."""
    grants = ("read", "trade.derivatives")
    for dialect in ("binance", "binanceusdm"):
        with Sim(clock=SimClock(), dialect=dialect, amplitude=0.0, grants=grants) as sim:
            told = ("USDT=20000", "BTC/USDT:USDT=-0.5@61000", "ETH/USDT:USDT=2", "BTC=0.5", "BTC/USD:BTC=10@50000")
            hold(sim, [read_holding(text) for text in told])
            client = sim.client()
            positions = client.fetch_positions(params={"subType": "linear"})
            held = {one["symbol"]: (one["side"], one["contracts"], one["entryPrice"]) for one in positions}
            assert held == {"BTC/USDT:USDT": ("short", 0.5, 61_000.0), "ETH/USDT:USDT": ("long", 2.0, 3_000.0)}
            assert client.fetch_balance({"type": "swap", "subType": "linear"})["USDT"]["total"] == 20_500
            assert sim.held("BTC/USD:BTC") == 10
    assert main(["sim", "--hold", "USDT=20000", "--hold", "BTC/USDT:USDT=0.1", "--for", "1ms"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--hold", "much"), "hold 'much' has no form; BTC/USDT:USDT=-0.5@61000 or USDT=20000 may be"),
        (("--hold", "USDT=-5"), "hold 'USDT=-5' has no form; BTC/USDT:USDT=-0.5@61000 or USDT=20000 may be"),
        (("--hold", "USDT=1.2.3"), "hold 'USDT=1.2.3' has no form; BTC/USDT:USDT=-0.5@61000 or USDT=20000 may be"),
        (("--hold", "BTC/EUR:EUR=1"), "sim: 'BTC/EUR:EUR' is no contract here; may be BTC/USDT:USDT, ETH/USDT:USDT"),
        (
            ("--dialect", "kraken", "--hold", "BTC/USDT:USDT=1"),
            "hold BTC/USDT:USDT: kraken shows no contracts; binance, binancecoinm, binanceusdm do",
        ),
    ],
)
def test_what_cannot_be_held_is_told(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str) -> None:
    """Exit code 2, one line, and nothing is served."""
    assert main(["sim", *arguments, "--for", "1ms"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0]) == ("", f"policykit: {told}")
