"""Deribit: scopes by group, the list that holds every secret, the second factor, and refusals over HTTP."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from policykit.exchanges.base import Answer, CallFailed, Read, arun, run
from policykit.exchanges.client import make_client
from policykit.exchanges.deribit import ADAPTER
from policykit.exchanges.forms import Fields, hashed
from policykit.exchanges.key_list import cleaned
from policykit.redact import Secret
from policykit.sim import Drift, SimClock, SimServer
from policykit.sim.dialects.deribit import GuardedKey
from policykit.sim.keys import REFUSALS, SimKey
from policykit.snapshot import KeyReport
from tests.canary import assert_clean, canaries
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import NOW_MS, answered, client_of, report_of
from tests.exchanges.test_every_answer import _mutants as mutants

#: docs.deribit.com private/list_api_keys, Response Example (read 2026-11).
DOCUMENTED: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 2553,
    "result": [
        {
            "timestamp": 1560236001108,
            "max_scope": "account:read block_trade:read trade:read_write wallet:read",
            "id": 1,
            "enabled": False,
            "default": False,
            "client_secret": "SjM57m1T2CfXZ4vZ76X1APjqRlJdtzHI8IwVXoQnfoM",
            "client_id": "TiA4AyLPq3",
            "name": "",
            "enabled_features": [],
        },
        {
            "timestamp": 1560236287708,
            "max_scope": "account:read_write block_trade:read_write trade:read_write wallet:read_write",
            "id": 2,
            "enabled": True,
            "default": True,
            "client_secret": "mwNOvbUVyQczytQ5IVM8CbzmgqNJ81WvLKfu6MXcJPs",
            "client_id": "aD-KFx-H",
            "name": "desk",
            "enabled_features": [],
        },
    ],
}
_KEPT = ("id", "max_scope", "enabled", "default", "name", "timestamp", "ip_whitelist", "enabled_features")
TRADES = ("trade.spot", "trade.margin", "trade.derivatives", "trade.options")


def _report(answer: dict[str, Any], own: str) -> KeyReport:
    return report_of(ADAPTER, cleaned(answer["result"], own, "client_id", _KEPT))


def _of(max_scope: object, **more: Any) -> KeyReport:
    row = {**DOCUMENTED["result"][0], "max_scope": max_scope, **more}
    return _report({"result": [row]}, "TiA4AyLPq3")


def test_the_documented_example_of_a_trader() -> None:
    """The first key trades everything and moves nothing; the second is another key of the account."""
    report = _report(DOCUMENTED, "TiA4AyLPq3")
    assert report.permissions == {
        "read": "granted",
        **dict.fromkeys(TRADES, "granted"),
        "trade.other": "denied",
        "transfer": "denied",
        "withdraw": "denied",
        "key_admin": "denied",
    }
    assert (report.restricted, report.addresses) == ("no", [])
    assert (report.created_at, report.expires_at, report.label) == ("2019-06-11T06:53:21.108Z", None, None)
    assert report.others == [{"id": hashed("aD-KFx-H"), "label": "desk"}]
    assert report.raw == {"id": 1, "enabled": False, "default": False}
    assert report.unrecognised == []
    assert report.unknown == {
        "label": "deribit does not report it",
        "expires_at": "deribit does not report it",
        "last_used_at": "deribit does not report it",
    }


def test_the_documented_example_of_a_key_that_may_everything() -> None:
    """`wallet:read_write` is transfer and withdrawal, `account:read_write` makes and edits keys."""
    report = _report(DOCUMENTED, "aD-KFx-H")
    assert set(report.permissions.values()) == {"granted"}
    assert report.label == "desk"


@pytest.mark.parametrize("scope", [None, 7, "", [], "trade", "trade:read_write", {"wallet": "none"}])
def test_a_group_that_is_not_named_is_unknown(scope: object) -> None:
    """What may move money is denied only where `wallet:read` or `wallet:none` says so."""
    report = _of(scope)
    assert report.permissions["withdraw"] == report.permissions["transfer"] == "unknown"
    assert report.unknown["permissions.withdraw"]


def test_none_is_denied_and_a_new_word_is_unknown() -> None:
    """`none` denies; `wallet:pay` may be a withdrawal; a group nobody knows may be anything that is not granted."""
    nothing = _of("account:none trade:none wallet:none block_trade:none")
    assert set(nothing.permissions.values()) == {"denied"}
    new = _of("account:read trade:read wallet:pay")
    assert (new.permissions["withdraw"], new.permissions["trade.spot"]) == ("unknown", "denied")
    assert new.unknown["permissions.withdraw"] == "wallet:pay is not understood and may grant it"
    assert new.unrecognised == ["wallet:pay"]
    group = _of("account:read trade:read_write wallet:read vault:read_write")
    assert (group.permissions["withdraw"], group.permissions["trade.spot"]) == ("unknown", "granted")
    assert group.unrecognised == ["vault:read_write"]


def test_commas_do_as_blanks_and_addresses_are_read() -> None:
    """The same list of scopes with commas; an allowlist of two."""
    report = _of("account:read,trade:read_write,wallet:read", ip_whitelist=["203.0.113.7", "203.0.113.0/24"])
    assert (report.permissions["withdraw"], report.permissions["trade.spot"]) == ("denied", "granted")
    assert (report.restricted, report.addresses) == ("yes", ["203.0.113.7", "203.0.113.0/24"])


def test_a_list_leaves_the_client_without_secrets() -> None:
    """Only allowed fields stay; of the others a yes or a no, and whether the key is ours."""
    secret, other = canaries(1, 2)
    rows = [{"client_id": "a", "client_secret": secret, "may_fly": True, "seed": [other], "scopes": {"x": other}}]
    assert cleaned(rows, "a", "client_id", ("max_scope",)) == [
        {
            "client_id": "a",
            "client_secret": "withheld",
            "may_fly": True,
            "seed": "withheld",
            "scopes": "withheld",
            "policykit_own": True,
        }
    ]
    assert cleaned({"challenge": other}, "a", "client_id", ()) is None


def test_no_key_or_two_keys_of_ours_is_no_report() -> None:
    """Without a row of this key, or with two, the list tells nothing; then the token is asked, and has to answer."""
    rows = cleaned(DOCUMENTED["result"], "somebody", "client_id", _KEPT)
    twice = cleaned(DOCUMENTED["result"][:1] * 2, "TiA4AyLPq3", "client_id", _KEPT)
    for answer in (rows, twice, None, "<html>"):
        with pytest.raises(CallFailed, match=r"^deribit: the answer is not a list of keys with this key in it"):
            report_of(ADAPTER, answer, {"scope": None})


def test_a_token_proves_only_what_it_names() -> None:
    """`wallet:read` of a token denies nothing: the exchange narrows wallet:read_write to it."""
    report = report_of(ADAPTER, None, {"scope": "account:read trade:read_write wallet:read connection mainaccount"})
    granted = [scope for scope, said in report.permissions.items() if said == "granted"]
    assert granted == ["read", *TRADES]
    assert {said for scope, said in report.permissions.items() if scope not in granted} == {"unknown"}
    assert report.unknown["permissions.withdraw"] == (
        "a token's scope may be narrower than its key's, and the list of keys could not be read"
    )
    assert (report.unrecognised, report.endpoint) == ([], "GET /api/v2/public/auth")


@pytest.fixture
def sim() -> Any:
    """The simulated exchange that speaks Deribit."""
    with SimServer(clock=SimClock(), dialect="deribit") as server:
        yield server


def test_over_http_no_secret_of_any_key_gets_out(sim: SimServer) -> None:
    """Stock ccxt, real signature: the answer holds three secrets, the report no eight characters of any."""
    others = [sim.grant_key(grants={"read", "withdraw"}), sim.main_key]
    key = sim.grant_key(30, addresses=["203.0.113.7"])
    client = client_of(sim, key)
    report = run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    secrets = [one.secret for one in (key, *others)]
    assert all(secret in client.last_http_response for secret in secrets)
    assert_clean(repr(report), [*secrets, *(one.key for one in (key, *others))])
    assert report.permissions["trade.spot"] == "granted"
    assert report.permissions["withdraw"] == "denied"
    assert report.addresses == ["203.0.113.7"]
    assert len(report.others) == 2


def test_over_http_a_second_factor_leads_to_a_signed_token(sim: SimServer) -> None:
    """The list answers with a challenge; public/auth is signed, so the secret is in no URL and no token gets out."""
    plain = sim.grant_key(grants={"read", "trade.spot", "withdraw"})
    sim.adopt(GuardedKey(**{field.name: getattr(plain, field.name) for field in dataclasses.fields(SimKey)}))
    client = client_of(sim, plain)
    report = run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert report.permissions["trade.spot"] == "granted"
    assert report.permissions["withdraw"] == "unknown"
    answer = client.last_http_response
    tokens = [part for part in answer.split('"') if len(part) == 120]
    assert len(tokens) == 2
    assert_clean(repr(report), [*tokens, plain.secret])
    assert "client_signature" in client.last_request_url
    assert_clean(client.last_request_url, [plain.secret])


def test_over_http_a_token_never_leaves_the_client(sim: SimServer) -> None:
    """Of public/auth only the scope is seen outside, in whatever case; a wrong secret proves nothing."""
    key = sim.grant_key()
    client = client_of(sim, key)
    assert client.policykit_scope({"grant_type": "client_signature"}) == {
        "scope": "account:read block_trade:read trade:read_write wallet:read connection mainaccount"
    }
    client.secret = sim.main_key.secret
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client, _token(), sim.clock)
    assert caught.value.code == "KEY_REJECTED"


def _token() -> Any:
    yield Read("policykit_scope", {"grant_type": "client_signature"})


def test_over_http_a_token_is_asked_for_only_where_a_factor_or_a_scope_is_missing(sim: SimServer) -> None:
    """A rate limit, or a key that is gone, is not answered with another request."""
    for refusal, routes in (("rate", 1), ("revoked", 1), ("permission", 2)):
        before = sim.truth.by_route.copy()
        with pytest.raises(CallFailed):
            run(ADAPTER, client_of(sim, sim.grant_key(refused=refusal)), ADAPTER.key_report(), sim.clock)
        assert sum((sim.truth.by_route - before).values()) == routes, refusal


def test_over_http_the_async_client_reads_the_same(sim: SimServer) -> None:
    """The list is cleaned on asyncio too."""
    key = sim.grant_key()
    secrets = {name: Secret(value) for name, value in key.credentials().items()}

    async def read() -> KeyReport:
        client = make_client("deribit", secrets, endpoint=sim.url, clock=sim.clock, asynchronous=True)
        try:
            return await arun(ADAPTER, client, ADAPTER.key_report(), sim.clock)
        finally:
            await client.close()

    assert asyncio.run(read()) == run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)


@pytest.mark.parametrize(
    ("refusal", "code", "words"),
    [
        ("revoked", "KEY_REJECTED", "the key, its secret, or this address is refused; check the key and its addresses"),
        ("address", "KEY_REJECTED", "the key, its secret, or this address is refused; check the key and its addresses"),
        ("permission", "PERMISSION_MISSING", "the key lacks a permission; check its scopes"),
        ("clock", "CLOCK", "the request's time is refused; set this host's clock"),
        ("rate", "RATE_LIMIT", "too many requests; wait until credits are back"),
        ("ban", "RATE_LIMIT", "too many requests; wait until credits are back"),
        ("maintenance", "MAINTENANCE", "the exchange is under maintenance; wait"),
    ],
)
def test_over_http_each_refusal_has_its_code(sim: SimServer, refusal: str, code: str, words: str) -> None:
    """Deribit has one answer for a wrong key, signature and address; its words name all three."""
    assert refusal in REFUSALS
    key = sim.grant_key(refused=refusal)
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)
    assert caught.value.code == code
    assert caught.value.failure.message.startswith(f"deribit: {words} (")
    assert_clean(f"{caught.value!r} {caught.value.__context__!r} {caught.value.__cause__!r}", [key.secret, key.key])


def test_over_http_a_wrong_clock_is_refused_and_read(sim: SimServer) -> None:
    """A request signed 61 s ago is a matter of the clock, told from a wrong signature by its text."""
    client = client_of(sim, sim.grant_key())
    client.milliseconds = lambda: sim.clock.now_ms() - 61_000
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert caught.value.code == "CLOCK"
    assert run(ADAPTER, client, ADAPTER.server_time(), sim.clock) == sim.clock.now_ms()


def test_a_failing_http_answer_with_a_time_stamp_in_its_url_is_no_clock(sim: SimServer) -> None:
    """public/auth carries `timestamp=` in its URL, which an error's text repeats: that is no word on the clock."""
    client = client_of(sim, sim.grant_key())

    class ExchangeError(Exception):
        pass

    text = "deribit GET https://www.deribit.com/api/v2/public/auth?grant_type=client_signature&timestamp=1 400 Bad"
    assert ADAPTER.failure(ExchangeError(text), client).code == "UNKNOWN"


def test_over_http_the_address_book_is_read_without_the_people_in_it(sim: SimServer) -> None:
    """One call a currency; names of beneficiaries stay behind; an address in its waiting time is not allowed yet."""
    assert run(ADAPTER, client_of(sim, sim.grant_key()), ADAPTER.withdrawal_addresses(), sim.clock) == [
        {"coin": "BTC", "network": "", "address": "2NBqqD5GRJ8wHy1PYyCXTe9ke5226FhavBz", "allowlisted": False}
    ]


def test_over_http_the_account_is_read_in_the_calls_that_were_told(sim: SimServer) -> None:
    """Orders by symbol, positions of every kind in one list, prices of one base at a time."""
    asked = live_calls(ADAPTER, sim, client_of(sim, sim.grant_key()), ("BTC/USDT",))
    assert set(asked) == set(ADAPTER.asks["account"])
    assert client_of(sim, sim.grant_key()).fetch_balance()["USDT"]["total"] == 100_000


def test_buying_is_a_get_and_no_read() -> None:
    """The path decides, not the verb."""
    assert ADAPTER.call("GET", "https://www.deribit.com/api/v2/private/buy?amount=1", None).kind == "refused"
    assert ADAPTER.call("GET", "https://www.deribit.com/api/v2/private/withdraw", None).kind == "refused"
    assert ADAPTER.call("GET", "https://www.deribit.com/api/v2/private/list_api_keys", None).kind == "read"


@pytest.mark.parametrize("name", ["teleport", "vault:read_write"])
def test_over_http_a_strange_scope_is_reported(name: str) -> None:
    """What nobody knows is named, and leaves withdrawal unknown."""
    with SimServer(clock=SimClock(), dialect="deribit", drift=Drift(strange=(name,))) as odd:
        report = run(ADAPTER, client_of(odd, odd.grant_key(grants={"read"})), ADAPTER.key_report(), odd.clock)
    assert report.unrecognised == [f"{name}:read"]
    assert report.permissions["withdraw"] == "unknown"


def test_a_time_that_is_none_is_a_bad_answer() -> None:
    """The clock is read from a number of milliseconds only."""
    assert answered(ADAPTER.server_time(), {"result": NOW_MS}) == NOW_MS
    with pytest.raises(CallFailed, match=r"^deribit: the answer is not the time; check the endpoint$"):
        answered(ADAPTER.server_time(), {"result": "soon"})
    steps = ADAPTER.server_time()
    next(steps)
    with pytest.raises(CallFailed):
        steps.send(Answer(None, NOW_MS, NOW_MS))


def test_I18_a_damaged_list_denies_nothing_and_leaks_nothing() -> None:
    """Every single change of the answer as it came, before it is cleaned: no crash, no denial, no secret."""
    whole = _report(DOCUMENTED, "aD-KFx-H")
    secrets = [row["client_secret"] for row in DOCUMENTED["result"]]
    seen, codes = 0, set()
    for name, (damaged,) in mutants([DOCUMENTED]):
        rows = cleaned(Fields(damaged).get("result"), "aD-KFx-H", "client_id", _KEPT)
        assert_clean(repr(rows), secrets)
        try:
            report = report_of(ADAPTER, rows, {"scope": None})
        except CallFailed as failed:
            codes.add(failed.code)
            continue
        seen += 1
        denied = [scope for scope in whole.permissions if report.permissions[scope] == "denied"]
        assert denied == [], name
        assert_clean(repr(report), secrets)
    assert codes == {"BAD_ANSWER"}
    assert seen > 100
