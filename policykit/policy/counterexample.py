"""An order and facts that a policy allows and an invariant forbids, as `policykit check --order --facts` takes them.

The world is made so that nothing else of the policy stands in the way: every unit (equity, the price of a currency) is
chosen so large, or so small, that only bounds in the statement's own dimension bind. Where the policy rules out by
other limits what was tried, there is none; the invariant is unproved all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final, NamedTuple

from policykit.model.policy import Policy
from policykit.model.symbols import allows
from policykit.policy.layers import Layer
from policykit.policy.never import Broken, Judged, warns
from policykit.policy.stages import staged
from policykit.units import Amount, Bound, dimension, plain

#: What is over a limit by so much is over it.
_OVER: Final = Decimal("1.01")
_SLIPPAGE: Final = Decimal("1.05")
_MARKET: Final = re.compile(r"[A-Za-z0-9]+/[A-Za-z0-9]+(:[A-Za-z0-9]+)?\Z")
#: What a star of a pattern of symbols is tried as.
_BASES: Final = ("BTC", "ETH", "XRP", "", "ABC1")
#: Limits on how much one order may be, and on what is held after it.
_ORDER: Final = ("max_order_notional",)
_HELD: Final = ("max_asset_exposure", "max_gross_exposure", "max_net_exposure")
_TOTAL: Final = ("max_gross_exposure", "max_net_exposure")
#: What is held elsewhere, where the order's own market has a cap.
_ELSEWHERE: Final = "HELD"
#: Subjects whose example is an order of one size, and those whose example is a holding that a small order adds to.
_SIZES: Final = frozenset(("order_notional", "position_notional", "asset_exposure", "gross_exposure", "net_exposure"))

Plain = dict[str, Any]


class Example(NamedTuple):
    """What is allowed, in a sentence; the order and the facts, where it takes an order to show it."""

    says: str
    order: Plain | None = None
    facts: Plain | None = None


def example(layer: Layer, judged: Judged) -> Example | None:
    """Return a counterexample of a broken invariant of a composed policy; None where none was found."""
    broken = judged.verdict
    assert isinstance(broken, Broken)
    model = staged(layer, judged.stage).model
    said = broken.statement
    name = said.subject.name
    if broken.key:
        return Example(f"key {broken.key} may hold {name.removeprefix('key.')}")
    if said.op == "absent" or (model.risk is None and name not in _SIZES):
        return None
    made = _World(model, broken).made()
    if made is None:
        return None
    order, facts, over = made
    size = f"{order['side']} {order['quantity']} {order['symbol']}" + (
        f" at {order['price']}" if "price" in order else ""
    )
    return Example(f"it allows {size}{over}", order, facts)


class _World:
    """One policy and one statement; everything else is chosen to suit."""

    def __init__(self, model: Policy, broken: Broken) -> None:
        self.model = model
        self.risk = model.risk
        self.broken = broken
        self.said = broken.statement
        self.name = self.said.subject.name
        self.currency = model.account.currency
        self.equity = Decimal(100_000)
        self.price = Decimal(100)
        self.facts: Plain = {}
        self.order: Plain = {}
        self.marks: dict[str, Decimal] = {}

    def made(self) -> tuple[Plain, Plain, str] | None:
        """Return the order, the facts, and what is over the limit in words."""
        symbol = next(self._symbols(), None)
        if symbol is None:
            return None
        self._plain_order(symbol)
        over = self._sized() if self.name in _SIZES else self._other()
        if over is None:
            return None
        return self.order, self._facts(), over

    # -- the order -------------------------------------------------------------------------------------------------

    def _symbols(self) -> Iterator[str]:
        """Yield markets that may be traded, those of the statement first, and those in the account's currency."""
        patterns = (self.risk.symbols if self.risk is not None else None) or ()
        wanted = [p for p in patterns if not p.startswith("!")] or [f"*/{self.currency}"]
        if self.broken.symbol:
            said = self.broken.symbol
            wanted = [said, *(f"{said}{tail}/{self.currency}" for tail in ("", "*"))]
        made = [p.replace("*", base) for p in wanted for base in _BASES]
        made += [p.replace("*", f"{base}/{self.currency}") for p in wanted for base in _BASES]
        made = [s for s in dict.fromkeys(made) if _MARKET.match(s) and (not patterns or allows(patterns, s))]
        if self.said.subject.kind == "symbols":
            made = [s for s in made if allows((self.said.value,), s)]
        if self.name in ("leverage", "liquidation_distance", "funding_rate"):
            made = [s for s in made if ":" in s]
        yield from sorted(made, key=lambda s: not s.endswith(f"/{self.currency}"))

    def _plain_order(self, symbol: str) -> None:
        """Write an order that has whatever words the policy asks for."""
        types = list((self.risk.order_types if self.risk is not None else None) or ("limit",))
        kind = next((one for one in ("limit", "limit_maker", "market") if one in types), types[0])
        sides = (self.risk.sides if self.risk is not None else None) or ("buy",)
        self.order = {"symbol": symbol, "side": "buy" if "buy" in sides else sides[0], "type": kind, "quantity": "1"}
        for name, usual in (("time_in_force", "GTC"), ("self_trade_prevention", None)):
            words = getattr(self.risk, name, None)
            if words and usual not in words:
                self.order[name] = words[0]
        if self.said.op == "==" and self.name in ("order_type", "side", "time_in_force", "self_trade_prevention"):
            self.order[{"order_type": "type"}.get(self.name, self.name)] = self.said.value
        self._priced()

    def _priced(self) -> None:
        kind = self.order["type"]
        self.order.pop("price", None)
        if kind != "market":
            self.order["price"] = plain(self.price)
        if kind.startswith(("stop", "take", "trailing")):
            self.order["stop_price"] = plain(self.price)

    # -- sizes -----------------------------------------------------------------------------------------------------

    def _caps(self, fields: tuple[str, ...]) -> list[Bound]:
        """Return every bound of some limits on the order's market."""
        said = (name for name in fields if not warns(self.model, f"risk.{name}"))
        return [bound for name in said for bound in getattr(self.risk, name, None) or ()]

    def _position(self) -> list[Bound]:
        caps: Mapping[str, Any] = (self.risk.max_position_notional if self.risk is not None else None) or {}
        symbol = self.order["symbol"]
        base = symbol.partition("/")[0]
        named = [b for name, bounds in caps.items() if base in (name, name.partition("/")[0]) for b in bounds]
        return named or list(caps.get("default", ()))

    def _groups(self) -> list[Bound]:
        groups = (self.model.groups or {}).values()
        return [b for one in groups for b in (*(one.max_gross_exposure or ()), *(one.max_net_exposure or ()))]

    def _sized(self) -> str | None:
        """Choose units and sizes: what is held before, and an order, so that the subject is over its limit."""
        limit: Bound = self.said.value
        own = dimension(limit)
        orders, held, position = self._caps(_ORDER), [*self._caps(_HELD), *self._groups()], self._position()
        single, elsewhere = self.name == "order_notional", self.name in ("gross_exposure", "net_exposure")
        gross = [
            *self._caps(("max_asset_exposure",) if not elsewhere else ()),
            *self._caps(("max_gross_exposure",)),
            *self._groups(),
        ]
        net = self._caps(("max_net_exposure",))
        about = {"order_notional": [*orders, *gross], "gross_exposure": gross}
        most = _least(about.get(self.name, [*(() if elsewhere else position), *gross, *net]), own)
        target = limit[0] * _OVER if limit[0] else Decimal(1)
        target = target if most is None else min(target, most)
        if target <= limit[0]:
            return None
        asked = (self.risk.max_order_notional if self.risk is not None else None) or ()
        worth = self._units(own, target, [*asked, *held, *position])
        if worth is None:
            return None
        room = _least([*position, *net], own, target * 2) * worth / target / 2
        now, before = worth, min(Decimal(0), room - worth)
        if not single:
            now = min(worth / 1000, _least([*orders, *position, *held], own, target) * worth / target / 2)
            before = worth - now
        if now <= 0 or (single and before and _least(gross, own, target * 3) * worth / target < worth - before):
            return None
        # At market what is held counts at the mark, and what is bought with its slippage.
        at_market = self.order["type"] == "market" and self.order["side"] == "buy"
        if single and at_market and now + before / _SLIPPAGE > _least(net, own, target * 2) * worth / target:
            return None
        # Long and short ones add up to the gross exposure, whatever the net is.
        before = -before if self.name == "gross_exposure" else before
        if not self._quantities(now, before, elsewhere=elsewhere):
            return None
        unit = self.order["symbol"].partition("/")[2].partition(":")[0]
        at = f" at an equity of {plain(self.equity)} {self.currency}" if own == "share of equity" else ""
        return f", {self.name.replace('_', ' ')} {plain(_short(worth))} {unit}{at}"

    def _units(self, own: str, target: Decimal, caps: list[Bound]) -> Decimal | None:
        """Choose equity and prices so that only the statement's dimension binds; return the target in the quote."""
        base, _, rest = self.order["symbol"].partition("/")
        quote = rest.partition(":")[0]
        amounts: dict[str, Decimal] = {}
        for bound in caps:
            if isinstance(bound, Amount) and bound.currency != own:
                amounts[bound.currency] = min(bound.value, amounts.get(bound.currency, bound.value))
        share = min((b[0] for b in caps if not isinstance(b, Amount)), default=Decimal(1))
        if quote != self.currency or 0 in (share, *amounts.values()):
            return None
        if own == "share of equity":
            most = amounts.get(quote, self.equity * target * 2) / (2 * target)
            self.equity = min(self.equity, _short(most))
            worth = target * self.equity
        else:
            worth = target
            if own != quote:
                rate = _short(amounts.get(quote, Decimal(2_000)) / 2 / target)
                self._rate(own, rate, base)
                worth = target * rate
            self.equity = max(self.equity, (2 * worth / share).quantize(Decimal(1), ROUND_CEILING))
        for currency, value in amounts.items():
            if currency != quote:
                self._rate(currency, max(Decimal(1), 3 * worth / value).quantize(Decimal(1), ROUND_CEILING), base)
        return worth

    def _rate(self, currency: str, rate: Decimal, base: str) -> None:
        self.marks[f"{currency}/{self.currency}"] = rate
        if currency == base:
            self.price = rate

    def _quantities(self, now: Decimal, before: Decimal, *, elsewhere: bool) -> bool:
        """Write what is held and the order in units; False where no price makes it fit."""
        caps = (self.risk.max_order_quantity if self.risk is not None else None) or {}
        cap = caps.get(self.order["symbol"], caps.get("default"))
        if cap is not None and now / self.price > cap:
            if cap == 0 or self.order["symbol"] in self.marks:
                return False
            self.price = (now / cap * 2).quantize(Decimal(1), ROUND_CEILING)
        buys = self.order["side"] == "buy"
        unit = self.price * (_SLIPPAGE if self.order["type"] == "market" and buys else 1)
        self.order["quantity"] = plain(_short(now / unit))
        self._priced()
        sign = 1 if buys else -1
        if before and elsewhere:
            self.marks[f"{_ELSEWHERE}/{self.currency}"] = Decimal(1)
            self.facts["positions"] = {f"{_ELSEWHERE}/{self.currency}": plain(_short(sign * before))}
        elif before:
            # An order and its position count at the order's own price, exposure that is held at the mark.
            each = unit if self.name in ("order_notional", "position_notional") else self.price
            self.facts["positions"] = {self.order["symbol"]: plain(_short(sign * before / each))}
        return True

    # -- everything else -------------------------------------------------------------------------------------------

    def _other(self) -> str | None:
        """Choose what shows a statement of another kind; None where an order cannot show it, or none was found."""
        value, name = self.said.value, self.name
        if self.said.subject.kind in ("words", "symbols"):
            self._priced()
            return ""
        if name == "leverage":
            self.facts["contracts"] = {
                self.order["symbol"]: {"leverage": plain(value + min(Decimal(1), self._room(value)))}
            }
            return f" at a leverage of {self.facts['contracts'][self.order['symbol']]['leverage']}"
        if name == "open_orders":
            account = f"{self.model.exchange}/{self.model.account.name}"
            self.facts["used"] = {f"{account}|open_orders": value}
            return f" while {value} orders are open"
        if name == "price_deviation" and "price" in self.order:
            most = (
                self.risk.price_collar.max_deviation.fraction
                if self.risk is not None and self.risk.price_collar
                else None
            )
            beyond = value.fraction + Decimal("0.01") if most is None else min(most, value.fraction + Decimal("0.01"))
            sign = 1 if self.order["side"] == "buy" else -1
            self.order["price"] = plain(self.price * (1 + sign * beyond))
            return f" while the mark is {plain(self.price)}"
        if name == "daily_loss":
            return self._lost(value)
        return None

    def _room(self, value: Decimal) -> Decimal:
        most = self.risk.max_leverage if self.risk is not None else None
        return Decimal(1) if most is None else most - value

    def _lost(self, value: Bound) -> str | None:
        loss = self.risk.daily_loss if self.risk is not None else None
        bounds = () if loss is None or loss.on_breach == "warn" else loss.limit
        most = min((b[0] for b in bounds if dimension(b) == dimension(value)), default=None)
        over = value[0] * _OVER if most is None else (value[0] + most) / 2
        if (isinstance(value, Amount) and value.currency != self.currency) or over <= value[0]:
            return None
        base = self.equity if not isinstance(value, Amount) else max(self.equity, over * 1000)
        amounts = [b.value for b in bounds if isinstance(b, Amount) and not isinstance(value, Amount)]
        if amounts:
            base = min(base, min(amounts) / over / 2)
        base = _short(base)
        lost = _short(over * base) if not isinstance(value, Amount) else over
        self.facts["day_base"] = f"{plain(base)} {self.currency}"
        self.equity = base - lost
        return f" after a loss of {plain(lost)} {self.currency} in a day that began with {plain(base)} {self.currency}"

    # -- the facts -------------------------------------------------------------------------------------------------

    def _facts(self) -> Plain:
        """Return facts that say all that the policy's checks ask for, well inside of their limits."""
        symbol, money = self.order["symbol"], f"{plain(self.equity)} {self.currency}"
        if self.name not in _SIZES:
            self.order["quantity"] = "0.001"
        marks = {symbol: plain(self.price)} | {name: plain(rate) for name, rate in self.marks.items()}
        facts: Plain = {
            "equity": money,
            "day_base": money,
            "net_transfers": f"0 {self.currency}",
            "positions": {},
            "marks": marks,
            "skew_ms": 0,
        }
        if ":" in symbol:
            facts["contract_sizes"] = {symbol: "1"}
            mode = self.model.account.margin_mode or "isolated"
            usual = {"leverage": "1", "margin_mode": mode, "funding_rate": "0"}
            said = self.facts.pop("contracts", {}).get(symbol, {})
            facts["contracts"] = {symbol: usual | said}
        if self.model.account.position_mode:
            facts["position_mode"] = self.model.account.position_mode
        facts |= self.facts
        asked = {
            "max_margin_ratio": {"margin_ratio": "0"},
            "max_borrow": {"borrowed": f"0 {self.currency}"},
            "weekly_loss": {"week_base": facts["day_base"], "week_transfers": f"0 {self.currency}"},
            "max_drawdown": {"peak": facts["equity"]},
            "consecutive_losses": {"streak": 0},
            "partial_fills": {"partials": {}},
        }
        for name, more in asked.items():
            if getattr(self.risk, name, None) is not None:
                facts |= more
        return facts


def _short(number: Decimal) -> Decimal:
    """Return a number of at most eight decimal places, not over it."""
    return number.quantize(Decimal("1e-8"), ROUND_FLOOR).normalize()


def _least(bounds: list[Bound], own: str, default: Any = None) -> Any:
    """Return the tightest of some bounds in one dimension."""
    return min((bound[0] for bound in bounds if dimension(bound) == own), default=default)
