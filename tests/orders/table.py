"""What each policy of retry comes to: orders sent twice, positions doubled, and how long a bot is kept.

    python -m tests.orders.table 100000                      the table, of so many intents of ours
    python -m tests.orders.table POLICY SETTING SEED WISHES  one run again, exactly, and each wish that went wrong

`make prove` prints the table of 1,000,000 intents (`test_I1_what_each_policy_of_retry_comes_to`).
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from tests.orders.settings import DEDUPE, settings
from tests.orders.simulation import PLAN, Rules, Simulation

TERMS: Final = ("validity", "processing", "bound", "lag")
#: The most wishes of one run: what the store keeps of closed intents.
CHUNK: Final = 1_000
#: The call gives up after a second and the bot decides again.
SHORT: Final = replace(PLAN, wait_ms=1_000)


class Policy(NamedTuple):
    """A policy of retry. `share`: of the intents of the whole table, in per cent; `ours`: none of it may be wrong."""

    rules: Rules
    share: int
    ours: bool = False
    short: bool = False


POLICIES: Final = {
    "blind retry": Policy(Rules(retry="blind", pending=False), 3),
    "look up once, retry if missing": Policy(Rules(retry="look_once", pending=False), 3),
    "retry with the same id": Policy(Rules(retry="same_id", pending=False), 3),
    "ours without the pending rule": Policy(Rules(pending=False), 3, short=True),
    **{f"ours without {term}": Policy(Rules(terms=frozenset(TERMS) - {term}), 3) for term in TERMS},
    "ours": Policy(Rules(), 60, ours=True),
    "ours, not waited for": Policy(Rules(), 20, ours=True, short=True),
    "ours, killed at any step": Policy(Rules(crash=0.01), 20, ours=True),
}


class Run(NamedTuple):
    """One run: everything that it is made from."""

    policy: str
    setting: str
    seed: int
    wishes: int

    def again(self) -> str:
        """Return the command that replays it."""
        return shlex.join(("python", "-m", "tests.orders.table", *map(str, self)))

    def simulation(self) -> Simulation:
        """Return the run at its end."""
        policy = POLICIES[self.policy]
        setting = settings()[self.setting]
        plan = SHORT if policy.short else PLAN
        return Simulation(setting, self.seed, self.wishes, policy.rules, plan=plan).run()


@dataclass
class Line:
    """One line of the table."""

    intents: int = 0
    unclear: int = 0
    repeated: int = 0
    doubled: int = 0
    waited_ms: int = 0

    def add(self, sim: Simulation) -> None:
        """Count a run."""
        self.intents += len(sim.wish_of)
        self.unclear += len(sim.waits)
        self.repeated += sim.repeated
        self.doubled += sim.doubled
        self.waited_ms += sum(sim.waits)

    def text(self, name: str) -> str:
        """Write it."""
        share = 100 * self.repeated / max(1, self.unclear)
        wait = self.waited_ms / max(1, self.unclear) / 1000
        return (
            f"{name:34}{self.intents:>9,}{self.unclear:>9,}{self.repeated:>8,}{share:>6.1f} %"
            f"{self.doubled:>9,}{wait:>9.1f} s"
        )


def runs(policy: str, dedupe: str, intents: int) -> Iterator[Run]:
    """Yield runs over every setting whose ids are unique so, that make about so many intents together.

    A policy without a term of the fence is run where there is a fence.
    """
    fences = len(POLICIES[policy].rules.terms) < len(TERMS)
    names = [n for n, setting in settings().items() if setting.dedupe == dedupe and (setting.expires or not fences)]
    each = max(4, intents // len(names))
    for number, name in enumerate(names):
        for part, start in enumerate(range(0, each, CHUNK)):
            yield Run(policy, name, number * 1_000 + part, min(CHUNK, each - start))


def wrong(sim: Simulation) -> list[str]:
    """Return what may never be: of wishes, and of what the store believes."""
    twice = [wish for wish, looks in sim.venue.executions().items() if len(looks) > 1]
    second = [f"{sim.sent_while_unknown} sent while an earlier one was unknown"] * bool(sim.sent_while_unknown)
    return [f"{wish} was executed {len(sim.venue.executions()[wish])} times" for wish in twice] + sim.untrue() + second


def table(dedupe: str, intents: int) -> tuple[dict[str, Line], list[str]]:
    """Return the lines for ids that are unique so, and each run of ours that went wrong, with how to replay it."""
    lines: dict[str, Line] = {}
    failed: list[str] = []
    for name, policy in POLICIES.items():
        lines[name] = line = Line()
        for run in runs(name, dedupe, intents * policy.share // 100):
            sim = run.simulation()
            line.add(sim)
            if policy.ours and (bad := wrong(sim)):
                failed.append(f"{bad[0]} ({len(bad)} such); {run.again()}")
    return lines, failed


def show(dedupe: str, lines: dict[str, Line]) -> str:
    """Write the lines with their head."""
    unique = {"forever": "for ever", "open": "among open orders", "none": "not"}[dedupe]
    head = f"{'order ids unique ' + unique:34}{'intents':>9}{'unclear':>9}{'twice':>8}{'':8}{'doubled':>9}{'kept':>11}"
    return "\n".join((head, *(line.text(name) for name, line in lines.items())))


def replay(run: Run) -> int:
    """Tell of each wish of a run that went wrong; return how many things did."""
    sim = run.simulation()
    bad = wrong(sim)
    print(f"{run}: {len(sim.wish_of)} intents, {len(sim.venue.orders)} executed, {len(bad)} wrong")
    executions = sim.venue.executions()
    for wish, looks in executions.items():
        if len(looks) > 1:
            print(f"wish {wish}, by look {looks}:")
            for order in sim.venue.orders:
                if order.request.wish == wish:
                    r = order.request
                    at = f"signed {r.signed_ms}, executed {order.at_ms}, shows from {order.visible_ms}"
                    print(f"  order {order.number} as {r.client_order_id}: {at}; the bot read {r.reply}")
    print(*bad, sep="\n")
    return len(bad)


def main(arguments: Sequence[str]) -> int:
    """Print the table, or replay a run; return 1 if something of ours was wrong."""
    if len(arguments) == 4:
        policy, setting, seed, wishes = arguments
        return 1 if replay(Run(policy, setting, int(seed), int(wishes))) else 0
    failures = 0
    for dedupe in DEDUPE:
        lines, failed = table(dedupe, int(arguments[0]) // len(DEDUPE))
        print(show(dedupe, lines), *failed, "", sep="\n", flush=True)
        failures += len(failed)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["20000"]))
