"""How far the successor of a key has come: one row of the store that commands write and guards follow.

`active` names the key that guards are to sign with, `retiring` the one that they leave; empty: nobody is to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, NamedTuple

from policykit.guard.living import beats, lives
from policykit.operate.keys.find import Found
from policykit.operate.person import Person
from policykit.store import GuardInfo, Store

State = Literal["staged", "swapping", "done"]
#: How long the old key may live beside its successor where the policy does not say, ms (G20: 24 hours).
DELETE_WITHIN_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Rotation:
    """One rotation. Keys are named as `exchanges.credentials.key_id` does, times are UTC ms, 0: not yet.

    `alive_from`: the host that the old key answered, whose refusal there proves that it is dead. `aborted`: guards went
    back, and the successor is the key that has to go. `proof` of the end: "refused" by the exchange, or "claimed".
    """

    policy: str
    state: State
    old: str
    new: str
    active: str
    retiring: str
    staged_ms: int
    delete_by_ms: int
    swapped_ms: int = 0
    done_ms: int = 0
    aborted: bool = False
    alive_from: str = ""
    checked: tuple[str, ...] = ()
    proof: str = ""
    by: str = ""
    why: str = ""
    claim: Mapping[str, str] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.state == "done"

    def to_dict(self) -> dict[str, Any]:
        """Return its row."""
        return {**asdict(self), "checked": list(self.checked), "claim": dict(self.claim), "result": self._word()}

    def _word(self) -> str:
        return f"aborted, {self.state}" if self.aborted else self.state


def of(row: Mapping[str, Any]) -> Rotation:
    """Return the rotation of a row; what a later version says beside it is left out."""
    known = {name: row[name] for name in Rotation.__dataclass_fields__ if name in row}
    return Rotation(**{**known, "checked": tuple(known.get("checked", ()))})


def read(store: Store, found: Found) -> Rotation | None:
    """Return the last rotation of a key, if there was one."""
    row = store.kept(found.policy.account_key, "rotation").get(found.name)
    return None if row is None else of(row)


def write(store: Store, found: Found, rotation: Rotation, person: Person, why: str, now_ms: int) -> Rotation:
    """Write how far it has come, and who says so; return it as it was written."""
    from dataclasses import replace

    told = replace(rotation, by=person.name, why=why, claim=person.to_dict())
    store.keep(found.policy.account_key, "rotation", found.name, told.to_dict(), now_ms)
    return told


class Holder(NamedTuple):
    """A guard of the key: which key it signs with, whether it lives, and why it is not over yet."""

    info: GuardInfo
    alive: bool
    over: bool
    why: str

    @property
    def place(self) -> str:
        """Name it for a person: bot, host and process."""
        return f"{self.info.bot} on {self.info.host}, pid {self.info.pid}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        who = {"bot": self.info.bot, "host": self.info.host, "pid": self.info.pid}
        return {**who, "alive": self.alive, "over": self.over, "signs_with": self.info.signer, "why": self.why}


def holders(store: Store, found: Found, rotation: Rotation, host: str, now_ms: int) -> list[Holder]:
    """Return every guard of the key that said so, those that live first.

    Of another host only a heartbeat tells: a guard without its maintenance loop is silent there, and cannot go over.
    """
    out = []
    for info in store.guards():
        if (info.account, info.key) != (found.policy.account_key, found.name):
            continue
        alive = beats(info, host, now_ms) or (info.host == host and lives(info, host, now_ms))
        over = bool(info.signer) and info.signer != rotation.retiring
        why = "" if over else info.signer_why or _untold(info)
        out.append(Holder(info, alive, over, why))
    return sorted(out, key=lambda one: (not one.alive, one.over, one.place))


def _untold(info: GuardInfo) -> str:
    if not info.signer:
        return "it does not say which key it signs with; restart it"
    if not info.loop:
        return "its maintenance loop does not run, so nobody tells it; restart it"
    return "it was not heard since it was told"
