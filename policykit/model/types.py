"""The values of the language: text that is typed here, each with the pattern that the JSON Schema shows.

Pattern and reader accept the same text: a pattern is checked first, and every text that passes it can be read.
Messages say what is needed, never what was given: the loader adds the given value where that is safe.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import Field
from pydantic_core import PydanticCustomError, core_schema

from policykit.units import (
    Amount,
    Bound,
    Duration,
    Percent,
    exact,
    parse_bound,
    parse_duration,
    parse_percent,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The largest whole number that a policy may hold.
MAX_INT = 1_000_000_000

_NUMBER = r"[0-9]{1,15}(\.[0-9]{1,12})?"
#: What a line of free text may not hold: what cannot be seen (a test holds it equal to the reader's).
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\uffff\ue000-\uf8ff\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
_SYMBOL = r"[A-Za-z0-9][A-Za-z0-9/:._-]{0,63}"


def _same(text: str) -> str:
    return text


class Text(NamedTuple):
    """A typed text: what it must look like, how it is read, and what to say when it does not fit."""

    pattern: str
    needs: str
    read: Callable[[str], Any] = _same

    def validate(self, value: object) -> Any:
        """Return the typed value; raise pydantic's own error for anything else."""
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise PydanticCustomError("policykit", self.needs)
        return self.read(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


class _Number(NamedTuple):
    """A number that may have a fraction: a whole number as it is, a fraction in quotes (`"1.5"`)."""

    pattern: str = r"[0-9]{1,9}(\.[0-9]{1,9})?"

    def validate(self, value: object) -> Decimal:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INT:
            return Decimal(value)
        if isinstance(value, str) and re.fullmatch(self.pattern, value):
            return exact(value)
        raise PydanticCustomError("policykit", 'a number (3, or in quotes "1.5") is needed')

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": MAX_INT},
                {"type": "string", "pattern": f"^(?:{self.pattern})$"},
            ]
        }


class _OneOrList(NamedTuple):
    """One bound, or a list of bounds."""

    of: Text

    def widen(self, value: object) -> object:
        if value == [] or isinstance(value, int | dict):
            raise PydanticCustomError("policykit", self.of.needs)
        return [value] if isinstance(value, str) else value

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.widen, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        bound = self.of.__get_pydantic_json_schema__(None, None)
        return {"anyOf": [bound, {"type": "array", "items": bound, "minItems": 1}]}


class _OneOrMap:
    """One cap for every symbol, or a cap by symbol with a `default`."""

    @staticmethod
    def widen(value: object) -> object:
        if value == {} or isinstance(value, int):
            needs = 'a cap ("5000 USDT", "10% of equity"), or caps by symbol ("default", "BTC/USDT") are needed'
            raise PydanticCustomError("policykit", needs)
        return {"default": value} if isinstance(value, str | list) else value

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.widen, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        bounds = _OneOrList(BOUND).__get_pydantic_json_schema__(None, None)
        keys = {"type": "object", "propertyNames": {"pattern": f"^(?:{_SYMBOL})$"}, "additionalProperties": bounds}
        return {"anyOf": [*bounds["anyOf"], keys | {"minProperties": 1}]}


BOUND = Text(
    rf"{_NUMBER}(% of equity| [A-Z0-9]{{2,20}})",
    'an amount ("5000 USDT") or a share ("1.5% of equity") is needed',
    parse_bound,
)
AMOUNT = Text(rf"{_NUMBER} [A-Z0-9]{{2,20}}", 'an amount ("5000 USDT") is needed', parse_bound)

#: `5000 USDT`, `1.5% of equity`.
BoundText = Annotated[Bound, BOUND]
#: A cap: at most one bound a dimension (the loader holds that).
Bounds = Annotated[tuple[BoundText, ...], _OneOrList(BOUND)]
#: A cap in money only: at most one amount a currency.
Amounts = Annotated[tuple[Annotated[Amount, AMOUNT], ...], _OneOrList(AMOUNT)]
#: A cap by symbol; the key `default` holds for every symbol that has none of its own.
SymbolKey = Annotated[str, Text(_SYMBOL, 'a symbol ("BTC/USDT") or "default" is needed')]
BoundsBySymbol = Annotated[dict[SymbolKey, Bounds], _OneOrMap()]

DurationText = Annotated[
    Duration,
    Text(r"[0-9]{1,9}(ms|s|m|h|d)", 'a duration ("500ms", "30s", "5m", "24h", "90d") is needed', parse_duration),
]
#: The span of a window: in none of no length anything can be counted.
SpanText = Annotated[
    Duration,
    Text(r"[1-9][0-9]{0,8}(ms|s|m|h|d)", 'a span longer than nothing ("10s", "1m", "1d") is needed', parse_duration),
]
PercentText = Annotated[
    Percent, Text(r"([0-9]{1,2}(\.[0-9]{1,12})?|100)%", 'a percentage ("2%", at most "100%") is needed', parse_percent)
]
NumberText = Annotated[Decimal, _Number()]
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_INT)]
PositiveCount = Annotated[int, Field(strict=True, ge=1, le=MAX_INT)]
Switch = Annotated[bool, Field(strict=True)]

#: A name that this file gives: of a policy, a key, an account, a vendor, a budget, an egress.
Name = Annotated[str, Text(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", 'a name of letters, digits, ".", "_", "-" is needed')]
#: A person, a role, a team or an e-mail address.
Person = Annotated[str, Text(f"[^{_UNSEEN}]{{1,120}}", "a person or a role is needed")]
Line = Annotated[str, Text(f"[^{_UNSEEN}]{{1,500}}", "a line of text (at most 500 characters) is needed")]
FileName = Annotated[str, Text(f"[^{_UNSEEN}\\\\:]{{1,250}}", 'a file beside this one ("baseline.yaml") is needed')]
AbsolutePath = Annotated[str, Text(f"/[^{_UNSEEN}]{{1,400}}", 'an absolute path ("/etc/policykit/signers") is needed')]
ExchangeId = Annotated[str, Text(r"[a-z0-9]{2,40}", 'an exchange id of ccxt ("binance") is needed')]
Currency = Annotated[str, Text(r"[A-Z0-9]{2,20}", 'a currency code ("USDT") is needed')]
Date = Annotated[str, Text(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", 'a date ("2026-11-20") is needed')]
DayStart = Annotated[str, Text(r"([01][0-9]|2[0-3]):[0-5][0-9] UTC", 'a time of day ("00:00 UTC") is needed')]
WeekStart = Annotated[
    str,
    Text(
        r"(mon|tue|wed|thu|fri|sat|sun) ([01][0-9]|2[0-3]):[0-5][0-9] UTC",
        'a day and a time ("mon 00:00 UTC") is needed',
    ),
]
#: The last minute of a day is 24:00; hours over midnight are two entries.
TradingHours = Annotated[
    str,
    Text(
        r"(daily|(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?) "
        r"([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00) UTC",
        'days and hours ("mon-fri 08:00-20:00 UTC", "daily 00:00-24:00 UTC") are needed',
    ),
]
Address = Annotated[
    str,
    Text(r"[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?", 'an address ("203.0.113.7", "2001:db8::7") is needed'),
]
SymbolPattern = Annotated[
    str,
    Text(r"!?[A-Za-z0-9*][A-Za-z0-9*/:._-]{0,63}", 'a symbol ("BTC/USDT"), a glob ("*/USDT") or "!" and one is needed'),
]
IdPattern = Annotated[
    str, Text(r"[A-Za-z0-9._:/*-]{1,64}", 'letters and digits of client order ids, "*" for any ("web_*"), are needed')
]
RuleCode = Annotated[str, Text(r"[A-Z]{2,8}[0-9]{3}", 'the code of a rule ("PK204") is needed')]
SecretRef = Annotated[
    str,
    Text(
        r"(env|vault|aws-sm|azure-kv|keyring)://[A-Za-z0-9][A-Za-z0-9._/@-]{0,199}",
        'a reference ("env://PREFIX", "vault://mount/path", "aws-sm://name", "azure-kv://vault/name", '
        '"keyring://service/user") is needed, never the secret itself',
    ),
]


def date_ms(text: str) -> int | None:
    """Return the start of a day (UTC, ms) of an ISO date, or the moment of an ISO time; None if there is no such day.

    A time without an offset is read as UTC.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)
