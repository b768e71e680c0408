"""The steps of a rotation: the successor put away, checked, taken over; the old key revoked and proved dead; or back.

Each step may be done again: it goes on where the last one ended. No secret is shown, returned or kept here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from policykit import secrets
from policykit.clock import Clock
from policykit.errors import ExchangeUnavailable, SecretUnavailable
from policykit.exchanges.credentials import key_id
from policykit.exchanges.revoking import Way, revocation, revoke, state
from policykit.exchanges.trying import try_order
from policykit.operate.keys import new
from policykit.operate.keys.find import Found
from policykit.operate.person import Person
from policykit.operate.rotation.book import DELETE_WITHIN_MS, Holder, Rotation, holders, read, write
from policykit.redact import Secret
from policykit.store import Store

Values = dict[str, Secret]
#: A symbol with one of these is a pattern, not a market.
_GLOB: Final = frozenset("*!?")


class Done(NamedTuple):
    """What a step came to. `ok`: it is done; `reached` False: an exchange or a manager did not answer."""

    ok: bool
    lines: tuple[str, ...]
    rotation: Rotation | None = None
    reached: bool = True


class Desk(NamedTuple):
    """Where a step is done: the key, the store, who does it and why."""

    found: Found
    store: Store
    person: Person
    why: str
    clock: Clock
    endpoint: str | None = None

    @property
    def now_ms(self) -> int:
        """Return the moment that rows are written with."""
        return self.clock.now_ms()

    @property
    def reference(self) -> str:
        """Return where the secret lives. Raise ValueError where the policy says no place."""
        if not self.found.key.secret:
            name = self.found.name
            raise ValueError(f"{self.found.place}: keys.{name} has no `secret:`; a reference (vault://kv/x) is needed")
        return self.found.key.secret

    @property
    def written_by_hand(self) -> bool:
        """Whether nobody but a person can change what the reference leads to."""
        return self.reference.startswith("env://")

    @property
    def where(self) -> Mapping[str, Any]:
        """Return how the exchange is asked."""
        sandbox = self.found.policy.model.environment == "sandbox"
        return {"endpoint": self.endpoint, "sandbox": sandbox, "clock": self.clock}


# ---- start


def start(desk: Desk, ask: Callable[[str], str], *, checked_by_hand: bool = False) -> Done:
    """Put the successor away, check it, and have every guard go over to it.

    G17: it is in the manager before it is used; G16: it may do what the policy says, from where it says, before a bot
    signs with it. Raise ValueError, SecretUnavailable.
    """
    going = read(desk.store, desk.found)
    if going is not None and not going.over and going.state != "staged":
        return Done(False, (f"{desk.found.name}: a rotation is under way; policykit rotate status, finish or abort",))
    old = secrets.read(desk.reference)
    if going is not None and not going.over and key_id(old) == going.new:  # a start that died before its last row
        return _swapping(desk, going, [f"{desk.found.name}: {desk.reference} gives the successor already"])
    values = _successor(desk, ask)
    if key_id(values) == key_id(old):
        raise ValueError(f"{desk.found.name}: that is the key in use; make a new one: policykit keys plan")
    if going is None or going.over or going.new != key_id(values):
        going = _staged(desk, old, values)
    lines, ok, reached = _checked(desk, values, checked_by_hand)
    if not ok:
        lines.append(f"{desk.found.name}: not taken over; mend it at the exchange, then policykit rotate start again")
        return Done(
            False, tuple(lines), write(desk.store, desk.found, going, desk.person, desk.why, desk.now_ms), reached
        )
    if desk.written_by_hand:
        lines.append(f"{desk.found.name}: set the new values where {desk.reference} is set, and restart each bot")
    else:
        written, there = read(desk.store, desk.found), _lying(desk, "next")
        if written is None or there is None or not written.new == key_id(there) == going.new:
            lines.append(f"{desk.found.name}: somebody else began a rotation meanwhile; policykit rotate start again")
            return Done(False, tuple(lines), written)
        secrets.arrange(desk.reference, {"current": "next", "retired": "current", "next": None})
        lines.append(f"{desk.found.name}: {desk.reference} gives the successor from now on")
    return _swapping(desk, going, lines)


def _swapping(desk: Desk, going: Rotation, lines: list[str]) -> Done:
    """Tell every guard to go over to the successor."""
    told = replace(
        going, state="swapping", active=going.new, retiring=going.old, swapped_ms=desk.now_ms, checked=tuple(lines)
    )
    told = write(desk.store, desk.found, told, desk.person, desk.why, desk.now_ms)
    return Done(True, tuple(lines), told)


def _successor(desk: Desk, ask: Callable[[str], str]) -> Values:
    """Return the successor's values: those that were put away before, else those that a person gives."""
    try:
        return secrets.read(desk.reference, "next")
    except SecretUnavailable:
        values = new.given(new.fields(desk.found), ask)
    if not desk.written_by_hand:
        secrets.stage(desk.reference, values)
    return values


def _staged(desk: Desk, old: Values, values: Values) -> Rotation:
    """Write that a successor is there; from now on both are valid."""
    asked = state(desk.found.policy.model.exchange, old, **desk.where)
    rotation = desk.found.key.rotation
    within = rotation.delete_old_within if rotation else None
    going = Rotation(
        policy=desk.found.policy.name,
        state="staged",
        old=key_id(old),
        new=key_id(values),
        active=key_id(old),
        retiring="",
        staged_ms=desk.now_ms,
        delete_by_ms=desk.now_ms + (within.ms if within else DELETE_WITHIN_MS),
        alive_from=socket.gethostname() if asked.refused is False else "",
    )
    return write(desk.store, desk.found, going, desk.person, desk.why, desk.now_ms)


def _checked(desk: Desk, values: Values, by_hand: bool) -> tuple[list[str], bool, bool]:
    """Return what the exchange says of the successor, whether it may be used, and whether it was reached."""
    found = desk.found
    seen = new.verify(found, desk.endpoint, lambda reference: dict(values), desk.clock)
    lines: list[str] = []
    if seen.snapshot is None:
        lines.append(f"{found.name}: the successor was not checked: {seen.code}: {seen.words}")
        if not (by_hand and seen.code == "NOT_SUPPORTED"):
            return lines, False, seen.code in ("KEY_REJECTED", "ADDRESS_NOT_ALLOWED", "PERMISSION_MISSING")
    else:
        granted = [scope for scope, said in seen.snapshot.keys[0].permissions.items() if said == "granted"]
        lines.append(f"{found.name}: {found.policy.model.exchange} says it may {', '.join(granted) or 'nothing'}")
        findings = new.judged(found, seen, desk.now_ms)
        bad = [one for one in findings if one.status == "open" and one.severity != "low"]
        lines += [f"{one.severity}[{one.rule} {one.name}]: {one.message}" for one in bad]
        untold = ", ".join(dict.fromkeys(one.rule for one in findings if one.status == "unknown"))
        if untold:
            lines.append(f"{found.name}: not all is told ({untold}); look at it in the exchange's page")
        if bad:
            return lines, False, True
    if any(scope.startswith("trade") for scope in found.key.scopes or ()):
        tried = _tried(desk, values)
        word = {True: "passed", False: "refused", None: "not tried"}[tried.passed]
        lines.append(f"{found.name}: test order {word}: {tried.words}")
        if tried.passed is False:
            return lines, False, True
    return lines, True, True


def _tried(desk: Desk, values: Values) -> Any:
    risk = desk.found.policy.model.risk
    symbol = next((one for one in (risk.symbols if risk else None) or () if not _GLOB & set(one)), "BTC/USDT")
    return try_order(desk.found.policy.model.exchange, values, symbol, **desk.where)


# ---- finish


def way_of(desk: Desk) -> Way:
    """Return how the key that has to go is revoked."""
    return revocation(desk.found.policy.model.exchange, scopes=tuple(desk.found.key.scopes or ()))


def left(desk: Desk, rotation: Rotation) -> list[Holder]:
    """Return the living guards that sign, or may sign, with the key that has to go."""
    host = socket.gethostname()
    return [one for one in holders(desk.store, desk.found, rotation, host, desk.now_ms) if one.alive and not one.over]


def finish(
    desk: Desk,
    *,
    master: str | None = None,
    sub_account: str = "",
    insist: bool = False,
    by_hand: bool = False,
    confirm: Callable[[Way], bool],
) -> Done:
    """Revoke the key that has to go, and have its death proved by its refusal; then forget its secret.

    Nothing is revoked while a living guard signs with it, unless a person insists. `confirm` asks a person who has to
    do it by hand, or before it is done. Raise ValueError, SecretUnavailable.
    """
    name, going = desk.found.name, read(desk.store, desk.found)
    if going is None or going.state == "staged":
        return Done(False, (f"{name}: no rotation is under way; policykit rotate start {name}",), going)
    if going.over:
        return Done(True, (f"{name}: the rotation is over; the key that had to go is {_proof(going)}",), going)
    waiting = left(desk, going)
    if waiting and not insist:
        lines = [f"{one.place}: {one.why}" for one in waiting]
        lines.append(f"{name}: not revoked, {len(waiting)} guards sign with it yet; restart them, or give --insist")
        return Done(False, tuple(lines), going)
    values = _lying(desk, "retired")
    if values is not None and key_id(values) != going.retiring:
        words = f"{name}: {desk.reference} has another key in the place of {going.retiring}; nothing was revoked: look"
        return Done(False, (words,), going)
    seen = None if values is None else state(desk.found.policy.model.exchange, values, **desk.where)
    if seen is not None and seen.refused is False:
        going = replace(going, alive_from=socket.gethostname())
    lines = []
    if seen is None or seen.refused is not True:
        way = way_of(desk)
        if not confirm(way):
            lines += [f"{number}. {step}" for number, step in enumerate(way.steps, 1)]
            lines.append(f"{name}: delete the key {going.retiring}, then policykit rotate finish {name}")
            return Done(False, tuple(lines), write(desk.store, desk.found, going, desk.person, desk.why, desk.now_ms))
        if master is not None and values is not None:
            try:
                _revoke(desk, master, values, sub_account)
            except ExchangeUnavailable as error:
                lines.append(f"{name}: by the API it was not ended: {error}")
        seen = None if values is None else state(desk.found.policy.model.exchange, values, **desk.where)
    return _dead(desk, going, seen, lines, by_hand)


def _lying(desk: Desk, role: secrets.Role) -> Values | None:
    try:
        return secrets.read(desk.reference, role)
    except SecretUnavailable:
        return None


def _revoke(desk: Desk, master: str, values: Values, sub_account: str) -> None:
    if "api_key" not in values:
        raise ValueError(f"{desk.found.name}: it has no API key's id by which it could be named; delete it by hand")
    exchange = desk.found.policy.model.exchange
    caller = secrets.read(master)
    phrase = values.get("passphrase")
    revoke(exchange, caller, values["api_key"], account=sub_account, passphrase=phrase, **desk.where)


def _dead(desk: Desk, going: Rotation, seen: Any, lines: list[str], by_hand: bool) -> Done:
    """Take a refusal for what it proves, and end the rotation on it, or on a person's word."""
    name = desk.found.name
    if seen is not None and seen.refused is False:
        lines.append(f"{name}: the key {going.retiring} lives: {seen.words}")
        return Done(False, tuple(lines), write(desk.store, desk.found, going, desk.person, desk.why, desk.now_ms))
    proved = seen is not None and seen.refused is True and going.alive_from == socket.gethostname()
    if not proved and not by_hand:
        why = "its secret is not at hand" if seen is None else seen.words
        if seen is not None and seen.refused:
            why = "it is refused, but was never seen working from here: a wrong address is refused as well"
        lines.append(f"{name}: not proved dead: {why}; look at the exchange's page, then give --deleted-by-hand")
        return Done(False, tuple(lines), going, seen is None or seen.refused is not None)
    if not desk.written_by_hand:
        secrets.arrange(desk.reference, {"retired": None})
    over = replace(going, state="done", done_ms=desk.now_ms, proof="refused" if proved else "claimed")
    over = write(desk.store, desk.found, over, desk.person, desk.why, desk.now_ms)
    late = "" if desk.now_ms <= going.delete_by_ms else ", later than the policy lets it live"
    lines.append(f"{name}: {going.retiring} is {_proof(over)}{late}; {going.active} is in use")
    return Done(True, tuple(lines), over)


def _proof(rotation: Rotation) -> str:
    return "dead: the exchange refuses it" if rotation.proof == "refused" else f"deleted, as {rotation.by} says"


# ---- abort


def abort(desk: Desk) -> Done:
    """Go back to the old key; the successor is the one that has to go, which `finish` proves."""
    name, going = desk.found.name, read(desk.store, desk.found)
    if going is None or going.over:
        return Done(False, (f"{name}: no rotation is under way",), going)
    if going.aborted:
        return Done(True, (f"{name}: the rotation was aborted; policykit rotate finish {name}",), going)
    if desk.written_by_hand:
        lines = [f"{name}: set the old values where {desk.reference} is set, and restart each bot"]
    else:
        given = key_id(secrets.read(desk.reference))
        if given not in (going.old, going.new):
            return Done(
                False, (f"{name}: {desk.reference} gives neither key of the rotation; nothing was moved",), going
            )
        # What the manager gives counts: a command that died there has moved the keys, and no row says so.
        if given == going.new:
            secrets.arrange(desk.reference, {"current": "retired", "retired": "current"})
        elif _lying(desk, "next") is not None:
            secrets.arrange(desk.reference, {"next": None, "retired": "next"})
        lines = [f"{name}: {desk.reference} gives the old key {'again' if given == going.new else 'as ever'}"]
    back = replace(
        going,
        state="swapping",
        aborted=True,
        active=going.old,
        retiring=going.new,
        alive_from="",
        swapped_ms=desk.now_ms,
    )
    lines.append(f"{name}: the successor has to go: policykit rotate finish {name}")
    return Done(True, tuple(lines), write(desk.store, desk.found, back, desk.person, desk.why, desk.now_ms))
