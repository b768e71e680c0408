"""A key is ended by another where an exchange documents a call, over HTTP against sim; its refusal proves it."""

from __future__ import annotations

from typing import Any

import pytest

from policykit import traits
from policykit.errors import ExchangeUnavailable
from policykit.exchanges import client as clients
from policykit.exchanges import revoking
from policykit.exchanges.base import Answer, CallFailed
from policykit.exchanges.revoking import revocation, revoke, revoke_own, state
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer
from policykit.sim.keys import SimKey
from tests.canary import assert_clean, canaries

#: Exchanges of which sim answers the deletion, what names the sub-account there, and what the main account's key has.
ENDING: dict[str, tuple[str, frozenset[str]]] = {
    "binance": ("desk@example.com", frozenset(("read", "trade.spot"))),
    "bitget": ("", frozenset(("read", "transfer"))),
    "bybit": ("", frozenset(("read", "transfer"))),
    "deribit": ("", frozenset(("read", "key_admin"))),
    "gate": ("10023", frozenset(("read", "transfer"))),
    "kucoin": ("desk1", frozenset(("read", "transfer"))),
    "okx": ("desk", frozenset(("read", "trade.spot"))),
}


def _secrets(key: SimKey) -> dict[str, Secret]:
    return {name: Secret(value) for name, value in key.credentials().items()}


@pytest.mark.parametrize("exchange", ENDING)
def test_the_main_key_ends_a_sub_accounts_key(exchange: str) -> None:
    """The old key is answered, is ended by the one documented call, and is refused from then on; the other lives."""
    account, grants = ENDING[exchange]
    with SimServer(clock=SimClock(), dialect=exchange, grants=grants) as sim:
        old = sim.grant_key(account=account or "sub")
        over: dict[str, Any] = {"endpoint": sim.url, "clock": sim.clock}
        assert state(exchange, _secrets(old), **over).refused is False
        main = _secrets(sim.main_key)
        word = Secret(old.passphrase or "none")
        revoke(exchange, main, Secret(old.key), account=account, passphrase=word, **over)
        proof = state(exchange, _secrets(old), **over)
        assert (proof.refused, proof.code) == (True, "KEY_REJECTED")
        assert state(exchange, main, **over).refused is False
        call = revocation(exchange, sub_account=True).call
        assert sum(call.partition("{")[0] in name for name in sim.truth.by_route) == 1
        with pytest.raises(CallFailed):  # it is gone: the exchange says so, and nothing passes for success
            revoke(exchange, main, Secret(old.key), account=account, passphrase=word, **over)


@pytest.mark.parametrize("exchange", ENDING)
def test_a_key_that_may_not_ends_nothing(exchange: str) -> None:
    """Without the permission that the call asks for it is refused, and the key that should have gone still lives."""
    account, _ = ENDING[exchange]
    with SimServer(clock=SimClock(), dialect=exchange, grants={"read"}) as sim:
        old = sim.grant_key(account=account or "sub")
        over: dict[str, Any] = {"endpoint": sim.url, "clock": sim.clock}
        with pytest.raises(CallFailed):
            main, word = _secrets(sim.main_key), Secret(old.passphrase or "none")
            revoke(exchange, main, Secret(old.key), account=account, passphrase=word, **over)
        assert state(exchange, _secrets(old), **over).refused is False


def test_bybit_lets_a_key_end_itself_only_with_a_permission_of_the_wallet() -> None:
    """PITFALLS 30: a bot's key must not have that permission, so it cannot; one that has it dies at once."""
    with SimServer(clock=SimClock(), dialect="bybit", grants={"read", "trade.spot"}) as sim:
        over: dict[str, Any] = {"endpoint": sim.url, "clock": sim.clock}
        with pytest.raises(CallFailed, match="permission"):
            revoke_own("bybit", _secrets(sim.main_key), **over)
        rich = sim.grant_key(grants={"read", "transfer"})
        revoke_own("bybit", _secrets(rich), **over)
        assert state("bybit", _secrets(rich), **over).refused is True
    assert revocation("bybit", sub_account=False, scopes=("read", "trade.spot")).by == "hand"
    assert revocation("bybit", sub_account=False, scopes=("read", "transfer")).by == "own"
    with pytest.raises(ExchangeUnavailable, match="okx documents no call by which a key ends itself"):
        revoke_own("okx", {})


@pytest.mark.parametrize("exchange", ["kraken", "coinbase", "gemini", "hyperliquid", "upbit"])
def test_where_the_api_can_do_nothing_it_is_said(exchange: str) -> None:
    """No call is guessed: the way is a person's, with the steps, and asking for the call is refused unsent."""
    way = revocation(exchange, sub_account=True)
    assert (way.by, way.call) == ("hand", "")
    assert way.steps
    with pytest.raises(ExchangeUnavailable, match=f"{exchange} documents no call"):
        revoke(exchange, {}, Secret("some-key"))


def test_what_a_call_needs_is_asked_for() -> None:
    """A call without what it needs is not made."""
    with pytest.raises(ValueError, match="okx: the sub-account's name is needed"):
        revoke("okx", {}, Secret("some-key"))
    with pytest.raises(ValueError, match="kucoin: the key's own passphrase is needed"):
        revoke("kucoin", {}, Secret("some-key"), account="desk")


@pytest.mark.parametrize("exchange", sorted(revoking._BY_MASTER))
def test_the_method_builds_the_documented_call_and_nothing_else_leaves(
    exchange: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of ccxt's methods builds the call that the traits name, with the key in it; no other passes the client."""
    sent: list[tuple[str, str, Any]] = []

    def fetch(self: Any, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        sent.append((method, url, body))
        assert self.policykit_beyond(method, url, body)
        assert not self.policykit_beyond("POST", url.partition("?")[0] + "/x", body)
        return {}

    real = clients.make_client

    def made(*args: Any, **more: Any) -> Any:
        found = real(*args, **more)
        monkeypatch.setattr(type(found), "fetch", fetch)
        return found

    monkeypatch.setattr(revoking, "make_client", made)
    with SimServer(clock=SimClock(), dialect=exchange) as sim:
        caller = _secrets(sim.main_key)
    key, facts = Secret("the-key-that-goes"), traits.load(exchange)
    assert facts is not None
    assert facts.revocation is not None
    revoke(exchange, caller, key, account="10023", passphrase=Secret("a-passphrase"))
    ((method, url, body),) = sent
    verb, path = facts.revocation.by_master.split(" ", 1)
    assert method == verb
    assert path.partition("{")[0] in url
    assert "the-key-that-goes" in f"{url}{body}"
    assert ("10023" in f"{url}{body}") == bool(facts.revocation.account_is)


def test_deribit_removes_by_the_number_of_another_key_and_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list has secrets: only the number of the key that goes leaves the client."""
    rows = {"result": [{"client_id": "old", "id": 7, "client_secret": "never"}, {"client_id": "other", "id": 8}]}
    assert revoking._ids(rows) == {"old": 7, "other": 8}
    assert revoking._ids({"result": None}) == revoking._ids([]) == {}
    steps = revoking._remove_listed(Secret("old"))
    assert next(steps).method == "policykit_ids"
    asked = steps.send(Answer({"old": 7}, 0, 0))
    assert (asked.method, asked.params) == ("privateGetRemoveApiKey", {"id": 7})
    steps = revoking._remove_listed(Secret("gone"))
    next(steps)
    with pytest.raises(CallFailed, match="has no such key, or asks for a second factor"):
        steps.send(Answer({"old": 7}, 0, 0))
    assert revocation("deribit").by == "other"


def test_every_exchange_has_a_way_and_calls_have_a_method() -> None:
    """No call in the traits lacks its method here, and none is here that the traits do not name."""
    named = {
        name for name in traits.known() if (one := traits.load(name)) and one.revocation and one.revocation.by_master
    }
    assert {revoking._canonical(name) for name in named} == set(revoking._BY_MASTER)
    for name in traits.known():
        assert revocation(name).steps, name
    strange = revocation("nowhere")
    assert (strange.by, strange.sure) == ("hand", False)


@pytest.mark.parametrize("fault", ["drop", "rejected_key"])
def test_an_exchange_that_does_not_answer_proves_nothing(fault: str) -> None:
    """A dead exchange is no proof of a dead key."""
    rule = {"at": "any", "do": fault, "ratio": 1.0}
    with SimServer(clock=SimClock(), dialect="okx", faults=[rule]) as sim:
        said = state("okx", _secrets(sim.main_key), endpoint=sim.url, clock=sim.clock)
    assert said.refused is (True if fault == "rejected_key" else None)


@pytest.mark.parametrize("do", ["drop", "garbage", "lost_reply", "unknown"])
def test_I23_no_failure_of_a_revocation_shows_a_key(do: str, caplog: pytest.LogCaptureFixture) -> None:
    """KuCoin wants key and passphrase in the URL, which ccxt's errors repeat: nothing of them comes through."""
    caplog.set_level("DEBUG")
    birds = canaries(seed=8, count=2)
    rule = {"at": "other", "do": do, "ratio": 1.0, "executed": False}
    with (
        SimServer(clock=SimClock(), dialect="kucoin", faults=[rule], grants={"read", "transfer"}) as sim,
        pytest.raises(CallFailed) as failed,
    ):
        over: dict[str, Any] = {"endpoint": sim.url, "clock": sim.clock}
        key, word = (Secret(bird) for bird in birds)
        revoke("kucoin", _secrets(sim.main_key), key, account="desk1", passphrase=word, **over)
    error = failed.value
    assert_clean(f"{error} {error!r} {error.__cause__} {error.__context__!r} {error.failure}{caplog.text}", birds)
