"""What a simulated account holds of contracts, as a person writes it: `BTC/USDT:USDT=-0.5@61000`, `USDT=20000`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from policykit.sim.server import SimServer

#: The dialects that tell of contracts.
SHOWN: Final = ("binance", "binancecoinm", "binanceusdm")
_NUMBER: Final = r"[0-9]{1,15}(?:\.[0-9]{1,8})?"
_FORM: Final = re.compile(
    rf"([A-Z0-9]{{1,20}}(?:/[A-Z0-9]{{1,20}}:[A-Z0-9]{{1,20}})?)=(-?{_NUMBER})(?:@({_NUMBER}))?\Z"
)


class Holding(NamedTuple):
    """Contracts held, a short below zero, entered at a price (None: at the market's); or money to trade them with."""

    name: str
    amount: Decimal
    entry: Decimal | None


def read_holding(text: str) -> Holding:
    """Read `CONTRACT=AMOUNT[@ENTRY]`, or `ASSET=AMOUNT` of the contracts' wallet; raise ValueError for another form."""
    found = _FORM.match(text)
    if found is None or ("/" not in found[1] and (found[3] or found[2].startswith("-"))):
        raise ValueError(f"hold {text!r:.80} has no form; BTC/USDT:USDT=-0.5@61000 or USDT=20000 may be")
    return Holding(found[1], Decimal(found[2]), Decimal(found[3]) if found[3] else None)


def hold(sim: SimServer, holdings: Sequence[Holding]) -> None:
    """Give the account what it is to hold. Raise ValueError where nothing would show it, or for no contract."""
    if holdings and sim.dialect not in SHOWN:
        raise ValueError(f"hold {holdings[0].name}: {sim.dialect} shows no contracts; {', '.join(SHOWN)} do")
    for one in holdings:
        if "/" in one.name:
            sim.hold(one.name, one.amount, entry=one.entry or sim.mark(one.name))
        else:
            sim.add_margin(one.name, one.amount)
