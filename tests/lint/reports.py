"""Reports of every kind of finding, on files that are made for them, for the tests of the formats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from policykit.finding import Edit, Finding, Fix, Observed
from policykit.lint.report import Repository, Style
from policykit.lint.run import Report
from policykit.place import Place
from tests.lint.conftest import NOW_MS

MM = """\
policykit: 1
name: mm
keys:
  mm-exec:
    secret: vault://kv/mm
    scopes: [read, trade.spot, withdraw]
risk:
  max_order_notional: 10% of equity  # 東京
  symbols: ["BTC/USDT"]
"""
OTHER = "policykit: 1\nname: other\nkeys:\n  o-exec:\n    secret: vault://kv/mm\n"
BOT = 'import ccxt\n\nclient = ccxt.binance({"secret": "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC2dF"})\nclient.create_order()\n'
STRANGE = "tök en/東 #1.yaml"
FILES = {"mm.yaml": MM, "other.yaml": OTHER, "bots/bot.py": BOT, STRANGE: "a: \x1b[31m\u202e, b: 2\n"}


def make_files(folder: Path) -> None:
    """Write the files that the reports are about."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def _finding(code: str, name: str, severity: str, message: str, place: Place, **more: object) -> Finding:
    return replace(Finding(code, name, severity, message, place), **more)  # type: ignore[arg-type]


def mixed() -> Report:
    """Every severity, status and confidence; live evidence, other files, source, fixes, odd characters."""
    cap = Place("mm.yaml", 8, 23, 8, 36, "risk.max_order_notional")
    scopes = Place("mm.yaml", 6, 13, 6, 41, "keys.mm-exec.scopes")
    key = Place("mm.yaml", 4, 3, 4, 10, "keys.mm-exec")
    at = "2026-11-21T09:59:59Z"
    seen = Observed("binance", "GET /sapi/v1/account/apiRestrictions", "enableWithdrawals", True, at, 1.0)
    waiver = {"owner": "desk-a", "ticket": "OPS-12", "reason": "agreed, until the drill", "expires": "2026-12-01"}
    withdraw = Place("mm.yaml", 6, 32, 6, 40, "keys.mm-exec.scopes.2")
    section = replace_path(key, "kill_switch.cancel")
    found = [
        _finding(
            "PK101",
            "withdraw-scope",
            "critical",
            "key `mm-exec` can withdraw; the policy allows read",
            scopes,
            confidence="observed",
            guide=("G04",),
            label="this is all it may do",
            why="a leaked key that withdraws empties the account (G04); cannot be waived",
            next_step='Binance > API Management > untick "Enable Withdrawals"',
            context=(("key declared here", key),),
            observed=seen,
            fix=Fix.remove(withdraw, "take it out"),
        ),
        _finding(
            "PK106",
            "shared-key",
            "high",
            "one secret, two purposes: `mm-exec` & <o-exec>",
            Place("mm.yaml", 5, 13, 5, 26, "keys.mm-exec.secret"),
            guide=("G02", "G03"),
            label="here",
            why="two bots cannot be told apart",
            next_step="give each a key of its own",
            context=(("and here", Place("other.yaml", 5, 13, 5, 26, "keys.o-exec.secret")),),
        ),
        _finding(
            "PK603",
            "order-cap",
            "high",
            "one order may be 10% of equity; the guide's range is 1-2%",
            cap,
            guide=("G33",),
            label='"2% of equity" or less',
            why="one bad order is survivable at 1-2% (G33)",
            next_step="lower the cap",
            fix=Fix.replace(cap, "2% of equity", "lower the cap", safe=True),
        ),
        _finding(
            "PK701",
            "kill-switch",
            "medium",
            "no kill switch",
            key,
            status="open",
            guide=("G40",),
            why="nothing stops it",
            fix=Fix.add(section, "entries", "add one", safe=True),
        ),
        _finding(
            "PK903",
            "secret-in-source",
            "medium",
            "a secret stands in the source | ::error::x, 100%",
            Place("bots/bot.py", 3, 34, 3, 68),
            confidence="likely",
            why="it is in git",
            next_step="rotate it, @everyone: see http://runbook",
            fix=Fix((Edit(Place("bots/bot.py", 3, 34, 3, 68), 'os.environ["S"]'),), "read it from the environment"),
        ),
        _finding(
            "PK204",
            "documentation-address",
            "low",
            "odd \x1b[2J\u202e `characters",
            Place(STRANGE, 1, 4, 1, 9, "a"),
            next_step="odd \x1b[2J\u202e `characters",
        ),
        _finding(
            "PK214",
            "allowlist-drift",
            "high",
            "addresses could not be read",
            key,
            status="unknown",
            next_step="compare by eye",
            why="not shown",
        ),
        _finding("PK302", "key-age", "high", "made on 2026-11-01, declared by desk-head", key, status="declared"),
        _finding("PK702", "drill-overdue", "medium", "drill is due", key, status="waived", extra={"waiver": waiver}),
        _finding(
            "PK602", "symbols-open", "critical", "old and known", Place("mm.yaml", 9, 3, 9, 10), status="baseline"
        ),
    ]
    return _report(found, names=tuple(sorted(FILES)), live=True)


def replace_path(place: Place, path: str) -> Place:
    """Return a place with another path, as a rule names what is missing."""
    return place._replace(path=path)


def many() -> Report:
    """More findings than are marked in a pull request: new ones of each severity, and old ones that are worse."""
    found = [
        _finding("PK204", "old", "critical", f"old {n}", Place("mm.yaml", n, 1, n, 2), status="baseline")
        for n in (1, 2)
    ]
    for n, severity in enumerate(["low"] * 4 + ["medium"] * 4 + ["high"] * 3 + ["critical"] * 2, 1):
        found.append(_finding("PK204", "new", severity, f"new {n}", Place("other.yaml", n % 5 + 1, 1, n % 5 + 1, 2)))
    return _report(found, names=("mm.yaml", "other.yaml"))


def clean() -> Report:
    """Two files, nothing found."""
    return _report([], names=("mm.yaml", "other.yaml"), live=True)


def broken() -> Report:
    """A policy that cannot be read: exit code 2."""
    place = Place("other.yaml", 2, 1, 2, 5, "name")
    said = "unknown key `nmae`; did you mean name; mend it"
    found = _finding("PK010", "unknown-key", "high", said, place, next_step="mend it", why="nobody enforces it")
    return _report([found], names=("other.yaml",))


def _report(findings: list[Finding], *, names: tuple[str, ...], live: bool = False) -> Report:
    ordered = sorted(findings, key=lambda f: (f.primary[:3], f.rule, f.message))
    return Report(
        NOW_MS,
        ordered,
        policies=sum(name.endswith(".yaml") for name in names),
        sources=sum(name.endswith(".py") for name in names),
        keys=1,
        exchanges=1,
        live=live,
        next_expiry_ms=NOW_MS + 9 * 86_400_000,
        names=names,
    )


#: Each report, and the exit code that a command with it ends with.
REPORTS = {"mixed": (mixed, 1), "many": (many, 1), "clean": (clean, 0), "broken": (broken, 2)}


def style(folder: Path, code: int) -> Style:
    """Return the style of a run in a CI."""
    return Style(code=code, root=str(folder), repository=Repository("https://example.com/desk/bots", "0" * 40, "main"))
