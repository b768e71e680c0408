"""The steps of an incident as data: what the command does, what a person does, what docs/runbook.md says.

Source of the order: GUIDE.md, G42 (first five minutes), G43 (next sixty minutes), G44 (afterwards), G45 (the clock).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from policykit import traits

#: From the detection of a leak to the proof that the key is dead, ms: most losses are avoidable within it (G45).
TEN_MINUTES_MS: Final = 600_000
#: The headings of the three parts, in the guide's words.
PHASES: Final = ("First five minutes", "Next sixty minutes", "Afterwards")

Of = Literal["store", "account", "leaked", "other"]
Hand = Literal["policykit", "person", "either"]


class Step(NamedTuple):
    """One step. `of`: once, for each account, for each leaked key, for each other key of the accounts.

    `hand`: who does it; "either": policykit where an API lets it, else a person. `do` is what a person does or types,
    with `{incident}`, `{account}`, `{exchange}`, `{key}`, `{policy}`, `{scope}` and `{file}` filled in.
    """

    id: str
    phase: int
    guide: str
    of: Of
    hand: Hand
    what: str
    do: tuple[str, ...]


STEPS: Final = (
    Step("revoke", 0, "G42", "leaked", "either", "Revoke the key {key}", ()),
    Step(
        "halt",
        0,
        "G42",
        "account",
        "policykit",
        "Stop every bot of {account}",
        ('policykit kill --scope account:{account} --by YOU --why "incident {incident}"', "end the bots' processes"),
    ),
    Step(
        "cancel",
        0,
        "G42",
        "account",
        "policykit",
        "Cancel the open orders of {account}, and see that none is left",
        ("{exchange} > Orders > Open orders: cancel all, on every tab (spot, contracts, conditional)",),
    ),
    Step(
        "disable",
        0,
        "G42",
        "other",
        "person",
        "Disable the key {key} too, unless you are sure that it is in no other hands",
        ("{page}: take its permissions away, or delete it",),
    ),
    Step(
        "withdrawals",
        0,
        "G42",
        "account",
        "either",
        "Look for withdrawal addresses of {account} that are not yours",
        ("{exchange} > Withdraw > Address book, and the history of withdrawals", "delete what nobody knows"),
    ),
    Step(
        "password",
        0,
        "G42",
        "account",
        "person",
        "Change the password of {account}, and end every other session",
        ("{exchange} > Security > Password", "{exchange} > Security > Devices: log out all others"),
    ),
    Step(
        "audit",
        1,
        "G43",
        "account",
        "policykit",
        "Ask {exchange} what every key of {account} may do, from where, and when it was used last",
        ("policykit lint --live {policy}", "{page}: read permissions, addresses and last use of each key"),
    ),
    Step(
        "activity",
        1,
        "G43",
        "account",
        "either",
        "Read the logins and the API activity of {account} since {since}",
        ("{exchange} > Security > Account activity: save it; note addresses and devices that are not yours",),
    ),
    Step(
        "history",
        1,
        "G43",
        "account",
        "either",
        "Find the orders and trades of {account} since {since} that no bot of yours sent",
        ("{exchange} > Orders > Order history and Trade history: export both since {since}",),
    ),
    Step(
        "support",
        1,
        "G43",
        "account",
        "person",
        "Tell the support of {exchange}, with the timeline",
        (
            "policykit incident report --incident {incident} --account {account} --output {incident}.md",
            "{exchange} > Support: ask to freeze withdrawals and to keep the logs; send the report",
        ),
    ),
    Step(
        "second-factor",
        1,
        "G43",
        "account",
        "person",
        "Bind {account} to a hardware key as second factor",
        ("{exchange} > Security > Security keys",),
    ),
    Step(
        "successor",
        2,
        "G44",
        "leaked",
        "person",
        "Make the successor of {key}: only the permissions and addresses of its policy",
        ("policykit keys plan {key} {file}", "policykit rotate start {key} {file}"),
    ),
    Step(
        "allowlist",
        2,
        "G44",
        "account",
        "person",
        "Tighten the withdrawal allowlist of {account}",
        ("{exchange} > Withdraw > Allowlist: on, with a waiting time for new addresses",),
    ),
    Step(
        "vendors",
        2,
        "G44",
        "store",
        "person",
        "Look through the third parties that hold a key, or that an account is bound to",
        ("policykit vendor status",),
    ),
    Step(
        "cause",
        2,
        "G44",
        "store",
        "person",
        "Find how it leaked, and write it down",
        ('policykit incident step cause --done --by YOU --why "WHAT LEAKED IT"',),
    ),
    Step(
        "rotation",
        2,
        "G44",
        "store",
        "person",
        "Bring rotation and monitoring up to date: what would have shown it earlier?",
        ("policykit keys", "policykit notify test"),
    ),
    Step(
        "rearm",
        2,
        "G44",
        "account",
        "person",
        "Trade again on {account}, once the old key is dead and the cause is known",
        ('policykit resume --scope account:{account} --by YOU --why "incident {incident} is over"',),
    ),
)
BY_ID: Final[Mapping[str, Step]] = {step.id: step for step in STEPS}


class Task(NamedTuple):
    """A step for one subject: an account ("" is the whole store), or a key of one. `do` and `what` are filled in."""

    id: str
    step: Step
    account: str
    key: str
    what: str
    do: tuple[str, ...]


def tasks(head: Mapping[str, Any]) -> list[Task]:
    """Return every step of an incident for each of its subjects, in the order of STEPS; pure, from its head row."""
    return [task for step in STEPS for task in _of(step, head)]


def _of(step: Step, head: Mapping[str, Any]) -> Iterator[Task]:
    words = {"incident": head["incident"], "since": head["since"]}
    if step.of == "store":
        yield _task(step, "", "", words)
        return
    for account in head["accounts"]:
        facts = traits.load(account["exchange"])
        name = account["account"]
        page = facts.key_page.partition(" > Edit")[0] if facts and facts.key_page else f"{account['exchange']} > API"
        file = next(iter(account["files"]), "policies")
        about = {"account": name, "exchange": account["exchange"], "page": page, "policy": file, "file": file}
        if step.of == "account":
            yield _task(step, name, "", words | about)
            continue
        for key in account["keys"]:
            if key["leaked"] == (step.of == "leaked"):
                task = _task(step, name, key["name"], words | about | {"key": key["name"]})
                yield task._replace(do=tuple(key["path"])) if step.id == "revoke" else task


def _task(step: Step, account: str, key: str, words: Mapping[str, str]) -> Task:
    ident = "/".join(part for part in (step.id, account, key) if part)
    return Task(
        ident, step, account, key, step.what.format_map(words), tuple(line.format_map(words) for line in step.do)
    )


def named(found: list[Task], asked: str) -> list[Task]:
    """Return the tasks that an id names, written whole or in part: `revoke`, `revoke/mm-exec`, `password/binance`."""
    exact = [task for task in found if task.id == asked]
    first, *rest = asked.split("/")
    return exact or [task for task in found if task.step.id == first and _in_order(rest, task.id.split("/")[1:])]


def _in_order(wanted: list[str], parts: list[str]) -> bool:
    left = iter(parts)
    return all(part in left for part in wanted)
