"""Live rules on keys and clocks: edges of time, what was declared, and other keys of the account."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policykit.testing.rules.examples import Example, inputs_of
from policykit.traits import load as load_traits
from tests.rules.asking import SECRET, findings_for, findings_of, lines_for, lines_of


def _messages(code: str, text: str, live: str) -> list[str]:
    return [f"{f.status}: {f.message}" for f in findings_of(code, text, live)]


# -- keys --------------------------------------------------------------------------------------------------------------


def _key(**said: Any) -> str:
    return json.dumps({"keys": [{"name": "mm-exec", **said}]})


ONE = "keys:\n  mm-exec:\n    purpose: %s\n    scopes: [read, trade.spot]\n"


def test_withdraw_that_was_declared_and_is_not_told() -> None:
    """A declaration that has the scope is an open finding, and leaves what the exchange does not tell unknown."""
    text = ONE % "execution" + "    declared: {scopes: [read, withdraw, transfer], by: a, at: 2026-11-20}\n"
    untold = _key(permissions={"withdraw": "unknown", "transfer": "unknown"})
    assert [f.split(":")[0] for f in _messages("PK101", text, untold)] == ["open", "unknown"]
    assert [f.split(":")[0] for f in _messages("PK102", text, untold)] == ["open", "unknown"]
    left_out = text.replace("withdraw, transfer", "trade")
    assert _messages("PK102", left_out, untold) == [
        "declared: that `mm-exec` cannot transfer is what a declared on 2026-11-20; not verified"
    ]
    older = _key(created_at="2026-11-21T00:00:00Z", permissions={"withdraw": "unknown"})
    assert [f.split(":")[0] for f in _messages("PK101", left_out, older)] == ["unknown"]


def test_kinds_of_trade_that_are_missing() -> None:
    """`trade` needs any kind; a denied one beside an unknown one is unknown; withdraw that is denied is no fault."""
    denied = {f"trade.{kind}": "denied" for kind in ("spot", "margin", "derivatives", "options", "other")}
    text = ONE % "execution"
    everything = text.replace("trade.spot", "trade, withdraw, key_admin")
    assert _messages("PK119", everything, _key(permissions=denied)) == [
        "open: key `mm-exec` has no trade at the exchange; the policy says that it has"
    ]
    some = _key(permissions={**denied, "trade.options": "unknown"}, unknown={"permissions.trade.options": "no word"})
    assert _messages("PK119", everything, some) == ["unknown: whether `mm-exec` has trade could not be read: no word"]
    old = text + "    declared: {scopes: [read], by: a, at: 2026-11-20}\n"
    assert _messages("PK119", old, _key(permissions={"trade.spot": "unknown"})) == [
        (
            "unknown: whether `mm-exec` has trade.spot could not be read: "
            "the answer of GET /sapi/v1/account/apiRestrictions does not say"
        )
    ]
    assert lines_of("PK119", "keys:\n  mm-exec: {purpose: execution}\n", _key(permissions=denied)) == []


@pytest.mark.parametrize("purpose", ["tracking", "market_data", "execution", "hedging", "break_glass"])
def test_trade_that_a_reader_has_is_said_once(purpose: str) -> None:
    """Trade of a reader is PK118's alone, of other keys PK104's alone."""
    granted = _key(permissions={"trade.derivatives": "granted"})
    reads = purpose in ("tracking", "market_data")
    found = [len(lines_of(code, ONE % purpose, granted)) for code in ("PK118", "PK104")]
    assert found == ([1, 0] if reads else [0, 1])


@pytest.mark.parametrize(
    ("made", "restricted", "count"),
    [
        ("2026-11-14T10:00:00Z", "no", 1),
        ("2026-11-14T09:59:59Z", "no", 0),
        ("2026-11-21T10:00:01Z", "no", 1),
        ("2026-11-20T10:00:00Z", "unknown", 0),
        (None, "no", 0),
    ],
)
def test_new_keys_without_an_address(made: str | None, restricted: str, count: int) -> None:
    """A key is new for seven days; what is not known of it PK201 and PK302 say."""
    live = _key(created_at=made, ip_allowlist={"restricted": restricted, "addresses": None})
    assert len(lines_of("PK211", "name: mm\n", live)) == count


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"last_used_at": "2026-10-22T10:00:00Z"}, ""),
        ({"last_used_at": "2026-10-22T09:59:59Z"}, "key `mm-exec` was last used 30 days ago"),
        ({"last_used_at": None, "unknown": {"last_used_at": "x"}, "created_at": "2026-01-01T00:00:00Z"}, ""),
        ({"last_used_at": None, "created_at": None}, ""),
        ({"last_used_at": "soon"}, ""),
    ],
)
def test_last_use(said: dict[str, Any], message: str) -> None:
    """Thirty days without use are the most; a use that is not known is no use long ago."""
    assert [f.message for f in findings_of("PK309", "name: mm\n", _key(**said))] == ([message] if message else [])


HTX = "exchange: htx\nkeys:\n  mm-exec: {purpose: execution, scopes: [read, trade.spot]}\n"
ENDS = "htx ends keys 30 days after their last use"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"last_used_at": "2026-11-05T10:00:00Z"}, f"key `mm-exec` ends in 14 days: {ENDS}"),
        ({"last_used_at": "2026-11-05T10:00:01Z"}, ""),
        ({"last_used_at": "2026-10-22T10:00:00Z"}, f"key `mm-exec` is past its end: {ENDS}"),
        ({"last_used_at": "2026-10-22T10:00:00.001Z"}, f"key `mm-exec` ends in 0 days: {ENDS}"),
        ({"last_used_at": None, "created_at": "2026-11-01T10:00:00Z"}, f"key `mm-exec` ends in 10 days: {ENDS}"),
        ({"last_used_at": "2026-10-22T10:00:00Z", "expires_at": "2027-01-01T00:00:00Z"}, ""),
        ({"last_used_at": "2026-10-22T10:00:00Z", "permissions": {"trade.spot": "denied"}}, ""),
        (
            {"last_used_at": "2026-10-22T10:00:00Z", "permissions": {"trade.spot": "unknown"}},
            (
                f"whether key `mm-exec` ends soon is not known: {ENDS}, and whether it is a key of that kind could not"
                " be read"
            ),
        ),
    ],
)
def test_end_by_the_exchanges_rule(said: dict[str, Any], message: str) -> None:
    """A rule bites keys of its kind, within the time of warning, unless the exchange tells the end itself."""
    live = json.dumps({"exchange": "htx", "keys": [{"name": "mm-exec", **said}]})
    assert [f.message for f in findings_of("PK310", HTX, live)] == ([message] if message else [])


def test_warning_of_the_policy_holds_for_the_exchanges_rule() -> None:
    """`rotation.warn_before` says how early to warn."""
    live = json.dumps({"exchange": "htx", "keys": [{"name": "mm-exec", "last_used_at": "2026-11-20T10:00:00Z"}]})
    early = HTX.replace("trade.spot]", "trade.spot], rotation: {every: 90d, warn_before: 29d}")
    assert (len(lines_of("PK310", HTX, live)), len(lines_of("PK310", early, live))) == (0, 1)


def test_other_keys_are_looked_up_in_all_policies() -> None:
    """A key that another policy names is named; one that two keys' reports show is said once; a label may be hidden."""
    keys = "exchange: deribit\nkeys:\n  a: {purpose: execution}\n  b: {purpose: tracking}\n"
    other = {"id": "sha256:77ce01aa93b2", "label": f"x\n{SECRET}"}
    live = {"exchange": "deribit", "keys": [{"name": n, "id": f"sha256:{n}", "others": [other]} for n in "ab"]}
    both = inputs_of(Example("yaml", keys, snapshot=json.dumps(live)))
    assert lines_for("PK120", both) == [
        "open observed policy.yaml:3:6 the account of key `a` has the key sha256:77ce01aa93b2, which no policy names"
    ]
    live["keys"] = [{"name": "c", "id": other["id"]}]
    beside = inputs_of(Example("yaml", keys.replace("a:", "c:"), snapshot=json.dumps(live)))
    one = beside.fleet[0]._replace(file="other.yaml")
    assert lines_for("PK120", both._replace(fleet=(*both.fleet, one))) == []
    elsewhere = beside.fleet[0]._replace(file="other.yaml", account="second", keys=beside.fleet[0].keys[1:])
    assert len(lines_for("PK120", both._replace(fleet=(*both.fleet, elsewhere)))) == 1
    unread = elsewhere._replace(account="main")
    (found,) = lines_for("PK120", both._replace(fleet=(*both.fleet, unread)))
    assert found.startswith("unknown")
    assert found.endswith("is not known: `b` was not read")


def test_exchange_without_documented_evidence() -> None:
    """A key without a declaration lacks all of one; statically a whole one is silent."""
    bare = "exchange: mexc\nkeys:\n  k: {purpose: execution}\n"
    assert _messages("PK212", bare, '{"exchange": "mexc", "keys": []}') == [
        (
            "open: only what is declared is known of key `k` on mexc; missing: "
            "its scopes, its addresses and when it was made"
        )
    ]


# -- the clock ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "said"),
    [
        ({"skew_ms": -500}, []),
        ({"skew_ms": -501}, ["open: the clock of the host that trades is 501 ms off; at most 500ms"]),
        (
            {"skew_ms": 1600, "resolution_ms": 1000},
            ["open: the clock of the host that trades is 1600 ms off; at most 500ms"],
        ),
        (
            {"skew_ms": 1500, "resolution_ms": 1000},
            ["unknown: whether the clock is off by more than 500ms is not known: it was told to 1000 ms only"],
        ),
        ({"skew_ms": True}, ["unknown: how far the clock is off is not known: the snapshot has no comparison"]),
        ({"skew_ms": None, "unknown": "no route"}, ["unknown: how far the clock is off is not known: no route"]),
    ],
)
def test_clock_at_its_bound(clock: dict[str, Any], said: list[str]) -> None:
    """The bound itself is within; a coarse answer decides only what it can."""
    live = json.dumps({"clock": {"server_time": "2026-11-21T09:59:59Z", "round_trip_ms": 0, **clock}})
    assert _messages("PK703", "clock: {max_skew: 500ms}\n", live) == said


@pytest.mark.parametrize(
    ("skew", "trip", "count"),
    [(-400, 100, 0), (-400, 101, 1), (0, 5000, 0), (400, 5000, 0), (-400, None, 0), (-500, None, 0), (-499, 2, 1)],
)
def test_clock_behind_eats_the_validity(skew: int, trip: int | None, count: int) -> None:
    """A clock that is behind and a slow way may take half of what a request is valid for, and no more."""
    live = json.dumps({"clock": {"server_time": "2026-11-21T09:59:59Z", "skew_ms": skew, "round_trip_ms": trip}})
    assert len(lines_of("PK703", "clock: {max_skew: 500ms, request_validity: 1s}\n", live)) == count


def _real(code: str, exchange: str, text: str, live: dict[str, Any]) -> list[Any]:
    """Return what a rule finds with the real facts of an exchange."""
    example = Example("yaml", f"exchange: {exchange}\n{text}", snapshot=json.dumps({"exchange": exchange, **live}))
    return findings_for(code, inputs_of(example)._replace(traits=load_traits(exchange)))


def test_a_key_that_no_exchange_binds_is_left_with_less_on_the_account() -> None:
    """Where there are no allowlists the advice is not to look for one; elsewhere it is the box of the page."""
    live = {"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "no"}}]}
    steps = [
        found.next_step
        for exchange in ("hyperliquid", "bybit")
        for found in _real("PK201", exchange, ONE % "execution", live)
        if found.observed
    ]
    box = "Only IPs with permissions granted are allowed to access the OpenAPI"
    assert steps == [
        "this exchange binds no key to an address: hold no more on the account than the bot needs",
        f'Bybit > Account & Security > API Management > Edit > "{box}"',
    ]


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("ADDRESS_NOT_ALLOWED", "run this where the key is allowed"),
        ("CLOCK", "set this host's clock"),
        ("", "run `policykit snapshot` on the host where this key lives"),
    ],
)
def test_the_advice_on_an_unread_key_follows_the_reason(code: str, step: str) -> None:
    """What to do is not the same for an address, a clock, and silence."""
    live = json.dumps({"keys": [], "errors": [{"key": "mm-exec", "code": code, "message": "no"}]})
    (finding,) = findings_of("PK108", ONE % "execution", live)
    assert finding.next_step.startswith(step)


def test_documented_limits_count_where_the_exchange_publishes_none() -> None:
    """Live state without limits hides no budget over the documents; and is unknown only where they could be read."""
    text = "rate_budgets:\n  requests: {limit: 9000, per: 5s, window: rolling, shared_by: ip}\n"
    silent: dict[str, Any] = {"limits": [], "account": {"unknown": {"limits": "bybit has no call for its limits"}}}
    (found,) = _real("PK401", "bybit", text, silent)
    assert (found.status, found.message) == ("open", "budget `requests` is 9,000 per 5s; bybit documents 600 per 5s")
    assert [one.status for one in _real("PK401", "bybit", text, {"limits": []})] == ["open", "unknown"]
