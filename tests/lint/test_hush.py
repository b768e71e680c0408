"""A secret that was pasted in the place of a name is in no report, baseline or note, whichever rule speaks of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from policykit.finding import Finding, Fix
from policykit.lint.hush import hushed
from policykit.lint.report import formats
from policykit.place import Place
from tests.lint.conftest import NOW, Said

Run = Callable[..., Said]
CANARY = "NqVwYS81VP7Hb1DX8pPd5khxE3pyIgKp"
WAIVER = "waivers:\n  - {rule: PK603, at: %s, owner: %s, ticket: %s, reason: at %s, expires: %s}\n"
AT_CAP = WAIVER.replace("%s", "risk.max_order_notional", 1).replace("expires: %s", "expires: 2026-12-01")
#: What is changed in the clean policy: the text there, and the text with the canary.
PLACES = {
    "key": ("  mm-exec:", f"  {CANARY}:"),
    "scope of a key": ("  mm-exec:\n    purpose: execution", f"  {CANARY}:\n    purpose: tracking"),
    "vendor": ("incident:", f"vendors: {{{CANARY}: {{asks_for: [withdraw], by: {CANARY}}}}}\nincident:"),
    "symbol": ('"BTC/USDT"', CANARY),
    "budget": ("  orders: {limit", f"  {CANARY}: {{limit"),
    "waiver": ("incident:", WAIVER.replace("%s", CANARY) + "incident:"),
    "used waiver": ("incident:", AT_CAP.replace("%s", CANARY) + "incident:"),
    "owner": ("owner: desk-a", f"owner: {CANARY}"),
}


@pytest.mark.parametrize("place", PLACES)
def test_I23_a_secret_for_a_name_is_nowhere(run: Run, policy: Path, place: str) -> None:
    """Every format, the diff and the baseline have no eight characters of it."""
    text = policy.read_text()
    old, new = PLACES[place]
    assert old in text
    policy.write_text(text.replace(old, new, 1).replace("order_notional: 1.5%", "order_notional: 10%"))
    said = [run("lint", ".", "--now", NOW, "--format", one) for one in formats()]
    said += [
        run("lint", ".", "--now", NOW, *more) for more in (["--diff", "--unsafe-fixes"], ["--write-baseline", "b"])
    ]
    whole = "".join(one.out + one.err for one in said) + Path("b").read_text()
    assert {one.code for one in said} <= {0, 1}
    assert not [i for i in range(len(CANARY) - 7) if CANARY[i : i + 8] in whole]


def test_what_is_no_secret_stays() -> None:
    """Ordinary findings are the same object; a fix that would write stars is left out; public addresses are shown."""
    place = Place("p.yaml", 1, 1, 1, 2, "keys.mm-exec")
    kept = Finding("PK101", "n", "low", "GET /sapi/v1/account/apiRestrictions", place, fix=Fix.replace(place, "1", "l"))
    assert hushed(kept) is kept
    public = Finding("PK707", "n", "low", f"to {CANARY}", place)
    assert hushed(public) is public
    there = place._replace(path=f"keys.{CANARY}")
    shown = hushed(Finding("PK101", "n", "low", "m", there, context=((CANARY, there),), fix=Fix.remove(there, "l")))
    starred = place._replace(path="keys." + "*" * 32)
    assert (shown.primary, shown.context, shown.fix) == (starred, (("*" * 32, starred),), None)
