"""Request weights by address, order counts by account, and the bans that follow who does not listen.

Source: binance-spot-api-docs, rest-api.md, LIMITS (2023-06-07 and later): weight counts by address in fixed
windows; 429 with Retry-After when it is used up; 418 for who keeps sending, from 2 minutes to 3 days, scaling;
order counts by account, refused with 429 without Retry-After.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

MINUTE_MS = 60_000
DAY_MS = 86_400_000
TEN_SECONDS_MS = 10_000
CONNECTS_MS = 300_000
#: The spans over which orders are counted, on spot and on futures, and the interval that a refusal names.
SPOT_SPANS = (TEN_SECONDS_MS, DAY_MS)
FUTURES_SPANS = (TEN_SECONDS_MS, MINUTE_MS)
_INTERVALS = {TEN_SECONDS_MS: "10 SECOND", MINUTE_MS: "1 MINUTE", DAY_MS: "1 DAY"}
#: The requests after a 429 and before its Retry-After that bring a ban.
PATIENCE = 10
#: The requests during a ban that double what is left of it.
BAN_PATIENCE = 20
BAN_MIN_MS = 120_000
BAN_MAX_MS = 3 * DAY_MS


@dataclass(frozen=True, slots=True)
class LimitSizes:
    """What the simulated exchange allows and publishes."""

    weight_1m: int = 6_000
    orders_10s: int = 50
    orders_1d: int = 160_000
    sapi_1m: int = 12_000
    futures_1m: int = 2_400
    futures_orders_10s: int = 300
    futures_orders_1m: int = 1_200
    #: Websockets that an address may open in five minutes (web-socket-streams.md, Websocket Limits, 2023-12-04).
    connects_5m: int = 300


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request: the HTTP status, seconds to wait, for a ban its end and whether this request began it."""

    status: int
    retry_after_s: int
    until_ms: int | None = None
    new_ban: bool = False


@dataclass(slots=True)
class _Address:
    used: dict[str, tuple[int, int]] = field(default_factory=dict)
    told_until_ms: int = 0
    ignored: int = 0
    bans: int = 0
    banned_until_ms: int = 0
    connects: deque[int] = field(default_factory=deque)


class Limits:
    """The counters of one exchange. Not thread-safe: its server holds a lock."""

    def __init__(self, sizes: LimitSizes) -> None:
        self.sizes = sizes
        self._addresses: dict[str, _Address] = defaultdict(_Address)
        #: Orders by account and span: the window, and how many were counted in it.
        self._orders: dict[tuple[str, int], tuple[int, int]] = {}

    def spend(self, address: str, family: str, weight: int, now_ms: int) -> Refusal | None:
        """Count one request; return what refuses it, or None. A refused request is counted too."""
        who = self._addresses[address]
        banned = self._banned(who, now_ms)
        if banned is not None:
            return banned
        window = now_ms // MINUTE_MS
        at, used = who.used.get(family, (window, 0))
        used = weight + (used if at == window else 0)
        who.used[family] = (window, used)
        if now_ms < who.told_until_ms:
            who.ignored += 1
            if who.ignored >= PATIENCE:
                return self.ban(address, now_ms)
            return Refusal(429, -(-(who.told_until_ms - now_ms) // 1000))
        who.ignored = 0
        if used > self.limit(family):
            return self.throttle(address, -(-((window + 1) * MINUTE_MS - now_ms) // 1000), now_ms)
        return None

    def connect(self, address: str, now_ms: int) -> Refusal | None:
        """Count one try to open a websocket; return what refuses it, or None. A refused one is counted too.

        What is documented is "300 connections per attempt every 5 minutes per IP" and that addresses may be banned;
        the window is taken as a rolling one and the refusals as those of requests: 429, and 418 for who goes on.
        """
        who = self._addresses[address]
        banned = self._banned(who, now_ms)
        if banned is not None:
            return banned
        while who.connects and who.connects[0] <= now_ms - CONNECTS_MS:
            who.connects.popleft()
        who.connects.append(now_ms)
        over = len(who.connects) - self.sizes.connects_5m
        if over <= 0:
            return None
        if over > PATIENCE:
            who.connects.clear()
            return self.ban(address, now_ms)
        return Refusal(429, -(-(who.connects[over] + CONNECTS_MS - now_ms) // 1000))

    def throttle(self, address: str, retry_after_s: int, now_ms: int) -> Refusal:
        """Tell an address to wait."""
        self._addresses[address].told_until_ms = now_ms + retry_after_s * 1000
        return Refusal(429, retry_after_s)

    def ban(self, address: str, now_ms: int, for_ms: int | None = None) -> Refusal:
        """Ban an address, longer each time."""
        who = self._addresses[address]
        length = for_ms if for_ms is not None else min(BAN_MIN_MS << who.bans, BAN_MAX_MS)
        who.bans += 1
        who.ignored = 0
        who.banned_until_ms = now_ms + length
        return Refusal(418, -(-length // 1000), who.banned_until_ms, new_ban=True)

    def _banned(self, who: _Address, now_ms: int) -> Refusal | None:
        left = who.banned_until_ms - now_ms
        if left <= 0:
            return None
        who.ignored += 1
        if who.ignored >= BAN_PATIENCE:
            who.ignored = 0
            left = min(2 * left, BAN_MAX_MS)
            who.banned_until_ms = now_ms + left
        return Refusal(418, -(-left // 1000), who.banned_until_ms)

    def used(self, address: str, family: str, now_ms: int) -> int:
        """Return the weight used in the current minute."""
        at, used = self._addresses[address].used.get(family, (0, 0))
        return used if at == now_ms // MINUTE_MS else 0

    def limit(self, family: str) -> int:
        """Return the weight allowed a minute: `api`, `sapi`, else futures."""
        return {"api": self.sizes.weight_1m, "sapi": self.sizes.sapi_1m}.get(family, self.sizes.futures_1m)

    def order_counts(self, account: str, now_ms: int, spans: tuple[int, int] = SPOT_SPANS) -> tuple[int, int]:
        """Return the orders of the current window of both spans: of ten seconds and of the UTC day on spot."""
        counted = [(self._orders.get((account, span), (0, 0)), now_ms // span) for span in spans]
        short, long = (n if at == window else 0 for (at, n), window in counted)
        return short, long

    def too_many_orders(self, account: str, now_ms: int, spans: tuple[int, int] = SPOT_SPANS) -> tuple[int, str] | None:
        """Return the limit that one more order would break and its interval, or None."""
        sizes = self.sizes
        spot = spans == SPOT_SPANS
        limits = (sizes.orders_10s, sizes.orders_1d) if spot else (sizes.futures_orders_10s, sizes.futures_orders_1m)
        for span, count, limit in zip(spans, self.order_counts(account, now_ms, spans), limits, strict=True):
            if count >= limit:
                return limit, _INTERVALS[span]
        return None

    def count_order(self, account: str, now_ms: int, spans: tuple[int, int] = SPOT_SPANS) -> None:
        """Count an accepted order; a filled one is not taken off again: the simulated exchange is the stricter one."""
        counts = self.order_counts(account, now_ms, spans)
        for span, count in zip(spans, counts, strict=True):
            self._orders[(account, span)] = (now_ms // span, count + 1)
