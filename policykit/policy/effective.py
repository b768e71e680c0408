"""The effective policy: what is in force after `extends` and the stage, with the origin of every value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final

from policykit.decision import group_owner
from policykit.model.policy import Policy
from policykit.model.types import date_ms
from policykit.model.waivers import Waiver
from policykit.place import Place
from policykit.policy.canonical import digest, version
from policykit.policy.layers import Layer, nearest
from policykit.policy.stages import staged

#: What the name of an account ends with that is on paper.
PAPER: Final = "@paper"
#: Rules that no waiver touches: a key that can withdraw, or transfer where the exchange can tell it apart, a scope
#: that an invariant forbids, and the ceiling of waivers, which would else waive itself.
UNWAIVABLE: Final = frozenset(("PK101", "PK102", "PK123", "PK718"))


@dataclass(frozen=True, eq=False)
class EffectivePolicy:
    """What guard, engine and rules read. `origins` is keyed by dotted path; a value without one is a default."""

    model: Policy
    file: str
    name: str
    origins: Mapping[str, Place]
    #: Where each key (the word before the colon) of the file itself stands.
    key_places: Mapping[str, Place]
    #: The policy before its stage tightened it.
    composed: Policy
    #: Every file it was read from, itself first.
    files: tuple[str, ...] = ()
    #: When it was loaded, UTC ms, as the caller said.
    loaded_ms: int | None = None

    @cached_property
    def version(self) -> str:
        """`sha256:` and 12 hex digits of what is in force; guards and journals name it, lint never needs it."""
        return version(self.model)

    @cached_property
    def digest(self) -> str:
        """All 64 hex digits of what the files say, at whatever stage the store holds it: what a person signs."""
        return digest(self.composed)

    @property
    def profile(self) -> bool:
        """Whether it is only to be extended: it names no exchange, and no guard runs it."""
        return not self.model.exchange

    @property
    def account_key(self) -> str:
        """The name that counters are kept by: `binance/main`, of a sandbox `...@sandbox`, on paper `...@paper`.

        A policy is tried in a sandbox, and on paper, under the names that it will have: play money must not count as
        real.
        """
        return f"{self.model.exchange}/{self.model.account.name}" + self._suffix

    def group_owner(self, name: str) -> str:
        """Name what is counted over all accounts of a group, in the account's currency and environment."""
        return group_owner(name + self._suffix, self.model.account.currency)

    @property
    def _suffix(self) -> str:
        stage = self.model.stage
        on_paper = stage is not None and stage.current == "paper"
        return ("@sandbox" if self.model.environment == "sandbox" else "") + (PAPER if on_paper else "")

    def place(self, path: str) -> Place:
        """Return the place of a value, or of the nearest parent that has one; LookupError for what no policy says."""
        if path and path.partition(".")[0] not in Policy.model_fields:
            raise LookupError(path)
        return nearest(self.origins, path) or Place(self.file, path=path)

    def key_place(self, path: str) -> Place:
        """Return the place of a key in the file itself (`mm-exec` of `keys.mm-exec`), else that of its value."""
        return self.key_places.get(path) or self.place(path)

    def waived(self, rule: str, path: str, now_ms: int) -> Waiver | None:
        """Return the waiver that accepts a finding of `rule` at `path` now; None if there is none.

        It serves lint, live lint and run time alike. A date that is no date is expired.
        """
        return accepted(self.model.waivers, rule, path, now_ms)

    def at_stage(self, stage: str) -> EffectivePolicy:
        """Return this policy as it is at a (lower) stage that the store holds."""
        layer = staged(Layer(self.composed, self.origins), stage)
        model = layer.model
        if model.stage is not None:
            model = model.model_copy(update={"stage": model.stage.model_copy(update={"current": stage})})
        return replace(self, model=model, origins=MappingProxyType(dict(layer.places)))


def accepted(waivers: Iterable[Waiver], rule: str, path: str, now_ms: int) -> Waiver | None:
    """Return the waiver that accepts a finding of `rule` at `path` now; None if there is none."""
    if rule in UNWAIVABLE or rule.startswith("PK0"):
        return None
    for waiver in waivers:
        here = path == waiver.at or path.startswith(f"{waiver.at}.")
        if waiver.rule == rule and here and not expired(waiver, now_ms):
            return waiver
    return None


def expired(waiver: Waiver, now_ms: int) -> bool:
    """Say whether a waiver is no longer accepted; a bad date is expired."""
    end = date_ms(waiver.expires)
    return end is None or now_ms >= end
