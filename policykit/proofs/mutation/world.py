"""A calm world for a policy: an account and an order that every limit of it allows, as tests of a policy say them.

Facts and orders are in the words of docs/facts.md, so that what is made here can be kept as a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from policykit.clock import iso
from policykit.decision import Decision, Hold
from policykit.engine import Engine, compile_policy
from policykit.engine.market import parse_market
from policykit.engine.trial import decide_once, read_facts, read_order
from policykit.model import Policy
from policykit.model.symbols import allows
from policykit.policy import EffectivePolicy
from policykit.proofs.suite.trader import HOST
from policykit.traits import load as load_traits
from policykit.units import Bound, Duration, Share, plain

#: 21 November 2026, 10:00 UTC, a Saturday: where trading hours let it, else the first moment that they do.
NOON_MS: Final = 1_795_255_200_000
#: What the account is worth, in its currency.
EQUITY: Final = Decimal(100_000)
#: What one of an asset costs in the calm world; another asset costs 10.
PRICES: Final = {"BTC": Decimal(50_000), "ETH": Decimal(2_500), "SOL": Decimal(100), "BNB": Decimal(500)}
OTHER_PRICE: Final = Decimal(10)
#: Assets that no policy here trades, at a price of 1: what is held of them is what it is worth.
FILLER, OTHER_FILLER = "XYZ", "ZYX"
#: A symbol that lists do not name; one of the two is of another asset than any that a list names.
STRANGERS: Final = ("DOGE", "PEPE")
#: The least that a quantity can be over another one.
TICK: Final = Decimal("0.00000001")
#: The part of the smallest cap that the calm order is worth.
_CALM: Final = Decimal("0.1")
_STOPPED: Final = ("stop", "take_profit", "trailing")

Data = Mapping[str, Any]


class Step(NamedTuple):
    """One order under the calm facts with some of them changed, and what follows: a code and a word, or nothing.

    `deny` is the code that the limit denies with; `on_breach` is what else follows by the policy. `at_ms`: after the
    calm moment.
    """

    order: Data
    facts: Data
    deny: str = ""
    on_breach: str = ""
    at_ms: int = 0


class Case(NamedTuple):
    """The edges of one field of a policy, in a sentence and as steps."""

    path: str
    says: str
    steps: tuple[Step, ...]


class World:
    """The calm world of one policy that names an exchange."""

    def __init__(self, effective: EffectivePolicy) -> None:
        self.effective = effective
        self.policy = effective.model
        self.currency = self.policy.account.currency
        self.key = _trading_key(effective)
        self.engine: Engine = compile_policy(effective, load_traits(self.policy.exchange), self.key, HOST)
        self.now_ms = NOON_MS
        self.symbols = self._symbols()
        self.symbol = self.symbols[0]
        self.type = self._type()

    # ---- what is traded

    def _symbols(self) -> tuple[str, ...]:
        """Return a symbol for each pattern of the policy's list; three of the account's own where it has none."""
        risk = self.policy.risk
        listed = (risk.symbols if risk is not None else None) or ()
        wanted = [p.replace("*", "BTC", 1).replace("*", self.currency) for p in listed if not p.startswith("!")]
        found = [s for s in dict.fromkeys(wanted) if parse_market(s) and allows(listed, s)]
        return tuple(found) or tuple(f"{base}/{self.currency}" for base in ("BTC", "ETH", "SOL"))

    def _type(self) -> str:
        risk = self.policy.risk
        types = (risk.order_types if risk is not None else None) or ("limit",)
        return "limit" if "limit" in types else types[0]

    def stranger(self, like: str) -> str | None:
        """Return a symbol like another one that the policy's list does not allow; None where it allows all."""
        risk = self.policy.risk
        listed = (risk.symbols if risk is not None else None) or ()
        _, slash, rest = like.partition("/")
        named = (f"{base}{slash}{rest}" for base in STRANGERS)
        return next((symbol for symbol in named if not allows(listed, symbol)), None)

    @property
    def hedged(self) -> bool:
        """Tell whether a contract market has a long and a short position."""
        return self.policy.account.position_mode == "hedge"

    def kept(self, symbol: str) -> str:
        """Return what the position of the calm order is kept by."""
        return f"{symbol}#long" if self.hedged and self.contract(symbol) else symbol

    @staticmethod
    def contract(symbol: str) -> bool:
        """Tell whether a symbol is of a contract market."""
        market = parse_market(symbol)
        return market is not None and market.settle is not None

    @staticmethod
    def price(symbol: str) -> Decimal:
        """Return what one of a market costs."""
        return PRICES.get(symbol.partition("/")[0], OTHER_PRICE)

    # ---- caps

    def worth(self, bound: Bound, equity: Decimal = EQUITY) -> Decimal:
        """Return a bound in the account's currency; in the calm world every currency that a bound names is at par."""
        return bound[0] * equity if isinstance(bound, Share) else bound[0]

    def least(self, bounds: tuple[Bound, ...], equity: Decimal = EQUITY) -> Decimal:
        """Return what a cap comes to: the least of its bounds."""
        return min(self.worth(bound, equity) for bound in bounds)

    def position_caps(self, symbol: str) -> tuple[Bound, ...]:
        """Return the bounds on a position: its own, else the default."""
        risk = self.policy.risk
        caps = (risk.max_position_notional if risk is not None else None) or {}
        named = tuple(bound for key in (symbol, symbol.partition("/")[0]) for bound in caps.get(key, ()))
        return named or tuple(caps.get("default", ()))

    def small(self, symbol: str) -> Decimal:
        """Return a notional that is well inside every cap on one order or position."""
        risk = self.policy.risk
        caps = [self.position_caps(symbol)]
        if risk is not None:
            names = ("max_order_notional", "risk_at_stop", "max_gross_exposure", "max_net_exposure")
            caps += [bounds for name in names if (bounds := getattr(risk, name))]
        sums = [self.least(bounds) for bounds in caps if bounds]
        quantities = (risk.max_order_quantity if risk is not None else None) or {}
        most = quantities.get(symbol, quantities.get("default"))
        sums += [most * self.price(symbol)] if most is not None else []
        return min((*sums, Decimal(1_000))) * _CALM

    # ---- orders and facts

    def order(self, symbol: str = "", notional: Decimal | None = None, more: Decimal = Decimal(0), **said: Any) -> Data:
        """Return an order of a notional, `more` in quantity; the calm one where nothing else is said."""
        symbol = symbol or self.symbol
        kind = said.get("type", self.type)
        price = self.price(symbol)
        quantity = (self.small(symbol) if notional is None else notional) / price + more
        risk = self.policy.risk
        sides = (risk.sides if risk is not None else None) or ("buy",)
        out: dict[str, Any] = {"symbol": symbol, "side": sides[0], "type": kind, "quantity": plain(quantity)}
        if kind in ("limit", "limit_maker") or kind.endswith("_limit"):
            out["price"] = plain(price)
        if kind.startswith(_STOPPED):
            out["stop_price"] = plain(price)
        if risk is not None and risk.time_in_force and "GTC" not in risk.time_in_force:
            out["time_in_force"] = risk.time_in_force[0]
        if risk is not None and risk.self_trade_prevention:
            out["self_trade_prevention"] = risk.self_trade_prevention[0]
        if risk is not None and risk.risk_at_stop:
            out["stop_loss_price"] = plain(price * Decimal("0.99" if out["side"] == "buy" else "1.01"))
        if risk is not None and risk.max_leverage is not None and self._may_borrow(symbol):
            out["leverage"] = 1
        out |= said
        if self.hedged and self.contract(symbol):
            out.setdefault("position_side", "long" if out["side"] == "buy" else "short")
        return {name: value for name, value in out.items() if value is not None}

    def _may_borrow(self, symbol: str) -> bool:
        """Tell whether a spot market may borrow by itself: an order there must say its leverage."""
        product = self.engine.setup.product(symbol)
        return not self.contract(symbol) and (product is None or product.auto_borrow is not False)

    def money(self, amount: Decimal) -> str:
        """Write an amount of the account's currency."""
        return f"{plain(amount)} {self.currency}"

    def facts(self) -> dict[str, Any]:
        """Return the calm facts: all that the policy's limits ask for, and no more."""
        policy, risk = self.policy, self.policy.risk
        symbols = dict.fromkeys((*self.symbols, *(s for like in self.symbols if (s := self.stranger(like)))))
        contracts = [symbol for symbol in symbols if self.contract(symbol)]
        out: dict[str, Any] = {
            "equity": self.money(EQUITY),
            "positions": {},
            "marks": {symbol: plain(self.price(symbol)) for symbol in symbols} | self._par(),
        }
        if policy.clock is not None and policy.clock.max_skew is not None:
            out["skew_ms"] = 0
        if contracts:
            out["contract_sizes"] = dict.fromkeys(contracts, 1)
            out["contracts"] = {symbol: self.settings() for symbol in contracts}
            out["position_mode"] = policy.account.position_mode or "one_way"
        if risk is not None:
            out |= self._asked(symbols)
        key = (policy.keys or {}).get(self.key or "")
        if key is not None and key.address_proof is not None and policy.environment == "live":
            out["address_proofs"] = {f"{HOST}|{self.key}": "1h"}
        return out

    def _asked(self, symbols: Mapping[str, None]) -> dict[str, Any]:
        risk, out = self.policy.risk, dict[str, Any]()
        assert risk is not None
        if risk.daily_loss or risk.weekly_loss or risk.max_drawdown:
            out |= {"day_base": {"value": self.money(EQUITY), "as_of": "1h"}, "net_transfers": self.money(Decimal(0))}
        if risk.weekly_loss:
            week = {"value": self.money(EQUITY), "as_of": "1d"}
            out |= {"week_base": week, "week_transfers": self.money(Decimal(0))}
        if risk.max_drawdown:
            out["peak"] = {"value": self.money(EQUITY), "as_of": "1h"}
        if risk.consecutive_losses:
            out["streak"] = 0
        if risk.partial_fills:
            out["partials"] = {}
        if risk.max_margin_ratio:
            out["margin_ratio"] = "1%"
        if risk.max_borrow:
            out["borrowed"] = self.money(Decimal(0))
        if risk.max_slippage or (risk.price_collar and risk.price_collar.reference == "mid"):
            out["quotes"] = {s: dict.fromkeys(("bid", "ask"), plain(self.price(s))) for s in symbols}
        if risk.max_price_move:
            minutes = range(risk.max_price_move.per.ms + 60_000, -1, -60_000)
            out["moves"] = {s: [self.minute(s, ago) for ago in minutes] for s in symbols}
        return out

    def minute(self, symbol: str, ago_ms: int, up: Decimal = Decimal(0)) -> Data:
        """Return the marks of a minute that began so long ago, the highest `up` over the lowest."""
        price = self.price(symbol)
        return {"as_of": str(Duration(ago_ms)), "low": plain(price), "high": plain(price + up)}

    def settings(self, **said: Any) -> Data:
        """Return what the exchange says of a contract market of this account."""
        mode = self.policy.account.margin_mode
        isolated = {"margin_mode": "isolated"} if mode == "isolated" else {}
        risk = self.policy.risk
        funded = {"funding_rate": "0%"} if risk is not None and risk.max_funding_rate else {}
        return {"leverage": 1, **isolated, **funded, **said}

    def _par(self) -> dict[str, str]:
        """Return marks at which every currency that a cap or a market names is worth one of the account's."""
        quotes = {market.quote for s in self.symbols if (market := parse_market(s))}
        risk = self.policy.risk
        caps = [] if risk is None else [getattr(risk, name) for name in type(risk).model_fields]
        caps += [cap for value in caps if isinstance(value, dict) for cap in value.values()]
        amounts = (bound for cap in caps if type(cap) is tuple for bound in cap if hasattr(bound, "currency"))
        others = {*quotes, *(bound.currency for bound in amounts)} - {self.currency}
        return {f"{code}/{self.currency}": "1" for code in sorted(others)}

    def shadowed(self, field: str) -> bool:
        """Tell whether a window on orders is never full: one on all orders is as long, and not larger."""
        return shadowed(self.policy, field)

    def claims(self, order: Data, facts: Data | None = None) -> dict[str, int]:
        """Return how much of which counters an order claims, by the names that the store keeps them by."""
        return {hold.counter: abs(hold.amount) for hold in self._holds(order, facts)}

    def counter(self, check: str, order: Data) -> tuple[str, int] | None:
        """Return the counter that a check claims for an order, and how much; None where it claims none."""
        return next(((hold.counter, abs(hold.amount)) for hold in self._holds(order) if hold.check == check), None)

    def _holds(self, order: Data, facts: Data | None = None) -> tuple[Hold, ...]:
        given = read_facts({**self.facts(), **(facts or {})}, self.currency, self.now_ms)
        _, assessment = decide_once(self.engine, read_order(order), given, self.now_ms)
        return assessment.holds

    def decide(self, step: Step, engine: Engine | None = None) -> Decision:
        """Decide a step's order, by another engine than the policy's where one is given."""
        now_ms = self.now_ms + step.at_ms
        given = read_facts({**self.facts(), **step.facts}, self.currency, now_ms)
        return decide_once(engine or self.engine, read_order(step.order), given, now_ms)[0]

    def follows(self, step: Step, engine: Engine | None = None) -> bool:
        """Tell whether what a step says follows: it is allowed, or denied with its code and its word among others."""
        reasons = self.decide(step, engine).reasons
        if not step.deny:
            return not reasons
        words = [reason.on_breach for reason in reasons if reason.code == step.deny]
        return bool(words) and (not step.on_breach or step.on_breach in words)

    @property
    def now(self) -> str:
        """Return the calm moment as an ISO time."""
        return iso(self.now_ms)


def shadowed(policy: Policy, field: str) -> bool:
    """Tell whether a window that counts some of the orders is never full before `max_orders`, which counts them all."""
    risk = policy.risk
    window = getattr(risk, field, None) if field in ("max_orders_per_symbol", "repeated_execution") else None
    most = risk.max_orders if risk is not None else None
    return window is not None and most is not None and most.limit <= window.limit and most.per >= window.per


def _trading_key(effective: EffectivePolicy) -> str | None:
    """Return the key that orders are signed with: the first that may trade."""
    keys = effective.model.keys or {}
    return next((name for name, key in keys.items() if key.purpose in ("execution", "hedging")), next(iter(keys), None))
