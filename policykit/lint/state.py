"""Read what lint is given beside policies: snapshots (`--state`), the journal's record (`--record`), any JSON."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

from policykit.model.stage import StageName
from policykit.record import Done, Record, StageFacts
from policykit.rules.base import iso_ms
from policykit.snapshot import SCOPES, Snapshot, from_dict

T = TypeVar("T")

#: The longest snapshot or record that is read.
MAX_BYTES = 8 * 1024 * 1024


class StateUnreadable(Exception):
    """A snapshot, a record or a baseline cannot be read: one line `PLACE: what is; what may be; what to do`."""


class State(NamedTuple):
    """A snapshot, and the dotted names of the fields that its file does not have."""

    snapshot: Snapshot
    missing: tuple[str, ...] = ()
    #: What the bots' store proves of the policy; None: it was not read.
    record: Record | None = None


#: Every field of "Snapshot, version 1", and what stands in for one that is not there: what is known of nothing.
_TOP: dict[str, Any] = {
    "version": 1,
    "taken_at": "",
    "exchange": "",
    "endpoint": None,
    "cost": {},
    "clock": {},
    "keys": [],
    "limits": [],
    "account": {},
    "withdrawal_addresses": None,
    "errors": [],
}
_SECTIONS: dict[str, dict[str, Any]] = {
    "cost": {"weight": 0, "calls": 0},
    "clock": {"server_time": None, "skew_ms": None, "round_trip_ms": None},
    # INVARIANT I18: null stays null. An empty list would say that there are none.
    "account": dict.fromkeys(("equity", "balances", "positions", "open_orders", "position_mode", "markets")),
}
_KEY: dict[str, Any] = {
    "name": "",
    "id": "",
    "label": None,
    "permissions": {},
    "raw": {},
    "unrecognised": [],
    "ip_allowlist": {},
    "created_at": None,
    "expires_at": None,
    "last_used_at": None,
    "account_id": None,
    "sub_account": "unknown",
    "third_party": "unknown",
    "environment": "unknown",
    "others": [],
    "unknown": {},
    "source": {},
}
_IN_KEY: dict[str, dict[str, Any]] = {
    # INVARIANT I18: what a snapshot does not have reads as unknown, never as denied or absent.
    "permissions": dict.fromkeys(SCOPES, "unknown"),
    "ip_allowlist": {"restricted": "unknown", "addresses": None},
    "source": {"endpoint": "", "at": ""},
}
_LIMIT: dict[str, Any] = {"name": "", "limit": 0, "per_ms": 0, "source": {}}
_OTHER: dict[str, Any] = {"id": "", "label": ""}
#: What rows of the account have. A field that many rows lack is named once.
_ROWS: dict[str, dict[str, Any]] = {
    "positions": dict.fromkeys(
        ("symbol", "side", "quantity", "notional", "currency", "leverage", "margin_mode", "mark")
    ),
    "open_orders": dict.fromkeys(
        ("symbol", "side", "quantity", "filled", "price", "notional", "family", "reduce_only")
    ),
    "markets": dict.fromkeys(("symbol", "active", "min_notional", "currency")),
}
_ERROR: dict[str, Any] = {"key": "", "code": "", "message": ""}


def complete(data: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the snapshot with every field of the format, and the names of those that were not there.

    What is put in their place is "unknown" wherever a rule reads it, so that nothing passes for want of data.
    """
    data = copy.deepcopy(data)
    missing: list[str] = []
    if data.get("exchange") == "":
        del data["exchange"]  # it would be the state of any exchange
    _fill(data, _TOP, "", missing)
    for name, fields in _SECTIONS.items():
        _fill(data[name], fields, f"{name}.", missing)
    for index, key in _rows(data, "keys"):
        _fill_key(key, f"keys.{index}.", missing)
    for name, fields in _ROWS.items():
        asked = dict(fields)
        for index, row in _rows(data["account"], name):
            lacks = [field for field in asked if isinstance(row, dict) and field not in row]
            _fill(row, asked, f"account.{name}.{index}.", missing)
            for field in lacks:
                del asked[field]
    for index, limit in _rows(data, "limits"):
        _fill(limit, _LIMIT, f"limits.{index}.", missing)
        if isinstance(limit, dict):
            _fill(limit["source"], _IN_KEY["source"], f"limits.{index}.source.", missing)
    for index, error in _rows(data, "errors"):
        _fill(error, _ERROR, f"errors.{index}.", missing)
    return data, _outermost(missing)


def _fill(box: Any, fields: Mapping[str, Any], path: str, missing: list[str]) -> None:
    """Put what stands in for a missing field in its place, and note its name."""
    if not isinstance(box, dict):
        return
    for name, stand_in in fields.items():
        if box.get(name) is None and (name not in box or stand_in is not None):
            box[name] = copy.deepcopy(stand_in)
            missing.append(f"{path}{name}")


def _fill_key(key: Any, path: str, missing: list[str]) -> None:
    _fill(key, _KEY, path, missing)
    if isinstance(key, dict):
        for name, fields in _IN_KEY.items():
            _fill(key[name], fields, f"{path}{name}.", missing)
        for index, other in _rows(key, "others"):
            _fill(other, _OTHER, f"{path}others.{index}.", missing)


def _rows(box: Any, name: str) -> list[tuple[int, Any]]:
    listed = box.get(name) if isinstance(box, dict) else None
    return list(enumerate(listed)) if isinstance(listed, list) else []


def _outermost(missing: list[str]) -> tuple[str, ...]:
    """Leave out what lies in something that is itself missing."""
    return tuple(m for m in missing if not any(m.startswith(f"{other}.") for other in missing))


def read_state(path: str, keys: Sequence[Any] = ()) -> State:
    """Read a snapshot file; with public keys, one that was signed with one of them. Raise StateUnreadable."""

    def build(data: dict[str, Any]) -> State:
        if keys:
            from policykit.exchanges.signing import verified

            wrong = verified(data, keys)
            if wrong:
                raise ValueError(f"{wrong}; do not trust it: take it anew (policykit snapshot --sign KEYFILE)")
        whole, missing = complete(data)
        return State(from_dict(whole), missing)

    return read_json(path, "a snapshot (policykit snapshot -o FILE)", build)


def read_record(path: str) -> Record:
    """Read the record of a journal (see `record_of`). Raise StateUnreadable."""
    return read_json(path, "a record (policykit journal export --record)", record_of)


def record_of(data: Mapping[str, Any]) -> Record:
    """Return the record of a document; whatever is left out is not known. Raise ValueError, naming what is wrong.

    `{"last_drill_at": ISO, "stages": {"paper": {"since": ISO, "orders": 12, "denials_open": 0}},
    "reviews": {"policy": {"at": ISO, "by": "desk-head"}}}`, and the other fields of `Record`.
    """
    drill, stage = data.get("last_drill_at"), data.get("stage")
    if drill is not None and not _is_moment(drill):
        raise ValueError("record: last_drill_at is no ISO time")
    known = get_args(StageName)
    if stage is not None and stage not in ("", *known):
        raise ValueError(f"record: stage is none of {', '.join(known)}")
    done = {name: _all_done(name, data.get(name)) for name in ("drills", "reviews", "exposed", "rotations")}
    return Record(drill, _stages(data.get("stages"), known), stage, **done)


def _stages(stages: Any, known: tuple[str, ...]) -> dict[str, StageFacts] | None:
    if stages is None:
        return None
    if not isinstance(stages, dict) or not all(n in known and isinstance(row, dict) for n, row in stages.items()):
        raise ValueError(f"record: stages is no object of objects with the keys {', '.join(known)}")
    return {name: _stage(name, row) for name, row in stages.items()}


def _stage(name: str, row: Mapping[str, Any]) -> StageFacts:
    if not _is_moment(row.get("since")):
        raise ValueError(f"record: stages.{name}.since is no ISO time")
    counts = {count: row.get(count) for count in ("orders", "denials_open")}
    for count, value in counts.items():
        if value is not None and (type(value) is not int or value < 0):
            raise ValueError(f"record: stages.{name}.{count} is no count")
    return StageFacts(row["since"], **counts, external=row.get("external") is True)


def _all_done(field: str, rows: Any) -> dict[str, Done] | None:
    """Return what was done, by name: `{"at": ISO, "by": TEXT, "result": TEXT}`."""
    if rows is None:
        return None
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise ValueError(f"record: {field} is no object of objects")
    out: dict[str, Done] = {}
    for name, row in rows.items():
        if not _is_moment(row.get("at")):
            raise ValueError(f"record: {field}.{name}.at is no ISO time")
        said = {word: row.get(word, "") for word in ("by", "result")}
        for word, value in said.items():
            if not isinstance(value, str):
                raise ValueError(f"record: {field}.{name}.{word} is no text")
        out[name] = Done(row["at"], **said)
    return out


def _is_moment(value: Any) -> bool:
    return isinstance(value, str) and iso_ms(value) is not None


def read_json(path: str, needed: str, build: Callable[[dict[str, Any]], T], most: int = MAX_BYTES) -> T:
    """Read a JSON object of at most `most` bytes and build from it. Raise StateUnreadable with what is `needed`."""
    try:
        file = Path(path)
        if not file.is_file():
            what = "it is no file" if file.exists() else "there is no such file"
            raise StateUnreadable(f"{path}: {what}; {needed} is needed")
        with file.open("rb") as stream:
            raw = stream.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise StateUnreadable(f"{path}: cannot be read ({reason}); {needed} is needed") from None
    if len(raw) > most:
        raise StateUnreadable(f"{path}: over {most // 2**20} MiB; {needed} is needed")
    try:
        data = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse)
        if not isinstance(data, dict):
            raise StateUnreadable(f"{path}: not a JSON object; {needed} is needed")
        return build(data)
    except UnicodeDecodeError:
        raise StateUnreadable(f"{path}: not UTF-8; {needed} is needed") from None
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise StateUnreadable(f"{where}: not JSON; {needed} is needed") from None
    except (ValueError, RecursionError, OverflowError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deep"
        raise StateUnreadable(f"{path}: {reason}; {needed} is needed") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
