"""What each stage did to orders: slippage, fill ratio and latency side by side, from the journal in one pass.

Paper is worth as much as it is like micro-live: where they differ, the paper stage was kinder than the market.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import exp, log
from typing import Any, Final

from policykit.orders.intent import FINAL
from policykit.policy import EffectivePolicy
from policykit.rules.stages import STAGES
from policykit.store import Row, Store
from policykit.store.reader import JournalReader
from policykit.store.staging import MAX_OPEN, Progress, Staging, read_all, silent

#: A figure is kept to so much of its size: 2 %, which no comparison of stages needs finer.
_WIDTH: Final = log(1.02)
#: Symbols whose last price is remembered.
MAX_SYMBOLS: Final = 2_000
BPS: Final = 10_000


@dataclass(slots=True)
class Figures:
    """A distribution of one figure, in buckets: it does not grow with how many were counted."""

    buckets: Counter[tuple[int, int]] = field(default_factory=Counter)
    count: int = 0
    total: float = 0.0

    def add(self, value: float) -> None:
        """Count one more."""
        sign = (value > 0) - (value < 0)
        self.buckets[(sign, 0 if sign == 0 else sign * round(log(abs(value)) / _WIDTH))] += 1
        self.count, self.total = self.count + 1, self.total + value

    def at(self, share: float) -> float | None:
        """Return the figure that a share of all is at most, to 2 %; None where there is none."""
        left = share * self.count
        for (sign, step), count in sorted(self.buckets.items()):
            left -= count
            if left <= 0:
                return sign * exp(sign * step * _WIDTH) if sign else 0.0
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return its count, mean, median and 95th percentile."""
        mean = self.total / self.count if self.count else None
        said = {"mean": mean, "median": self.at(0.5), "p95": self.at(0.95)}
        return {"count": self.count} | {name: None if one is None else round(one, 3) for name, one in said.items()}


@dataclass(slots=True)
class Measured:
    """What became of the orders of one stage."""

    orders: int = 0
    over: int = 0
    filled_wholly: int = 0
    filled_partly: int = 0
    ratio: float = 0.0
    latency_ms: Figures = field(default_factory=Figures)
    #: Of the average price of a fill against the market when it was decided; more is worse, in 1/10,000.
    slippage_bps: Figures = field(default_factory=Figures)

    def to_dict(self) -> dict[str, Any]:
        """Return it as `policykit stage report --format json` has it."""
        return {
            "orders": self.orders,
            "over": self.over,
            "filled_wholly": self.filled_wholly,
            "filled_partly": self.filled_partly,
            "fill_ratio": round(self.ratio / self.over, 4) if self.over else None,
            "latency_ms": self.latency_ms.to_dict(),
            "slippage_bps": self.slippage_bps.to_dict(),
        }


@dataclass(slots=True)
class _Order:
    stage: str
    buys: bool
    quantity: Decimal
    market: Decimal | None
    filled: Decimal = Decimal(0)
    cost: Decimal | None = None
    answered: bool = False


class Report(Staging):
    """The stages of a policy, and what became of their orders."""

    def __init__(self, policy: EffectivePolicy) -> None:
        super().__init__(policy)
        self.measured: dict[str, Measured] = {}
        self._prices: dict[str, Decimal] = {}
        self._followed: dict[str, _Order] = {}

    def take(self, row: Row) -> None:
        """Take a row in."""
        super().take(row)
        if row.kind == "observe":
            self._observed(row.body)
        elif row.kind == "decision" and "intent" in row.body:
            self._decided(row.body)
        elif row.kind == "outcome":
            self._became(row.body)

    def _observed(self, body: Mapping[str, Any]) -> None:
        prices = {symbol: Decimal(mark) for symbol, mark in body.get("marks", {}).items()}
        for symbol, (bid, ask, *_) in body.get("quotes", {}).items():
            prices[symbol] = (Decimal(bid) + Decimal(ask)) / 2
        for symbol, price in prices.items():
            self._prices.pop(symbol, None)
            self._prices[symbol] = price
            if len(self._prices) > MAX_SYMBOLS:
                del self._prices[next(iter(self._prices))]

    def _decided(self, body: Mapping[str, Any]) -> None:
        decision, order = body["decision"], body["intent"]["order"]
        stage = self._versions.get(decision["policy"]["version"], "")
        ours = stage and decision["policy"]["name"] == self.name and decision["action"] == "order.create"
        if not ours or decision["mode"] != "enforce" or order.get("quantity") is None:
            return
        self.measured.setdefault(stage, Measured()).orders += 1
        market = self._prices.get(str(order["symbol"]))
        self._followed[body["intent"]["id"]] = _Order(
            stage, order["side"] == "buy", Decimal(str(order["quantity"])), market
        )
        if len(self._followed) > MAX_OPEN:
            del self._followed[next(iter(self._followed))]

    def _became(self, body: Mapping[str, Any]) -> None:
        order = self._followed.get(body["intent"])
        if order is None:
            return
        figures = self.measured[order.stage]
        if "took_ms" in body and not order.answered:
            order.answered = True
            figures.latency_ms.add(float(body["took_ms"]))
        filled = Decimal(body.get("filled", "0"))
        if filled > order.filled:
            order.filled, order.cost = filled, Decimal(body["cost"]) if "cost" in body else None
        if body.get("closed") or body["state"] in FINAL:
            del self._followed[body["intent"]]
            self._over(figures, order)

    @staticmethod
    def _over(figures: Measured, order: _Order) -> None:
        figures.over += 1
        figures.ratio += min(1.0, float(order.filled / order.quantity)) if order.quantity else 0.0
        figures.filled_wholly += order.filled >= order.quantity
        figures.filled_partly += 0 < order.filled < order.quantity
        if order.filled and order.cost is not None and order.market:
            worse = order.cost / order.filled / order.market - 1
            figures.slippage_bps.add(float(worse if order.buys else -worse) * BPS)


def report(source: Store | JournalReader, policy: EffectivePolicy, progress: Progress = silent) -> Report:
    """Read what became of the orders of each stage. Raise StoreUnavailable."""
    made = Report(policy)
    read_all(made, source, progress)
    return made


def render(of: Report) -> str:
    """Return it as a table, a stage a column."""
    stages = [name for name in STAGES if name in of.measured]
    if not stages:
        return f"{of.name}: no order of any stage is in this journal"
    said = {name: of.measured[name].to_dict() for name in stages}
    figures = [
        (what.replace("_", " "), [said[name][what] for name in stages])
        for what in ("orders", "over", "filled_wholly", "filled_partly", "fill_ratio")
    ] + [
        (f"{label} {figure}", [said[name][what][figure] for name in stages])
        for what, label in (("latency_ms", "latency, ms"), ("slippage_bps", "slippage, 1/10,000"))
        for figure in ("median", "p95", "mean")
    ]
    rows = [("", *stages), *((label, *map(_shown, values)) for label, values in figures)]
    wide = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
