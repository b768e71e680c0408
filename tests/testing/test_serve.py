"""`policykit sim`."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.errors import PolicyError
from policykit.sim import Fault, dialects
from policykit.testing import SimServer
from policykit.testing.serve import read_faults, serve
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
    assert lines[0].startswith("policykit sim: binance spot at http://127.0.0.1:")
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
    serve(SimServer(), Duration(60_000), said.append)
    assert said[-1] == "0 weight in the worst minute, 0 connections cut"
