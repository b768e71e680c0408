"""Keys and scopes: the rarer answers, attacks on what no waiver touches, and what fixes write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policykit.errors import PolicyError
from policykit.model.base import metas
from policykit.model.keys import Key
from policykit.place import Place
from policykit.policy import EffectivePolicy, load, load_text
from policykit.rules import Inputs, find
from policykit.rules.fleet import Card
from policykit.testing.rules.examples import NOW_MS, Example, inputs_of
from tests.rules.asking import KEY, findings_of, key_card, lines_for, lines_of, policy_card

# -- one key, two policies ---------------------------------------------------------------------------------------------


def _seen(file: str, name: str, purpose: str = "execution") -> Card:
    """Return a policy whose one key the exchange knows by the id that all of these have."""
    return policy_card(file, key_card(name, purpose, seen="sha256:1"))


def test_one_key_seen_in_two_policies() -> None:
    """The same id under two purposes is a finding, once, whatever the order of the policies."""
    cards = (
        _seen("b.yaml", "tracker", "tracking"),
        _seen("a.yaml", "mm"),
    )
    what = "keys `mm` of a.yaml and `tracker` are one key at the exchange; one key serves one purpose"
    said = [f"open observed b.yaml:7:3 {what}"]
    assert lines_for("PK106", Inputs(NOW_MS, fleet=cards)) == said
    assert lines_for("PK106", Inputs(NOW_MS, fleet=cards[::-1])) == said


def test_one_key_of_two_versions_of_a_policy_is_none() -> None:
    """Two policies of one account and purpose may share a key; equal names may come from one report."""
    alike = (
        _seen("a.yaml", "mm"),
        _seen("b.yaml", "mm-2"),
    )
    assert lines_for("PK106", Inputs(NOW_MS, fleet=alike)) == []
    named = (
        _seen("a.yaml", "mm"),
        _seen("b.yaml", "mm", "hedging"),
    )
    assert lines_for("PK106", Inputs(NOW_MS, fleet=named)) == []


def test_two_keys_are_said_to_be_one_only_once() -> None:
    """A pair with one reference is not said again for its id."""
    cards = (
        policy_card("a.yaml", key_card("mm", secret="vault://kv/mm", seen="sha256:1")),
        policy_card("b.yaml", key_card("hedge", "hedging", secret="vault://kv/mm", seen="sha256:1")),
    )
    assert len(lines_for("PK106", Inputs(NOW_MS, fleet=cards))) == 1


def test_one_reference_for_sandbox_and_live() -> None:
    """A path of a secrets manager for two environments is a finding; a variable of a host is another one there."""

    def pair(secret: str) -> Inputs:
        live, sandbox = (
            policy_card("a.yaml", key_card("mm", secret=secret)),
            policy_card("b.yaml", key_card("mm", secret=secret), "sandbox"),
        )
        return Inputs(NOW_MS, fleet=(live, sandbox))

    (said,) = lines_for("PK106", pair("vault://kv/mm"))
    assert said.endswith("have one secret reference for live and sandbox; a key is of one environment")
    assert lines_for("PK106", pair("env://MM")) == []
    assert lines_for("PK106", pair("keyring://bots/mm")) == []


def test_keys_without_reference_or_id_share_nothing() -> None:
    """What is not said is not the same."""
    cards = (policy_card("a.yaml", key_card("mm")), policy_card("b.yaml", key_card("hedge", "hedging")))
    assert lines_for("PK106", Inputs(NOW_MS, fleet=cards)) == []


def test_keys_before_a_shared_one_hide_nothing() -> None:
    """A key without a reference, or one that was not read, does not end the search; both spans are labelled."""
    text = 'keys:\n  a: {purpose: tracking}\n  b: {purpose: tracking, secret: "env://MM"}\n'
    (found,) = findings_of("PK106", text + '  c: {purpose: execution, secret: "env://MM"}\n')
    assert (found.label, [what for what, _ in found.context]) == ("the same reference", ["first used by b"])
    unread = policy_card("a.yaml", key_card("x"))
    pair = (
        _seen("b.yaml", "mm"),
        _seen("c.yaml", "hedge", "hedging"),
    )
    entry = find("PK106")
    assert entry is not None
    (found,) = entry.check(Inputs(NOW_MS, fleet=(unread, *pair)))
    assert (found.label, [what for what, _ in found.context]) == ("the same key", ["also called mm"])
    assert found.observed is not None


def test_two_keys_of_one_policy_beside_a_third_elsewhere() -> None:
    """Keys of one policy that are one are said to be so, even where another policy has the same key rightfully."""
    elsewhere = _seen("a.yaml", "mm")
    here = policy_card("b.yaml", key_card("mm-1", seen="sha256:1"))
    here = here._replace(keys=(*here.keys, key_card("mm-2", seen="sha256:1")))
    (said,) = lines_for("PK106", Inputs(NOW_MS, fleet=(elsewhere, here)))
    assert said.endswith("keys `mm-1` and `mm-2` are one key at the exchange; one key serves one purpose")


def test_place_of_what_a_card_does_not_keep() -> None:
    """A card places what it does not keep at the nearest parent that it does, else in the file."""
    held = policy_card("a.yaml", key_card("mm"))
    assert held.place("keys.mm.scopes.0") == Place("a.yaml", 7, 3, path="keys.mm.scopes.0")
    assert held.place("risk.symbols") == Place("a.yaml", path="risk.symbols")


def test_egress_names_of_what_shares_no_budget() -> None:
    """A policy without a single address, a name or a budget by address hides none behind it, and is in no pair."""
    at = (("45.33.32.1", Place("f", 1)),)
    base = policy_card("a.yaml", key_card("k", addresses=at))
    named = [base._replace(file=f"{name}.yaml", egress=name) for name in "cd"]
    skipped = (base._replace(keys=()), base._replace(egress=None), base._replace(egress="z", budgets=()))
    by_account = tuple(budget for budget in base.budgets if budget.shared_by == "account")
    assert by_account
    skipped = (*skipped, base._replace(egress="y", budgets=by_account))
    assert len(lines_for("PK210", Inputs(NOW_MS, fleet=(*skipped, *named)))) == 1
    assert lines_for("PK210", Inputs(NOW_MS, fleet=(*skipped, named[0]))) == []


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
    assert lines_of("PK102", text) == []
    assert lines_of("PK103", text) == [
        "open certain policy.yaml:6:38 key `k` has transfer: okx keeps it from no key that trades"
    ]


# -- reach -------------------------------------------------------------------------------------------------------------


def test_exchange_without_sub_accounts() -> None:
    """Where there are no sub-accounts nobody is told to make one."""
    inputs = inputs_of(Example("yaml", "account: {name: main, currency: USDT, kind: master}\n"))
    assert inputs.traits is not None
    assert len(lines_for("PK113", inputs)) == 1
    assert lines_for("PK113", inputs._replace(traits=replace(inputs.traits, sub_accounts=False))) == []
    assert lines_for("PK113", inputs._replace(traits=None)) == []


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
    assert lines_of("PK115", REACH, account) == said


def test_equity_is_not_asked_for_without_live_state() -> None:
    """Without a snapshot a limit in the account's currency is no finding."""
    assert lines_of("PK115", REACH) == []


def test_symbol_list_of_more_than_the_exchange_takes() -> None:
    """A policy with more symbols than the exchange's list holds, or none, is not told to use it."""
    account = "account: {name: mm, currency: USDT, kind: sub}\nrisk:\n  symbols: [%s]\n"
    assert len(lines_of("PK114", account % ", ".join(f'"A{i}/USDT"' for i in range(30)))) == 1
    assert lines_of("PK114", account % ", ".join(f'"A{i}/USDT"' for i in range(31))) == []
    assert lines_of("PK114", account.partition("risk")[0] + "risk: {}\n") == []
    assert lines_of("PK114", account % '"A/USDT", "!B/USDT"') == []


def test_symbol_list_for_keys_that_it_is_not_for() -> None:
    """A key that reads, or trades what the list is not for, is not told to use it."""
    account = "account: {name: mm, currency: USDT, kind: sub}\nkeys:\n  k: {purpose: execution, scopes: [%s]}\n"
    found = [len(lines_of("PK114", account % scopes)) for scopes in ("read", "trade.derivatives", "read, trade.margin")]
    assert found == [0, 0, 1]


def test_account_of_no_said_kind() -> None:
    """Statically nothing is asked of an account of no kind; what the exchange says goes before what the policy says."""
    bare = "account: {name: main, currency: USDT}\n"
    assert lines_of("PK113", bare) == []
    keys = "keys:\n  a: {purpose: tracking, scopes: [read]}\n  b: {purpose: execution, scopes: [trade.spot]}\n"
    assert len(lines_of("PK113", "account: {name: main, currency: USDT, kind: master}\n" + keys)) == 1
    both = keys.replace("[read]", "[trade]")
    (found,) = findings_of("PK113", "account: {name: main, currency: USDT, kind: master}\n" + both)
    assert found.message == "keys `a` and `b` trade on the main account; binance has sub-accounts"
    assert len(found.context) == 2
    sub = "account: {name: main, currency: USDT, kind: sub}\n"
    seen = '{"keys": [{"name": "mm-exec", "sub_account": "no"}]}'
    assert [f.confidence for f in findings_of("PK113", sub, seen)] == ["observed"]
    assert lines_of("PK113", sub.replace("sub", "master"), seen.replace('"no"', '"yes"')) == []
    assert len(lines_of("PK113", sub.replace("sub", "master"), seen.replace('"no"', '"unknown"'))) == 1


# -- what the exchange says -------------------------------------------------------------------------------------------


SNAPSHOT = "open observed policy.yaml:1:11 the snapshot of binance is"


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ("2026-11-14T10:00:00.000Z", []),
        (
            "2026-11-14T09:59:59.999Z",
            [f"{SNAPSHOT} 168 h old; at most 7 days"],
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
    assert lines_of("PK110", "exchange: binance\n", f'{{"taken_at": "{taken}"}}') == said


@pytest.mark.parametrize(
    ("made", "status"), [("2026-11-20T23:59:59.999Z", "declared"), ("2026-11-21T00:00:00Z", "unknown")]
)
def test_declaration_of_the_day_on_which_a_key_was_made(made: str, status: str) -> None:
    """A declaration has a day and no hour: one of the key's first day counts, one of the day before not."""
    text = "keys:\n  mm-exec:\n    purpose: execution\n    scopes: [read, trade.spot]\n"
    text += "    declared: {scopes: [read, trade.spot], by: me, at: 2026-11-20}\n"
    live = f'{{"keys": [{{"name": "mm-exec", "created_at": "{made}", "permissions": {{"key_admin": "unknown"}}}}]}}'
    assert [f.status for f in findings_of("PK104", text, live)] == [status]


@pytest.mark.parametrize(
    ("raw", "path", "value"),
    [
        ('"enableWithdrawals": true', "enableWithdrawals", True),
        ('"enableWithdrawals": false', "permissions.withdraw", "granted"),
        ("", "permissions.withdraw", "granted"),
    ],
)
def test_evidence_is_the_exchanges_own_field(raw: str, path: str, value: object) -> None:
    """A finding quotes the field that grants, where the snapshot kept it and it says so."""
    live = f'{{"keys": [{{"name": "mm-exec", "permissions": {{"withdraw": "granted"}}, "raw": {{{raw}}}}}]}}'
    (found,) = findings_of("PK101", "name: mm\n", live)
    assert found.observed is not None
    assert (found.observed.path, found.observed.value) == (path, value)


def test_permission_of_a_long_name() -> None:
    """A name that an exchange made up is shown to 80 characters, in the message and in the evidence."""
    live = '{"keys": [{"name": "mm-exec", "unrecognised": ["%s"]}]}' % ("x" * 90)
    (found,) = findings_of("PK107", "name: mm\n", live)
    assert found.observed is not None
    assert f"`{'x' * 80}`" in found.message
    assert (found.observed.path, found.observed.value) == ("x" * 80, True)


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
    (found,) = findings_of(code, text)
    assert found.fix is not None
    (one,) = found.fix.edits
    assert (one.kind, one.place.path, one.text, found.fix.safe) == (kind, path, edit, safe)


def test_no_fix_where_the_reminder_would_be_always_there() -> None:
    """A key that is rotated every 14 days or sooner gets no reminder of 14 days."""
    fixed = [
        findings_of("PK304", KEY + f"    rotation: {{every: {every}}}\n")[0].fix is not None for every in ("14d", "15d")
    ]
    assert fixed == [False, True]


def test_rotation_without_interval_is_left_to_pk301() -> None:
    """What is never rotated needs no reminder."""
    assert lines_of("PK304", KEY + "    rotation: {delete_old_within: 24h}\n") == []
    assert len(lines_of("PK301", KEY + "    rotation: {delete_old_within: 24h}\n")) == 1


def test_every_field_of_a_key_is_read_by_a_rule() -> None:
    """Each field of a key appears in the path of a finding of this page's families, or is said not to."""
    top = Path(__file__).parents[2] / "policykit" / "rules"
    text = "".join(f.read_text() for f in sorted(top.glob("pk[123]*.py")))
    unread = [name for name in metas(Key) if f"key.{name}" not in text and f".{name}" not in text]
    assert unread == ["address_proof"]  # G11 is run time's: the first increase is denied without one
