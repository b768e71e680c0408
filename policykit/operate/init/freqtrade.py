"""A draft from freqtrade's config.json: what it trades and how much; its key is never read into anything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from policykit.operate.init.draft import (
    CHECK,
    Budget,
    Draft,
    Said,
    guessed,
    leverage,
    names,
    paper,
    resend,
    trade_scope,
)
from policykit.units import plain

#: The largest config that is read, bytes.
MAX_BYTES: Final = 1_000_000
#: The most symbols that are taken over.
MAX_SYMBOLS: Final = 100
#: What freqtrade calls exchanges that ccxt calls otherwise (freqtrade 2026.9, exchange/common.py).
ALIASES: Final = {"gateio": "gate", "huobi": "htx", "huboi": "htx", "okex": "okx", "kucoineu": "kucoin"}
#: Fields of `exchange` that hold a key.
KEY_FIELDS: Final = (
    "key", "api_key", "apiKey", "secret", "password", "uid", "privateKey", "private_key", "walletAddress",
    "wallet_address",
)  # fmt: skip
#: How much above the stake one order may be: the price moves between the stake and the send.
HEADROOM: Final = Decimal("1.1")
#: The guide's largest order, the starter's largest position and daily loss, as shares of equity.
LARGEST: Final = Decimal("0.02")
#: Binance's allowance for futures (GET /fapi/v1/exchangeInfo, read November 2026); spot has 6,000.
FUTURES_WEIGHT: Final = 2_400

_PAIR = re.compile(r"[A-Za-z0-9]+/[A-Za-z0-9]+(:[A-Za-z0-9-]+)?\Z")
_NOT_JSON = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[}\]])', re.DOTALL)


def draft(file: Path, base: Callable[[str, str], Draft]) -> Draft:
    """Return the draft for a config. `base` gives the starter of an exchange; ValueError says what is wrong."""
    config = read(file)
    exchange = _section(config, "exchange")
    found = str(exchange.get("name") or "").lower()
    made = base(ALIASES.get(found, found), _slug(str(config.get("bot_name") or "freqtrade")))
    made = replace(made, source=f"from freqtrade's {file.name}")
    for step in (_symbols, _currency, _sizes, _types, _counts, _loss, _stage, _budgets):
        made = step(made, config)
    return made.noting(*_warnings(file, config, made))


def read(file: Path) -> dict[str, Any]:
    """Return a config: JSON with comments and trailing commas, as freqtrade takes it."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror}); freqtrade's config.json is needed") from None
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{file}: over {MAX_BYTES} bytes; freqtrade's config.json is needed")
    try:
        text = _NOT_JSON.sub(_blank, raw.decode("utf-8-sig"))
        data = json.loads(_COMMA.sub(lambda m: " " if m.group() == "," else m.group(), text))
    except UnicodeDecodeError:
        raise ValueError(f"{file}: not UTF-8; freqtrade's config.json is needed") from None
    except (json.JSONDecodeError, RecursionError) as error:
        where = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        said = error.msg if isinstance(error, json.JSONDecodeError) else "too deep"
        raise ValueError(f"{file}{where}: not JSON ({said}); freqtrade's config.json is needed") from None
    if not isinstance(data, dict) or not isinstance(data.get("exchange"), dict):
        raise ValueError(f"{file}: there is no `exchange` in it; freqtrade's config.json is needed")
    return data


def _blank(found: re.Match[str]) -> str:
    """Keep a text; blank a comment, its lines kept so that errors name the right one."""
    text = found.group()
    return text if text.startswith('"') else re.sub(r"[^\n]", " ", text)


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _slug(text: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:40]
    return slug or "freqtrade"


def _futures(config: dict[str, Any]) -> bool:
    return config.get("trading_mode") == "futures"


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _symbols(made: Draft, config: dict[str, Any]) -> Draft:
    exchange = _section(config, "exchange")
    kept, left = _patterns(exchange.get("pair_whitelist"))
    out, unread = _patterns(exchange.get("pair_blacklist"))
    stake = str(config.get("stake_currency") or "USDT").upper()
    settled = f":{stake}" if _futures(config) else ""
    if kept:
        symbols = Said(names((*kept, *(f"!{p}" for p in out))), "exchange.pair_whitelist")
    else:
        listed = (f"*/{stake}{settled}", *(f"!{p}" for p in out))
        symbols = guessed(names(listed), "the pair list picks by itself: name those you would accept (G01)")
        made = made.noting(
            "no pairs are named in the config: the policy allows whatever is quoted in the stake currency"
        )
    traded = kept or (f"*/{stake}{settled}",)
    made = replace(
        made,
        symbols=symbols,
        scopes=Said(f"[read, {trade_scope(traded)}]", made.scopes.why),
        max_leverage=leverage(made.exchange, traded),
        resend=resend(made.exchange, traded),
    )
    if left or unread:
        made = made.noting(f"pair patterns that no glob can say were left out: {', '.join((*left, *unread)[:5])}")
    return made


def _patterns(pairs: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return pairs and simple patterns (`BNB/.*`) as globs, and those that cannot be said."""
    kept, left = [], []
    for pair in pairs[:MAX_SYMBOLS] if isinstance(pairs, list) else []:
        glob = str(pair).replace(".*", "*").replace("\\.", ".")
        if _PAIR.match(glob.replace("*", "X")) and re.search(r"[A-Za-z0-9]", glob):
            kept.append(glob)
        else:
            left.append(f"{pair!s:.40}")
    return tuple(dict.fromkeys(kept)), tuple(left)


def _currency(made: Draft, config: dict[str, Any]) -> Draft:
    stake = str(config.get("stake_currency") or "")
    if not re.fullmatch(r"[A-Z0-9]{2,20}", stake):
        return made
    return replace(made, currency=Said(stake, "stake_currency"))


def _sizes(made: Draft, config: dict[str, Any]) -> Draft:
    """Cap orders at the stake, and never above the guide's 2 %."""
    stake, trades = _number(config.get("stake_amount")), _trades(config)
    if stake is not None and stake > 0:
        cap = f"{plain((stake * HEADROOM).normalize())} {made.currency.value}"
        why = f"stake_amount {plain(stake)} and a tenth for the price; and G33: 1-2%"
        return replace(
            made,
            max_order=Said(f"[2% of equity, {cap}]", why),
            max_position=Said("20% of equity", "G35; one position is one stake, unless the strategy adds to it"),
        )
    share = f"{plain((Decimal(100) / trades).quantize(Decimal('0.1')).normalize())}%" if trades else "any part"
    said = (
        f"stake_amount is unlimited: freqtrade would put {share} of the balance into one order, and the cap is 2% (G33)"
    )
    return made.noting(f"{said}; set stake_amount to 2% of your balance or less, else every entry is denied")


def _trades(config: dict[str, Any]) -> int:
    """Return max_open_trades, 0 when there is no bound."""
    trades = _number(config.get("max_open_trades"))
    return int(trades) if trades is not None and trades > 0 else 0


def _types(made: Draft, config: dict[str, Any]) -> Draft:
    if _section(config, "order_types").get("stoploss_on_exchange") is not True:
        return replace(made, order_types=Said("[limit, market]", "freqtrade's entries, exits and emergency exits"))
    stop = "stop_market" if _futures(config) else "stop_loss_limit"
    return replace(made, order_types=guessed(f"[limit, market, {stop}]", "stoploss_on_exchange is true"))


def _counts(made: Draft, config: dict[str, Any]) -> Draft:
    trades = _trades(config)
    if not trades:
        return made.noting("max_open_trades has no bound: max_open_orders is a guess")
    count = 2 * trades
    why = f"max_open_trades {trades}, an entry or exit and a stop for each (G34)"
    return replace(made, max_open_orders=Said(str(count), why))


def _loss(made: Draft, config: dict[str, Any]) -> Draft:
    stop = _number(config.get("stoploss"))
    if stop is None or not -1 < stop < 0:
        return made
    one = plain((-stop * LARGEST * 100).normalize())
    why = f"G36: 3-5%; a stop of {plain((-stop * 100).normalize())}% on an order of 2% costs {one}% of equity"
    return replace(made, daily_loss=Said(made.daily_loss.value, why))


def _stage(made: Draft, config: dict[str, Any]) -> Draft:
    if config.get("dry_run", True) is False:
        return replace(
            made,
            environment=Said("live", "dry_run is false"),
            stage=guessed("micro-live", "caps orders at 0.1% of equity; how far has it been proved? (G41)"),
        )
    return paper(made, "dry_run is true")


def _budgets(made: Draft, config: dict[str, Any]) -> Draft:
    if made.exchange != "binance" or not _futures(config):
        return made
    value = f"limit: {FUTURES_WEIGHT}, per: 1m, window: fixed, shared_by: ip"
    why = f"{CHECK} what Binance gives futures; the names are those of spot"
    budgets = tuple(Budget(b.name, value, why) if b.name == "request-weight" else b for b in made.budgets)
    return replace(made, budgets=budgets)


def _warnings(file: Path, config: dict[str, Any], made: Draft) -> Iterator[str]:
    exchange = _section(config, "exchange")
    holds = [name for name in KEY_FIELDS if exchange.get(name)]
    if holds:
        variables = " and ".join(f"{made.prefix}_{name}" for name in made.credentials)
        yield (
            f"{file.name} holds exchange.{' and exchange.'.join(holds)}: nothing of it was copied. Move it out: "
            f"{variables} in the environment, or a vault; freqtrade itself takes FREQTRADE__EXCHANGE__KEY and __SECRET"
        )
    for name in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
        retries = _section(_section(exchange, name), "options").get("maxRetriesOnFailure")
        if _number(retries):
            yield f"{name} sets maxRetriesOnFailure: ccxt would send an order again without looking (G32); take it out"
    if _futures(config) and config.get("margin_mode") == "cross":
        yield "margin_mode is cross: one position's loss can take the whole account; isolated keeps it to one"
