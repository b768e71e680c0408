"""A retry of data requests has no bound, too many attempts or no random part.

## What it finds
A function that reads from an exchange (`fetch_*`, `load_markets`, `get_klines`, ...) under a decorator of tenacity or
backoff that never stops, tries more than 5 times, or waits without a random part.

## Why
A data request is retried 3 to 5 times, each wait twice the last, plus a random part (G27). Bots that retry for ever in
step are what turns a slow exchange into a ban.

## Bad
```python
from tenacity import retry, wait_exponential

@retry(wait=wait_exponential(multiplier=1, max=10))
def candles(exchange):
    return exchange.fetch_ohlcv("BTC/USDT")
```
```finding
open certain bot.py:3:2 this retry of `exchange.fetch_ohlcv` never stops and waits without a random part
```
```python
import backoff

@backoff.on_exception(backoff.expo, Exception, max_tries=20)
def candles(exchange):
    return exchange.fetch_ohlcv("BTC/USDT")
```
```finding
open certain bot.py:3:2 this retry of `exchange.fetch_ohlcv` tries 20 times
```

## Good
```python
from tenacity import retry, stop_after_attempt, wait_random_exponential

@retry(stop=stop_after_attempt(5), wait=wait_random_exponential(multiplier=0.5, max=10))
def candles(exchange):
    return exchange.fetch_ohlcv("BTC/USDT")
```
```python
from tenacity import retry

@retry
def page(browser):
    return browser.fetch("a")
```

## Source
GUIDE.md G27; tenacity 9.1 (`retry` stops never and does not wait), backoff 2.2 (`full_jitter` unless told otherwise).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.code.orders import sends
from policykit.rules.code.retries import origin
from policykit.rules.code.tree import Code, Scope, dotted

RULE = Rule(
    "PK912",
    "data-retry-shape",
    "low",
    ("G27",),
    "bots that retry for ever and in step turn a slow exchange into a ban",
    ("source",),
)

_BACKOFF = ("backoff.on_exception", "backoff.on_predicate")
#: The guide's most attempts.
MAX_ATTEMPTS = 5
_READS = re.compile(
    r"fetch_(?:ticker|tickers|ohlcv|balance|order_book|trades|my_trades|open_orders|order|orders|positions?|markets|time"
    r"|funding_[a-z_]+|status|currencies)|fetch(?:Ticker|OHLCV|Balance|OrderBook|Trades|Orders?)|load_markets|loadMarkets"
    r"|get_(?:klines|historical_klines|account|asset_balance|symbol_ticker|orderbook_ticker|exchange_info|kline|tickers)"
    r"|futures_(?:account|klines|position_information)[a-z_]*"
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the decorators of each function that reads from an exchange and sends no order."""
    code = inputs.code
    for function in code.functions:
        for decorator in function.decorators:
            faults = _faults(code, decorator)
            read = _reads(function) if faults else ""
            if read and sends(function) is None:
                yield RULE.finding(
                    code.place(decorator, "retry"),
                    f"this retry of `{read}` {words(faults)}",
                    label="3 to 5 attempts, exponential, with a random part",
                    next_step="bound it by 5 attempts and add a random part to an exponential wait",
                )


def _reads(function: Scope) -> str:
    for call in function.code.calls_in(function):
        if _READS.fullmatch(call.method) and isinstance(call.function, ast.Attribute):
            return dotted(call.function) or call.method
    return ""


def _faults(code: Code, decorator: ast.expr) -> list[str]:
    call = decorator if isinstance(decorator, ast.Call) else None
    where = origin(code, call.func if call is not None else decorator)
    given = {k.arg: k.value for k in call.keywords} if call is not None else {}
    shape = _tenacity if where == "tenacity.retry" else _backoff if where in _BACKOFF else None
    return shape(given) if shape is not None and None not in given else []


def _tenacity(given: dict[str | None, ast.expr]) -> list[str]:
    faults = []
    if "stop" not in given:
        faults.append("never stops")
    else:
        faults += [f"tries {n} times" for n in _attempts(given["stop"]) if n > MAX_ATTEMPTS]
    if "wait" not in given:
        faults.append("does not wait")
    elif _names(given["wait"]) and not any("random" in n or "jitter" in n for n in _names(given["wait"])):
        faults.append("waits without a random part")
    return faults


def _backoff(given: dict[str | None, ast.expr]) -> list[str]:
    faults = []
    tries = given.get("max_tries")
    if tries is None and "max_time" not in given:
        faults.append("never stops")
    elif isinstance(tries, ast.Constant) and isinstance(tries.value, int) and tries.value > MAX_ATTEMPTS:
        faults.append(f"tries {tries.value} times")
    jitter = given.get("jitter")
    if isinstance(jitter, ast.Constant) and jitter.value is None:
        faults.append("waits without a random part")
    return faults


def _attempts(node: ast.expr) -> Iterator[int]:
    """Yield how many tries a stop of tenacity allows, as far as that can be seen."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and dotted(part.func).endswith("stop_after_attempt"):
            values = (a.value for a in part.args if isinstance(a, ast.Constant))
            yield from (v for v in values if isinstance(v, int))


def _names(node: ast.expr) -> list[str]:
    """Return the waits of tenacity that a wait is made of; none when it is something else."""
    names = [dotted(p.func).rpartition(".")[2] for p in ast.walk(node) if isinstance(p, ast.Call)]
    return names if any(n.startswith("wait_") for n in names) else []
