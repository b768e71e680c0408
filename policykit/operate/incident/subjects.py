"""What an incident is about: the leaked keys, their accounts, the other keys there, and how each key is revoked.

Read from policies and traits alone: nothing is asked of a network, a secret source or ccxt, so that the way to revoke a
key stands on the screen within the first second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from policykit import traits
from policykit.operate.keys.find import Found, every

#: The permission that lets a key end other keys.
KEY_ADMIN: Final = "key_admin"
#: How many policies that could not be read are said in one line.
MAX_SAID: Final = 3
#: The account of a key that no policy names.
UNNAMED: Final = "unnamed"


class NoSubject(ValueError):
    """The keys that were named cannot be found; says what may be named instead."""


class Ambiguous(NoSubject):
    """Names that several keys have; `choices`: of each what may be said instead, as POLICY/KEY."""

    def __init__(self, choices: dict[str, list[str]]) -> None:
        """Take them."""
        self.choices = choices
        super().__init__("; ".join(f"{name}: {len(may)} keys have this name" for name, may in choices.items()))


def accounts_of(
    paths: Sequence[str],
    names: Sequence[str],
    *,
    everything: bool = False,
    one_each: bool = False,
    exchange: str | None = None,
    master: str = "",
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the accounts that the leaked keys reach, for the head of an incident, and what could not be read.

    `names`: key names, or `POLICY/KEY`. `everything`: it is not known which leaked, so every key of every policy is.
    `exchange`: of keys that no policy names; `master`: the main account's key, where no key_admin tells it. Raise
    NoSubject for a name that nothing has; with `one_each` Ambiguous for one that several keys have.
    """
    found, problems = every(paths)
    choices = {name: may for name in names if len(may := _namesakes(found, name)) > 1}
    if choices and one_each and not everything:
        raise Ambiguous(choices)
    leaked = list(found) if everything else []
    accounts: dict[str, dict[str, Any]] = {}
    for name in names:
        hits = [one for one in found if name in (one.name, f"{one.policy.name}/{one.name}")]
        if hits:
            leaked += hits
        elif exchange is not None and traits.load(exchange) is not None:
            account = _account(accounts, f"{exchange}/{UNNAMED}", exchange)
            account["keys"].append(_unnamed(name, exchange))
        else:
            known = ", ".join(sorted({one.name for one in found})) or "none"
            raise NoSubject(
                f"{name}: no policy of {', '.join(paths)} names this key; known: {known}; if you are not sure which: "
                f"--all; of a key without a policy say --exchange ID ({', '.join(traits.known())})"
                + "".join(f"; not read: {one.splitlines()[0]}" for one in problems[:MAX_SAID])
            )
    if not leaked and not accounts:
        known = ", ".join(sorted({one.name for one in found})) or "none, so say --exchange ID as well"
        where = ", ".join(paths)
        raise NoSubject(f"no key is named; --key NAME (known in {where}: {known}), or --all if you are not sure which")
    reached = {one.policy.account_key for one in leaked}
    for one in found:
        if one.policy.account_key in reached:
            _add(
                _account(accounts, one.policy.account_key, one.policy.model.exchange),
                one,
                leaked,
                master_of(one, found, master),
                _other(one, found),
            )
    return list(accounts.values()), problems


def _namesakes(found: Iterable[Found], name: str) -> list[str]:
    """Return the keys of that name as POLICY/KEY; one secret of one account is one key, whoever names it."""
    keys: dict[Any, str] = {}
    for one in found:
        if one.name == name:
            keys.setdefault((one.policy.account_key, one.key.secret), f"{one.policy.name}/{name}")
    return list(keys.values())


def _account(accounts: dict[str, dict[str, Any]], name: str, exchange: str) -> dict[str, Any]:
    return accounts.setdefault(name, {"account": name, "exchange": exchange, "files": [], "keys": []})


def _other(one: Found, found: Iterable[Found]) -> bool:
    """Tell whether a policy before it calls another key of the same account the same: another secret, so another key.

    Names tell them apart no longer, so a person has to end it: the API may end the wrong one.
    """
    account = one.policy.account_key
    first = next(it for it in found if (it.name, it.policy.account_key) == (one.name, account))
    return first.key.secret != one.key.secret


def _add(account: dict[str, Any], one: Found, leaked: Iterable[Found], master: Found | None, other: bool) -> None:
    if one.policy.file not in account["files"]:
        account["files"].append(one.policy.file)
    name = f"{one.policy.name}/{one.name}" if other else one.name
    master = None if other else master
    same = [key for key in account["keys"] if key["name"] == name]
    if same:  # two policies of one account share a key: it is one key
        same[0]["leaked"] = same[0]["leaked"] or one in leaked
        return
    account["keys"].append(
        {
            "name": name,
            "policy": one.policy.name,
            "purpose": one.key.purpose,
            "leaked": one in leaked,
            "master": master.name if master is not None else "",
            "master_file": master.policy.file if master is not None else "",
            "path": path(one, master, name),
        }
    )


def master_of(one: Found, found: Iterable[Found], named: str = "") -> Found | None:
    """Return the key that can end another by an API call: the one that is named, else one with key_admin.

    It is of the same exchange and not itself; None where the exchange has no such call.
    """
    facts = traits.load(one.policy.model.exchange)
    known = facts.revocation if facts is not None else None
    if known is None or not (known.by_master or known.by_other):
        return None
    others = [
        other
        for other in found
        if other.policy.model.exchange == one.policy.model.exchange and other.name != one.name and other.key.secret
    ]
    wanted = [other for other in others if other.name == named] if named else others
    return next((other for other in wanted if named or KEY_ADMIN in (other.key.scopes or ())), None)


def path(one: Found, master: Found | None, name: str) -> list[str]:
    """Return how a key is revoked, as lines for a person; the API comes first where it can do it."""
    lines = []
    if master is not None:
        lines.append(f"policykit asks the API now, with the key {master.name}; while it says WAITING below:")
    return lines + _by_hand(name, one.policy.model.exchange, set(one.key.scopes or ()))


def _unnamed(name: str, exchange: str) -> dict[str, Any]:
    lines = _by_hand(name, exchange, set())
    return {"name": name, "policy": "", "purpose": "", "leaked": True, "master": "", "path": lines}


def _by_hand(name: str, exchange: str, scopes: set[str]) -> list[str]:
    facts = traits.load(exchange)
    known = facts.revocation if facts is not None else None
    lines = list(known.steps) if known is not None else []
    if not lines:
        lines = [f"{exchange} > account > API keys", f"delete {name}", "confirm with the second factor"]
    if known is not None and known.own and not set(known.own_needs) & scopes:
        lines.append(f"(the API would need {' or '.join(known.own_needs)} on the key itself, which no bot's key has)")
    return [*lines, f'policykit incident step revoke/{name} --done --by YOU --why "deleted in the web page"']
