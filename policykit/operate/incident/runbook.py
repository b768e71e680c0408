"""docs/runbook.md: the page that an on-call person opens, made from the same steps that the command runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policykit import traits
from policykit.operate.incident.steps import PHASES, STEPS, Step

#: What stands in the place of a step's subjects.
_WORDS: Final = {
    "incident": "ID",
    "account": "EXCHANGE/ACCOUNT",
    "exchange": "EXCHANGE",
    "key": "KEY",
    "page": "API keys",
    "policy": "POLICY",
    "file": "POLICY",
    "since": "the suspected time",
}
_HEAD: Final = """\
# A key may be in other hands

<!-- Made by `make docs` from policykit/operate/incident/steps.py and the traits; do not edit. -->

**Type this now. Read on while it runs.** Minutes count: most losses are avoidable within ten.

```sh
policykit incident start --key KEY --by YOU --why "WHAT HAPPENED"   # you know which key
policykit incident start --all --by YOU --why "WHAT HAPPENED"       # you do not
```

It shows at once how the key is deleted. **Do that first, in the web page, while the command halts the bots and cancels
the orders of every account.** Every order is cancelled, stops too; `--keep-exits` keeps those that can only reduce.
Later, on any host of the same store:

```sh
policykit incident status                                          # what was done, what is open, and how
policykit incident step STEP --done --by YOU --why "WHAT YOU SAW"    # a step that a person did
policykit incident resume                                          # try again what failed; nothing is done twice
```

No policykit here? Delete the key ([where](#where-a-key-is-deleted)), cancel every order, end the bots: in that order.
"""
_TROUBLE: Final = """\
## When a step fails

| it says | do |
|---|---|
| it still works | it was another key, or another account: look again at the page of the exchange |
| refused from here | a wrong address is refused like a dead key: look at the page, then confirm the step |
| no key here can cancel | cancel in the web page; or run `policykit incident resume` on a host that has a key |
| not seen: FAMILY | orders of that kind cannot be listed: look at that tab in the web page |
| still open | run `policykit incident resume`; cancel what is left in the web page |
| NOT RECORDED | the store is down, so no bot was halted: end their processes; keep a copy of the screen |
| the exchange does not answer | the others were not waited for: go on; `policykit incident resume` later |

Trading stays halted until `policykit resume`. Practise: `policykit incident drill`.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_phases(), _TROUBLE, *_exchanges()]) + "\n"


def _phases() -> Iterator[str]:
    number = 0
    for phase, title in enumerate(PHASES):
        steps = [step for step in STEPS if step.phase == phase]
        yield f"## {title} ({steps[0].guide})\n"
        for step in steps:
            number += 1
            yield from _step(step, number)
        yield ""


def _step(step: Step, number: int) -> Iterator[str]:
    hand = {"policykit": "policykit does it", "person": "you", "either": "policykit where it can, else you"}[step.hand]
    yield f"{number}. **{step.what.format_map(_WORDS)}** ({hand}; `{step.id}`)"
    commands = [line.format_map(_WORDS) for line in step.do if line.startswith("policykit ")]
    pages = [line.format_map(_WORDS) for line in step.do if not line.startswith("policykit ")]
    if step.id == "revoke":
        pages = ["see [where a key is deleted](#where-a-key-is-deleted)"]
        commands = ['policykit incident step revoke/KEY --done --by YOU --why "deleted in the web page"']
    yield from (f"    - {line}" for line in pages)
    if commands:
        yield "\n    ```sh"
        yield from (f"    {line}" for line in commands)
        yield "    ```"


def _exchanges() -> Iterator[str]:
    yield "## Where a key is deleted\n"
    yield "| exchange | in its web page | by the API |"
    yield "|---|---|---|"
    for name in traits.known():
        facts = traits.load(name)
        known = facts.revocation if facts is not None else None
        if known is None:
            continue
        api = "of a sub-account, with the main account's key" if known.by_master else "no"
        if known.own:
            needs = " or ".join(known.own_needs)
            api += f"; by the key itself only with {needs}" if needs else "; by the key itself"
        yield f"| {name} | {'; '.join(known.steps)} | {api} |"
