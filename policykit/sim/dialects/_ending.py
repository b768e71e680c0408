"""How a main account's key ends a key of a sub-account: the same in every dialect but for the words."""

from __future__ import annotations

from policykit.sim.dialects.base import World
from policykit.sim.keys import MAIN, SimKey


def ended(world: World, key_id: object, account: object | None = None) -> bool:
    """End a key of a sub-account, of the one that is named if one is; False: there is no such key that lives."""
    key = world.keys.get(str(key_id))
    if key is None or key.account == MAIN or (account is not None and key.account != str(account)):
        return False
    return end(key)


def end(key: SimKey) -> bool:
    """End a key; False: it was dead before."""
    lived, key.revoked = not key.revoked, True
    return lived
