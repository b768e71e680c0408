"""The text of `docs/checks.md`, made from the checks and the reason codes; `make docs` writes it."""

from __future__ import annotations

import inspect

from policykit.engine.checks import all_checks
from policykit.engine.checks.missing import holders_named
from policykit.engine.reasons import REASONS
from policykit.model.enforced import missing
from policykit.model.policy import Policy

_HEAD = """\
# Checks and reason codes

<!-- Made by `make docs` from policykit/engine; a test holds them equal. -->

A decision runs every check that the policy sets, and reports every one that fails, in this order. Deny wins.
What cannot be evaluated denies an increase. What can only reduce is stopped by nothing but a freeze, a malformed order,
a reused client order id, a ban, a rate budget without room even for exits, a stage at which no order leaves (paper;
sandbox on a live exchange), and `risk.reduce_only_exits`, for want of the flag that the policy asks of an exit in
contracts. Cancels always pass, and count. On spot only a sell into the account's currency can only reduce: selling
ETH/BTC buys BTC, and selling USDT/TRY spends the account's own money.

## Checks
"""

_UNHELD = """\
A policy that sets one of these, to more than its loosest word, loads and lints; its guard denies increases with
`CHECK_MISSING`.
"""


def page() -> str:
    """Return the page as Markdown."""
    checks = all_checks()
    parts = [_HEAD, *(_check_text(check.id, inspect.cleandoc(check.__doc__ or ""), check.codes) for check in checks)]
    parts.append("## Limits that are not enforced yet\n")
    parts.append(_UNHELD)
    known = {check.id for check in checks}
    parts.append("".join(f"- `{path}`\n" for path in _unheld(known)))
    parts.append("## Reason codes\n")
    rows = "".join(f"| `{code}` | {_cell(text.means)} | {_cell(text.do)} |\n" for code, text in sorted(REASONS.items()))
    parts.append(f"| code | means | what to do |\n|---|---|---|\n{rows}")
    return "\n".join(parts)


def _check_text(check_id: str, doc: str, codes: tuple[str, ...]) -> str:
    return f"### `{check_id}`\n\n{doc}\n\nCodes: {', '.join(f'`{code}`' for code in codes)}.\n"


def _unheld(known: set[str]) -> list[str]:
    return sorted({path for path, holder in holders_named(Policy) if missing(holder, known)})


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
