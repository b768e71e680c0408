"""What a thief of a key could do now (G01): only from what the *exchange* enforces, and saying so.

The policy binds our bots, not a thief: nothing it says makes this page shorter.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from policykit.rules.base import days, iso_ms
from policykit.snapshot import SCOPES, KeyReport, Snapshot
from policykit.traits.base import Exchange

#: Guide requirement of the page, and the story behind its warning.
SOURCE = "G01; trade-only keys were drained in 2022 by making the victims buy the thief's illiquid coin"


class Blast(NamedTuple):
    """What a thief of one key could do now. Every value is what the exchange says; `unknown` is what it does not."""

    key: str
    exchange: str
    #: "any address", "N addresses", "an allowlist that cannot be read", "not told".
    origin: str
    may: tuple[str, ...]
    may_not: tuple[str, ...]
    unknown: tuple[tuple[str, str], ...]
    equity: str | None
    leverage: str
    symbols: str
    lives: str
    worst: tuple[str, ...]
    endpoint: str
    age_s: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"version": 1, **self._asdict(), "unknown": dict(self.unknown), "may": list(self.may),
                "may_not": list(self.may_not), "worst": list(self.worst)}  # fmt: skip


def blast(snapshot: Snapshot, report: KeyReport, facts: Exchange | None, now_ms: int) -> Blast:
    """Judge one key by what the exchange says of it and of its account."""
    may = tuple(scope for scope in SCOPES if report.permissions[scope] == "granted")
    unknown = [
        (scope, report.unknown.get(f"permissions.{scope}", "not told"))
        for scope in SCOPES
        if report.permissions[scope] == "unknown"
    ]
    unknown += [(name, "not understood; it may be anything") for name in report.unrecognised]
    equity = _equity(snapshot)
    at_ms = iso_ms(report.at)
    return Blast(
        key=report.name,
        exchange=snapshot.exchange,
        origin=_origin(report),
        may=may,
        may_not=tuple(scope for scope in SCOPES if report.permissions[scope] == "denied"),
        unknown=tuple(unknown),
        equity=equity,
        leverage=_leverage(report, snapshot),
        symbols=_symbols(report, facts),
        lives=_lives(report, now_ms),
        worst=_worst(report, equity),
        endpoint=report.endpoint,
        age_s=None if at_ms is None else max(0.0, (now_ms - at_ms) / 1000),
    )


def _equity(snapshot: Snapshot) -> str | None:
    """Return what the account is worth; "at least" where something of it is not priced, or could not be read."""
    equity = snapshot.account.get("equity")
    if not equity:
        return None
    unknown = snapshot.account.get("unknown")
    parts = [str(name) for name in unknown] if isinstance(unknown, dict) else []
    short = any(name.startswith(("equity.", "balances.")) for name in parts)
    return f"at least {equity}" if short else str(equity)


def _origin(report: KeyReport) -> str:
    if report.restricted == "no":
        return "any address"
    if report.restricted == "unknown":
        return f"not told ({report.unknown.get('ip_allowlist.restricted', 'no reason given')}): count on any address"
    if report.addresses is None:
        return "allowed addresses only; which ones cannot be read"
    listed = ", ".join(report.addresses)
    return f"{len(report.addresses)} address{'' if len(report.addresses) == 1 else 'es'} only: {listed}"


def _trades(report: KeyReport) -> bool:
    return any(said != "denied" for scope, said in report.permissions.items() if scope.startswith("trade."))


def _leverage(report: KeyReport, snapshot: Snapshot) -> str:
    derivatives = [report.permissions[scope] for scope in ("trade.margin", "trade.derivatives", "trade.options")]
    if all(said == "denied" for said in derivatives):
        return "none: no margin, no derivatives"
    rows = snapshot.account.get("positions") or []
    set_now = sorted({str(row["leverage"]) for row in rows if isinstance(row, dict) and row.get("leverage")})
    now = f"; set now: {', '.join(f'{one}x' for one in set_now)}" if set_now else ""
    return f"as much as the exchange gives: a key that trades may raise it{now}"


def _symbols(report: KeyReport, facts: Exchange | None) -> str:
    if not _trades(report):
        return "none"
    if facts is not None and facts.symbol_allowlist is not None:
        only = " of a sub-account" if facts.symbol_allowlist.sub_accounts_only else ""
        return f"every market, unless this key{only} has the exchange's own list, which cannot be read"
    return "every market: the exchange keeps no list of symbols for a key that is known"


def _lives(report: KeyReport, now_ms: int) -> str:
    made = iso_ms(report.created_at)
    age = (
        "its age is not told"
        if made is None
        else f"made {str(report.created_at)[:10]}, {days(max(0, now_ms - made))} ago"
    )
    if report.expires_at is not None:
        return f"{age}; ends {report.expires_at[:10]}"
    end = "its end is not told" if "expires_at" in report.unknown else "never ends by itself"
    return f"{age}; {end}"


def _worst(report: KeyReport, equity: str | None) -> tuple[str, ...]:
    """Return the worst that each class allows, worst first; what is unknown is counted as allowed."""
    amount = equity or "all that lies on the account (its equity could not be read)"
    classes = (
        ("withdraw", f"takes {amount} to an address of their own"),
        ("key_admin", "makes more keys, which outlive the end of this one"),
        ("transfer", f"moves {amount} to another account of yours, and from there where another key reaches"),
    )
    lines = [
        words if report.permissions[scope] == "granted" else f"{words}, if it may: {scope} is not told"
        for scope, words in classes
        if report.permissions[scope] != "denied"
    ]
    if _trades(report):
        lines.append(f"trades {amount} away: makes the account buy what the thief sells; trade is not harmless")
    if report.permissions["read"] != "denied":
        lines.append("sees balances, orders and history, and trades against them")
    return tuple(lines)


def _in_thousands(words: str) -> str:
    """Write amounts as people read them: 100000 is 100,000."""
    return re.sub(r"(?<![\d.])\d{4,}", lambda found: f"{int(found[0]):,}", words)


def text(made: Blast) -> str:
    """Write one page for a person."""
    age = "" if made.age_s is None else f", {made.age_s:.1f} s ago"
    head = f"blast radius of `{made.key}` on {made.exchange}: what its thief could do now"
    rows: list[tuple[str, str]] = [("from", made.origin), ("may", ", ".join(made.may) or "nothing that is told")]
    reasons: dict[str, list[str]] = {}
    for name, why in made.unknown:
        reasons.setdefault(why, []).append(name)
    told = [f"{', '.join(names)}: {why}" for why, names in reasons.items()]
    rows += [("not told" if not number else "", line) for number, line in enumerate(told)]
    rows += [
        ("may not", ", ".join(made.may_not) or "nothing is denied"),
        ("reach", _in_thousands(made.equity or "the equity could not be read")),
        ("symbols", made.symbols),
        ("leverage", made.leverage),
        ("lives", made.lives),
    ]
    rows += [("worst" if not number else "", _in_thousands(line)) for number, line in enumerate(made.worst)]
    body = [f"  {name:<10}{words}" for name, words in rows]
    foot = [
        f"Only what the exchange enforces ({made.endpoint}{age}); the policy binds our bots, not a thief.",
        f"Source: {SOURCE}.",
    ]
    return "\n".join([head, "", *body, "", *foot]) + "\n"
