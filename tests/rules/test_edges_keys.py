"""Keys, addresses and rotation: the rarer answers, attacks on what no waiver touches, and what fixes write."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from policykit.errors import PolicyError
from policykit.finding import Finding, Observed
from policykit.model.base import metas
from policykit.model.keys import Key
from policykit.place import Place
from policykit.policy import EffectivePolicy, load, load_text
from policykit.rules import Inputs, find
from policykit.rules.addresses import mapped, network_of, public, special
from policykit.rules.fleet import Card, KeyCard, card
from tests.rules.examples import NOW_MS, Example, inputs_of, run, written

KEY = "keys:\n  k:\n    purpose: execution\n"
SECRET = "q7Zt2LxW9vRk4Hd8Bn3Ys6Pf1Jc5Mg0TaVeUo2KiXrQw"


def _findings(code: str, text: str, snapshot: str | None = None) -> list[Finding]:
    entry = find(code)
    assert entry is not None
    return run(entry, Example("yaml", text, snapshot=snapshot))


def _found(code: str, text: str, snapshot: str | None = None) -> list[str]:
    return [written(f) for f in _findings(code, text, snapshot)]


def _check(code: str, inputs: Inputs) -> list[str]:
    entry = find(code)
    assert entry is not None
    return [written(f) for f in entry.check(inputs)]


# -- one key, two policies ---------------------------------------------------------------------------------------------


def _card(file: str, key: KeyCard, environment: str = "live") -> Card:
    whole = card(inputs_of(Example("yaml", "name: x\n")))
    places = {f"keys.{key.name}": Place(file, 7, 3), f"keys.{key.name}.secret": Place(file, 8, 13)}
    return whole._replace(file=file, files=(file,), environment=environment, keys=(key,), places=places)


def _key(name: str, purpose: str = "execution", secret: str | None = None, seen: str = "") -> KeyCard:
    return KeyCard(name, purpose, secret, (), Observed("binance", "GET /x", "id", seen, "", None) if seen else None)


def test_one_key_seen_in_two_policies() -> None:
    """The same id under two purposes is a finding, once, whatever the order of the policies."""
    cards = (
        _card("b.yaml", _key("tracker", "tracking", seen="sha256:1")),
        _card("a.yaml", _key("mm", seen="sha256:1")),
    )
    what = "keys `mm` of a.yaml and `tracker` are one key at the exchange; one key serves one purpose"
    said = [f"open observed b.yaml:7:3 {what}"]
    assert _check("PK106", Inputs(NOW_MS, fleet=cards)) == said
    assert _check("PK106", Inputs(NOW_MS, fleet=cards[::-1])) == said


def test_one_key_of_two_versions_of_a_policy_is_none() -> None:
    """Two policies of one account and purpose may share a key; equal names may come from one report."""
    alike = (_card("a.yaml", _key("mm", seen="sha256:1")), _card("b.yaml", _key("mm-2", seen="sha256:1")))
    assert _check("PK106", Inputs(NOW_MS, fleet=alike)) == []
    named = (_card("a.yaml", _key("mm", seen="sha256:1")), _card("b.yaml", _key("mm", "hedging", seen="sha256:1")))
    assert _check("PK106", Inputs(NOW_MS, fleet=named)) == []


def test_two_keys_are_said_to_be_one_only_once() -> None:
    """A pair with one reference is not said again for its id."""
    cards = (
        _card("a.yaml", _key("mm", secret="vault://kv/mm", seen="sha256:1")),
        _card("b.yaml", _key("hedge", "hedging", secret="vault://kv/mm", seen="sha256:1")),
    )
    assert len(_check("PK106", Inputs(NOW_MS, fleet=cards))) == 1


def test_one_reference_for_sandbox_and_live() -> None:
    """A path of a secrets manager for two environments is a finding; a variable of a host is another one there."""

    def pair(secret: str) -> Inputs:
        live, sandbox = (
            _card("a.yaml", _key("mm", secret=secret)),
            _card("b.yaml", _key("mm", secret=secret), "sandbox"),
        )
        return Inputs(NOW_MS, fleet=(live, sandbox))

    (said,) = _check("PK106", pair("vault://kv/mm"))
    assert said.endswith("have one secret reference for live and sandbox; a key is of one environment")
    assert _check("PK106", pair("env://MM")) == []
    assert _check("PK106", pair("keyring://bots/mm")) == []


def test_keys_without_reference_or_id_share_nothing() -> None:
    """What is not said is not the same."""
    cards = (_card("a.yaml", _key("mm")), _card("b.yaml", _key("hedge", "hedging")))
    assert _check("PK106", Inputs(NOW_MS, fleet=cards)) == []


def test_keys_before_a_shared_one_hide_nothing() -> None:
    """A key without a reference, or one that was not read, does not end the search; both spans are labelled."""
    text = 'keys:\n  a: {purpose: tracking}\n  b: {purpose: tracking, secret: "env://MM"}\n'
    (found,) = _findings("PK106", text + '  c: {purpose: execution, secret: "env://MM"}\n')
    assert (found.label, [what for what, _ in found.context]) == ("the same reference", ["first used by b"])
    unread = _card("a.yaml", _key("x"))
    pair = (_card("b.yaml", _key("mm", seen="sha256:1")), _card("c.yaml", _key("hedge", "hedging", seen="sha256:1")))
    entry = find("PK106")
    assert entry is not None
    (found,) = entry.check(Inputs(NOW_MS, fleet=(unread, *pair)))
    assert (found.label, [what for what, _ in found.context]) == ("the same key", ["also called mm"])
    assert found.observed is not None


def test_two_keys_of_one_policy_beside_a_third_elsewhere() -> None:
    """Keys of one policy that are one are said to be so, even where another policy has the same key rightfully."""
    elsewhere = _card("a.yaml", _key("mm", seen="sha256:1"))
    here = _card("b.yaml", _key("mm-1", seen="sha256:1"))
    here = here._replace(keys=(*here.keys, _key("mm-2", seen="sha256:1")))
    (said,) = _check("PK106", Inputs(NOW_MS, fleet=(elsewhere, here)))
    assert said.endswith("keys `mm-1` and `mm-2` are one key at the exchange; one key serves one purpose")


def test_place_of_what_a_card_does_not_keep() -> None:
    """A card places what it does not keep at the nearest parent that it does, else in the file."""
    held = _card("a.yaml", _key("mm"))
    assert held.place("keys.mm.scopes.0") == Place("a.yaml", 7, 3, path="keys.mm.scopes.0")
    assert held.place("risk.symbols") == Place("a.yaml", path="risk.symbols")


def test_egress_names_of_what_shares_no_budget() -> None:
    """A policy without a single address, a name or a budget by address hides none behind it, and is in no pair."""
    at = (("45.33.32.1", Place("f", 1)),)
    base = _card("a.yaml", KeyCard("k", "execution", None, at, None))
    named = [base._replace(file=f"{name}.yaml", egress=name) for name in "cd"]
    skipped = (base._replace(keys=()), base._replace(egress=None), base._replace(egress="z", budgets=()))
    assert len(_check("PK210", Inputs(NOW_MS, fleet=(*skipped, *named)))) == 1
    assert _check("PK210", Inputs(NOW_MS, fleet=(*skipped, named[0]))) == []


# -- withdraw and transfer: no way round -------------------------------------------------------------------------------

BARE = (
    "policykit: 1\nname: x\nexchange: {}\naccount: {{name: main, currency: USDT}}\n"
    "keys:\n  k: {{purpose: execution, scopes: [read, {}]}}\n"
)
WAIVER = "waivers:\n  - {{rule: {}, at: keys.k, owner: a, reason: because, expires: 2026-12-01}}\n"


@pytest.mark.parametrize("code", ["PK101", "PK102"])
@pytest.mark.parametrize("where", ["policy", "parent", "profile"])
def test_no_layer_waives_withdraw_or_transfer(code: str, where: str, tmp_path: Path) -> None:
    """A waiver of either rule is refused in a policy, in its parent and in a profile that makes it waivable."""
    child = "policykit: 1\nname: c\nexchange: binance\naccount: {name: main, currency: USDT}\nextends: [p.yaml]\n"
    child += "keys:\n  k: {purpose: execution, scopes: [read, withdraw, transfer]}\n"
    parent = "policykit: 1\nname: p\n"
    waiver = WAIVER.format(code)
    (tmp_path / "p.yaml").write_text(
        parent + {"policy": "", "parent": waiver, "profile": f"waivable: [{code}, PK204]\n"}[where]
    )
    (tmp_path / "c.yaml").write_text(child + ("" if where == "parent" else waiver))
    with pytest.raises(PolicyError) as refused:
        load(str(tmp_path / "c.yaml"), now_ms=NOW_MS)
    assert "PK030" in {f.rule for f in refused.value.findings}


def test_no_object_waives_withdraw_either() -> None:
    """A policy that got such a waiver past the loader is still not waived: lint and run time ask one function."""
    text = BARE.format("binance", "withdraw") + WAIVER.format("PK205")
    policy = load_text(text)
    forged = policy.model.waivers[0].model_copy(update={"rule": "PK101"})
    held = replace(policy, model=policy.model.model_copy(update={"waivers": (forged,)}))
    assert held.waived("PK101", "keys.k.scopes.1", NOW_MS) is None
    assert isinstance(held, EffectivePolicy)


@pytest.mark.parametrize("word", ["Withdraw", "withdrawal", "trade.withdraw", "all", '"*"', "trade.*"])
def test_no_other_word_stands_for_withdraw(word: str) -> None:
    """There is one word for a scope: another spelling, a glob or a wider word is refused, not passed over."""
    with pytest.raises(PolicyError):
        load_text(BARE.format("binance", word))


def test_a_child_cannot_take_a_scope_that_its_parent_lacks(tmp_path: Path) -> None:
    """`trade` of a parent covers kinds of trade, and no withdraw or transfer of a child."""
    (tmp_path / "p.yaml").write_text("policykit: 1\nname: p\nkeys:\n  k: {purpose: execution, scopes: [read, trade]}\n")
    for scope, loads in (("trade.spot", True), ("withdraw", False), ("transfer", False), ("key_admin", False)):
        (tmp_path / "c.yaml").write_text(BARE.format("binance", scope) + "extends: [p.yaml]\n")
        try:
            load(str(tmp_path / "c.yaml"), now_ms=NOW_MS)
        except PolicyError:
            assert not loads, scope
        else:
            assert loads, scope


def test_where_transfer_is_bundled_what_was_declared_is_said() -> None:
    """On an exchange that bundles transfer, a declared transfer is PK103's, and not PK102's."""
    text = "exchange: okx\nkeys:\n  k:\n    purpose: execution\n    scopes: [read, trade]\n"
    text += "    declared: {scopes: [read, trade, transfer], by: a, at: 2026-11-20}\n"
    assert _found("PK102", text) == []
    assert _found("PK103", text) == ["open certain policy.yaml:6:38 key `k` has transfer: on okx whoever trades can"]


# -- reach -------------------------------------------------------------------------------------------------------------


def test_exchange_without_sub_accounts() -> None:
    """Where there are no sub-accounts nobody is told to make one."""
    inputs = inputs_of(Example("yaml", "account: {name: main, currency: USDT, kind: master}\n"))
    assert inputs.traits is not None
    assert len(_check("PK113", inputs)) == 1
    assert _check("PK113", inputs._replace(traits=replace(inputs.traits, sub_accounts=False))) == []
    assert _check("PK113", inputs._replace(traits=None)) == []


REACH = "account: {name: main, currency: USDT, max_equity: 50000 USDT}\n"
UNTOLD = "unknown policy.yaml:1:51 how much lies within reach of the keys of this account is not known: "


@pytest.mark.parametrize(
    ("equity", "said"),
    [
        ("1 BTC", [f"{UNTOLD}it was told in BTC"]),
        ("a lot", [f"{UNTOLD}the snapshot does not have it"]),
        ("50% of equity", [f"{UNTOLD}the snapshot does not have it"]),
        ("50000 USDT", []),
    ],
)
def test_equity_that_cannot_be_compared(equity: str, said: list[str]) -> None:
    """An equity in another currency, or that is no amount, is unknown; one at the limit is within it."""
    account = f'{{"account": {{"equity": "{equity}", "balances": {{}}, "positions": [], "open_orders": []}}}}'
    assert _found("PK115", REACH, account) == said


def test_equity_is_not_asked_for_without_live_state() -> None:
    """Without a snapshot a limit in the account's currency is no finding."""
    assert _found("PK115", REACH) == []


def test_symbol_list_of_more_than_the_exchange_takes() -> None:
    """A policy with more symbols than the exchange's list holds, or none, is not told to use it."""
    account = "account: {name: mm, currency: USDT, kind: sub}\nrisk:\n  symbols: [%s]\n"
    assert len(_found("PK114", account % ", ".join(f'"A{i}/USDT"' for i in range(30)))) == 1
    assert _found("PK114", account % ", ".join(f'"A{i}/USDT"' for i in range(31))) == []
    assert _found("PK114", account.partition("risk")[0] + "risk: {}\n") == []
    assert _found("PK114", account % '"A/USDT", "!B/USDT"') == []


def test_symbol_list_for_keys_that_it_is_not_for() -> None:
    """A key that reads, or trades what the list is not for, is not told to use it."""
    account = "account: {name: mm, currency: USDT, kind: sub}\nkeys:\n  k: {purpose: execution, scopes: [%s]}\n"
    found = [len(_found("PK114", account % scopes)) for scopes in ("read", "trade.derivatives", "read, trade.margin")]
    assert found == [0, 0, 1]


def test_account_of_no_said_kind() -> None:
    """Statically nothing is asked of an account of no kind; what the exchange says goes before what the policy says."""
    bare = "account: {name: main, currency: USDT}\n"
    assert _found("PK113", bare) == []
    keys = "keys:\n  a: {purpose: tracking, scopes: [read]}\n  b: {purpose: execution, scopes: [trade.spot]}\n"
    assert len(_found("PK113", "account: {name: main, currency: USDT, kind: master}\n" + keys)) == 1
    both = keys.replace("[read]", "[trade]")
    (found,) = _findings("PK113", "account: {name: main, currency: USDT, kind: master}\n" + both)
    assert found.message == "keys `a` and `b` trade on the main account; binance has sub-accounts"
    assert len(found.context) == 2
    sub = "account: {name: main, currency: USDT, kind: sub}\n"
    seen = '{"keys": [{"name": "mm-exec", "raw": {"isMaster": true}}]}'
    assert [f.confidence for f in _findings("PK113", sub, seen)] == ["observed"]
    assert _found("PK113", sub.replace("sub", "master"), seen.replace("true", "false")) == []
    assert len(_found("PK113", sub.replace("sub", "master"), seen.replace("true", '"yes"'))) == 1


# -- what the exchange says -------------------------------------------------------------------------------------------


SNAPSHOT = "open observed policy.yaml:1:11 the snapshot of binance is"


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ("2026-11-14T10:00:00.000Z", []),
        (
            "2026-11-14T09:59:59.999Z",
            [f"{SNAPSHOT} 7 days old; at most 7 days"],
        ),
        ("2026-11-22T10:00:00.000Z", []),
        (
            "2026-11-22T10:00:00.001Z",
            [f"{SNAPSHOT} from the future (now is 2026-11-21T10:00:00.000Z)"],
        ),
    ],
)
def test_snapshot_at_the_edge_of_its_age(taken: str, said: list[str]) -> None:
    """Seven days to the millisecond, and a day ahead, are the last that count as live."""
    assert _found("PK110", "exchange: binance\n", f'{{"taken_at": "{taken}"}}') == said


def test_permission_of_a_long_name() -> None:
    """A name that an exchange made up is shown to 80 characters, in the message and in the evidence."""
    live = '{"keys": [{"name": "mm-exec", "unrecognised": ["%s"]}]}' % ("x" * 90)
    (found,) = _findings("PK107", "name: mm\n", live)
    assert found.observed is not None
    assert f"`{'x' * 80}`" in found.message
    assert (found.observed.path, found.observed.value) == ("x" * 80, True)


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("9.255.255.255", ""),
        ("10.0.0.0", "a private address"),
        ("10.255.255.255", "a private address"),
        ("11.0.0.0", ""),
        ("100.63.255.255", ""),
        ("100.64.0.0", "an address inside a carrier's network"),
        ("100.127.255.255", "an address inside a carrier's network"),
        ("100.128.0.0", ""),
        ("172.15.255.255", ""),
        ("172.16.0.0/12", "a private address"),
        ("172.32.0.0", ""),
        ("0.0.0.0", "an address of no host"),
        ("127.0.0.1", "a loopback address"),
        ("169.254.169.254", "a link-local address"),
        ("192.0.0.8", "an address reserved for protocols"),
        ("192.168.1.4", "a private address"),
        ("198.18.0.1", "an address for benchmarks"),
        ("198.20.0.1", ""),
        ("223.255.255.255", ""),
        ("224.0.0.1", "a multicast address"),
        ("239.255.255.255", "a multicast address"),
        ("240.0.0.1", "a reserved address"),
        ("255.255.255.255", "a reserved address"),
        ("0.0.0.0/0", ""),
        ("8.0.0.0/5", ""),
        ("::", "an address of no host"),
        ("::1", "a loopback address"),
        ("::ffff:45.33.32.156", "an IPv4 address written as IPv6"),
        ("::2d21:209c", "a reserved address"),
        ("64:ff9b::1", "an address inside a translator"),
        ("100::1", "a reserved address"),
        ("1fff::1", "a reserved address"),
        ("2001:0:1::1", "an address reserved for protocols"),
        ("2002::1", "an address of the withdrawn 6to4 relays"),
        ("2600:3c01::7", ""),
        ("3fff::1", ""),
        ("4000::1", "a reserved address"),
        ("fc00::1", "a private address"),
        ("fd00::1", "a private address"),
        ("fe80::1", "a link-local address"),
        ("fec0::1", "a reserved address"),
        ("ff02::1", "a multicast address"),
        ("2000::/3", ""),
        ("::/0", ""),
    ],
)
def test_what_no_exchange_sees_as_a_sender(text: str, what: str) -> None:
    """Each special range is told by what it is, from its first address to its last, and nothing beside it is."""
    network = network_of(text)
    assert network is not None
    assert special(network) == what


def test_public_addresses_are_single_and_somebodys() -> None:
    """Only one address, outside every special range and every example, can be compared between policies."""
    texts = (
        "45.33.32.156",
        "45.33.32.156/32",
        "2600:3c01::7",
        "45.33.32.0/24",
        "10.0.0.7",
        "203.0.113.7",
        "3fff::1",
        "x",
    )
    assert [public(text) is not None for text in texts] == [True, True, True, False, False, False, False, False]
    assert public("45.33.32.156") == public("45.33.32.156/32")


def test_mapped_address_is_rewritten_only_if_it_is_public() -> None:
    """`::ffff:` before a public address has a fix; before a private one, a range or nothing it has none."""
    text = KEY + '    ip_allowlist: [{address: "::ffff:45.33.32.156"}, {address: "::ffff:10.0.0.7"}]\n'
    one, two = _findings("PK203", text)
    assert one.fix is not None
    assert (one.fix.safe, [e.text for e in one.fix.edits], two.fix) == (False, ["45.33.32.156"], None)
    twice = '{address: "::ffff:45.33.32.156"}, {address: 45.33.32.156}'
    assert [f.fix for f in _findings("PK203", KEY + f"    ip_allowlist: [{twice}]\n")] == [None]
    other_key = (
        '{address: "::ffff:45.33.32.156"}]\n  b:\n    purpose: execution\n    ip_allowlist: [{address: 45.33.32.156}'
    )
    assert [f.fix is None for f in _findings("PK203", KEY + f"    ip_allowlist: [{other_key}]\n")] == [False]
    for other in ("::ffff:0:0/96", "2600:3c01::7", "45.33.32.156"):
        network = network_of(other)
        assert network is not None
        assert mapped(network) is None


def test_what_is_no_address_lies_in_no_range() -> None:
    """A text that is no address is PK203's alone; ranges and addresses of two versions do not meet."""
    text = KEY + '    ip_allowlist: [{address: 45.33.32.256}, {address: "2600::/16"}, {address: 45.33.32.1}]\n'
    assert _found("PK206", text) == []
    assert len(_found("PK203", text)) == 1


def test_empty_why_says_nothing() -> None:
    """A `why` of blanks is none."""
    text = KEY + '    ip_allowlist: [{address: 45.33.32.156, why: "  "}]\n'
    assert _found("PK205", text) == [
        "open certain policy.yaml:4:30 address 45.33.32.156 of key `k` does not say what it is"
    ]


def test_each_further_owner_is_named_once() -> None:
    """Of many policies of two desks behind one address, one finding tells it."""
    at = Place("x", 1, 1)

    def owned(file: str, owner: str | None) -> Card:
        key = KeyCard("k", "execution", None, (("45.33.32.156", at._replace(file=file)),), None)
        return _card(file, key)._replace(owner=owner)

    cards = (*(owned(f"{i}.yaml", f"desk-{'abb'[i % 3]}") for i in range(9)), owned("x.yaml", None))
    assert _check("PK208", Inputs(NOW_MS, fleet=cards)) == [
        "open certain 1.yaml:1:1 key `k` of desk-b and key `k` of desk-a are bound to the same address, 45.33.32.156"
    ]


def test_size_of_a_range() -> None:
    """Large ranges are written as a power of two; a live range that the policy names is said once."""
    text = KEY + '    ip_allowlist: [{address: "2600::/16"}, {address: 0.0.0.0/1}, {address: 0.0.0.0/0}]\n'
    assert [f.label for f in _findings("PK202", text)] == [
        "2^112 addresses",
        "2,147,483,648 addresses",
        "2^32 addresses",
    ]
    both = KEY.replace("k:", "mm-exec:") + "    ip_allowlist: [{address: 45.33.32.0/24}]\n"
    live = '{"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "yes", "addresses": ["45.33.32.0/24", "*"]}}]}'
    assert len(_found("PK202", both, live)) == 1


def _addresses(*entries: str) -> str:
    return KEY + "    ip_allowlist: [" + ", ".join(f'{{address: "{entry}"}}' for entry in entries) + "]\n"


def test_what_is_sound_hides_nothing_behind_it() -> None:
    """Each address is looked at, whatever stands before it in the list."""
    assert [f.primary.path for f in _findings("PK203", _addresses("45.33.32.1", "10.0.0.7", "45.33.32.2", "::1"))] == [
        "keys.k.ip_allowlist.1.address",
        "keys.k.ip_allowlist.3.address",
    ]
    twice = _addresses("45.33.32.999", "45.33.32.1", "45.33.32.1/32", "45.33.33.0/31", "45.33.33.1")
    assert [f.primary.path for f in _findings("PK206", twice)] == [
        "keys.k.ip_allowlist.2.address",
        "keys.k.ip_allowlist.4.address",
    ]
    assert [f.label for f in _findings("PK202", _addresses("45.33.33.0/31", "45.33.33.4/30"))] == [
        "2 addresses",
        "4 addresses",
    ]
    shared = (("10.0.0.7", Place("f", 1)), ("45.33.32.1", Place("f", 2)), ("45.33.32.2", Place("f", 3)))
    cards = [_card(f"{owner}.yaml", KeyCard("k", "execution", None, shared, None)) for owner in "ab"]
    fleet = tuple(card._replace(owner=card.file) for card in cards)
    assert [text.rpartition(" ")[2] for text in _check("PK208", Inputs(NOW_MS, fleet=fleet))] == [
        "45.33.32.1",
        "45.33.32.2",
    ]


def test_restriction_that_is_empty_or_off() -> None:
    """An empty list is called empty; the evidence is the exchange's own field where it was kept, its reason is told."""
    (found,) = _findings("PK201", KEY + "    ip_allowlist: []\n")
    assert found.label == "empty"
    (found,) = _findings("PK201", KEY)
    assert found.label == "no `ip_allowlist`"
    text = _addresses("45.33.32.1").replace("  k:", "  mm-exec:")
    off = '{"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "no", "addresses": null}, "raw": {%s}}]}'
    for raw, path, value in (('"ipRestrict": false', "ipRestrict", False), ("", "ip_allowlist.restricted", "no")):
        (found,) = _findings("PK201", text, off % raw)
        assert found.observed is not None
        assert (found.observed.path, found.observed.value) == (path, value)
    for field in ("ip_allowlist.restricted", "ip_allowlist"):
        untold = (
            '{"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "unknown"}, "unknown": {"%s": "hidden"}}]}'
        )
        assert [text.rpartition(": ")[2] for text in _found("PK201", text, untold % field)] == ["hidden"]


@pytest.mark.parametrize(
    ("at", "when"),
    [
        ("2026-08-23", ""),
        ("2026-08-22", "is 91 days old"),
        ("2026-11-22", ""),
        ("2026-11-23", "which is still to come"),
    ],
)
def test_declaration_at_the_edge_of_its_age(at: str, when: str) -> None:
    """The ninetieth day is the last that counts; tomorrow is the last day that somebody's clock may be at."""
    text = f"keys:\n  a: {{purpose: tracking}}\n  k: {{purpose: tracking, declared: {{by: me, at: {at}}}}}\n"
    assert [when in said for said in _found("PK207", text)] == ([True] if when else [])


def test_declaration_to_the_millisecond() -> None:
    """The ninetieth day ends at midnight; a declaration of the day after tomorrow is still to come."""
    inputs = inputs_of(Example("yaml", "keys:\n  k: {purpose: tracking, declared: {by: me, at: 2026-08-23}}\n"))
    day = 86_400_000
    midnight = NOW_MS - 10 * day // 24
    assert [len(_check("PK207", inputs._replace(now_ms=midnight + day + ms))) for ms in (-1, 0)] == [0, 1]
    ahead = inputs_of(Example("yaml", "keys:\n  k: {purpose: tracking, declared: {by: me, at: 2026-11-22}}\n"))
    assert [len(_check("PK207", ahead._replace(now_ms=midnight + ms))) for ms in (0, -1)] == [0, 1]


# -- secrets in policies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runbook", "how"),
    [
        (f"the old one was {SECRET}", "open likely"),
        ("https://bot:hunter22@vault.example.com/x", "open certain"),
        ("-----BEGIN RSA PRIVATE KEY-----MIIEpAIBAAKCAQEA3q7Zt2LxW9vRk4Hd8Bn3Ys6Pf1Jc5Mg0", "open certain"),
        ("call with AKIAQ7ZT2LXWVRKHDBNY first", "open certain"),
        ("api_secret: q7Zt2LxW9vRk4Hd8Bn3Y", "open certain"),
        ("apiKey='q7Zt2LxW9vRk4Hd8Bn3Y'", "open certain"),
    ],
)
def test_secret_in_a_line_of_text(runbook: str, how: str) -> None:
    """A credential in free text is found by its form, its name or its look, and never shown."""
    found = _findings("PK306", f'incident: {{contacts: [a], runbook: "{runbook}"}}\n')
    assert [written(f).split(" policy")[0] for f in found] == [how]
    shown = repr(found)
    assert not any(part in shown for part in (SECRET[:12], "hunter22", "MIIEpA", "AKIAQ7", "q7Zt2LxW"))


@pytest.mark.parametrize(
    "runbook",
    [
        "https://docs.example.com/d/1q7Zt2LxW9vRk4Hd8Bn3Ys6Pf1Jc5Mg0TaVeUo2Ki/edit",
        "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "SubAccountForMarketMakingDesk2InFrankfurtAndLondon",
        "secret: vault://kv/trading/mm-exec",
        "password=YOUR_PASSWORD_2026_GOES_HERE",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:trading/mm-exec-AbCdEf",
        "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
        "rotate the key: see token handbook, chapter 12",
    ],
)
def test_what_only_looks_like_a_secret(runbook: str) -> None:
    """Links, hashes, ids, references, placeholders, addresses and words are no secrets."""
    assert _found("PK306", f'incident: {{contacts: [a], runbook: "{runbook}"}}\n') == []


def test_a_name_that_is_a_secret_is_not_shown() -> None:
    """A key, a vendor or a budget named by a credential is found, and neither message nor path holds it."""
    for section, fields in (("keys", "purpose: execution"), ("vendors", "keys: []")):
        (found,) = _findings("PK306", f"{section}:\n  {SECRET}: {{{fields}}}\n")
        assert written(found) == f"open likely policy.yaml:2:3 a name in `{section}` looks like a secret"
        assert SECRET not in repr(found)


def _likely(text: str) -> bool:
    return bool(_found("PK306", f'incident: {{contacts: [a], runbook: "{text}"}}\n'))


def test_how_long_and_how_mixed_a_secret_is() -> None:
    """A run of 32 with 3 digits that changes its kind in 45 of 100 places is one; one step less of any is none."""
    mixed = "aB1cD2eF3gHiJkLmNoPqRsTuVwXyZaBc"
    assert [len(mixed), _likely(mixed), _likely(mixed[:-1])] == [32, True, False]
    assert not _likely(mixed.replace("3", "x"))
    # 41 characters have 40 places between two: 18 changes are 45 of 100.
    enough = "1wV2ww3ww" + "wwVww" * 6 + "ww"
    fewer = "1wV2ww3ww" + "wwVww" * 5 + "wwwww" + "wV"
    for word, changes, found in ((enough, 18, True), (fewer, 17, False)):
        kinds = ["u" if c.isupper() else "d" if c.isdigit() else "l" for c in word]
        assert (len(word), sum(a != b for a, b in pairwise(kinds)), _likely(word)) == (41, changes, found)


def test_shortest_text_that_is_looked_at() -> None:
    """Twelve characters are enough for a password in a URL; what stands behind a link is looked at as well."""
    assert _found("PK306", 'incident: {contacts: [a], runbook: "x://aa:bb@cc"}\n') != []
    assert _likely(f"https://wiki.example.com/x {SECRET}")


@pytest.mark.parametrize(
    ("code", "first", "second"),
    [
        ("PK303", "", "rotation: {every: 90d}"),
        ("PK304", "rotation: {delete_old_within: 24h}", "rotation: {every: 90d}"),
        ("PK307", "", "secret: env://a-b"),
    ],
)
def test_each_key_is_looked_at(code: str, first: str, second: str) -> None:
    """A key of which there is nothing to say hides none behind it."""
    text = "keys:\n" + "".join(
        f"  {name}:\n    purpose: execution\n    {row}\n" for name, row in (("a", first), ("b", second))
    )
    assert [f.primary.path.split(".")[1] for f in _findings(code, text)] == ["b"]


def test_labels_of_life() -> None:
    """What is missing and what is empty, what was seen and what was said, are told apart under the span."""
    assert [_findings("PK305", KEY + more)[0].label for more in ("", "    holders: []\n")] == ["no `holders`", "empty"]
    old = KEY.replace("k:", "mm-exec:") + "    rotation: {every: 90d}\n"
    (seen,) = _findings("PK302", old, '{"keys": [{"name": "mm-exec", "created_at": "2026-07-04T10:00:00Z"}]}')
    (said,) = _findings("PK302", old + "    declared: {created: 2026-07-04, by: me, at: 2026-11-20}\n")
    assert (seen.label, said.label) == ("50 days overdue", "as declared")
    (found,) = _findings("PK303", KEY + "    rotation: {delete_old_within: 25h}\n")
    assert found.fix is not None
    assert found.fix.safe


@pytest.mark.parametrize(("made", "count"), [("2026-08-23T10:00:00.000Z", 0), ("2026-08-23T09:59:59.999Z", 1)])
def test_key_at_the_edge_of_its_age(made: str, count: int) -> None:
    """Ninety days to the millisecond are within the interval."""
    text = "keys:\n  mm-exec: {purpose: execution, rotation: {every: 90d}}\n"
    assert len(_found("PK302", text, f'{{"keys": [{{"name": "mm-exec", "created_at": "{made}"}}]}}')) == count


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ("2026-12-05T10:00:00.001Z", None),
        ("2026-12-05T10:00:00.000Z", ("ends at the exchange in 14 days", "time to rotate")),
        ("2026-11-21T10:00:00.001Z", ("ends at the exchange in 0 days", "time to rotate")),
        ("2026-11-21T10:00:00.000Z", ("ended at the exchange 0 days ago", "too late")),
    ],
)
def test_key_that_ends_to_the_millisecond(ends: str, said: tuple[str, str] | None) -> None:
    """The window and the end itself are the last moments of each answer; a key without end hides none."""
    text = "keys:\n  a: {purpose: execution}\n  b: {purpose: execution}\n"
    live = f'{{"keys": [{{"name": "a"}}, {{"name": "b", "expires_at": "{ends}"}}]}}'
    found = [(f.message.removeprefix("key `b` "), f.label) for f in _findings("PK308", text, live)]
    assert found == ([said] if said else [])


# -- fixes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "text", "kind", "path", "edit", "safe"),
    [
        ("PK301", KEY, "add", "keys.k.rotation", "{every: 90d, warn_before: 14d, delete_old_within: 24h}", True),
        ("PK301", KEY + "    rotation: {delete_old_within: 24h}\n", "add", "keys.k.rotation.every", "90d", True),
        ("PK301", KEY + "    rotation: {every: 180d}\n", "replace", "keys.k.rotation.every", "90d", True),
        (
            "PK301",
            KEY + "    rotation: {every: 180d, warn_before: 90d}\n",
            "replace",
            "keys.k.rotation.every",
            "90d",
            False,
        ),
        ("PK303", KEY + "    rotation: {every: 90d}\n", "add", "keys.k.rotation.delete_old_within", "24h", True),
        ("PK304", KEY + "    rotation: {every: 90d}\n", "add", "keys.k.rotation.warn_before", "14d", True),
        ("PK101", KEY + "    scopes: [withdraw]\n", "remove", "keys.k.scopes.0", "", False),
        ("PK102", KEY + "    scopes: [transfer]\n", "remove", "keys.k.scopes.0", "", False),
        ("PK111", KEY + "    scopes: [key_admin]\n", "remove", "keys.k.scopes.0", "", False),
        (
            "PK206",
            KEY + "    ip_allowlist: [{address: 45.33.32.1}, {address: 45.33.32.1/32}]\n",
            "remove",
            "keys.k.ip_allowlist.1",
            "",
            True,
        ),
    ],
)
def test_fixes(code: str, text: str, kind: str, path: str, edit: str, safe: bool) -> None:
    """Each fix is one edit at the exact path; it is safe where nothing gets looser and what is meant is certain."""
    (found,) = _findings(code, text)
    assert found.fix is not None
    (one,) = found.fix.edits
    assert (one.kind, one.place.path, one.text, found.fix.safe) == (kind, path, edit, safe)


def test_no_fix_where_the_reminder_would_be_always_there() -> None:
    """A key that is rotated every 14 days or sooner gets no reminder of 14 days."""
    fixed = [
        _findings("PK304", KEY + f"    rotation: {{every: {every}}}\n")[0].fix is not None for every in ("14d", "15d")
    ]
    assert fixed == [False, True]


def test_rotation_without_interval_is_left_to_pk301() -> None:
    """What is never rotated needs no reminder."""
    assert _found("PK304", KEY + "    rotation: {delete_old_within: 24h}\n") == []
    assert len(_found("PK301", KEY + "    rotation: {delete_old_within: 24h}\n")) == 1


def test_every_field_of_a_key_is_read_by_a_rule() -> None:
    """Each field of a key appears in the path of a finding of this page's families, or is said not to."""
    top = Path(__file__).parents[2] / "policykit" / "rules"
    text = "".join(f.read_text() for f in sorted(top.glob("pk[123]*.py")))
    unread = [name for name in metas(Key) if f"key.{name}" not in text and f".{name}" not in text]
    assert unread == ["address_proof"]  # G11 is run time's: the first increase is denied without one
