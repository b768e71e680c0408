"""The draft of a starter policy: each value with where it comes from, so that the file can say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from policykit.exchanges.about import About
from policykit.rules.fences import CLOCK_BOUND_MS, VALIDITY_MS
from policykit.traits import load as load_traits
from policykit.traits.base import fence_length_ms, product_of
from policykit.units import Duration

#: Marks a value that was guessed; a person looks at each and takes the mark away.
CHECK: Final = "check:"
#: Orders a minute that are proposed; half of what the exchange takes where that is less.
ORDERS: Final = 30


class Said(NamedTuple):
    """A value as the file has it, and what stands behind it as a comment."""

    value: str
    why: str = ""


def guessed(value: str, why: str) -> Said:
    """Return a value that somebody must look at."""
    return Said(value, f"{CHECK} {why}")


class Budget(NamedTuple):
    """One rate budget of the draft."""

    name: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What a starter policy says. Each limit is one that this version enforces."""

    exchange: str
    name: str
    owner: str
    today: str
    prefix: str
    credentials: tuple[str, ...]
    account: Said
    currency: Said
    environment: Said
    stage: Said
    evidence: str
    purpose: Said
    scopes: Said
    budgets: tuple[Budget, ...]
    symbols: Said
    order_types: Said
    max_order: Said
    max_position: Said
    #: None where this version cannot see leverage: a guard would deny every increase under a bound.
    max_leverage: Said | None
    max_open_orders: Said
    max_orders: Said
    collar: Said
    daily_loss: Said
    resend: Said
    #: What it was made from, as the first lines of the file say: `from freqtrade's config.json`.
    source: str = ""
    #: Lines for the person, printed and not written: what was found, and what to do about it.
    notes: tuple[str, ...] = field(default=())

    def noting(self, *notes: str) -> Draft:
        """Return the draft with further lines for the person."""
        return replace(self, notes=(*self.notes, *notes))


def starter(about: About, name: str, owner: str, today: str, symbols: Sequence[str] = ()) -> Draft:
    """Return the draft of a bot that trades in the sandbox, by the guide's figures."""
    given = tuple(symbols)
    traded = given or (("BTC/USDT",) if about.spot else ("BTC/USDT:USDT",))
    scope = trade_scope(traded)
    return Draft(
        exchange=about.id,
        name=name,
        owner=owner,
        today=today,
        prefix=prefix(name),
        credentials=about.credentials,
        account=guessed("main", "your name for the account; every policy on it says the same"),
        currency=guessed(currency_of(traded[0]), "what equity is counted in"),
        environment=Said("sandbox", "live, once the sandbox stage is over"),
        stage=Said("sandbox", "then paper, micro-live, small-live, full-live (G41)"),
        evidence="",
        purpose=Said("execution", "one purpose a key (G07)"),
        scopes=Said(f"[read, {scope}]", "never withdraw, never transfer (G04, G05)"),
        budgets=budgets(about, traded),
        symbols=Said(names(given)) if given else guessed(names(traded), "what the bot trades, by ccxt's names (G01)"),
        order_types=guessed("[limit, market]", "what the bot sends"),
        max_order=Said("2% of equity", "G33: 1-2%"),
        max_position=Said("20% of equity", "G35"),
        max_leverage=leverage(about.id, traded),
        max_open_orders=guessed("20", "the most that the bot needs (G34)"),
        max_orders=guessed(str(min(ORDERS, max(1, pace(about) // 2))), "the most that the bot needs (G34)"),
        collar=guessed("2%", "how far from the mark an order may cost you (G01)"),
        daily_loss=Said("3% of equity", "G36: 3-5%"),
        resend=resend(about.id, traded),
    )


def paper(made: Draft, why: str) -> Draft:
    """Return a draft at stage paper: live data, a key that only reads, no order."""
    scope = made.scopes.value.partition(", ")[2].rstrip("]")
    return replace(
        made,
        environment=Said("live", "the exchange itself; the stage lets no order out"),
        stage=Said("paper", f"{why} (G41)"),
        purpose=Said("market_data", "execution, once it trades"),
        scopes=Said("[read]", f"paper reads; [read, {scope}] once it trades, and never withdraw (G04, G41)"),
    )


#: An allowance of fewer calls a window cannot be shared out: 80 % of it, less what exits keep, would be none.
LEAST_SHARED: Final = 3


def budgets(about: About, symbols: Sequence[str]) -> tuple[Budget, ...]:
    """Return the exchange's allowances as traits have them, the smaller where what is traded has its own.

    Without traits: ccxt's own pace.
    """
    traits = load_traits(about.id)
    if traits is not None:
        products = {product_of(symbol) for symbol in symbols} & set(traits.products)
        own = [window for name in products for window in traits.products[name].rate_windows]
        return tuple(
            Budget(
                window.name,
                f"limit: {window.limit}, per: {Duration(window.per_ms)}, "
                f"window: {window.window}, shared_by: {window.scope}",
                "what it publishes",
            )
            for published in traits.rate_windows
            for window in [
                min(
                    (published, *(one for one in own if one.name == published.name)),
                    key=lambda one: one.limit / one.per_ms,
                )
            ]
            if window.limit >= LEAST_SHARED
        )
    count = pace(about)
    why = f"{CHECK} ccxt's own pace, a request every {about.wait_ms:g} ms; every call counts one"
    return (Budget("requests", f"limit: {count}, per: 1m, window: rolling, shared_by: ip", why),)


def leverage(exchange: str, symbols: Sequence[str]) -> Said | None:
    """Return the largest leverage: none on spot that is known not to borrow; elsewhere nothing can hold a bound."""
    traits = load_traits(exchange)
    product = traits.products.get(product_of(symbols[0])) if traits is not None else None
    spot = trade_scope(symbols) == "trade.spot" and product is not None and product.auto_borrow is False
    return Said("1", "G01: spot") if spot else None


def resend(exchange: str, symbols: Sequence[str]) -> Said:
    """Return what follows a missing order: sent again only where a fence is known that proves it missing."""
    traits = load_traits(exchange)
    product = traits.products.get(product_of(symbols[0])) if traits is not None else None
    families = product.families.values() if product is not None else ()
    if not families or any(fence_length_ms(family, VALIDITY_MS, CLOCK_BOUND_MS) is None for family in families):
        return Said(
            "{when_absent: hold}", "a person decides: no fence is known here that proves an order missing (G26)"
        )
    return Said("{when_absent: new_client_order_id, attempts: 2, expires_after: 30s}", "G26, G38")


def pace(about: About) -> int:
    """Return how many requests ccxt makes in a minute at most."""
    return max(1, int(60_000 / max(about.wait_ms, 1)))


def trade_scope(symbols: Sequence[str]) -> str:
    """Return the scope that the first symbol needs: `BTC/USDT` spot, `BTC/USDT:USDT` derivatives."""
    return "trade.derivatives" if ":" in symbols[0] else "trade.spot"


def currency_of(symbol: str) -> str:
    """Return what a symbol is settled in, else its quote: `BTC/USDT` USDT, `BTC/USD:BTC` BTC."""
    settled = symbol.partition(":")[2].partition("-")[0]
    quote = symbol.partition("/")[2].partition(":")[0]
    return settled or quote or "USDT"


def names(symbols: Sequence[str]) -> str:
    """Write a list of symbols."""
    return "[" + ", ".join(f'"{symbol}"' for symbol in symbols) + "]"


def prefix(name: str) -> str:
    """Return the beginning of a key's environment variables: `mm-1` MM_1."""
    return "".join(c if c.isalnum() else "_" for c in name).upper()
