"""What may stand in a value, or be the name of an entry: words of the language, facts of the exchange, names in use."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path as File
from typing import Any, Final, Literal, NamedTuple

from policykit.clock import iso
from policykit.lint.explain import rows as rules
from policykit.policy import UNWAIVABLE
from policykit.policy.page import words_of
from policykit.policy.show import scalar
from policykit.proofs.lsp.cursor import Outline, Spot
from policykit.proofs.lsp.desk import TESTS, Desk
from policykit.proofs.lsp.fields import Field, is_switch, kinds_of, needs_of, value_of
from policykit.traits import known
from policykit.traits import load as load_traits
from policykit.traits.ccxt_ids import IDS
from policykit.units import Duration

#: The most files that are offered for `extends`, and how deep below the policy they are looked for.
MAX_FILES: Final = 100
_DEPTHS: Final = ("*.yaml", "*.yml", "*/*.yaml", "../*.yaml")
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_SYMBOL: Final = re.compile(r"!?[A-Z0-9*]{1,20}/[A-Z0-9*]{1,20}(:[A-Z0-9]{1,20})?\Z")
_UNITS: Final = (("ms", "milliseconds"), ("s", "seconds"), ("m", "minutes"), ("h", "hours"), ("d", "days"))
#: What an example of a form is, in the words that errors use for it.
_EXAMPLE: Final = re.compile(r'"([^"]+)"')
#: Keys under which a person or a role is named.
_PERSONS: Final = frozenset(("owner", "by", "holders", "contacts", "approver"))
_DAY_MS: Final = 86_400_000
#: How long a new waiver is accepted: a month, as PK718 allows.
WAIVER_DAYS: Final = 30


class Offer(NamedTuple):
    """One value or name, as it is written."""

    text: str
    detail: str = ""
    doc: str = ""
    kind: Literal["value", "file"] = "value"
    label: str = ""


class Asked(NamedTuple):
    """What is asked for: the field, what is typed of its value, and where."""

    desk: Desk
    file: str
    field: Field
    spot: Spot
    found: Outline

    @property
    def data(self) -> dict[str, Any]:
        """What the file says, as far as it could last be read."""
        data = self.desk.document(self.file)[0].data
        return data if isinstance(data, dict) else {}


def values(desk: Desk, file: str, field: Field, spot: Spot, found: Outline) -> Iterator[Offer]:
    """Yield what may be the value of a field, or an item of it."""
    asked = Asked(desk, file, field, spot, found)
    own = _OWN.get(tuple(step for step in field.path if not isinstance(step, int)))
    if field.path[:1] == ("vendors",) and field.path[-1:] == ("keys",):
        own = _keys
    if own is not None:
        yield from own(asked)
        return
    words = words_of(value_of(field))
    if words and field.shape.section is None:
        yield from (Offer(word) for word in words)
    elif is_switch(field.info):
        yield from (Offer("true"), Offer("false"))
    else:
        for kind in dict.fromkeys(kinds_of(field.info)):
            offers = _KINDS.get(kind)
            if offers is not None:
                yield from offers(asked)


def names(desk: Desk, file: str, field: Field, found: Outline) -> Iterator[Offer]:
    """Yield names that entries of a map may have."""
    asked = Asked(desk, file, field, Spot("key", field.path, 0, 0, ""), found)
    top = field.path[-1]
    if top == "rate_budgets":
        traits = load_traits(str(asked.data.get("exchange", "")))
        for window in traits.rate_windows if traits is not None else ():
            detail = f"{window.limit:,} per {Duration(window.per_ms)}, {window.window}, by {window.scope}"
            yield Offer(window.name, detail)
    elif top == "on_breach":
        yield from (Offer(word) for word in words_of(field.info.annotation))
    elif "SymbolKey" in kinds_of(field.info):
        yield Offer("default", "what holds for every symbol that has no entry")
        yield from (Offer(name) for name in _symbols(asked) if "*" not in name and not name.startswith("!"))


def _files(asked: Asked) -> Iterator[Offer]:
    """Yield the policies beside a file, and one folder up and down."""
    folder = File(os.path.dirname(os.path.abspath(asked.file)))
    seen: set[str] = set()
    for pattern in _DEPTHS:
        try:
            found = sorted(folder.glob(pattern))
        except OSError:
            continue
        for path in found:
            name = os.path.relpath(path, folder)
            if len(seen) >= MAX_FILES:
                return
            if name in seen or os.path.realpath(path) == os.path.realpath(asked.file) or name.endswith(TESTS):
                continue
            seen.add(name)
            yield Offer(scalar(name), kind="file")


def _exchanges(_: Asked) -> Iterator[Offer]:
    yield from (Offer(name, "its facts are known") for name in known())
    yield from (Offer(name) for name in sorted(IDS) if name not in known())


def _amounts(asked: Asked) -> Iterator[Offer]:
    """Yield how an amount may go on: a share, or the account's currency."""
    number = _NUMBER.match(asked.spot.prefix)
    currency = asked.data.get("account")
    currency = currency.get("currency") if isinstance(currency, dict) else None
    own = currency if isinstance(currency, str) and currency else "USDT"
    figure = number[0] if number else ""
    if "BoundText" in kinds_of(asked.field.info):
        yield Offer(f"{figure or 1}% of equity", "a share of the account's equity")
    yield Offer(f"{figure or 1000} {own}", "an amount")


def _spans(asked: Asked) -> Iterator[Offer]:
    number = re.match(r"[0-9]+", asked.spot.prefix)
    if number:
        yield from (Offer(f"{number[0]}{unit}", name) for unit, name in _UNITS)
    else:
        yield from _examples(asked)


def _percents(asked: Asked) -> Iterator[Offer]:
    number = _NUMBER.match(asked.spot.prefix)
    yield Offer(f"{number[0]}%" if number else "2%", "a percentage")


def _examples(asked: Asked) -> Iterator[Offer]:
    """Yield the examples that errors give for a form."""
    yield from (Offer(scalar(text), "for example") for text in _EXAMPLE.findall(needs_of(asked.field)))


def _dates(asked: Asked) -> Iterator[Offer]:
    yield Offer(iso(asked.desk.now_ms())[:10], "today")


def _currencies(asked: Asked) -> Iterator[Offer]:
    quotes = [name.removeprefix("!").partition("/")[2].partition(":")[0] for name in _symbols(asked)]
    yield from (Offer(name) for name in dict.fromkeys((*quotes, "USDT", "USDC", "USD", "EUR", "BTC")) if name.isalnum())


def _symbols(asked: Asked) -> Iterator[str]:
    """Yield the symbols that a file speaks of, wherever it does."""
    seen = dict.fromkeys(name for name in _scalars(asked.data) if _SYMBOL.match(name))
    yield from seen


def _symbol_values(asked: Asked) -> Iterator[Offer]:
    for name in _symbols(asked):
        yield Offer(scalar(name), "named in this file")


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from _scalars(item)
    elif isinstance(value, str):
        yield value


def _persons(asked: Asked) -> Iterator[Offer]:
    """Yield the persons and roles that a file names."""
    named = dict.fromkeys(_named(asked.data, ""))
    yield from (Offer(scalar(name), "named in this file") for name in named)


def _named(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, str) and key in _PERSONS:
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _named(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _named(item, key)


def _secrets(_: Asked) -> Iterator[Offer]:
    for scheme, where in (
        ("env://", "PREFIX: variables of the environment"),
        ("vault://", "mount/path of a Vault"),
        ("aws-sm://", "name in AWS Secrets Manager"),
        ("azure-kv://", "vault/name in Azure Key Vault"),
        ("keyring://", "service/user of the system's keyring"),
    ):
        yield Offer(scheme, where)


def _keys(asked: Asked) -> Iterator[Offer]:
    keys = asked.data.get("keys")
    yield from (Offer(scalar(name), "a key of this policy") for name in (keys if isinstance(keys, dict) else ()))


def _waivable(_: Asked) -> Iterator[Offer]:
    for row in rules():
        if row.waivable and row.code not in UNWAIVABLE:
            yield Offer(row.code, row.name, row.summary, label=f"{row.code} {row.name}")


def _targets(asked: Asked) -> Iterator[Offer]:
    """Yield the paths of a file; those of a finding first."""
    found = [f.primary.path for f in asked.desk.last_findings(asked.file) if f.status == "open" and f.waivable]
    paths = [key for key in asked.desk.document(asked.file)[0].key_places if not key.startswith("waivers")]
    for path in dict.fromkeys((*(p for p in found if p and "*" not in p), *paths)):
        yield Offer(scalar(path), "a finding is open there" if path in found else "")


def _expiry(asked: Asked) -> Iterator[Offer]:
    yield Offer(iso(asked.desk.now_ms() + WAIVER_DAYS * _DAY_MS)[:10], f"in {WAIVER_DAYS} days")


def _version(_: Asked) -> Iterator[Offer]:
    yield Offer("1", "the version of the language")


_Offers = Callable[[Asked], Iterable[Offer]]
#: What single fields are offered, by their path without numbers.
_OWN: Final[dict[tuple[str, ...], _Offers]] = {
    ("policykit",): _version,
    ("extends",): _files,
    ("waivers", "rule"): _waivable,
    ("waivers", "at"): _targets,
    ("waivers", "expires"): _expiry,
    ("waivable",): _waivable,
}
#: What typed texts are offered.
_KINDS: Final[dict[str, _Offers]] = {
    "ExchangeId": _exchanges,
    "BoundText": _amounts,
    "Amount": _amounts,
    "DurationText": _spans,
    "SpanText": _spans,
    "PercentText": _percents,
    "Date": _dates,
    "Currency": _currencies,
    "SymbolPattern": _symbol_values,
    "Person": _persons,
    "SecretRef": _secrets,
    "DayStart": _examples,
    "WeekStart": _examples,
    "TradingHours": _examples,
}
