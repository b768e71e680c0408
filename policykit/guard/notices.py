"""What is wrong right now, as people are told it: read from a store, with no guard and no exchange at hand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from policykit.clock import iso
from policykit.engine import Engine
from policykit.engine.facts import Facts, Halt
from policykit.engine.money import money
from policykit.guard.halt import concerns_policy
from policykit.guard.living import undecided
from policykit.guard.measures import key_ages, rooms_of, unread, waiting
from policykit.model.notify import Cause
from policykit.model.operation import COMPARED_EVERY
from policykit.policy import EffectivePolicy
from policykit.redact import scrub
from policykit.store import Store
from policykit.telemetry.causes import BY_ID, LOSS_SHARE, MISSED, SILENT_S, Severity
from policykit.units import plain

#: How long guards may take to go over to a key's successor before people are told, ms.
STUCK_MS: Final = 600_000
_DAY_MS: Final = 86_400_000
_LOSSES: Final = ("risk.daily_loss", "risk.weekly_loss", "risk.max_drawdown")
#: The longest foreign word that a message repeats, and how many of a list it names.
MAX_WORD: Final = 160
MAX_NAMED: Final = 3
#: What chat services read as markup, a mention or a link, and what stands there instead.
_MARKUP: Final = str.maketrans("<>[]`*|@~", "‹›()'∗/＠-")


class Notice(NamedTuple):
    """One thing that is wrong. `subject`: of what; with the cause it is the same for every process that sees it."""

    cause: Cause
    subject: str
    what: str
    do: str = ""
    since_ms: int | None = None
    #: Whether it is worse than its cause mostly is.
    worse: bool = False
    #: What it has come to; it is told at once when that changes.
    level: str = ""

    @property
    def key(self) -> str:
        """The name that processes agree by."""
        return f"{self.cause}|{self.subject}"

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return "critical" if self.worse else BY_ID[self.cause].severity


def defused(text: str) -> str:
    """Return a foreign word as one short line that no chat service takes for markup, a mention or a link."""
    line = "".join(c if c.isprintable() else " " for c in scrub(text))
    line = re.sub(r"\s+", " ", line).replace("://", ":/ /").translate(_MARKUP)
    return line if len(line) <= MAX_WORD else line[: MAX_WORD - 1] + "…"


def notices(engine: Engine, store: Store, host: str, now_ms: int, *, silent_ms: int = SILENT_S * 1000) -> list[Notice]:
    """Return what is wrong with an account, and which guards of its store are silent. Raise StoreUnavailable."""
    policy = engine.effective
    facts = store.facts(policy.account_key, "")
    return [
        *_halts(policy, store),
        *_unknown(policy, store, host, now_ms),
        *_silent(store, now_ms, silent_ms),
        *_drift(policy, facts),
        *_stale(policy, facts, now_ms),
        *_loss(engine, store, now_ms),
        *_keys(policy, store, now_ms),
        *_rotations(policy, store, host, now_ms),
        *_clock(policy, facts),
    ]


def possible(policy: EffectivePolicy, store: Store) -> list[str]:
    """Return the keys of what may have been told before this process started, and may be over since."""
    model, account = policy.model, policy.account_key
    bots = sorted({(guard.bot, guard.account) for guard in store.guards()})
    scopes = ["all", f"exchange:{model.exchange}", f"account:{account}", *(f"bot:{bot}" for bot, _ in bots)]
    scopes += [f"symbol:{symbol}" for symbol in (model.risk.symbols if model.risk else None) or ()]
    return [
        *(f"halt|{scope}" for scope in scopes),
        *(f"guard_silent|{bot}@{owner}" for bot, owner in bots),
        *(f"{cause}|{account}" for cause in ("unknown_order", "drift", "reconcile_stale", "clock_skew")),
        *(f"loss|{account}/{policy.name}/{check}" for check in _LOSSES),
        *(f"key_due|{account}/{name}{of}" for name in model.keys or {} for of in ("", "/rotation")),
    ]


def _halts(policy: EffectivePolicy, store: Store) -> Iterator[Notice]:
    tells = policy.model.notify is not None and policy.model.notify.drills == "tell"
    for halt in store.halts():
        if concerns_policy(policy, halt.scope) and (tells or not halt.drill):
            yield halted(halt)


def halted(halt: Halt) -> Notice:
    """Say that a halt is in force."""
    frozen = ", exits frozen too" if halt.freeze else ""
    return Notice(
        "halt",
        halt.scope,
        f'trading is {halt.state} for {defused(halt.scope)}{frozen}, by {defused(halt.by)}: "{defused(halt.why)}"',
        f"policykit status; when it is mended: policykit resume --scope {defused(shlex.quote(halt.scope))}"
        " --by NAME --why TEXT",
        halt.at_ms,
        level=f"{halt.state} {halt.at_ms}",  # one that comes after another was lifted is told, whatever the clock says
    )


def _unknown(policy: EffectivePolicy, store: Store, host: str, now_ms: int) -> Iterator[Notice]:
    left = undecided(store, host, now_ms, policy.account_key)
    if left:
        named = [f"{defused(i.order.symbol)} {i.order.side} {i.id}" for i in left[:MAX_NAMED]]
        more = f" and {len(left) - MAX_NAMED} more" if len(left) > MAX_NAMED else ""
        yield Notice(
            "unknown_order",
            policy.account_key,
            f"{len(left)} {'order' if len(left) == 1 else 'orders'} of unknown outcome: {', '.join(named)}{more}",
            "policykit orders --unknown; policykit orders resolve ID --as executed|absent --by NAME --why TEXT",
            min(intent.decided_ms for intent in left),
        )


def _silent(store: Store, now_ms: int, silent_ms: int) -> Iterator[Notice]:
    guards = store.guards()
    heard = {(g.bot, g.account): g.beat_ms for g in sorted(guards, key=lambda g: g.beat_ms)}
    for guard in guards:
        newest = heard[guard.bot, guard.account]
        if guard.loop and guard.beat_ms == newest and now_ms - newest >= silent_ms:
            yield Notice(
                "guard_silent",
                f"{guard.bot}@{guard.account}",
                f"bot {defused(guard.bot)} of {guard.account} on {defused(guard.host)} (pid {guard.pid})"
                f" is not heard since {iso(newest)}",
                "policykit status; policykit orders; if it is not coming back: policykit kill --scope "
                f"{defused(shlex.quote(f'bot:{guard.bot}'))} --by NAME --why TEXT",
                newest,
            )


def undecidable(policy: EffectivePolicy, facts: Facts, now_ms: int) -> str:
    """Say why every increase is denied, with these facts; empty: not for want of them."""
    if facts.store_problem is not None:
        code, words = facts.store_problem
        return f"{code}: {defused(words)}"
    return unread(policy, facts, now_ms)


def _drift(policy: EffectivePolicy, facts: Facts) -> Iterator[Notice]:
    if facts.drift:
        currency = policy.model.account.currency
        named = []
        for one in facts.drift[:MAX_NAMED]:
            worth = "" if one.worth is None else f" ({money(one.worth, currency)})"
            named.append(f"{one.kind} {defused(one.key)} by {plain(one.quantity)}{worth}")
        more = f" and {len(facts.drift) - MAX_NAMED} more" if len(facts.drift) > MAX_NAMED else ""
        yield Notice(
            "drift",
            policy.account_key,
            f"nothing explains {', '.join(named)}{more}",
            "policykit reconcile; if nobody here did it: policykit kill --freeze",
            facts.reconciled_ms,
        )


def _stale(policy: EffectivePolicy, facts: Facts, now_ms: int) -> Iterator[Notice]:
    section = policy.model.reconciliation
    if section is None or facts.reconciled_ms is None:
        return
    every = stale_ms(policy)
    if now_ms - facts.reconciled_ms > every:
        yield Notice(
            "reconcile_stale",
            policy.account_key,
            f"last compared {(now_ms - facts.reconciled_ms) // 1000} s ago; at most {every // 1000} s are meant",
            "policykit reconcile",
            facts.reconciled_ms,
        )


def stale_ms(policy: EffectivePolicy) -> int:
    """Return the age from which on a comparison of the account is stale: some were left out."""
    section = policy.model.reconciliation
    spans = [] if section is None else [section.orders_every, section.positions_every]
    return MISSED * max(((span or COMPARED_EVERY).ms for span in spans), default=COMPARED_EVERY.ms)


def _loss(engine: Engine, store: Store, now_ms: int) -> Iterator[Notice]:
    """Tell each loss from LOSS_SHARE of its limit on: of the day, of the week, from the highest."""
    policy, share_told = engine.effective, Decimal(str(LOSS_SHARE))
    for room in rooms_of(store, engine, now_ms):
        if room.kind == "loss" and room.used is not None and room.limit is not None and room.share is not None:
            if room.share < share_told:
                continue
            used, limit = money(room.used, room.unit), money(room.limit, room.unit)
            yield Notice(
                "loss",
                f"{policy.account_key}/{policy.name}/{room.check}",
                f"{room.check}: lost {used}, {int(room.share * 100)} % of {limit}",
                f"policykit status; stop by hand: policykit kill --scope account:{policy.account_key}"
                " --by NAME --why TEXT",
                worse=room.full,
            )


def _keys(policy: EffectivePolicy, store: Store, now_ms: int) -> Iterator[Notice]:
    for age in key_ages(store, policy):
        warned_ms = warn_ms(policy, age.key)
        if age.due_ms is None or now_ms < age.due_ms - warned_ms:
            continue
        left_ms = age.due_ms - now_ms
        when = f"due in {left_ms // _DAY_MS} days" if left_ms > 0 else f"overdue by {-left_ms // _DAY_MS} days"
        yield Notice(
            "key_due",
            f"{policy.account_key}/{age.key}",
            f"key {age.key} is {(now_ms - age.made_ms) // _DAY_MS} days old and {when}"
            if age.exposed_ms is None
            else f"key {age.key} may be in other hands and is {when}",
            f"policykit keys plan {age.key}",
            age.due_ms - warned_ms,
            worse=left_ms <= 0,
        )


def _rotations(policy: EffectivePolicy, store: Store, host: str, now_ms: int) -> Iterator[Notice]:
    """Say of a rotation that it does not end: guards that cannot go over, an old key that lives too long."""
    for name, row in store.kept(policy.account_key, "rotation").items():
        since_ms, by_ms = row.get("swapped_ms", 0) + STUCK_MS, row.get("delete_by_ms", 0)
        late = now_ms > by_ms
        if row.get("state") != "swapping" or name not in (policy.model.keys or ()) or not (late or now_ms > since_ms):
            continue
        left = waiting(store, policy, host, now_ms)[name]
        if left or late:
            what = f"{left} guards sign with the old key yet" if left else "its old key is not proved dead"
            yield Notice(
                "key_due",
                f"{policy.account_key}/{name}/rotation",
                f"key {name} is being replaced, and {what}" + (": it lives longer than it may" if late else ""),
                "policykit rotate status says why",
                min(since_ms, by_ms),
                worse=late,
            )


def warn_ms(policy: EffectivePolicy, key: str) -> int:
    """Return how long before a key is due people are told."""
    rotation = (policy.model.keys or {})[key].rotation
    return rotation.warn_before.ms if rotation is not None and rotation.warn_before is not None else 0


def _clock(policy: EffectivePolicy, facts: Facts) -> Iterator[Notice]:
    clock = policy.model.clock
    bound = clock.max_skew if clock is not None else None
    if bound is not None and facts.skew_ms is not None and abs(facts.skew_ms) > bound.ms:
        yield Notice(
            "clock_skew",
            policy.account_key,
            f"the host's clock is {facts.skew_ms} ms from {policy.model.exchange}'s; at most {bound}",
            "chronyc tracking",
        )
