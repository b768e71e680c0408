"""Binance's futures under ids of their own: `binanceusdm` (fapi), and `binancecoinm` (dapi), which can only be read.

The account and its keys are Binance's: key report and address book are asked of /sapi, the rest of the futures' host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from policykit.exchanges import binance_account, binance_calls, binance_keys
from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Call, Failure, Read, Steps
from policykit.exchanges.binance_usdm import UsdmOrders
from policykit.snapshot import KeyReport, RateLimit


class BinanceFutures(Adapter):
    """What both have in common; `api` is `fapi` or `dapi`, as ccxt names its methods."""

    api: ClassVar[str]
    public = binance_calls.PUBLIC
    reads = binance_calls.READS

    def prepare(self, client: Any) -> None:
        """Let open orders of all symbols be listed."""
        binance_account.prepare(client)

    def call(self, method: str, url: str, body: str | None) -> Call:
        """Tell what a request is; an open list weighs more than that of one symbol."""
        return binance_calls.classify(self.facts, method, url, body)

    def failure(self, error: Exception, client: Any) -> Failure:
        """Read a ccxt exception; what the sandbox does not have is told as that."""
        return binance_account.sandbox(self, error, client) or super().failure(error, client)

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms."""
        return (yield from binance_account.server_time(self, f"{self.api}PublicGetTime"))

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do, from the wallet's host."""
        answer = yield Read("sapiGetAccountApiRestrictions")
        return binance_keys.report(self.mapping(answer.data), answer.sent_ms, self.id)

    def rate_limits(self) -> Steps[tuple[RateLimit, ...]]:
        """Read `exchangeInfo.rateLimits`; the call has no filter, so the answer is long."""
        answer = yield Read(f"{self.api}PublicGetExchangeInfo")
        return binance_account.limits(self, answer, f"GET /{self.api}/v1/exchangeInfo")

    def withdrawal_addresses(self) -> Steps[list[dict[str, Any]]]:
        """Read the withdrawal address book."""
        return (yield from binance_account.addresses(self))


def _asks(api: str, account: str, brackets: str) -> Mapping[str, tuple[str, ...]]:
    return {
        "server_time": (f"GET /{api}/v1/time",),
        "key_report": (binance_keys.ENDPOINT,),
        "rate_limits": (f"GET /{api}/v1/exchangeInfo",),
        "withdrawal_addresses": (binance_account.ADDRESSES,),
        # ccxt loads markets and currencies first, and brackets before positions.
        "account": (
            f"GET /{api}/v1/exchangeInfo",
            "GET /sapi/v1/capital/config/getall",
            account,
            brackets,
            "GET /fapi/v3/positionRisk" if api == "fapi" else "GET /dapi/v1/positionRisk",
            f"GET /{api}/v1/openOrders",
            f"GET /{api}/v1/openAlgoOrders",
            f"GET /{api}/v1/positionSide/dual",
        ),
    }


class BinanceUsdm(BinanceFutures, UsdmOrders):
    """USD-M: read for a snapshot as COIN-M is, and traded on (binance_usdm.py)."""

    id = "binanceusdm"
    api = "fapi"
    asks: ClassVar = _asks("fapi", "GET /fapi/v3/account", "GET /fapi/v1/leverageBracket")
    live: ClassVar[Mapping[str, LiveReads]] = {"swap": binance_account.futures(binance_account.LINEAR)}


class BinanceCoinm(BinanceFutures):
    """COIN-M."""

    id = "binancecoinm"
    api = "dapi"
    asks: ClassVar = _asks("dapi", "GET /dapi/v1/account", "GET /dapi/v2/leverageBracket")
    live: ClassVar[Mapping[str, LiveReads]] = {"swap": binance_account.futures(binance_account.INVERSE)}
