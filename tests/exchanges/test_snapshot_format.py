"""Snapshots as files: written and read back whole, strict about form, careful about what is not said."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from policykit.snapshot import SCOPES, KeyReport, RateLimit, Snapshot, from_dict, merge, to_dict

AT = "2026-11-21T10:00:00.000Z"


def _key(name: str = "mm-exec", **changed: Any) -> KeyReport:
    report = KeyReport(
        name=name,
        id="sha256:3f9a01c2d4e5",
        permissions=dict.fromkeys(SCOPES, "granted"),
        restricted="yes",
        addresses=["203.0.113.7"],
        raw={"enableReading": True},
        unrecognised=["enableTeleport"],
        created_at=AT,
        unknown={"label": "not reported"},
        endpoint="GET /sapi/v1/account/apiRestrictions",
        at=AT,
    )
    for field, value in changed.items():
        setattr(report, field, value)
    return report


def _snapshot(**changed: Any) -> Snapshot:
    snapshot = Snapshot(
        taken_at=AT,
        exchange="binance",
        cost={"weight": 14, "calls": 6},
        clock={"server_time": AT, "skew_ms": 12, "round_trip_ms": 80},
        keys=[_key()],
        limits=[RateLimit("orders", 50, 10_000, "GET /api/v3/exchangeInfo", AT)],
        account={"equity": None, "balances": {}, "positions": [], "open_orders": []},
        errors=[{"key": "hedge", "code": "KEY_REJECTED", "message": "words"}],
    )
    for field, value in changed.items():
        setattr(snapshot, field, value)
    return snapshot


def test_the_shape_is_that_of_the_interface() -> None:
    """`to_dict` writes "Snapshot, version 1" of INTERFACE.md, key by key."""
    data = to_dict(_snapshot())
    assert list(data) == [
        "version", "taken_at", "exchange", "policy", "account_name", "endpoint", "cost", "clock", "keys", "limits",
        "account", "withdrawal_addresses", "errors",
    ]  # fmt: skip
    assert list(data["keys"][0]) == [
        "name", "id", "label", "permissions", "raw", "unrecognised", "ip_allowlist", "created_at", "expires_at",
        "last_used_at", "account_id", "sub_account", "third_party", "environment", "others", "unknown", "source",
    ]  # fmt: skip
    assert tuple(data["keys"][0]["permissions"]) == SCOPES
    assert data["keys"][0]["ip_allowlist"] == {"restricted": "yes", "addresses": ["203.0.113.7"]}
    assert data["limits"] == [
        {
            "name": "orders",
            "limit": 50,
            "per_ms": 10_000,
            "source": {"endpoint": "GET /api/v3/exchangeInfo", "at": AT},
        }
    ]


@pytest.mark.parametrize("addresses", [None, [], [{"coin": "ETH", "address": "0x1", "allowlisted": True}]])
def test_what_is_written_is_read_back(addresses: Any) -> None:
    """Through JSON and back nothing changes."""
    snapshot = _snapshot(withdrawal_addresses=addresses)
    assert from_dict(json.loads(json.dumps(to_dict(snapshot)))) == snapshot


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path] * bool(path) + [deep for key, one in inner for deep in _paths(one, (*path, key))]


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


@pytest.mark.parametrize("change", ["remove", "null", "odd"])
def test_I18_a_field_that_is_gone_or_odd_never_becomes_an_answer(change: str) -> None:
    """Each place of a snapshot removed, nulled or senseless: refused with its path, or unknown; never denied."""
    whole = to_dict(_snapshot(withdrawal_addresses=[]))
    tried, refused = 0, list[str]()
    for path in _paths(whole):
        data = copy.deepcopy(whole)
        parent = _at(data, path[:-1])
        if change == "remove":
            del parent[path[-1]]
        else:
            parent[path[-1]] = None if change == "null" else 1.5
        tried += 1
        try:
            read = from_dict(data)
        except ValueError as error:
            refused.append(str(error))
            continue
        for key in read.keys:
            assert "denied" not in key.permissions.values()
            assert key.restricted != "no"
            for scope, granted in key.permissions.items():
                assert granted == "granted" or f"permissions.{scope}" in key.unknown
    assert tried > 60
    assert all(message.startswith("snapshot") for message in refused)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.update(version=2),
            "snapshot.version is not 1; take the snapshot anew with this version of policykit",
        ),
        (lambda d: d.pop("exchange"), "snapshot.exchange is missing; text is needed"),
        (lambda d: d.update(taken_at=5), "snapshot.taken_at is no text of at most 2000 characters"),
        (lambda d: d.update(endpoint="x" * 2001), "snapshot.endpoint is no text of at most 2000 characters"),
        (lambda d: d.update(keys={}, limits=7), "snapshot.limits is no list of at most 1000"),
        (lambda d: d.update(errors=[{}] * 1001), "snapshot.errors is no list of at most 1000"),
        (lambda d: d.update(keys=["x"]), "snapshot.keys[0] is no mapping; a snapshot of policykit is needed"),
        (lambda d: d["keys"][0].pop("name"), "snapshot.keys[0].name is missing; text is needed"),
        (
            lambda d: d["keys"][0]["permissions"].update(withdraw=False),
            "snapshot.keys[0].permissions.withdraw is none of granted, denied, unknown",
        ),
        (
            lambda d: d["keys"][0]["ip_allowlist"].update(restricted="maybe"),
            "snapshot.keys[0].ip_allowlist.restricted is none of yes, no, unknown",
        ),
        (
            lambda d: d["keys"][0]["ip_allowlist"].update(addresses=[1]),
            "snapshot.keys[0].ip_allowlist.addresses is no list of text",
        ),
        (lambda d: d["limits"][0].update(limit=True), "snapshot.limits[0].limit is no whole number"),
        (lambda d: d["cost"].update(weight="1"), "snapshot.cost.weight is no whole number"),
        (lambda d: d.update(clock=[]), "snapshot.clock is no mapping; a snapshot of policykit is needed"),
        (
            lambda d: d.update(version=True),
            "snapshot.version is not 1; take the snapshot anew with this version of policykit",
        ),
        (
            lambda d: d.update(keys=[d["keys"][0], d["keys"][0]]),
            "snapshot.keys has two reports of 'mm-exec'; one report of each key is needed",
        ),
    ],
)
def test_what_is_wrong_is_placed(change: Callable[[dict[str, Any]], object], message: str) -> None:
    """Other data than a snapshot is refused with the path, what is and what may be."""
    data = to_dict(_snapshot())
    if message.startswith("snapshot.limits is"):
        data["keys"] = []
    change(data)
    with pytest.raises(ValueError) as caught:
        from_dict(data)
    assert str(caught.value) == message


@pytest.mark.parametrize("data", [None, [], "x", 5])
def test_what_is_no_snapshot_at_all(data: object) -> None:
    """Any other JSON is named as what it is not."""
    with pytest.raises(ValueError) as caught:
        from_dict(data)
    assert str(caught.value) == "snapshot is no mapping; a snapshot of policykit is needed"


def test_a_permission_of_no_known_name_is_not_recognised() -> None:
    """A scope that this version does not know is named like any permission that it does not understand."""
    data = to_dict(_snapshot(keys=[_key("a", unrecognised=["x"])]))
    data["keys"][0]["permissions"] |= {"Withdraw": "granted", "lend": "unknown", "mint": "denied", "x": "granted"}
    assert from_dict(data).keys[0].unrecognised == ["x", "Withdraw", "lend"]


def test_a_report_without_a_time_is_as_old_as_its_snapshot() -> None:
    """Joined to a newer snapshot, a report keeps its own age."""
    early = _snapshot(taken_at="2026-01-20T10:00:00.000Z", keys=[_key("a", at="")])
    assert [key.at for key in merge([_snapshot(keys=[]), early]).keys] == ["2026-01-20T10:00:00.000Z"]


def test_snapshots_of_several_hosts_are_joined() -> None:
    """The newest report of each key, the newest account that was read; errors stay beside older reports."""
    early = _snapshot(
        taken_at="2026-11-20T10:00:00.000Z",
        keys=[_key("a", label="old"), _key("b")],
        errors=[{"key": "c", "code": "NETWORK", "message": "m"}],
        withdrawal_addresses=[],
    )
    late = _snapshot(
        keys=[_key("a", label="new"), _key("c")],
        limits=[],
        account={},
        errors=[{"key": "b", "code": "KEY_REJECTED", "message": "m"}],
    )
    joined = merge([late, early])
    assert [(key.name, key.label) for key in joined.keys] == [("a", "new"), ("b", None), ("c", None)]
    assert [error["key"] for error in joined.errors] == ["b"]
    assert (joined.taken_at, joined.account, joined.limits) == (AT, early.account, early.limits)
    assert joined.withdrawal_addresses == []
    assert merge([late]) == late


def test_a_newer_unknown_hides_nothing_that_an_older_report_found() -> None:
    """What was granted, or open to all, stays until somebody says that it is not; with the evidence of then."""
    granted = dict.fromkeys(SCOPES, "granted")
    early = _snapshot(
        taken_at="2026-11-20T10:00:00.000Z",
        keys=[
            _key("a", permissions=granted, restricted="no", addresses=[], endpoint="GET /old", at="2026-11-20T10:00Z")
        ],
    )
    told = {**dict.fromkeys(SCOPES, "unknown"), "transfer": "denied"}
    why = {"permissions.withdraw": "not told", "ip_allowlist.restricted": "not told", "label": "not told"}
    late = _snapshot(keys=[_key("a", permissions=told, restricted="unknown", addresses=None, unknown=why)])
    (key,) = merge([late, early]).keys
    assert key.permissions == {**granted, "transfer": "denied"}
    assert (key.restricted, key.addresses, key.unknown) == ("no", [], {"label": "not told"})
    assert (key.endpoint, key.at) == ("GET /old", "2026-11-20T10:00Z")
    other = replace(early, keys=[replace(early.keys[0], id="sha256:of-the-key-before")])
    assert merge([late, other]).keys == late.keys


@pytest.mark.parametrize("snapshots", [[], [_snapshot(), _snapshot(exchange="okx")]])
def test_snapshots_of_two_exchanges_are_not_joined(snapshots: list[Snapshot]) -> None:
    """One exchange at a time, and at least one snapshot."""
    with pytest.raises(ValueError) as caught:
        merge(snapshots)
    assert str(caught.value) == "snapshots of one exchange are needed; group them by exchange first"
