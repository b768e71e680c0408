"""Own trades out of a CSV of an exchange: ccxt's column names, Binance's and Kraken's exports, and their kin."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

#: The most rows and the longest line that are read.
MAX_ROWS: Final = 1_000_000
MAX_LINE: Final = 10_000
#: How many rows that cannot be read are named.
MAX_NAMED: Final = 3

#: What exchanges call a column, lower case, the surest first. Binance's spot export: Date(UTC), Pair, Side, Price,
#: Executed, Amount, Fee (Amount is the quote's); Kraken's: ordertxid, pair, time, type, price, cost, vol. Both as many
#: public tools parse them, read November 2026.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("timestamp", "datetime", "date(utc)", "time(utc)", "utc_time", "date", "time", "created at", "created_at"),
    "symbol": ("symbol", "pair", "market", "instrument", "trading pair", "instid"),
    "side": ("side", "direction", "type"),
    "quantity": ("executed", "vol", "volume", "filled", "quantity", "qty", "size", "filled qty", "amount"),
    "price": ("price", "average", "avg price", "average price", "filled price", "avgprice"),
    "cost": ("cost", "notional", "quoteqty", "quote quantity", "total", "trading total", "funds", "amount"),
    "order": ("order", "orderid", "order_id", "order id", "ordertxid", "order no."),
}
_QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "GBP", "BTC", "ETH", "BNB")
#: A comma is between thousands and nothing else: `0,025` may be 0.025, and is no number here.
#: Between which times a trade can have been, UTC ms: 2000 and 2100. What is no ms or s is beyond them.
_TIMES: Final = (946_684_800_000, 4_102_444_800_000)
_NUMBER = re.compile(
    r"([+-]?(?:[0-9]{1,30}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,8})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?)"
    r"\s*([A-Za-z][A-Za-z0-9]*)?\Z"
)


class Trade(NamedTuple):
    """One fill: `notional` in the symbol's quote; `order` empty when the file does not say which order it was of."""

    at_ms: int
    symbol: str
    side: str
    quantity: Decimal
    notional: Decimal
    order: str


class Read(NamedTuple):
    """The trades of a file, oldest first, and why some rows are missing."""

    trades: tuple[Trade, ...]
    problems: tuple[str, ...]
    skipped: int


def read(file: Path) -> Read:
    """Return the trades of a CSV; ValueError with the place when it cannot be one."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline(MAX_LINE)
            columns = _columns(file, next(csv.reader([head], delimiter=_delimiter(head)), []))
            rows = csv.reader((line for line in stream), delimiter=_delimiter(head))
            return _rows(file, rows, columns, decimal_comma=_delimiter(head) == ";")
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror}); a CSV of trades or a journal is needed") from None
    except (UnicodeDecodeError, csv.Error):
        raise ValueError(f"{file}: not a CSV in UTF-8; a CSV of trades or a journal is needed") from None


def _delimiter(head: str) -> str:
    return max(",;\t", key=head.count)


def _columns(file: Path, head: Sequence[str]) -> dict[str, int]:
    """Return which column is what: no column is two things, and the surest name of each wins."""
    names = {name.strip().lower(): index for index, name in reversed(list(enumerate(head)))}
    found: dict[str, int] = {}
    for field, candidates in COLUMNS.items():
        index = next((names[c] for c in candidates if c in names and names[c] not in found.values()), None)
        if index is not None:
            found[field] = index
    missing = [field for field in ("time", "symbol", "side", "quantity") if field not in found]
    if "price" not in found and "cost" not in found:
        missing.append("price or cost")
    if missing:
        seen = ", ".join(name.strip()[:30] for name in head[:12]) or "nothing"
        raise ValueError(
            f"{file}:1: no column for {', '.join(missing)} among {seen}; a header such as "
            "timestamp,symbol,side,amount,price,cost is needed"
        )
    return found


def _rows(file: Path, rows: Iterator[list[str]], columns: Mapping[str, int], *, decimal_comma: bool) -> Read:
    trades: list[Trade] = []
    problems: list[str] = []
    skipped = 0
    for number, row in enumerate(rows, 2):
        if number > MAX_ROWS:
            problems.append(f"only the first {MAX_ROWS:,} rows were read")
            break
        if not any(cell.strip() for cell in row):
            continue
        try:
            cells = {field: row[i].strip() for field, i in columns.items() if i < len(row)}
            if decimal_comma:
                _no_commas(cells)
            trades.append(_trade(cells))
        except (ValueError, KeyError) as error:
            skipped += 1
            if skipped <= MAX_NAMED:
                problems.append(f"{file}:{number} left out: {error}" if str(error) else f"{file}:{number} left out")
    if not trades:
        raise ValueError(f"{file}: no trade in it; {problems[0] if problems else 'only a header'}")
    return Read(tuple(sorted(trades)), tuple(problems), skipped)


def _no_commas(cells: Mapping[str, str]) -> None:
    """Refuse numbers with a comma where `;` parts the columns: nobody can tell there what `1,250` is."""
    for field in ("quantity", "price", "cost"):
        if "," in cells.get(field, ""):
            raise ValueError(f'{field} is "{cells[field][:20]}"; a number with a decimal point is needed')


def _trade(cells: Mapping[str, str]) -> Trade:
    quantity, base = _amount(cells, "quantity")
    cost, quote = _amount(cells, "cost") if cells.get("cost") else (None, "")
    if cost is None:
        cost = quantity * _amount(cells, "price")[0]
    side = cells["side"].lower()
    if side not in ("buy", "sell", "long", "short", "b", "s"):
        raise ValueError(f'side is "{side[:20]}"; buy or sell is needed')
    symbol = _symbol(cells["symbol"], base, quote)
    bought = side[0] in "bl"
    return Trade(
        _moment(cells["time"]), symbol, "buy" if bought else "sell", abs(quantity), abs(cost), cells.get("order", "")
    )


def _amount(cells: Mapping[str, str], field: str) -> tuple[Decimal, str]:
    """Return a number and the unit that is glued to it: `0.5BTC`, `1,250.00`."""
    found = _NUMBER.match(cells.get(field, ""))
    if found is None:
        raise ValueError(f'{field} is "{cells.get(field, "")[:20]}"; a number is needed')
    return Decimal(found.group(1).replace(",", "")), (found.group(2) or "").upper()


def _moment(text: str) -> int:
    """Return UTC ms of a time: ms or s since 1970, or an ISO date and time, without a zone UTC."""
    at_ms = None
    if re.fullmatch(r"[0-9]{9,16}(\.[0-9]+)?", text):
        number = float(text)
        at_ms = int(number if number > 1e11 else number * 1000)
    else:
        with suppress(ValueError):
            moment = datetime.fromisoformat(text.replace("/", "-"))
            at_ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    if at_ms is None or not _TIMES[0] <= at_ms < _TIMES[1]:
        raise ValueError(f'time is "{text[:30]}"; an ISO time or milliseconds are needed')
    return at_ms


def _symbol(text: str, base: str, quote: str) -> str:
    """Return ccxt's name of a symbol: `BTCUSDT`, `BTC-USDT`, `BTC_USDT` and `BTC/USDT` are one."""
    text = text.upper()
    if "/" in text:
        return text
    parts = re.split(r"[-_]", text)
    if len(parts) == 2 and all(parts):
        return f"{parts[0]}/{parts[1]}"
    if base and text.startswith(base) and text != base:
        return f"{base}/{text.removeprefix(base)}"
    for ending in (quote, *_QUOTES):
        if ending and text.endswith(ending) and text != ending:
            return f"{text.removesuffix(ending)}/{ending}"
    raise ValueError(f'symbol is "{text[:20]}"; base and quote are not told apart')
