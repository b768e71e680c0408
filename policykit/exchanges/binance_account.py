"""What Binance's ids have in common: one account, one key report, whether spot or futures are traded.

Sources: developers.binance.com wallet and derivatives (read 2026-11), ccxt 4.5.90.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from policykit.clock import iso
from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Answer, Failure, Read, Steps
from policykit.exchanges.forms import flag
from policykit.snapshot import RateLimit
from policykit.units import exact

ADDRESSES: Final = "GET /sapi/v1/capital/withdraw/address/list"
_INTERVAL_MS: Final = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
_NAMES: Final = {"REQUEST_WEIGHT": "request-weight", "ORDERS": "orders", "RAW_REQUESTS": "raw-requests"}

#: Orders that rest in the algo service are in no list of open orders (PITFALLS 24): each family has a call of its own.
LINEAR: Final = {"type": "swap", "subType": "linear"}
INVERSE: Final = {"type": "swap", "subType": "inverse"}


def futures(*kinds: Mapping[str, str]) -> LiveReads:
    """Return what is read of futures: balances, positions, orders and algo orders of each kind."""
    plain = tuple(dict(kind) for kind in kinds)
    return LiveReads(
        balances=plain,
        positions=tuple({"subType": kind["subType"]} for kind in kinds),
        orders=(
            *(("order", kind) for kind in plain),
            *(("algo", {**kind, "trigger": True}) for kind in plain),
        ),
    )


def prepare(client: Any) -> None:
    """Let ccxt list the open orders of all symbols: it raises instead, because that call is dear."""
    client.options["warnOnFetchOpenOrdersWithoutSymbol"] = False


def sandbox(adapter: Adapter, error: Exception, client: Any) -> Failure | None:
    """Tell what ccxt's sandbox does not have: it drops the URL of /sapi, and has given up that of futures."""
    if not getattr(client, "isSandboxModeEnabled", False) or type(error).__name__ != "NotSupported":
        return None
    text = str(error)
    if "URL for sapi" in text:
        words = "the sandbox has no key report (/sapi); say under `declared:` what the key may do, or read it live"
    elif "not supported for futures" in text:
        words = "the sandbox has no futures any more; try them on `policykit sim`, or read them live"
    else:
        return None
    return Failure("no", "NOT_SUPPORTED", f"{adapter.id}: {words}")


def server_time(adapter: Adapter, method: str) -> Steps[int]:
    """Read the exchange's clock, UTC ms."""
    answer = yield Read(method)
    stamp = answer.data.get("serverTime") if isinstance(answer.data, Mapping) else None
    if not re.fullmatch(r"[0-9]{13}", str(stamp)):
        raise adapter.bad_answer("the time")
    return int(str(stamp))


def span(since_ms: int, until_ms: int | None) -> dict[str, int]:
    """Return the params of a list from a moment up to, and without, another: both of Binance's ends are in the list."""
    return {"startTime": since_ms} | ({} if until_ms is None else {"endTime": until_ms - 1})


def rows(adapter: Adapter, answer: Answer, what: str) -> list[Mapping[str, Any]]:
    """Return a list of mappings. Raise CallFailed for anything else."""
    if not isinstance(answer.data, list) or not all(isinstance(row, Mapping) for row in answer.data):
        raise adapter.bad_answer(f"a list of {what}")
    return answer.data


def limits(adapter: Adapter, answer: Answer, endpoint: str) -> tuple[RateLimit, ...]:
    """Read `exchangeInfo.rateLimits`, each by the name that the traits have for its kind and window."""
    named = {(re.sub(r"-(day|minute)\Z", "", w.name), w.per_ms): w.name for w in adapter.facts.rate_windows}
    data = answer.data.get("rateLimits") if isinstance(answer.data, Mapping) else None
    found: list[RateLimit] = []
    for row in rows(adapter, answer._replace(data=data), "rate limits"):
        kind = _NAMES.get(str(row.get("rateLimitType")), str(row.get("rateLimitType")).lower()[:40])
        per_ms = _INTERVAL_MS.get(str(row.get("interval")), 0) * _whole(adapter, row.get("intervalNum"))
        if per_ms:
            name = named.get((kind, per_ms), kind)
            found.append(RateLimit(name, _whole(adapter, row.get("limit")), per_ms, endpoint, iso(answer.sent_ms)))
    return tuple(found)


def addresses(adapter: Adapter) -> Steps[list[dict[str, Any]]]:
    """Read the withdrawal address book; `allowlisted` is `whiteStatus`."""
    answer = yield Read("sapiGetCapitalWithdrawAddressList")
    return [
        {
            "coin": str(row.get("coin", "")),
            "network": str(row.get("network", "")),
            "address": str(row.get("address", "")),
            "allowlisted": flag(row.get("whiteStatus")),
        }
        for row in rows(adapter, answer, "addresses")
    ]


def _whole(adapter: Adapter, value: object) -> int:
    try:
        return int(exact(value))
    except ValueError:
        raise adapter.bad_answer("made of numbers") from None
