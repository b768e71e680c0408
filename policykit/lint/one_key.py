"""Lint one key without a policy: a built-in baseline in memory, and a page on what the key can do."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from policykit.finding import Finding
from policykit.lint.discover import Target
from policykit.lint.judge import Options, loadable
from policykit.lint.report.shared import ranked
from policykit.lint.run import Report, exit_code, lint_targets
from policykit.rules import catalogue
from policykit.rules.base import days, iso_ms
from policykit.snapshot import SCOPES, KeyReport, Snapshot

if TYPE_CHECKING:
    from policykit.exchanges.session import Session
    from policykit.lint.state import State
    from policykit.policy import EffectivePolicy
    from policykit.traits.base import Exchange

#: What stands in the place of a file's name.
FILE: Final = "(built-in baseline)"
#: What the key is called in findings.
KEY: Final = "key"
#: Rules that compare a key with what only its own policy can say: which addresses, and that it trades.
_OF_A_POLICY: Final = ("PK214", "PK119")
#: What rules say of a policy, and what is said where there is none; a test holds that nothing else speaks of one.
_WORDS: Final = (
    (re.compile(r"; the policy allows "), "; a bot's key needs "),
    (re.compile(r"; it is rotated every (\S+)"), r"; a key is kept \1 at most"),
    (re.compile(r" the account whose caps this policy holds"), " the account"),
    (re.compile(r",? (?:then|or|and) record it under `declared:[^`]*`"), ""),
    (re.compile(r", or agree to it in `scopes`"), ""),
    (re.compile(r", then waive this there|, and take it out of the policy|; cannot be waived"), ""),
    (re.compile(r"say `account: \{kind: sub\}` or `\{kind: master\}`"), "look whose key it is on the exchange's page"),
)
#: A bot's key: it reads and trades, and nothing else; 90 days are G19's.
_TEXT: Final = """\
policykit: 1
name: baseline
exchange: {exchange}
account: {{name: main, currency: USDT}}
environment: live
keys:
  {key}:
    purpose: execution
    secret: {reference}
    scopes: [read, trade]
    rotation: {{every: 90d, warn_before: 14d}}
"""


class OfKey(NamedTuple):
    """What became of it: the exit code, the report, what the exchange said, and lines on what could not be read."""

    code: int
    report: Report
    snapshot: Snapshot
    traits: Exchange | None
    lines: tuple[str, ...]


def baseline(reference: str, exchange: str) -> bytes:
    """Return the built-in policy of one key."""
    return _TEXT.format(exchange=json.dumps(exchange), reference=json.dumps(reference), key=KEY).encode()


def effective(reference: str, exchange: str, options: Options) -> tuple[EffectivePolicy, Options]:
    """Return the built-in policy, and options that read it and run only the rules on what an exchange says.

    Raise ValueError for a reference, or an exchange, that cannot be in a policy.
    """
    from policykit.exchanges import known

    if exchange not in known():
        raise ValueError(f"--exchange: {exchange} is not read by this version; one of {', '.join(known())} may be")
    live = tuple(entry.rule.code for entry in catalogue("policy") if "snapshot" in entry.rule.reads)
    live = tuple(code for code in live if code not in _OF_A_POLICY)
    asked = tuple(code for code in live if not options.select or code.startswith(options.select))
    texts = {os.path.realpath(FILE): baseline(reference, exchange)}
    mine = options._replace(texts=texts, select=asked or ("-",))
    target = Target(FILE, "policy", named=True)
    policies = loadable([target], mine)
    if not policies:
        raise ValueError("--key: this is no reference to a secret; one is needed (env://PREFIX, vault://mount/path)")
    return policies[0], mine


def lint_key(session: Session, policy: EffectivePolicy, options: Options) -> OfKey:
    """Read one key, and run the rules on what its exchange says. Raise ValueError for a wrong endpoint."""
    from policykit.errors import ExchangeUnavailable
    from policykit.exchanges.snapshot import take_one
    from policykit.lint.live import error_line
    from policykit.lint.state import State
    from policykit.traits import load

    session.policies = (policy,)
    try:
        taken = take_one(session, policy, keys_only=True)
    except ExchangeUnavailable as error:
        from policykit.clock import iso

        errors = [{"key": KEY, "code": error.code, "message": str(error)}]
        taken = Snapshot(iso(options.now_ms), policy.model.exchange, errors=errors)
    state = State(taken)

    def state_of(_: EffectivePolicy) -> tuple[State, bool]:
        return state, bool(taken.errors)

    report, _ = lint_targets([Target(FILE, "policy", named=True)], options, state_of, alone=True)
    # What is open without evidence is said of the built-in file, which nobody can mend.
    report.findings = [_without_a_policy(f) for f in ranked(report) if f.status != "open" or f.observed is not None]
    code = exit_code(report, options)
    report.policies = 0
    lines = tuple(error_line("", error) for error in taken.errors)
    return OfKey(code, report, taken, load(policy.model.exchange), lines)


def _without_a_policy(finding: Finding) -> Finding:
    """Say a finding in words that mean something to somebody who has no policy."""
    said = {name: getattr(finding, name) for name in ("message", "why", "next_step")}
    for pattern, words in _WORDS:
        said = {name: pattern.sub(words, text) for name, text in said.items()}
    return replace(finding, **said)


def page(reference: str, done: OfKey, now_ms: int) -> str:
    """Return one page: what the key can do, from where, how old it is, and which boxes to untick."""
    exchange = done.snapshot.exchange
    found = next(iter(done.snapshot.keys), None)
    head = f"{reference} at {exchange}"
    if found is None:
        return f"{head}: the key was not read, so nothing is known of it\n"
    told = {state: [s for s in SCOPES if found.permissions[s] == state] for state in ("granted", "denied", "unknown")}
    rows = [
        ("can", ", ".join(told["granted"]) or "nothing that is told"),
        ("cannot", ", ".join(told["denied"]) or "nothing that is told"),
        *(("not told", line) for line in _not_told(found, told["unknown"])),
        *(("strange", name) for name in found.unrecognised),
        ("from", _from(found)),
        ("age", _age(found, now_ms)),
        *_boxes(told["granted"], done.traits, found),
    ]
    lines = [f"{head} ({found.endpoint}, {found.at})", ""]
    before = ""
    for name, text in rows:
        lines.append(f"  {'' if name == before else name:<9} {text}")
        before = name
    return "\n".join(lines) + "\n"


def _not_told(found: KeyReport, scopes: Sequence[str]) -> list[str]:
    """Return the scopes that are not known, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    for scope in scopes:
        reasons.setdefault(found.unknown.get(f"permissions.{scope}", "no reason given"), []).append(scope)
    return [f"{', '.join(names)}: {why}" for why, names in reasons.items()]


def _from(found: KeyReport) -> str:
    if found.restricted == "no":
        return "any address"
    if found.restricted == "unknown":
        return f"not told: {found.unknown.get('ip_allowlist.restricted', 'no reason given')}"
    if found.addresses is None:
        return f"listed addresses only; {found.unknown.get('ip_allowlist.addresses', 'which ones is not told')}"
    return f"only {', '.join(found.addresses)}"


def _age(found: KeyReport, now_ms: int) -> str:
    said: list[str] = []
    for name, words in (("created_at", "made"), ("expires_at", "ends"), ("last_used_at", "last used")):
        moment = getattr(found, name)
        at_ms = iso_ms(moment)
        if at_ms is None:
            why = found.unknown.get(name)
            said.append(f"{words}: {'not told' if why else 'never'}")
            continue
        ahead = at_ms > now_ms
        span = days(abs(now_ms - at_ms))
        said.append(f"{words} {moment[:10]}, {'in ' + span if ahead else span + ' ago'}")
    return "; ".join(said)


def _boxes(granted: Sequence[str], traits: Exchange | None, found: KeyReport) -> list[tuple[str, str]]:
    """Return where to go and what to untick there: what no bot's key needs, then what this one may not need."""
    labels: Mapping[str, str] = traits.scope_labels if traits is not None else {}
    separable = traits is None or traits.transfer_separable is not False
    where = (traits.key_page if traits is not None else "") or "the exchange's page of the key"
    worst = [s for s in ("withdraw", "transfer", "key_admin") if s in granted and (s != "transfer" or separable)]
    others = [s for s in granted if s.startswith("trade.")]
    rows = [("untick", f"{box}: no bot needs it") for box in _by_box(worst, labels)]
    rows += [("untick", f"{box}, unless this bot does it") for box in _by_box(others, labels)]
    if found.restricted == "no":
        rows.append(("set", "the addresses that the bot runs from"))
    return [("page", where), *rows] if rows else []


def _by_box(scopes: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    """Return each box of the page once, with the scopes that it grants; a scope without a box that is known alone."""
    boxes: dict[str, list[str]] = {}
    for scope in scopes:
        boxes.setdefault(labels.get(scope, ""), []).append(scope)
    named = [f'"{label}" ({", ".join(granted)})' for label, granted in boxes.items() if label]
    return named + boxes.get("", [])
