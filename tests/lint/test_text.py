"""The text report: annotated source, evidence, next steps; safe for any terminal and any content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policykit.finding import Finding
from policykit.lint.report import Style, write
from policykit.lint.report.quote import mask, quoted, width
from policykit.lint.run import Report
from policykit.place import Place
from tests.lint.conftest import NOW, NOW_MS, Said

Run = Callable[..., Said]

DEMO = """\
critical[PK101 withdraw-scope]: key `mm-exec` can withdraw; the policy allows read and trade.spot
  --> mm.yaml:11:13
   |
 8 |   mm-exec:
   |   ------- key declared here
11 |     scopes: [read, trade.spot]
   |             ^^^^^^^^^^^^^^^^^^ this is all it may do
   |
   ::: binance, GET /sapi/v1/account/apiRestrictions, 1.0 s ago
   |     enableWithdrawals: true
   |                        ---- observed
   |
   = why:  a leaked key that withdraws empties the account (G04); cannot be waived
   = fix:  Binance > Profile > API Management > Edit restrictions > untick "Enable Withdrawals"
   = help: policykit explain PK101

unknown[PK214 allowlist-drift]: which addresses `mm-exec` accepts could not be read: binance does not tell
  --> mm.yaml:13:19
   = next: compare Binance > Profile > API Management > Edit restrictions by eye, then record it under `declared:`

medium[PK603 order-cap] [*]: one order may be 10% of equity; the guide's range is 1-2%
  --> mm.yaml:21:23
   |
21 |   max_order_notional: 10% of equity
   |                       ^^^^^^^^^^^^^ "2% of equity" or less
   |
   = why:  one bad order is the most common accident; at 1-2% of the account it is survivable (G33)
   = help: policykit explain PK603
help: lower the cap
   - max_order_notional: 10% of equity
   + max_order_notional: 2% of equity

1 policy, 1 key, 1 exchange: 1 critical, 1 medium, 1 unknown; [*] 1 can be fixed with --fix
"""


def test_report_is_the_annotated_source(run: Run, policy: Path, snapshot: Callable[..., Path]) -> None:
    """The whole report of a live lint, to the letter: spans on policy and evidence, next steps, counts."""

    def change(data: dict[str, Any]) -> None:
        key = data["keys"][0]
        key["permissions"]["withdraw"] = "granted"
        key["raw"]["enableWithdrawals"] = True
        key["ip_allowlist"]["addresses"] = None
        key["unknown"]["ip_allowlist.addresses"] = "binance does not tell"

    policy.write_text(policy.read_text().replace("1.5% of equity", "10% of equity"))
    asked = ("--select", "PK101,PK214,PK603", "--now", NOW)
    assert run("lint", policy, "--state", snapshot(change), *asked).out == DEMO


def _report(place: Place, **more: Any) -> Report:
    finding = Finding("PK999", "a-name", "low", "a message", place, why="a reason", next_step="a step", **more)
    return Report(NOW_MS, [finding], policies=1, live=True)


def test_wide_and_combining_characters_keep_spans_in_place(tmp_path: Path) -> None:
    """Carets stand under the span when wide and combining characters stand before it."""
    file = tmp_path / "p.yaml"
    file.write_text("why: 東京e\u0301, address: 10.0.0.7\n")
    line = file.read_text()
    column = line.index("10.0.0.7") + 1
    drawn = quoted(Place(str(file), 1, column, 1, column + 8), 100)
    assert drawn == (line.rstrip(), width(line[: column - 1]), 8)
    assert drawn[1] == column - 1 + 2 - 1


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_no_quoted_line_is_wider_than_the_terminal(tmp_path: Path, columns: int) -> None:
    """A long line is cut around its span, which stays visible; wide characters count twice."""
    file = tmp_path / "p.yaml"
    file.write_text("a: " + "東" * 200 + " HERE " + "x" * 500 + "\n")
    drawn = quoted(Place(str(file), 1, 205, 1, 209), columns)
    assert drawn is not None
    line, start, length = drawn
    assert width(line) <= columns
    assert (line[len(line) - len(line.lstrip("\u2026東 ")) :][:4], length) == ("HERE", 4)
    assert width(line.split("HERE")[0]) == start


def test_control_and_bidi_characters_are_made_visible(tmp_path: Path) -> None:
    """Escape codes and bidi overrides, in a line or in a message, never reach the terminal."""
    file = tmp_path / "p.yaml"
    file.write_text("name: \x1b[31mred\u202e\tend\n")
    report = _report(Place(str(file), 1, 7, 1, 12), label="\x1b[2Jlabel")
    report.findings = [replace(report.findings[0], message="a \x1b]0;title\x07 message")]
    for name in ("text", "concise"):
        assert not set(write(name, report, Style())) & {"\x1b", "\x07", "\u202e", "\t"}


def test_colour_only_when_asked(policy: Path) -> None:
    """Without colour there is no escape code; with it the text is the same otherwise."""
    report = _report(Place(str(policy), 2, 7, 2, 9))
    plain, coloured = write("text", report, Style()), write("text", report, Style(colour=True))
    assert "\x1b" not in plain
    for code in ("1;31", "31", "33", "36", "35", "34", "2", "0"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == plain


def test_time_is_said_only_for_the_machine_s_clock(policy: Path) -> None:
    """How long it took is left out when --now is given, so that the same input gives the same bytes."""
    report = Report(NOW_MS, [], policies=2, keys=1, exchanges=2, sources=1, live=True)
    assert (
        write("text", report, Style(seconds=0.94)) == "2 policies, 1 key, 2 exchanges, 1 source in 0.9 s: no findings\n"
    )
    assert write("text", report, Style()) == "2 policies, 1 key, 2 exchanges, 1 source: no findings\n"


SECRET = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC2dF"


@pytest.mark.parametrize(
    "line",
    [
        f"secret: {SECRET}",
        f'exchange = ccxt.binance({{"apiKey": "{SECRET}"}})',
        f"exchange.secret = '{SECRET}'",
        f"owner: {SECRET}",
        f"store: valkey://:{SECRET}@host:6379/0",
        f"store: valkey://user:short1@host  # {SECRET}",
        'password: "hunter2"',
        "api_key: abc123",
    ],
)
def test_quoted_lines_hold_no_secret(line: str) -> None:
    """Whatever looks like a credential is starred out, character by character, so that spans stay in place."""
    masked = mask(line)
    assert len(masked) == len(line)
    for secret in (SECRET, "short1", "hunter2", "abc123"):
        assert not any(secret[i : i + 6] in masked for i in range(len(secret) - 5))


@pytest.mark.parametrize(
    "line",
    [
        "secret: vault://kv/trading/mm-exec        # a reference, never the secret",
        "  secret: env://MM_EXECUTION_KEY_2",
        "api_key = os.environ['MM_API_KEY']",
        "name: binance-market-maker-frankfurt-1",
        '  max_position_notional: {default: 10% of equity, "BTC/USDT": 20% of equity}',
        "expires: 2026-12-01, at: keys.mm-exec, address: 203.0.113.7",
        "exchange.create_order_with_take_profit_and_stop_loss(symbol)",
        "fetchOpenOrdersAndPositions2(exchange)",
    ],
)
def test_ordinary_lines_are_shown_as_they_are(line: str) -> None:
    """References, names, dates, addresses and code are no secrets."""
    assert mask(line) == line


def test_secret_in_source_is_reported_and_never_shown(run: Run, policy: Path) -> None:
    """A hard-coded secret is found, and no format shows any eight characters of it."""
    Path("bot.py").write_text(f'import ccxt\nx = ccxt.binance({{"secret": "{SECRET}", "apiKey": "{SECRET[::-1]}"}})\n')
    for name in ("text", "concise", "json"):
        said = run("lint", "bot.py", "--format", name, "--now", NOW)
        assert "PK903" in said.out
        shown = said.out + said.err
        assert not any(SECRET[i : i + 8] in shown or SECRET[::-1][i : i + 8] in shown for i in range(25))


def test_one_reason_in_several_places_is_said_once(policy: Path) -> None:
    """Unknowns alike are one block with their places, at most five; open findings are each drawn."""
    places = [Place(str(policy), line, 1, line, 2) for line in range(1, 8)]
    report = _report(places[0])
    unknown = replace(report.findings[0], status="unknown", next_step="give it")
    report.findings = [replace(unknown, primary=place) for place in places]
    assert write("text", report, Style()) == (
        "unknown[PK999 a-name]: a message\n"
        + "".join(f"  --> mm.yaml:{line}:1\n" for line in range(1, 6))
        + "  ... and 2 more places\n   = next: give it\n\n1 policy, 0 keys, 0 exchanges: no findings, 7 unknown\n"
    )
    report.findings = [replace(finding, status="open") for finding in report.findings]
    assert write("text", report, Style()).count("low[PK999 a-name]: a message\n") == 7


def test_long_steps_are_wrapped_below_their_beginning(policy: Path) -> None:
    """What is to be done takes as many lines as it needs, none wider than the terminal; no name is broken."""
    report = _report(Place(str(policy), 2, 7, 2, 9))
    report.findings = [
        replace(report.findings[0], next_step="take out " + "risk.max_gross_exposure, " * 3 + "and look")
    ]
    lines = write("text", report, Style(columns=60)).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("   = fix:"))
    assert lines[start : start + 3] == [
        "   = fix:  take out risk.max_gross_exposure,",
        "           risk.max_gross_exposure, risk.max_gross_exposure,",
        "           and look",
    ]


def test_more_findings_than_anybody_reads_are_counted(policy: Path) -> None:
    """After 500 findings the text says how many are left, and where they are listed."""
    report = _report(Place(str(policy), 2, 7, 2, 9))
    report.findings = [replace(report.findings[0], message=f"message {n}") for n in range(503)]
    said = write("text", report, Style())
    assert "\n... and 3 more findings; --format concise lists them all\n" in said
    assert said.count("low[PK999 a-name]") == 500
