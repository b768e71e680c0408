"""What to do in the exchange's web page to make a key: the boxes to tick and to leave, the addresses, the limits."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from policykit import traits as traits_room
from policykit.errors import ExchangeUnavailable
from policykit.exchanges.about import about
from policykit.model import Key
from policykit.operate.keys.find import Found
from policykit.snapshot import SCOPES
from policykit.traits.base import Exchange, KeyExpiry, comes_with

DAY_MS = 86_400_000
#: The widest column of labels, characters: a longer one moves its own row only.
_WIDEST: Final = 60
#: Before a scope that nobody asked for and that a ticked box grants.
_BESIDE: Final = "with it "
#: Between two boxes in one label: "Orders; Margin Trading", and not within brackets.
_NEXT_BOX: Final = re.compile(r"; (?![^(]*\))")
#: Why a box is left that no bot's key may have.
_NEVER = {
    "withdraw": "never for a bot's key (G04)",
    "transfer": "never for a bot's key (G05)",
    "key_admin": "a key that makes keys outlives its own end",
}


class Box(NamedTuple):
    """One permission of the web page: its own words, the scope, whether it is ticked, and why or why not."""

    label: str
    scope: str
    tick: bool
    why: str


class Plan(NamedTuple):
    """Everything a person needs to make one key. Times are ISO dates; `limits` and `notes` are lines to read."""

    key: str
    exchange: str
    environment: str
    place: str
    page: str
    boxes: tuple[Box, ...]
    addresses: tuple[tuple[str, str], ...]
    #: What the page calls its list of addresses; empty where no key of this exchange is bound to any.
    address_label: str
    limits: tuple[str, ...]
    notes: tuple[str, ...]
    secret: str
    #: The variables of an `env://` reference, which only the bot's own start can set.
    variables: tuple[str, ...]
    #: Whether the exchange tells what the key may do, so that it can be checked.
    told: bool
    next_rotation: str

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON has it."""
        plain = self._asdict()
        plain["boxes"] = [box._asdict() for box in self.boxes]
        plain["addresses"] = [{"address": address, "why": why} for address, why in self.addresses]
        return {"version": 1, **plain}


def plan(found: Found, now_ms: int) -> Plan:
    """Make the plan of a key from its policy and the facts of its exchange, as far as they are known."""
    model, key = found.policy.model, found.key
    facts = traits_room.load(model.exchange)
    rotation = key.rotation.every if key.rotation else None
    due = datetime.fromtimestamp(now_ms / 1000, UTC) + timedelta(milliseconds=rotation.ms) if rotation else None
    unbound = facts is not None and facts.most_addresses == 0
    return Plan(
        key=found.name,
        exchange=model.exchange,
        environment=model.environment or "live",
        place=found.place,
        page=(facts.key_page if facts else "") or f"{model.exchange}: the page of the API keys",
        boxes=_boxes(key, facts),
        addresses=() if unbound else tuple((one.address, one.why or "") for one in key.ip_allowlist or ()),
        address_label=""
        if unbound
        else (facts.scope_labels.get("ip_allowlist", "") if facts else "") or "the list of trusted addresses",
        limits=_limits(facts),
        notes=_notes(key, facts),
        secret=key.secret or "",
        variables=_variables(key.secret or "", model.exchange),
        told=facts is not None and facts.evidence != "declared",
        next_rotation=due.date().isoformat() if due else "",
    )


def _boxes(key: Key, facts: Exchange | None) -> tuple[Box, ...]:
    wanted = _wanted(key)
    labels = dict(facts.scope_labels) if facts else {}
    ticked = {part for scope in wanted for part in _parts(labels.get(scope, ""))}
    boxes: list[Box] = []
    for scope in SCOPES:
        label = labels.get(scope)
        if scope in wanted:
            boxes.append(Box(label or f"what allows {scope}", scope, True, scope))
        elif label is not None:  # else the page has no box of that name that is known
            rest = [part for part in _parts(label) if part not in ticked]
            why = _NEVER.get(scope, "the policy does not ask for it") if rest else f"{_BESIDE}{scope}"
            boxes.append(Box("; ".join(rest) or label, scope, not rest, why))
    return tuple(boxes)


def _parts(label: str) -> list[str]:
    """Return the boxes that a label names: a box that is ticked for one scope cannot be left for another."""
    return _NEXT_BOX.split(label)


def _variables(reference: str, exchange: str) -> tuple[str, ...]:
    kind, _, prefix = reference.partition("://")
    if kind != "env":
        return ()
    try:
        return tuple(f"{prefix}_{name}" for name in about(exchange).credentials)
    except ExchangeUnavailable:
        return (f"{prefix}_API_KEY and its fellows",)


def _wanted(key: Key) -> frozenset[str]:
    scopes: set[str] = set(key.scopes or ())
    if "trade" in scopes:  # the whole class: what the exchange calls trading, of every kind
        scopes |= {scope for scope in SCOPES if scope.startswith("trade.")}
    return frozenset(scopes)


def _limits(facts: Exchange | None) -> tuple[str, ...]:
    if facts is None:
        return ()
    shared = {"ip": "everything behind one address", "account": "all keys of the account", "key": "this key alone"}
    return tuple(
        f"{window.name}: {window.limit:,} in {_span(window.per_ms)}, {window.window} window, "
        f"shared by {shared[window.scope]}"
        for window in facts.rate_windows
    )


def _notes(key: Key, facts: Exchange | None) -> tuple[str, ...]:
    if facts is None:
        return ("nothing is known of this exchange: what its page says counts",)
    beside = sorted(comes_with(facts, _wanted(key)) - {"transfer"})
    notes = (
        [f"what is ticked grants {', '.join(beside)} as well: agree to it in the policy's `scopes`"] if beside else []
    )
    notes += [_ends(expiry) for expiry in facts.key_expiries if _bites(expiry, key)]
    if facts.transfer_separable is False:
        notes.append("this exchange has no trade without transfer: keep on the account only what the bot needs")
    if facts.most_addresses and len(key.ip_allowlist or ()) > facts.most_addresses:
        notes.append(
            f"its allowlist takes {facts.most_addresses} addresses, the policy has {len(key.ip_allowlist or ())}"
        )
    if facts.sub_accounts:
        notes.append("make it on a sub-account that holds only what the bot trades with")
    if facts.symbol_allowlist is not None and _wanted(key) & set(facts.symbol_allowlist.scopes):
        only = " (keys of sub-accounts only)" if facts.symbol_allowlist.sub_accounts_only else ""
        notes.append(f"restrict it to the policy's symbols, at most {facts.symbol_allowlist.most}{only}")
    return tuple(notes)


def _bites(expiry: KeyExpiry, key: Key) -> bool:
    if expiry.only_without_address and key.ip_allowlist:
        return False
    return not expiry.scopes or bool(set(expiry.scopes) & _wanted(key))


def _ends(expiry: KeyExpiry) -> str:
    since = "it was made" if expiry.counts_from == "creation" else "it was last used"
    without = " while it is bound to no address" if expiry.only_without_address else ""
    return f"the exchange ends it {_span(expiry.after_ms)} after {since}{without}"


def _span(ms: int) -> str:
    for name, unit in (("day", DAY_MS), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000)):
        if ms % unit == 0:
            count = ms // unit
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{ms} ms"


def text(made: Plan) -> str:
    """Write the plan for a person, step by step."""
    lines = [f"plan: key `{made.key}` on {made.exchange}, {made.environment} ({made.place})", ""]
    lines += [f"1. Open       {made.page}", f"2. Label it   {made.key}"]
    rows = {tick: _grouped([box for box in made.boxes if box.tick is tick]) for tick in (True, False)}
    wide = min(_WIDEST, max((len(label) for group in rows.values() for label in group), default=0))
    lines += _rows("3. Tick       ", [f"[x] {label:<{wide}}  {_why(why)}" for label, why in rows[True].items()])
    lines += _rows("   Leave      ", [f"[ ] {label:<{wide}}  {why[-1]}" for label, why in rows[False].items()])
    if made.addresses:
        lines.append(f"4. Restrict   {made.address_label}; paste:")
        lines += [f"              {address:<{wide + 4}}  {why}".rstrip() for address, why in made.addresses]
    elif not made.address_label:
        lines.append(
            "4. Restrict   nothing: its keys work from every address; hold on the account only what the bot needs"
        )
    else:
        lines.append("4. Restrict   the policy names no address: a key that works from everywhere is a thief's (G09)")
    lines.append(f"5. Put away   {_put(made)}")
    check = "policykit lint --live, before the first order"
    note = "nothing reads it back: note what the page says under `declared:`, with `by` and `at`"
    lines.append(f"6. Check      {check if made.told else note}")
    lines += ["", *(f"limit: {line}" for line in made.limits), *(f"note:  {line}" for line in made.notes)]
    if made.next_rotation:
        lines.append(f"next:  make its successor by {made.next_rotation}, when the policy's rotation is due")
    return "\n".join(lines).rstrip() + "\n"


def _put(made: Plan) -> str:
    if made.variables:
        names = " and ".join(
            [", ".join(made.variables[:-1]), made.variables[-1]] if made.variables[1:] else made.variables
        )
        return f"set {names} where the bot is started: {made.secret} cannot be written from here"
    if not made.secret:
        return "the policy has no `secret:` to put it in; add one"
    return f"policykit keys new {made.key}   reads it without echo, puts the secret into {made.secret}"


def _grouped(boxes: list[Box]) -> dict[str, list[str]]:
    """Return each box of the page once, with why; of what is left the worst reason last."""
    by_label: dict[str, list[str]] = {}
    for box in boxes:
        by_label.setdefault(box.label, []).append(box.why)
    return by_label


def _why(words: list[str]) -> str:
    """Return what a ticked box is for: the scopes that were asked for, then those that come with it."""
    beside = [one.removeprefix(_BESIDE) for one in words if one.startswith(_BESIDE)]
    asked = ", ".join(one for one in words if not one.startswith(_BESIDE))
    return f"{asked}; {_BESIDE}{', '.join(beside)}" if beside else asked


def _rows(head: str, rows: list[str]) -> list[str]:
    return [f"{head if not number else ' ' * len(head)}{row}" for number, row in enumerate(rows or ["nothing"])]
