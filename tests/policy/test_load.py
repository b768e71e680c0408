"""Loading: findings with exact places and words, composition, stages, versions, origins."""
# ruff: noqa: E501, ISC003, ISC004, Q000  # tables of exact messages: one row, one line

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from policykit.errors import PolicyError
from policykit.policy import EffectivePolicy, dump, load, load_text
from policykit.units import Share
from tests.policy.documents import BASELINE, EXAMPLE

HEAD = "policykit: 1\nname: x\n"
ACCOUNT = "exchange: binance\naccount: {name: main, currency: USDT}\n"


def told(text: str, above: str | None = None) -> list[str]:
    """Return each finding of a text as `CODE line:column message`; `above` is the text of any file that it extends."""
    with pytest.raises(PolicyError) as error:
        load_text(text, "c.yaml", resolve=None if above is None else lambda name: above)
    return [f"{f.rule} {f.primary.line}:{f.primary.column} {f.message}" for f in error.value.findings]


def under(above: str, text: str) -> EffectivePolicy:
    """Return the effective policy of a text that extends another."""
    return load_text(f"{HEAD}extends: [p.yaml]\n{text}", "c.yaml", resolve=lambda name: HEAD + above)


NO_NAME = 'PK012 1:1 there is no `name`; `name: ...` is needed here, a name of letters, digits, ".", "_", "-"'

FORM = [
    ("risks: {}", ["PK010 3:1 risks is not a key of the language; did you mean `risk`?"]),
    (
        "risk: {max_order_notionl: 2%}",
        ["PK010 3:8 risk.max_order_notionl is not a key of the language; did you mean `max_order_notional`?"],
    ),
    (
        "clock: {zzz: 1s}",
        ["PK010 3:9 clock.zzz is not a key of the language; here may be: max_skew, request_validity"],
    ),
    (
        "risk: {max_order_notional: 5%}",
        ['PK011 3:28 risk.max_order_notional is "5%"; an amount ("5000 USDT") or a share ("1.5% of equity") is needed'],
    ),
    (
        "risk: {max_order_notional: []}",
        ['PK011 3:28 risk.max_order_notional is a list; an amount ("5000 USDT") or a share ("1.5% of equity") is needed'],
    ),
    ("risk: {max_open_orders: 5s}", ['PK011 3:25 risk.max_open_orders is "5s"; a whole number is needed']),
    ("risk: {max_open_orders: -1}", ["PK011 3:25 risk.max_open_orders is -1; at least 0 is needed"]),
    ("risk: {order_types: limit}", ['PK011 3:21 risk.order_types is "limit"; a list (`[a, b]`) is needed']),
    ("store: {share: hosts}", ['PK011 3:16 store.share is "hosts"; one of `process`, `host` or `fleet` is needed']),
    (
        "kill_switch: {rearm: {reason_required: 1}}",
        ["PK011 3:40 kill_switch.rearm.reason_required is 1; `true` or `false` is needed"],
    ),
    (
        "risk: {max_position_notional: {default: [5 USDT, 6 USDT]}}",
        [
            "PK013 3:50 risk.max_position_notional.default has two bounds in USDT; "
            + "at most one bound a currency, and one share of equity"
        ],
    ),
    (
        "risk: {max_position_notional: {BTC USDT: 5 USDT}}",
        ['PK011 3:32 risk.max_position_notional.... is no key that may be here; a symbol ("BTC/USDT") or "default" is needed'],
    ),
    (
        "exchange: binance",
        [
            "PK023 3:1 there is an exchange and no `account.name`; "
            + "`account: {name: ...}` here, or in a policy that this one extends",
            "PK023 3:1 there is an exchange and no `account.currency`; "
            + "`account: {currency: ...}` here, or in a policy that this one extends",
        ],
    ),
    ("waivers: [{rule: PK101, at: keys, owner: a, reason: b, expires: 2027-01-01}]",
     ["PK030 3:18 PK101 cannot be waived; a policy without that finding; remove the waiver"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "findings"), FORM)
def test_what_is_wrong_is_said_where_it_stands(text: str, findings: list[str]) -> None:
    """A wrong policy ends in findings that say what is, what may be and what to do, at the exact place."""
    assert told(HEAD + text) == findings


def test_a_document_that_is_no_section_and_one_without_a_name() -> None:
    """The root itself has findings of the same kind."""
    assert told("[1]") == ["PK011 1:1 the policy is a list; a section (`key: value`) is needed"]
    assert told("policykit: 1") == [NO_NAME]
    assert told("policykit: 2\nname: x") == ["PK011 1:12 policykit is 2; at most 1 is allowed"]


def test_many_findings_come_at_once_in_the_order_of_the_file() -> None:
    """The reader's findings and the model's come together, each once, and a refused value is not told twice."""
    text = f"{HEAD}clock: {{max_skew: yes}}\nrisk: {{max_leverage: a, max_open_orders: 1.5}}\nzzz: 1\n"
    assert told(text) == [
        "PK004 3:19 clock.max_skew: `yes` is a word to some YAML readers and `true` to others; write `true`, or quotes "
        "for the word",
        'PK011 4:22 risk.max_leverage is "a"; a number (3, or in quotes "1.5") is needed',
        "PK004 4:42 risk.max_open_orders: a fraction without quotes is a binary float to most readers, not exact; write it in quotes",
        "PK010 5:1 zzz is not a key of the language; here may be: policykit, name, owner, extends, exchange, account, "
        "environment, store, keys, clock, rate_budgets, risk, groups, retry, kill_switch, dead_man_switch, "
        "reconciliation, notify, stage, withdrawals, account_security, vendors, incident, review, approvals, never, "
        "waivable, waivers",
    ]


SECRET = "q7Zt2LxW9vRk4Hd8mB3nYc6TfPs1JgUa"


@pytest.mark.parametrize(
    "text",
    [
        f"keys: {{k: {{purpose: execution, secret: {SECRET}}}}}",
        f"keys: {{k: {{purpose: {SECRET}}}}}",
        f"keys: {{{SECRET}: {{purpose: x}}}}",
        f"keys: {{k: {{purpose: execution, {SECRET}: 1}}}}",
        f"{SECRET}: 1",
        f"api_secret: {SECRET}",
        f"risk: {{max_order_notional: {SECRET}}}",
        f"risk: {{max_position_notional: {{{SECRET}: 1}}}}",
        f"incident: {SECRET}",
        f"extends: [{SECRET}]",
        f"rate_budgets: {{{SECRET}: {{}}}}",
        f"keys: [{SECRET}]",
    ],
)
def test_I23_no_finding_of_a_policy_holds_a_pasted_secret(text: str) -> None:
    """Wherever a secret was pasted, nothing that is said of the file holds eight characters of it."""
    with pytest.raises(PolicyError) as error:
        load_text(HEAD + text)
    said = str(error.value) + repr(error.value.findings) + repr(error.value)
    assert [SECRET[i : i + 8] for i in range(len(SECRET) - 7) if SECRET[i : i + 8] in said] == []


# -- extends ------------------------------------------------------------------------------------------------------


LOOSER = [
    ("risk: {max_open_orders: 5}", "risk: {max_open_orders: 6}", '6, looser than p.yaml:3:25 allows; at most 5', "risk.max_open_orders", 25),
    ("clock: {max_skew: 60s}", "clock: {max_skew: 2m}", '"2m", looser than p.yaml:3:19 allows; at most "1m"', "clock.max_skew", 19),
    ("risk: {max_order_notional: [5 USDT, 1% of equity]}", "risk: {max_order_notional: [4 USDT, 2% of equity]}",
     '"2% of equity", looser than p.yaml:3:28 allows; at most "1% of equity"', "risk.max_order_notional", 28),
    ("risk: {max_position_notional: 5 USDT}", "risk: {max_position_notional: {BTC/USDT: 6 USDT}}",
     '"6 USDT", looser than p.yaml:3:31 allows; at most "5 USDT"', "risk.max_position_notional.BTC/USDT", 42),
    ("risk: {symbols: ['*/USDT']}", "risk: {symbols: [BTC/USDC]}",
     '"BTC/USDC", looser than p.yaml:3:17 allows; only ["*/USDT"]', "risk.symbols", 17),
    ("risk: {order_types: [limit]}", "risk: {order_types: [limit, market]}",
     '"market", looser than p.yaml:3:21 allows; only ["limit"]', "risk.order_types", 21),
    ("stage: {current: micro-live}", "stage: {current: full-live}",
     '"full-live", looser than p.yaml:3:18 allows; "micro-live" or stricter', "stage.current", 18),
    ("kill_switch: {rearm: {}}", "kill_switch: {rearm: {reason_required: false}}",
     'false, looser than p.yaml:3:22 allows; true', "kill_switch.rearm.reason_required", 40),
    ("keys: {k: {purpose: execution, ip_allowlist: [{address: 1.1.1.1}]}}",
     "keys: {k: {purpose: execution, ip_allowlist: [{address: 1.1.1.2}]}}",
     '"1.1.1.2", looser than p.yaml:3:46 allows; only ["1.1.1.1"]', "keys.k.ip_allowlist", 47),
    ("rate_budgets: {w: {limit: 9, per: 1m, window: fixed, shared_by: ip, keep_for_exits: 10%}}",
     "rate_budgets: {w: {limit: 9, per: 1m, window: fixed, shared_by: ip, keep_for_exits: 9%}}",
     '"9%", looser than p.yaml:3:85 allows; at least "10%"', "rate_budgets.w.keep_for_exits", 85),
]  # fmt: skip


@pytest.mark.parametrize(("above", "below", "what", "path", "column"), LOOSER)
def test_I16_a_looser_word_is_an_error_at_its_place(above: str, below: str, what: str, path: str, column: int) -> None:
    """Every kind of strictness refuses what is looser, at the child's place, with the parent's place and bound."""
    with pytest.raises(PolicyError) as error:
        under(above, below)
    (finding,) = error.value.findings
    assert finding.rule == "PK021"
    assert finding.message == f"{path} is {what}; tighten it, or leave it out"
    assert (finding.primary.file, finding.primary.line, finding.primary.column) == ("c.yaml", 4, column)


def test_identity_must_be_equal() -> None:
    """Exchange, account, currency and the span of a window are the same in all layers, or it is an error."""
    above = f"{ACCOUNT}risk: {{max_orders: {{limit: 5, per: 1m}}}}"
    with pytest.raises(PolicyError) as error:
        under(above, "exchange: bybit\naccount: {currency: USDC}\nrisk: {max_orders: {limit: 4, per: 10s}}")
    assert [(f.rule, str(f.primary), f.message) for f in error.value.findings] == [
        (
            "PK022",
            "c.yaml:4:11",
            'exchange is "bybit"; p.yaml:3:11 says "binance"; the two must be equal; leave it out here, or extend '
            "another policy",
        ),
        (
            "PK022",
            "c.yaml:5:21",
            'account.currency is "USDC"; p.yaml:4:33 says "USDT"; the two must be equal; leave it out here, or extend '
            "another policy",
        ),
        (
            "PK022",
            "c.yaml:6:36",
            'risk.max_orders.per is "10s"; p.yaml:5:36 says "1m"; the two must be equal; leave it out here, or extend '
            "another policy",
        ),
    ]


def test_who_else_trades_may_not_be_widened_under_the_same_name() -> None:
    """A child may leave somebody out, and say why; other ids or symbols under the name are another who."""
    above = "reconciliation: {others: [{name: a, client_order_ids: web_1*}, {name: b}]}"
    kept = under(above, "reconciliation: {others: [{name: a, client_order_ids: web_1*, why: by hand}]}")
    assert dump(kept.model)["reconciliation"]["others"] == [
        {"name": "a", "client_order_ids": "web_1*", "why": "by hand"}
    ]
    with pytest.raises(PolicyError) as error:
        under(above, "reconciliation: {others: [{name: a, client_order_ids: web_*}]}")
    assert [(f.rule, str(f.primary), f.message) for f in error.value.findings] == [
        (
            "PK022",
            "c.yaml:4:55",
            'reconciliation.others.0.client_order_ids is "web_*"; p.yaml:3:55 says "web_1*"; the two must be equal; '
            "leave it out here, or extend another policy",
        )
    ]


COMPOSED: list[tuple[str, str, dict[str, Any]]] = [
    ("risk: {max_open_orders: 5}", "risk: {max_leverage: 2}", {"max_open_orders": 5, "max_leverage": 2}),
    (
        "risk: {max_order_notional: 5 USDT}",
        "risk: {max_order_notional: 1% of equity}",
        {"max_order_notional": ["5 USDT", "1% of equity"]},
    ),
    (
        "risk: {max_position_notional: {default: 10% of equity, BTC/USDT: 20% of equity}}",
        "risk: {max_position_notional: 5% of equity}",
        {"max_position_notional": {"default": "5% of equity", "BTC/USDT": "5% of equity"}},
    ),
    (
        "risk: {max_position_notional: {BTC/USDT: 2% of equity}}",
        "risk: {max_position_notional: {default: 5% of equity, ETH/USDT: 9% of equity}}",
        {"max_position_notional": {"BTC/USDT": "2% of equity", "default": "5% of equity", "ETH/USDT": "9% of equity"}},
    ),
    (
        "risk: {max_position_notional: 10% of equity}",
        "risk: {max_position_notional: {BTC/USDT: 100 USDT}}",
        {"max_position_notional": {"default": "10% of equity", "BTC/USDT": ["10% of equity", "100 USDT"]}},
    ),
    ("risk: {symbols: ['*/USDT', '!LUNA*']}", "risk: {symbols: ['BTC*/USDT', '!BTCX*']}",
     {"symbols": ["BTC*/USDT", "!LUNA*", "!BTCX*"]}),
    ("risk: {symbols: [BTC/USDT]}", "risk: {symbols: ['!LUNA*']}", {"symbols": ["BTC/USDT", "!LUNA*"]}),
    ("risk: {order_types: [limit, market]}", "risk: {order_types: []}", {"order_types": []}),
    (
        "risk: {daily_loss: {limit: 3% of equity, on_breach: reduce_only}}",
        "risk: {daily_loss: {limit: 100 USDT}}",
        {"daily_loss": {"limit": ["3% of equity", "100 USDT"], "day_starts": "00:00 UTC", "on_breach": "reduce_only"}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("above", "below", "risk"), COMPOSED)
def test_layers_compose_to_the_stricter_word(above: str, below: str, risk: dict[str, Any]) -> None:
    """Absent is inherited, caps unite, maps meet entry by entry and a default tightens named entries."""
    assert dump(under(above, below).model)["risk"] == risk


def test_contacts_add_up_and_scopes_are_covered() -> None:
    """A superset adds to what is there; `trade` covers `trade.spot`."""
    effective = under(
        "incident: {contacts: [a]}\nkeys: {k: {purpose: execution, scopes: [read, trade]}}",
        "incident: {contacts: [b, a]}\nkeys: {k: {purpose: execution, scopes: [trade.spot]}}",
    )
    assert dump(effective.model)["incident"] == {"contacts": ["a", "b"]}
    assert dump(effective.model)["keys"]["k"]["scopes"] == ["trade.spot"]


def test_an_address_may_be_named_again_and_fewer_of_them() -> None:
    """Addresses compare as addresses: the child names some of the parent's, and each has the child's place."""
    above = "keys: {k: {purpose: execution, ip_allowlist: [{address: 1.1.1.1}, {address: 1.1.1.2}]}}"
    effective = under(above, 'keys: {k: {purpose: execution, ip_allowlist: [{address: 1.1.1.2, why: "host"}]}}')
    assert dump(effective.model)["keys"]["k"]["ip_allowlist"] == [{"address": "1.1.1.2", "why": "host"}]
    assert str(effective.place("keys.k.ip_allowlist.0")) == "c.yaml:4:47"
    assert str(effective.place("keys.k.ip_allowlist.0.why")) == "c.yaml:4:71"


def test_two_extended_policies_meet() -> None:
    """Neither of two extended policies is above the other: the stricter word counts; contradictions are errors."""
    files = {
        "a": f"{HEAD}risk: {{max_open_orders: 5, max_leverage: 9}}\nexchange: binance",
        "b": f"{HEAD}risk: {{max_open_orders: 7, max_leverage: 3}}",
        "c": f"{HEAD}exchange: okx",
    }
    text = f"{HEAD}account: {{name: main, currency: USDT}}\nextends: [a, b]"
    risk = dump(load_text(text, resolve=files.__getitem__).model)["risk"]
    assert risk == {"max_open_orders": 5, "max_leverage": 3}
    with pytest.raises(PolicyError) as error:
        load_text(text.replace("b]", "c]"), "x.yaml", resolve=files.__getitem__)
    (finding,) = error.value.findings
    assert (finding.rule, str(finding.primary)) == ("PK020", "x.yaml:4:14")
    assert 'exchange is "okx"; a:4:11 says "binance"' in finding.message


def write(folder: Path, **files: str) -> None:
    """Write policies beside each other."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(f"policykit: 1\nname: {name}\n{text}\n")


@pytest.mark.parametrize(
    ("files", "finding"),
    [
        ({"a": "extends: [b.yaml]"}, 'PK020 3:11 "b.yaml" cannot be extended: there is no such file; the path of a policy, from this file'),
        ({"a": "extends: [a.yaml]"}, 'PK020 3:11 "a.yaml" extends this file again; policies that do not extend each other'),
        ({"a": "extends: [b.yaml]", "b": "extends: [./a.yaml]"}, 'PK020 3:11 "./a.yaml" extends this file again; policies that do not extend each other'),
        ({"a": "extends: [/etc/passwd]"}, 'PK020 3:11 "/etc/passwd" is not beside this file; a path relative to this file'),
        ({"a": "extends: [.]"}, 'PK020 3:11 "." cannot be extended: it is a folder; the path of a policy, from this file'),
        ({"a": "extends: [b.yaml]", "b": "risk: 5"}, "PK011 3:7 risk is 5; a section (`key: value`) is needed"),
    ],
)  # fmt: skip
def test_extends_that_leads_nowhere(tmp_path: Path, files: dict[str, str], finding: str) -> None:
    """Missing files, loops, absolute paths and broken parents are one finding each, in the file that is at fault."""
    write(tmp_path, **files)
    with pytest.raises(PolicyError) as error:
        load(tmp_path / "a.yaml")
    (found,) = error.value.findings
    assert f"{found.rule} {found.primary.line}:{found.primary.column} {found.message}" == finding


def test_a_ladder_of_policies_ends(tmp_path: Path) -> None:
    """Policies that extend each other many times over (2^40 paths) are refused at once."""
    for level in range(40):
        write(tmp_path, **{f"p{level}": f"extends: [p{level + 1}.yaml, p{level + 1}.yaml]"})
    with pytest.raises(PolicyError) as error:
        load(tmp_path / "p0.yaml")
    assert {f.message for f in error.value.findings} >= {"over 32 files, or 16 levels; fewer policies to extend"}


# -- the effective policy -----------------------------------------------------------------------------------------


def test_the_example_loads_with_its_origins() -> None:
    """DESIGN's example, verbatim, loads; each value knows the file and line that says it."""
    effective = load(EXAMPLE, now_ms=7)
    assert (effective.name, effective.account_key, effective.profile) == ("binance-market-maker", "binance/main", False)
    assert effective.files == (str(EXAMPLE), str(BASELINE))
    assert effective.loaded_ms == 7
    assert str(effective.place("risk.max_order_notional")) == f"{EXAMPLE}:32:23"
    assert str(effective.place("risk.max_position_notional.BTC/USDT")) == f"{EXAMPLE}:33:63"
    assert str(effective.place("risk.daily_loss.day_starts")) == f"{EXAMPLE}:39:49"
    assert str(effective.place("waivable")) == f"{BASELINE}:36:11"
    assert str(effective.place("stage.evidence")) == f"{EXAMPLE}:50:8"
    assert str(effective.place("keys.mm-exec.ip_allowlist.0.why")) == f"{EXAMPLE}:17:37"
    assert str(effective.key_place("keys.mm-exec")) == f"{EXAMPLE}:12:3"
    with pytest.raises(LookupError):
        effective.place("order.shape")


def test_the_baseline_is_a_profile() -> None:
    """A file without an exchange loads, and says that it is only to be extended."""
    assert load(BASELINE).profile is True


def test_versions_are_canonical() -> None:
    """What is in force makes the version, not how it is written; these vectors hold across releases of the language."""
    one = load_text(
        f"{HEAD}{ACCOUNT}clock: {{max_skew: 60s}}\nrisk: {{max_order_notional: [5.00 USDT], max_leverage: 3}}"
    )
    two = load_text(
        "# other words\nname: x\npolicykit: 1\nrisk:\n  max_leverage: '3.0'\n  max_order_notional: 5 USDT\n"
        f"clock: {{max_skew: 1m}}\n{ACCOUNT}"
    )
    above = f"{HEAD}{ACCOUNT}clock: {{max_skew: 60s}}"
    three = load_text(
        f"{HEAD}extends: [a]\nrisk: {{max_order_notional: 5 USDT, max_leverage: 3}}", resolve=lambda name: above
    )
    assert one.version == two.version == three.version == VECTORS[0]
    assert load_text(HEAD).version == VECTORS[1]
    assert load_text(f"{HEAD}risk: {{order_types: []}}").version == VECTORS[2]
    assert load(EXAMPLE).version == VECTORS[3]


VECTORS = (
    "sha256:c5bf44a2c110",
    "sha256:c06d22148e9f",
    "sha256:cf9c8d76140a",
    "sha256:012e70ec321e",
)


# -- stages -------------------------------------------------------------------------------------------------------

CAPS = (
    "risk: {max_order_notional: [1000 USDT, 2% of equity], max_position_notional: {default: 20% of equity, BTC/USDT: 1 BTC},"
    " max_gross_exposure: 50% of equity, max_open_orders: 20, max_orders: {limit: 30, per: 1m}, max_leverage: 3,"
    " price_collar: {max_deviation: 2%}, daily_loss: {limit: 3% of equity}}\nreconciliation: {tolerance: 5 USDT}\n"
)
PLAIN = dump(load_text(HEAD + CAPS).model)
SMALL = {
    "max_order_notional": ["100 USDT", "0.2% of equity"],
    "max_position_notional": {"default": "2% of equity", "BTC/USDT": "0.1 BTC"},
    "max_gross_exposure": "5% of equity",
    "daily_loss": {"limit": "0.3% of equity", "day_starts": "00:00 UTC", "on_breach": "halt"},
}
MICRO = {
    "max_order_notional": ["1000 USDT", "0.1% of equity"],
    "max_position_notional": {"default": "0.1% of equity", "BTC/USDT": ["1 BTC", "0.1% of equity"]},
}


@pytest.mark.parametrize(
    ("stage", "changes"),
    [("sandbox", {}), ("paper", {}), ("micro-live", MICRO), ("small-live", SMALL), ("full-live", {})],
)
def test_stages_are_layers(stage: str, changes: dict[str, Any]) -> None:
    """Micro-live caps at 0.1 % of equity, small-live takes a tenth of money caps; counts and prices never scale."""
    effective = load_text(f"{HEAD}{CAPS}stage: {{current: {stage}}}")
    assert dump(effective.model)["risk"] == PLAIN["risk"] | changes
    assert dump(effective.model)["reconciliation"] == PLAIN["reconciliation"]
    assert dump(effective.composed)["risk"] == PLAIN["risk"]


def test_a_stage_says_where_its_caps_come_from() -> None:
    """The origin of a cap that the stage made is the line that names the stage; others keep theirs."""
    effective = load_text(f"{HEAD}{CAPS}stage: {{current: small-live}}")
    assert str(effective.place("risk.max_order_notional.0")) == "policy.yaml:5:18"
    assert str(effective.place("risk.max_open_orders")) == "policy.yaml:3:173"


def test_a_lower_stage_of_the_store_applies() -> None:
    """The file's stage is a ceiling: `at_stage` gives the policy at the lower stage that the store holds."""
    effective = load_text(f"{HEAD}{CAPS}stage: {{current: full-live}}")
    micro = effective.at_stage("micro-live")
    assert micro.model.risk is not None
    assert micro.model.risk.max_position_notional is not None
    assert Share(effective.composed.risk.max_position_notional["default"][0].fraction) == Share(  # type: ignore[union-attr,index]
        effective.model.risk.max_position_notional["default"][0].fraction  # type: ignore[union-attr,index]
    )
    assert str(micro.model.risk.max_position_notional["default"][0]) == "0.1% of equity"
    assert micro.version != effective.version
    assert micro.at_stage("full-live").version == effective.version


def test_what_a_key_says_is_quoted_where_no_secret_belongs() -> None:
    """A wrong value of a key is quoted under `rotation`; under `secret` it is not, and nor is what could be one."""
    text = "policykit: 1\nname: a\nkeys:\n  k:\n    purpose: {}\n    secret: {}\n    rotation: {{every: {}}}\n"
    with pytest.raises(PolicyError) as refused:
        load_text(text.format("Qm7xW2kLp9ZsT4vB", "hunter2", "3 months"))
    assert [f.message.partition(";")[0] for f in refused.value.findings] == [
        "keys.k.purpose is a text that is not shown here",
        "keys.k.secret is a text that is not shown here",
        'keys.k.rotation.every is "3 months"',
    ]


def test_a_list_of_wrong_items_is_not_called_empty() -> None:
    """A list whose only item is refused has one finding, on the item; an empty one is told that it is."""
    for symbols, message in (
        ('["“BTC/USDT”"]', 'risk.symbols.0 is "“BTC/USDT”"'),
        ("[]", "risk.symbols is a list"),
    ):
        with pytest.raises(PolicyError) as refused:
            load_text(f"policykit: 1\nname: a\nrisk: {{symbols: {symbols}}}\n")
        assert [f.message.partition(";")[0] for f in refused.value.findings] == [message]
