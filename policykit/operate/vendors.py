"""Vendors: the guide's questions asked, the answers judged, and who asked when kept in the store (G46, G47)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import ValidationError

from policykit.errors import PolicykitError
from policykit.model import Vendor
from policykit.redact import texts
from policykit.rules.vendors import QUESTIONS, REVIEW_EVERY_MS, judged

if TYPE_CHECKING:
    from policykit.operate.person import Person
    from policykit.policy import EffectivePolicy
    from policykit.store import Store

#: Under which kind, and behind which word, a review is kept: it is of the whole store.
KIND: Final = "review"
PREFIX: Final = "vendor:"
#: The longest file of answers, bytes.
MAX_FILE: Final = 65_536
#: What a vendor may ask for.
ASKS: Final = ("read", "trade", "transfer", "withdraw", "secret", "remote_access")

Asker = Callable[[str, str, Any], Any]


class Review(NamedTuple):
    """What a review came to: passed, failed or disqualified, with the reasons."""

    vendor: str
    result: str
    reasons: tuple[str, ...]
    answers: Mapping[str, Any]
    evidence: Mapping[str, str]


def read(file: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Read answers from a JSON file: the fields of `vendors.NAME`, and `evidence` by question. Raise PolicykitError."""
    try:
        with file.open(encoding="utf-8") as opened:
            data = json.loads(opened.read(MAX_FILE))
        evidence = data.pop("evidence", {})
        unknown = sorted({*data, *evidence} - set(QUESTIONS))
        if unknown:
            raise PolicykitError(f"{file}: {', '.join(unknown)}: no such question; {', '.join(QUESTIONS)} may be")
        return data, {name: str(text) for name, text in evidence.items()}
    except OSError as error:
        raise PolicykitError(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, AttributeError, TypeError):
        raise PolicykitError(f'{file}: is not JSON with answers ({{"asks_for": ["read"], ...}})') from None


def asked(known: Mapping[str, Any], ask: Asker) -> dict[str, Any]:
    """Ask every question of the guide; `known` is what was answered before. None: the vendor did not answer."""
    return {name: ask(name, question, known.get(name)) for name, question in QUESTIONS.items()}


def review(name: str, answers: Mapping[str, Any], evidence: Mapping[str, str]) -> Review:
    """Judge answers as the guide does. Raise PolicykitError for an answer that is none."""
    try:
        vendor = Vendor.model_validate({field: value for field, value in answers.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise PolicykitError(f"{where}: {first['msg']}; yes or no, of asks_for: {', '.join(ASKS)}") from None
    result, reasons = judged(vendor)
    return Review(name, result, tuple(reasons), dict(answers), dict(evidence))


def keep(store: Store, done: Review, by: Person, note: str, now_ms: int) -> None:
    """Keep a review for every host of the store. Raise StoreUnavailable."""
    body: dict[str, Any] = {"by": by.name, "claim": by.to_dict(), "result": done.result, "reasons": list(done.reasons)}
    body |= {"answers": dict(done.answers), "evidence": dict(done.evidence)} | ({"note": note} if note else {})
    store.keep("", KIND, PREFIX + done.vendor, texts(body), now_ms)


def last(store: Store, name: str) -> Mapping[str, Any] | None:
    """Return the last review of a vendor."""
    return store.kept("", KIND).get(PREFIX + name)


def status(store: Store, policies: Iterable[EffectivePolicy], now_ms: int) -> list[dict[str, Any]]:
    """Return every vendor that policies name or the store knows: its keys, its last review, and whether that holds."""
    rows = {name: row for name, row in store.kept("", KIND).items() if name.startswith(PREFIX)}
    keys: dict[str, list[str]] = {name.removeprefix(PREFIX): [] for name in rows}
    every = dict.fromkeys(keys, REVIEW_EVERY_MS)
    for policy in policies:
        for name, vendor in (policy.model.vendors or {}).items():
            keys.setdefault(name, []).extend(f"{policy.name}/{key}" for key in vendor.keys or ())
            span_ms = vendor.review_every.ms if vendor.review_every else REVIEW_EVERY_MS
            every[name] = min(span_ms, every.get(name, span_ms))
    return [_row(name, keys[name], rows.get(PREFIX + name), every[name], now_ms) for name in sorted(keys)]


def _row(name: str, keys: list[str], done: Mapping[str, Any] | None, every_ms: int, now_ms: int) -> dict[str, Any]:
    row: dict[str, Any] = {"vendor": name, "keys": keys, "result": None, "at_ms": None, "due_ms": None, "by": None}
    if done is not None:
        row |= {"result": done.get("result"), "at_ms": done["at_ms"], "due_ms": done["at_ms"] + every_ms}
        row |= {"by": done.get("by"), "claim": done.get("claim"), "reasons": list(done.get("reasons", ()))}
    row["holds"] = row["result"] == "passed" and row["at_ms"] <= now_ms <= row["due_ms"]
    return row
