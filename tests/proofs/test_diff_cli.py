"""`policykit diff` as a person and a program see it: words, JSON, exit codes, what is wrong with a call."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from policykit.cli.check import command as check
from policykit.cli.diff import command
from policykit.model.contracts import contracts
from tests.proofs.test_revisions import MM, commit, git, repository, write

__all__ = ["repository"]

POLICY = """\
policykit: 1
name: mm
exchange: binance
account: {name: main, currency: USDT}
risk:
  max_order_notional: 1500 USDT
  max_open_orders: 20
kill_switch: {drill_every: 30d}
"""


BEFORE = "with 10 open orders before it"


def run(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Give two files that differ in three fields."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(POLICY, "utf-8")
    new.write_text(POLICY.replace("1500", "2000").replace("orders: 20", "orders: 10").replace("30d", "60d"), "utf-8")
    return old, new


def test_the_text_says_the_worst_first_with_places_and_an_order(files: tuple[Path, Path]) -> None:
    """Each field, was and now, both places, what it does to an order; the printed command decides the same."""
    old, new = files
    done = run(old, new)
    lines = done.output.replace(f"{old.parent}/", "").splitlines()
    orders = [line for line in lines if line.startswith("    $ ")]
    assert done.exit_code == 0
    assert [line for line in lines if line not in orders] == [
        "old.yaml -> new.yaml: 1 policy: 1 different",
        "",
        "mm (binance/main): different: 2 looser, 1 tighter",
        "  looser kill_switch.drill_every: 30d -> 60d (G37)",
        "    at old.yaml:8:28 -> new.yaml:8:28",
        "    no order shows it; it is held by lint (PK7xx): the longest time between two drills",
        "  looser risk.max_order_notional: 1500 USDT -> 2000 USDT (G33)",
        "    at old.yaml:6:23 -> new.yaml:6:23",
        "    BTC/USDT buy limit 0.029 @ 60,000: was denied RISK_ORDER_NOTIONAL (1,740 of 1,500 USDT), now allowed",
        "  tighter risk.max_open_orders: 20 -> 10 (G34)",
        "    at old.yaml:7:20 -> new.yaml:7:20",
        f"    BTC/USDT buy limit 0.0001 @ 60,000 {BEFORE}: was allowed, now denied RISK_OPEN_ORDERS (11 of 10 orders)",
    ]
    assert len(orders) == 2


def test_a_policy_that_moved_says_what_it_was(tmp_path: Path) -> None:
    """Proved equal or not, another path and another name are said."""
    for side, file, text in (
        ("a", "mm", POLICY),
        ("b", "moved", POLICY),
        ("a", "two", POLICY.replace("name: mm", "name: two")),
        ("b", "two", POLICY.replace("name: mm", "name: second").replace("20", "30")),
    ):
        (tmp_path / side).mkdir(exist_ok=True)
        (tmp_path / side / f"{file}.yaml").write_text(text, "utf-8")
    for form in ("text", "markdown"):
        said = run(tmp_path / "a", tmp_path / "b", "--format", form).output
        assert "mm (binance/main), which was at mm.yaml" in said
        assert "second (binance/main), which was two" in said
    assert "which was" not in run(tmp_path / "a" / "mm.yaml", tmp_path / "b" / "moved.yaml").output


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("currency: USDT", "currency: USDC", "it is another currency: nothing of the two can be compared"),
        ("name: main", "name: other", "it is another account: nothing of the two can be compared"),
    ],
)
def test_another_account_says_what_follows(files: tuple[Path, Path], was: str, now: str, said: str) -> None:
    """Not that both must say the same."""
    old, new = files
    new.write_text(POLICY.replace(was, now), "utf-8")
    assert said in run(old, new).output


def test_a_flip_of_a_key_or_a_stage_prints_no_command(files: tuple[Path, Path]) -> None:
    """`policykit check` knows no key and decides as on paper: it would answer otherwise."""
    old, new = files
    for file, stage in ((old, "paper"), (new, "small-live")):
        file.write_text(POLICY + f"stage: {{current: {stage}}}\n", "utf-8")
    lines = run(old, new).output.splitlines()
    at = next(index for index, line in enumerate(lines) if "stage.current" in line)
    field = lines[at + 1 : next((i for i in range(at + 1, len(lines)) if lines[i][:3] != "   "), len(lines))]
    assert any("was denied" in line or "now denied" in line for line in field), field
    assert not any("$ policykit check" in line for line in field)


def test_one_finding_is_one(files: tuple[Path, Path]) -> None:
    """And two are two."""
    old, new = files
    new.write_text(POLICY.replace("max_open_orders", "max_open_order"), "utf-8")
    assert "; 1 finding in policies that do not load" in run(old, new).output


def test_the_json_is_its_contract_and_its_flips_decide_the_same(files: tuple[Path, Path]) -> None:
    """Order, facts and moment of a flip, given to `policykit check`, are denied before and allowed now."""
    old, new = files
    data = json.loads(run(old, new, "--format", "json").output)
    jsonschema.validate(data, contracts()["diff"])
    assert data["summary"] == {"policies": 1, "looser": 0, "different": 1, "tighter": 0, "equal": 0}
    field = data["policies"][0]["fields"][1]
    assert (field["path"], field["held_by"], field["guide"]) == (
        "risk.max_order_notional",
        ["check:risk.max_order_notional", "rule:PK603"],
        ["G33"],
    )
    flip = field["flip"]
    said = ["--order", json.dumps(flip["order"]), "--facts", json.dumps(flip["facts"]), "--now", flip["at"]]
    codes = [CliRunner().invoke(check, [str(file), *said]).exit_code for file in (old, new)]
    assert codes == [1, 0]
    assert [reason["code"] for reason in flip["was"]] == ["RISK_ORDER_NOTIONAL"]


def test_equal_policies_say_what_the_proof_rests_on(files: tuple[Path, Path]) -> None:
    """Written otherwise, the same is in force; each line that differs has its reason."""
    old, new = files
    new.write_text(POLICY.replace("currency: USDT", "currency: USDT, max_age: 10s"), "utf-8")
    done = run(old, new)
    assert done.output.replace(f"{old.parent}/", "") == (
        "old.yaml -> new.yaml: 1 policy: 1 equal\n\nproved equal: mm (binance/main)\n"
        "  both say the same of every field that bounds anything, and a decision is made of these alone; "
        "account.max_age: facts and prices are as old at most as before\n"
    )
    assert json.loads(run(old, new, "--format", "json").output)["policies"][0]["verdict"] == "equal"


@pytest.mark.parametrize(("fail_on", "codes"), [("looser", (1, 0, 0)), ("different", (1, 1, 0))])
def test_fail_on_says_what_ends_with_1(files: tuple[Path, Path], fail_on: str, codes: tuple[int, ...]) -> None:
    """A policy that is looser, one that is tighter, one that is equal."""
    old, new = files
    new.write_text(POLICY.replace("1500", "2000"), "utf-8")
    pairs = ((old, new), (new, old), (old, old))
    assert tuple(run(*pair, "--fail-on", fail_on).exit_code for pair in pairs) == codes


def test_what_does_not_load_ends_with_2_and_is_compared_with_nothing(files: tuple[Path, Path]) -> None:
    """Its findings are told with their places; it is neither new nor taken away."""
    old, new = files
    new.write_text(POLICY.replace("max_open_orders", "max_open_order"), "utf-8")
    for pair in ((old, new), (new, old)):
        done = run(*pair)
        assert done.exit_code == 2
        assert "new.yaml:7:3: risk.max_open_order is not a key of the language" in done.output
        assert "taken away" not in done.output
        assert "is new" not in done.output


def test_what_is_nothing_to_compare_ends_with_2(
    tmp_path: Path, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file nor a folder nor, outside of a repository, a revision."""
    monkeypatch.chdir(tmp_path)
    done = run(tmp_path / "none.yaml", files[1])
    assert done.exit_code == 2
    assert "there is no such file or folder, and no git repository here" in done.output


def test_a_pull_request_is_compared_with_where_it_forked(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What went on in the base meanwhile is not held against it."""
    git(repository, "checkout", "-qb", "topic")
    commit(repository, mm=MM.replace("20", "30"))
    git(repository, "checkout", "-q", "main")
    commit(repository, mm=MM.replace("20", "10"))
    git(repository, "checkout", "-q", "topic")
    monkeypatch.chdir(repository)
    text = run("main", "policies", "--since-fork").output
    assert "risk.max_open_orders: 20 -> 30" in text
    assert "risk.max_open_orders: 10 -> 30" in run("main", "policies").output
    assert "risk.max_open_orders: 10 -> 30" in run("main", "topic", "policies").output
    write(repository, mm=MM)
    assert "risk.max_open_orders: 10 -> 20" in run("main", "policies/mm.yaml").output


def test_a_stage_that_is_raised_is_named_as_the_cause(files: tuple[Path, Path]) -> None:
    """The caps of the file are the same; the stage tightened them."""
    old, new = files
    for file, stage in ((old, "small-live"), (new, "full-live")):
        file.write_text(POLICY + f"stage: {{current: {stage}}}\n", "utf-8")
    text = run(old, new).output
    assert "looser risk.max_order_notional: 150 USDT -> 1500 USDT" in text
    assert "by the stage: small-live -> full-live" in text
    assert "looser stage.current: small-live -> full-live" in text


WAIVER = 'waivers:\n  - {rule: PK710, at: kill_switch, owner: a, ticket: T, reason: "r", expires: 2026-12-01}\n'


@pytest.mark.parametrize(("now", "said"), [("2026-11-30", "1 looser"), ("2026-12-01", "1 equal")])
def test_a_waiver_counts_until_it_expires(files: tuple[Path, Path], now: str, said: str) -> None:
    """An accepted finding is looser; one that is accepted no more is nothing."""
    old, new = files
    new.write_text(POLICY + WAIVER, "utf-8")
    assert run(old, new, "--now", now).output.splitlines()[0].endswith(f"1 policy: {said}")


DEAD = POLICY.replace("  max_open_orders: 20\n", "  symbols: ['*/USDT']\n  max_gross_exposure: 1000 USDT\n")


def test_a_cap_that_another_one_is_always_under_is_proved_to_have_no_effect(files: tuple[Path, Path]) -> None:
    """A cap on orders over the one on exposure: raised, it lets nothing through; lowered under it, it does stop."""
    old, new = files
    old.write_text(DEAD, "utf-8")
    new.write_text(DEAD.replace("1500", "9000"), "utf-8")
    text = run(old, new).output
    assert "proved equal" in text
    assert "nothing passes that it would stop: risk.max_gross_exposure is 1000 USDT" in text
    new.write_text(DEAD.replace("1500", "900"), "utf-8")
    assert "tighter risk.max_order_notional: 1500 USDT -> 900 USDT" in run(old, new).output


@pytest.mark.parametrize(
    ("capped", "around", "symbols"),
    [
        # A short position may turn by an order of twice the cap.
        ("max_order_notional", "max_position_notional", "*/USDT:USDT"),
        # A position counts as a whole at the price of the order that adds to it.
        ("max_position_notional", "max_gross_exposure", "*/USDT:USDT"),
        # The account's own currency is no exposure.
        ("max_order_notional", "max_gross_exposure", "USDT/EUR"),
    ],
)
def test_a_cap_that_lies_around_another_only_mostly_proves_nothing(
    files: tuple[Path, Path], capped: str, around: str, symbols: str
) -> None:
    """What can be over the one cap and under the other is not called equal without the first."""
    old, new = files
    head = POLICY.partition("risk:")[0]
    new.write_text(f"{head}risk:\n  symbols: ['{symbols}']\n  {around}: 50 USDT\n", "utf-8")
    old.write_text(f"{new.read_text('utf-8')}  {capped}: 60 USDT\n", "utf-8")
    assert run(old, new).output.splitlines()[0].endswith("1 policy: 1 looser")


def test_a_cap_of_a_market_that_is_not_traded_has_no_effect(files: tuple[Path, Path]) -> None:
    """Unless something is sold for it, which raises what the cap is of."""
    old, new = files
    caps = '  symbols: ["BTC/USDT"]\n  max_position_notional: {default: 1 USDT, "DOGE/USDT": 5 USDT}\n'
    text = POLICY.replace("  max_open_orders: 20\n", caps)
    old.write_text(text, "utf-8")
    new.write_text(text.replace("5 USDT", "6 USDT"), "utf-8")
    assert "risk.symbols allows no order in DOGE/USDT" in run(old, new).output
    for file in (old, new):
        file.write_text(file.read_text("utf-8").replace('["BTC/USDT"]', '["BTC/USDT", "SHIB/DOGE"]'), "utf-8")
    assert "looser risk.max_position_notional.DOGE/USDT: 5 USDT -> 6 USDT" in run(old, new).output
