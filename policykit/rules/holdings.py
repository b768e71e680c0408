"""What an account holds, as a snapshot tells it: equity, positions, open orders, markets; and which caps speak of it.

Everything here reads text that an exchange or a person wrote. What is not understood is None, never zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from policykit.model.symbols import allows
from policykit.rules.base import words
from policykit.rules.budgets import one_kind, same_position
from policykit.rules.caps import money
from policykit.units import Bound, Share, exact

if TYPE_CHECKING:
    from policykit.finding import Observed
    from policykit.rules.base import Inputs

Row = Mapping[str, Any]
_CODE = re.compile(r"[A-Z0-9]{1,20}")
#: The longest symbol that is shown.
MAX_SYMBOL = 64
#: How many names of what could not be judged are put into one message.
MAX_NAMED = 5


def rows(inputs: Inputs, name: str) -> list[Row]:
    """Return those rows of a list of the account's, `positions` say, that have a symbol; see `untold` for the rest."""
    return [row for row in _list(inputs, name) or () if isinstance(row, Mapping) and row.get("symbol")]


def _list(inputs: Inputs, name: str) -> list[Any] | None:
    listed = inputs.snapshot.account.get(name) if inputs.snapshot else None
    return listed if isinstance(listed, list) else None


def _reasons(inputs: Inputs, name: str) -> list[tuple[str, str]]:
    """Return (part, reason) of what of the account, or of a part of it (`equity.unpriced`), is not known."""
    said = inputs.snapshot.account.get("unknown") if inputs.snapshot else None
    known: Row = said if isinstance(said, Mapping) else {}
    return [(part, " ".join(str(why).split())) for part, why in known.items() if f"{part}.".startswith(f"{name}.")]


def symbol_of(row: Row) -> str:
    """Return a row's symbol as it can be shown."""
    text = str(row["symbol"])
    return text[:MAX_SYMBOL] if text.isprintable() else "a market whose name cannot be shown"


def untold(inputs: Inputs, name: str) -> str:
    """Return why a list of the account's, or a part of it (`open_orders.trigger`), is not known; empty when it is."""
    listed = _list(inputs, name)
    if listed is None:
        return inputs.not_told(name)
    odd = "a row of it has no symbol" if len(rows(inputs, name)) < len(listed) else ""
    return several((*(why for _, why in _reasons(inputs, name)), odd))


def number(value: object) -> Decimal | None:
    """Read a number that is not below zero; None for anything else."""
    try:
        read = exact(value)
    except ValueError:
        return None
    return read if read >= 0 else None


def equity(inputs: Inputs) -> Decimal | None:
    """Return the account's equity in its own currency (`100000`, `100000 USDT`); None when it was not told so."""
    said = inputs.snapshot.account.get("equity") if inputs.snapshot else None
    value, _, unit = str(said).partition(" ")
    return number(value) if unit in ("", inputs.model.account.currency) else None


def equity_lacks(inputs: Inputs) -> str:
    """Return what equity leaves out (an asset without a price, a wallet); empty when it is whole."""
    return several(
        f"{why} in it has no price" if part == "equity.unpriced" else why for part, why in _reasons(inputs, "equity")
    )


def traded(inputs: Inputs, symbol: str) -> bool:
    """Tell whether the policy speaks of a symbol: another policy may trade the rest of the account."""
    symbols = inputs.model.risk.symbols if inputs.model.risk else None
    return allows(symbols or (), symbol)


def currency_of(row: Row) -> str | None:
    """Return what the notional of a row is counted in: as the row says, else as its symbol does."""
    said = row.get("currency")
    if said is None:
        quote, _, settle = str(row["symbol"]).partition("/")[2].partition(":")
        said = quote if settle.partition("-")[0] in ("", quote) else None
    return said if isinstance(said, str) and _CODE.fullmatch(said) else None


def evidence(inputs: Inputs, name: str, path: str, value: object) -> Observed:
    """Return the evidence of a finding on what an account holds; `name`: the list that was read."""
    account = inputs.snapshot.account if inputs.snapshot else {}
    sources = account.get("sources")
    source = sources.get(name) if isinstance(sources, Mapping) else None
    source = source if isinstance(source, Mapping) else account.get("source")
    said: Row = source if isinstance(source, Mapping) else {}
    taken_at = inputs.snapshot.taken_at if inputs.snapshot else ""
    return inputs.evidence(str(said.get("endpoint") or "account"), path, value, str(said.get("at") or taken_at))


def named(names: Iterable[str]) -> str:
    """Join names, the first few of them."""
    listed = list(dict.fromkeys(names))
    more = len(listed) - MAX_NAMED
    return words([*listed[:MAX_NAMED], *([f"{more} more"] if more > 0 else [])])


def several(reasons: Iterable[str]) -> str:
    """Join reasons, the first few of them; empty ones are none."""
    listed = list(dict.fromkeys(reason for reason in reasons if reason))
    more = len(listed) - MAX_NAMED
    return "; ".join([*listed[:MAX_NAMED], *([f"{more} more"] if more > 0 else [])])


class Held(NamedTuple):
    """One side of one position. `notional` is None when it is not known; `why` says so."""

    symbol: str
    side: Literal["long", "short"]
    notional: Decimal | None
    currency: str
    path: str
    why: str = ""

    @property
    def name(self) -> str:
        return f"{self.symbol} {self.side}"


def positions(inputs: Inputs) -> list[Held]:
    """Return the positions that were told and are not empty, a side each; on spot the rows of one asset are one.

    Balances without a row, on spot, are positions whose worth is not known.
    """
    found: dict[tuple[str, str], Held] = {}
    for index, row in enumerate(rows(inputs, "positions")):
        held = _held(row, f"positions.{index}.notional")
        if held.notional == 0:
            continue
        spot = ":" not in held.symbol
        key = (held.symbol.partition("/")[0] if spot else held.symbol, held.side)
        found[key] = _joined(found[key], held) if key in found else held
    return [*found.values(), *_without_row(inputs, {asset for asset, _ in found})]


def _held(row: Row, path: str) -> Held:
    side: Literal["long", "short"] = "short" if row.get("side") == "short" else "long"
    symbol, currency, notional = symbol_of(row), currency_of(row), number(row.get("notional"))
    if number(row.get("quantity")) == 0:
        notional = Decimal(0)
    if notional is None or currency is None:
        return Held(symbol, side, None, currency or "", path, "the exchange gave no notional")
    return Held(symbol, side, notional, currency, path)


def _joined(one: Held, other: Held) -> Held:
    if one.notional is None or other.notional is None or one.currency != other.currency:
        return one._replace(notional=None, why=one.why or other.why or "its parts are counted in two currencies")
    return one._replace(notional=one.notional + other.notional)


def _without_row(inputs: Inputs, known: set[str]) -> Iterator[Held]:
    """Yield balances of what is traded on spot and has no row: their quantity is known, their worth is not."""
    balances = inputs.snapshot.account.get("balances") if inputs.snapshot else None
    if one_kind(inputs)[0] == "swap" or not isinstance(balances, Mapping):
        return
    own = inputs.model.account.currency
    for asset, quantity in balances.items():
        if (
            _CODE.fullmatch(str(asset))
            and asset != own
            and asset not in known
            and number(quantity) != 0
            and traded(inputs, f"{asset}/{own}")
        ):
            yield Held(f"{asset}/{own}", "long", None, own, "balances", "there is a balance, and no price of it")


def caps_of(inputs: Inputs, symbol: str) -> tuple[str, tuple[Bound, ...]]:
    """Return the key of the position cap that holds for a symbol, and its bounds; two empty ones when none does."""
    risk = inputs.model.risk
    caps = (risk.max_position_notional if risk else None) or {}
    own = [key for key in caps if key != "default" and same_position(inputs.traits, symbol, key)]
    key = own[0] if own else "default"
    return (key, tuple(b for k in own or [key] for b in caps[k])) if key in caps else ("", ())


class Judged(NamedTuple):
    """What became of comparing a notional with a cap: the bound that it is over, or why that is not known."""

    over: str = ""
    why: str = ""


def judge(inputs: Inputs, notional: Decimal, currency: str, bounds: Sequence[Bound]) -> Judged:
    """Compare a notional with each bound of a cap; the tightest that it is over counts.

    A share counts at the equity of now. An equity that leaves assets out is at least so large: what is within a share
    of it is within the share.
    """
    if not notional:
        return Judged()
    own, now = inputs.model.account.currency, equity(inputs)
    limits: list[tuple[Decimal, str]] = []
    why: list[str] = []
    for bound in bounds:
        if isinstance(bound, Share):
            if currency != own:
                why.append(f"it is counted in {currency}, equity in {own}")
            elif now is None:
                why.append(f"equity is not known, {inputs.not_told('equity')}")
            elif notional > bound.fraction * now and equity_lacks(inputs):
                why.append(f"equity is not whole, {equity_lacks(inputs)}")
            elif notional > bound.fraction * now:
                limits.append((bound.fraction * now, f"{money(bound.fraction * now, currency)} ({bound})"))
        elif bound.currency != currency:
            why.append(f"it is counted in {currency}, the cap in {bound.currency}")
        elif notional > bound.value:
            limits.append((bound.value, str(bound)))
    return Judged(over=min(limits)[1]) if limits else Judged(why=several(why))
