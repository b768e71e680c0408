"""What holds for every exchange that can be read, over real HTTP with its own signatures, drifted or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from policykit.exchanges import known, load
from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.calls import listed
from policykit.sim import ABSENT, Drift, SimClock, SimKey, SimServer, dialects
from policykit.sim.keys import GRANTS, REFUSALS
from policykit.snapshot import SCOPES, KeyReport, from_dict, to_dict
from policykit.snapshot import Snapshot as _Snapshot
from tests.canary import assert_clean
from tests.exchanges.reading import client_of

#: The exchanges that issue 4 names.
NAMED = (
    "binance bybit okx kraken coinbase kucoin blofin bitget gate deribit htx bitfinex bingx hyperliquid mexc gemini "
    "upbit krakenfutures bitmex"
)
#: What each refusal of a key is read as; where an exchange has one error for several, the words name them all.
READ_AS = {
    "revoked": {"KEY_REJECTED"},
    "address": {"ADDRESS_NOT_ALLOWED", "KEY_REJECTED"},
    "permission": {"PERMISSION_MISSING", "KEY_REJECTED"},
    "clock": {"CLOCK", "KEY_REJECTED"},
    "rate": {"RATE_LIMIT"},
    "ban": {"BANNED", "RATE_LIMIT"},
    "maintenance": {"MAINTENANCE"},
}
DRIFTS = {
    "snake": Drift(names="snake_case"),
    "camel": Drift(names="camelCase"),
    **{f"everywhere {form!r}": Drift(everywhere=form) for form in (["*"], "", [], [""], "0.0.0.0/0", False, ABSENT)},
    **{f"never {form!r}": Drift(never=form) for form in (0, -1, "0", "", "1970-01-01T00:00:00Z", None, ABSENT)},
    **{f"times {form}": Drift(times=form) for form in ("ms", "s", "iso", "ms_text", "s_text")},
}


def _public(adapter: Adapter) -> bool:
    """Tell whether the key report needs no key: nobody can be refused."""
    return all(listed(name, adapter.public) for name in adapter.asks["key_report"])


@pytest.fixture(params=known())
def exchange(request: pytest.FixtureRequest) -> str:
    """The id of each exchange that can be read."""
    return str(request.param)


@pytest.fixture
def adapter(exchange: str) -> Adapter:
    """Its adapter."""
    found = load(exchange)
    assert found is not None
    return found


@pytest.fixture
def sim(exchange: str) -> Iterator[SimServer]:
    """The simulated exchange that speaks its language, on a simulated clock."""
    with SimServer(clock=SimClock(), dialect=exchange) as server:
        yield server


def _report(adapter: Adapter, sim: SimServer, key: SimKey) -> KeyReport:
    return run(adapter, client_of(sim, key), adapter.key_report(), sim.clock)


def _report_or_code(adapter: Adapter, sim: SimServer, client: Any) -> KeyReport | str:
    try:
        return run(adapter, client, adapter.key_report(), sim.clock)
    except CallFailed as failed:
        return failed.code


def test_every_exchange_named_can_be_read_and_is_simulated() -> None:
    """The issue's nineteen have facts, an adapter and a dialect; nothing has one without the other."""
    assert set(NAMED.split()) - set(known()) == set()
    assert set(known()) == set(dialects.known())


def test_only_hyperliquid_asks_without_a_key() -> None:
    """Its agents are public; every other adapter has to pass the tests of refusals and signatures, none is left out."""
    adapters = [load(name) for name in known()]
    assert [one.id for one in adapters if one is not None and _public(one)] == ["hyperliquid"]


def test_what_a_key_was_granted_is_never_read_as_denied(adapter: Adapter, sim: SimServer) -> None:
    """Each scope alone beside read: granted, or unknown with the reason; and what only reads moves no money."""
    for grant in GRANTS[1:]:
        report = _report(adapter, sim, sim.grant_key(grants={"read", grant}))
        assert tuple(report.permissions) == SCOPES
        assert report.permissions["read"] != "denied", grant
        written = _writes(sim, grant)
        assert report.permissions[grant] != "denied" or not written, grant
        for scope, said in report.permissions.items():
            assert said != "unknown" or report.unknown.get(f"permissions.{scope}"), scope
    reader = _report(adapter, sim, sim.grant_key(grants={"read"}))
    assert reader.permissions["withdraw"] != "granted"
    assert reader.permissions["transfer"] != "granted"


def test_what_one_box_grants_together_comes_together(adapter: Adapter, sim: SimServer) -> None:
    """A key with one scope of a bundle is never read as one without the others: the facts and the answers agree."""
    for bundle in adapter.facts.bundles:
        for scope in bundle:
            report = _report(adapter, sim, sim.grant_key(grants={"read", scope}))
            assert [one for one in bundle if report.permissions[one] == "denied"] == [], scope


def _writes(sim: SimServer, grant: str) -> bool:
    """Tell whether the exchange has a word for a grant: a key with it is answered otherwise than one without."""
    adapter = load(sim.dialect)
    assert adapter is not None
    plain = sim.grant_key(grants={"read"})
    other = sim.grant_key(grants={"read", grant})
    first, second = client_of(sim, plain), client_of(sim, other)
    for client in (first, second):
        run(adapter, client, adapter.key_report(), sim.clock)
    one, two = str(first.last_http_response), str(second.last_http_response)
    for key in (plain, other):
        for value in key.credentials().values():
            one, two = one.replace(value, "K"), two.replace(value, "K")
    return one != two


def test_the_same_meaning_in_another_form(adapter: Adapter, sim: SimServer) -> None:
    """Drifted answers say the same as documented ones, or are unknown with the reason: never more, never less.

    No restriction is never read as one, in whatever form it is written, and one that is set is never read as none.
    """
    anywhere = client_of(sim, sim.grant_key(30, grants={"read", "trade.spot", "withdraw"}))
    bound = client_of(
        sim, sim.grant_key(30, grants={"read"}, addresses=["203.0.113.7"], expires_in_days=20, used_days_ago=3)
    )
    for client, never in ((anywhere, "yes"), (bound, "no")):
        sim.drift(Drift())
        want = run(adapter, client, adapter.key_report(), sim.clock)
        for name, drift in DRIFTS.items():
            sim.drift(drift)
            got = _report_or_code(adapter, sim, client)
            if isinstance(got, str):
                assert got == "BAD_ANSWER", name
                continue
            assert got.restricted != never or want.restricted == never, name  # Hyperliquid has no allowlists
            _says_no_other(want, got, name)


def _says_no_other(want: KeyReport, got: KeyReport, name: str) -> None:
    for scope in SCOPES:
        assert got.permissions[scope] in (want.permissions[scope], "unknown"), (name, scope)
    assert got.restricted in (want.restricted, "unknown"), name
    assert got.addresses in (want.addresses, None), name
    for field in ("created_at", "expires_at", "last_used_at"):
        value = getattr(got, field)
        assert value == getattr(want, field) or (value is None and field in got.unknown), (name, field)
    for field in ("account_id", "label"):
        assert getattr(got, field) in (getattr(want, field), None), (name, field)


def test_a_permission_nobody_knows_is_reported(adapter: Adapter, sim: SimServer) -> None:
    """Where the exchange names permissions, a new one is named in the report (G08), and may be a withdrawal."""
    sim.drift(Drift(strange=("teleport",)))
    client = client_of(sim, sim.grant_key(grants={"read"}))
    report = run(adapter, client, adapter.key_report(), sim.clock)
    if "teleport" in str(client.last_http_response):
        assert any("teleport" in name for name in report.unrecognised)


def test_each_refusal_is_told_apart(adapter: Adapter, sim: SimServer) -> None:
    """A bad key, address, permission, clock, limit, ban and maintenance have their own codes, words and waits."""
    if _public(adapter):
        pytest.skip("its key report needs no key: nobody is refused")
    for refusal in REFUSALS:
        with pytest.raises(CallFailed) as caught:
            _report(adapter, sim, sim.grant_key(refused=refusal))
        failure = caught.value.failure
        assert failure.code in READ_AS[refusal], refusal
        if failure.code == "KEY_REJECTED" and refusal in ("address", "permission", "clock"):
            assert refusal in failure.message.replace("scopes", "permission"), refusal
        assert (failure.retry_after_ms is not None) == (failure.code in ("RATE_LIMIT", "BANNED")), refusal
        assert failure.message.startswith(f"{adapter.id}: ")


def test_a_wrong_secret_is_a_rejected_key(adapter: Adapter, sim: SimServer) -> None:
    """The simulated exchange checks real signatures: a signature of another key is refused."""
    if _public(adapter):
        pytest.skip("its key report needs no key: nothing is signed")
    key, other = sim.grant_key(), sim.grant_key()
    mixed = SimKey(
        key.key, other.secret, 0, passphrase=key.passphrase, private_key=other.private_key, wallet=key.wallet
    )
    with pytest.raises(CallFailed) as caught:
        _report(adapter, sim, mixed)
    assert caught.value.failure.code == "KEY_REJECTED"


def test_a_wrong_clock_is_read(adapter: Adapter, sim: SimServer) -> None:
    """The exchange's time is read to the second at least, or there is no call for it, and the adapter says so."""
    client = client_of(sim, sim.main_key)
    if adapter.asks.get("server_time"):
        assert abs(run(adapter, client, adapter.server_time(), sim.clock) - sim.clock.now_ms()) < 1000
    else:
        with pytest.raises(CallFailed, match="has no time call that policykit knows"):
            run(adapter, client, adapter.server_time(), sim.clock)


def test_what_is_asked_is_what_was_planned(adapter: Adapter, sim: SimServer) -> None:
    """A key report makes the calls that its cost was told of, and no other."""
    client = client_of(sim, sim.grant_key())
    before = sim.truth.by_route.copy()
    run(adapter, client, adapter.key_report(), sim.clock)
    sent = sim.truth.by_route - before
    assert sorted(sent.elements()) == sorted(adapter.asks["key_report"])
    for name in sent:
        assert listed(name, adapter.reads | adapter.public)


def test_I23_what_was_sent_never_comes_back(adapter: Adapter, exchange: str, sim: SimServer) -> None:
    """No 8-character window of key, secret, passphrase or private key is in the report or in a failure's words."""
    for refusal in (None, *REFUSALS):
        key = sim.grant_key(refused=refusal)
        birds = [value for value in (key.secret, key.passphrase, key.private_key[-100:]) if len(value) >= 8]
        try:
            text = repr(_report(adapter, sim, key))
        except CallFailed as failed:
            text = f"{failed!r} {failed.failure!r} {failed.__cause__!r} {failed.__context__!r}"
        assert_clean(text, birds)
        if key.key and exchange != "coinbase":  # its key is a path of names
            assert key.key not in text


def test_a_report_travels(adapter: Adapter, sim: SimServer) -> None:
    """What every adapter reads can be written into a snapshot and is JSON."""
    import json

    report = _report(adapter, sim, sim.grant_key())
    data = to_dict(_Snapshot("2026-11-21T10:00:00Z", adapter.id, keys=[report]))
    assert json.loads(json.dumps(data)) == data
    assert to_dict(from_dict(json.loads(json.dumps(data)))) == data
