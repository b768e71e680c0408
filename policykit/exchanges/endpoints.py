"""Where each exchange's calls are sent: `--endpoint [ID=]URL`, as often as there are exchanges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from policykit.exchanges import known
from policykit.exchanges.client import check_endpoint

_NAMED: Final = re.compile(r"([A-Za-z][A-Za-z0-9]*)(@live)?=(.*)", re.DOTALL)


class Endpoints(NamedTuple):
    """Origins by exchange; `every` serves those that are not named, and `live` stands in for an exchange's live host.

    A sandbox policy's calls go to its exchange's origin, and only the one question whether its key opens the live
    exchange goes to `live`; without it that question is asked of nobody as long as there is another origin.
    """

    by_exchange: Mapping[str, str] = {}
    every: str | None = None
    live: Mapping[str, str] = {}

    def of(self, exchange: str) -> str | None:
        """Return the origin that an exchange's calls are sent to; None: the exchange itself."""
        return self.by_exchange.get(exchange, self.every)


def endpoints(given: Iterable[str] | str | None) -> Endpoints:
    """Read `URL`, `ID=URL` and `ID@live=URL`. Raise ValueError, which repeats no URL: it may hold a password."""
    by_exchange: dict[str, str] = {}
    live: dict[str, str] = {}
    every: str | None = None
    for text in (given,) if isinstance(given, str) else given or ():
        named = _NAMED.fullmatch(text)
        if named is None:
            if every is not None:
                raise ValueError("two endpoints are for every exchange; name their exchanges (binance=URL)")
            every = check_endpoint(text)
            continue
        exchange, of_live, url = named[1], named[2], named[3]
        if exchange not in known():
            raise ValueError(f"the endpoint is for {exchange}; one of {', '.join(known())} may be")
        into = live if of_live else by_exchange
        if exchange in into:
            raise ValueError(f"{exchange} has two endpoints; leave one out")
        into[exchange] = check_endpoint(url)
    return Endpoints(by_exchange, every, live)
