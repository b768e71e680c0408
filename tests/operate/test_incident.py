"""`policykit incident`: the first second, what runs beside, what a person says, what is found again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from policykit.operate.incident.runbook import page
from policykit.operate.incident.steps import STEPS, tasks
from policykit.snapshot import Snapshot, to_dict
from policykit.store import open_store
from tests.journal.test_schema import wrong
from tests.operate.incidents import Desk, desk, left, rest


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """Two exchanges on which bots trade."""
    with desk(tmp_path, monkeypatch, capsys, ("binance", "bybit")) as found:
        yield found


def test_the_way_to_revoke_is_printed_before_anything_is_asked_of_a_network(two: Desk) -> None:
    """Neither ccxt nor the exchanges' room nor a store is loaded when it stands on the screen."""
    program = (
        "import sys\n"
        "from policykit.clock import SystemClock\n"
        "from policykit.operate.incident.start import new, opening\n"
        "options = dict(everything=False, exchange=None, detected=None, since=None, freeze=False, keep_exits=False,"
        " good=None, why='x', master=None, sub_account=None)\n"
        "print(opening(*new(SystemClock(), ('policies',), ['bybit-exec'], {'name': 'a'}, (), options)))\n"
        "late = {'ccxt', 'policykit.exchanges', 'policykit.store.sqlite', 'valkey'}\n"
        "print(sorted(late & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=two.folder, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines()[2:] == [
        "DO THIS NOW: revoke 1 key. The rest runs beside you.",
        "",
        "  bybit-exec on bybit/main",
        "    1. Bybit > Account & Security > API Management",
        "    2. Delete, beside the key",
        "    3. confirm with the second factor",
        "    4. (the API would need transfer or withdraw on the key itself, which no bot's key has)",
        '    5. policykit incident step revoke/bybit-exec --done --by YOU --why "deleted in the web page"',
        "",
        "[]",
    ]


def test_an_incident_from_the_first_second_to_its_end(two: Desk) -> None:
    """Halted, cancelled and looked at beside the person; the dead key is proved; closed once nothing is open."""
    rest(two.sims["binance"])
    rest(two.sims["bybit"])
    said = two.start("--key", "binance-exec", "--since", "2026-11-01")
    assert (said.code, said.err) == (1, "")
    assert said.out.index("Binance > Profile > API Management") < said.out.index("halted in the store")
    steps = two.steps()
    assert {name: steps[f"{name}/binance/main"]["state"] for name in ("halt", "audit", "activity", "support")} == {
        "halt": "done",
        "audit": "done",
        "activity": "waiting",
        "support": "open",
    }
    assert steps["cancel/binance/main"]["families"]["spot.order"] == {
        "listed": 3,
        "cancelled": 3,
        "kept": 0,
        "left": 0,
        "unknown": "",
    }
    assert (left(two.sims["binance"]), left(two.sims["bybit"])) == (0, 3)  # the other account was in no danger
    assert [(h.scope, h.state, h.freeze) for h in two.store().halts()] == [("account:binance/main", "HALTED", False)]
    assert "binance-exec" in two.store().kept("binance/main", "exposed")

    alive = two.step("revoke/binance-exec", "--done")
    assert (alive.code, two.steps()["revoke/binance/main/binance-exec"]["state"]) == (1, "waiting")
    assert "it still works: delete it now" in alive.out
    two.delete("binance-exec")
    dead = two.step("revoke/binance-exec", "--done")
    assert (dead.code, two.steps()["revoke/binance/main/binance-exec"]["proof"]) == (0, "refused")
    assert "from detection to revocation: 00:0" in dead.out

    closed = two.step("close", "--done")
    assert (closed.code, closed.out.startswith(tuple("0123456789"))) == (1, True)
    assert "steps are open" in closed.out
    for step in two.incident("status", "--format", "json").json()["left"]:
        assert two.step(step, "--skip").code == 0
    assert two.step("close", "--done").code == 0
    ended = two.incident("status")
    assert (ended.code, "nothing is open" in ended.out) == (0, True)


def test_orders_that_came_between_the_cancels_and_the_end_of_the_key_are_cancelled(two: Desk) -> None:
    """A thief trades on until the key is dead: the confirmation looks again, with another key."""
    two.start("--key", "binance-exec")
    rest(two.sims["binance"], 2)
    two.delete("binance-exec")
    assert two.step("revoke/binance-exec", "--done").code == 0
    assert left(two.sims["binance"]) == 0
    assert two.steps()["cancel/binance/main"]["families"]["spot.order"]["cancelled"] == 2


def test_a_refusal_proves_nothing_of_a_key_that_was_never_seen_working(two: Desk) -> None:
    """From an address that the key does not allow, a living key is refused alike: a person's word stays a claim."""
    two.delete("binance-exec")
    two.start("--key", "binance-exec")
    step = two.steps()["revoke/binance/main/binance-exec"]
    assert step["state"] == "waiting"
    assert step["words"].startswith("refused from here, which a wrong address would be too")
    assert two.step("revoke/binance-exec", "--done").code == 0
    assert two.steps()["revoke/binance/main/binance-exec"]["proof"] == "claimed"


def test_another_host_shows_and_resumes_the_same(two: Desk) -> None:
    """`status` and `resume` need the store alone; what is done is not done again."""
    rest(two.sims["binance"])
    two.start("--all", gone=["binance"])
    before = two.steps()
    assert (before["cancel/binance/main"]["state"], before["cancel/bybit/main"]["state"]) == ("failed", "unknown")
    assert left(two.sims["binance"]) == 3
    endpoints = [word for name, sim in two.sims.items() for word in ("--endpoint", f"{name}={sim.url}")]
    assert two.incident("resume", *endpoints).code == 1
    after = two.steps()
    assert left(two.sims["binance"]) == 0
    assert after["halt/binance/main"] == {**before["halt/binance/main"]}
    assert "spot.order" in after["cancel/binance/main"]["families"]


def test_a_store_that_is_down_stops_nobody(two: Desk) -> None:
    """What must be done at the exchange is done, and that no bot was halted is said, first and last."""
    rest(two.sims["binance"])
    said = two.start("--key", "binance-exec", "--store", "valkey://127.0.0.1:9/0")
    assert left(two.sims["binance"]) == 0
    assert "NOT RECORDED, AND BOTS ARE NOT HALTED" in said.out
    assert "the store cannot be reached, so no bot sees a halt: end their processes" in said.out


def test_a_key_that_nobody_names_is_revoked_all_the_same(two: Desk) -> None:
    """At three in the morning a policy may be missing: the way to delete the key stands in the traits."""
    wrong = two.start("--key", "nobody")
    assert wrong.code == 2
    assert "known: binance-exec, binance-glass, bybit-exec, bybit-glass; if you are not sure which: --all" in wrong.err
    said = two.start("--key", "nobody", "--exchange", "kraken")
    assert (said.code, "1. Kraken > Settings > API" in said.out) == (1, True)
    assert two.steps()["cancel/kraken/unnamed"]["state"] == "failed"


def test_what_may_reduce_is_cancelled_too_unless_it_is_asked_to_stay(two: Desk) -> None:
    """The guide says all (G42); `--keep-exits` keeps a sale of what is held."""
    sim = two.sims["binance"]
    sim.deposit("BTC", 1)
    sim.client().create_order("BTC/USDT", "limit", "sell", 0.01, 99_000)
    rest(sim, 1)
    two.start("--key", "binance-exec", "--keep-exits")
    assert two.steps()["cancel/binance/main"]["families"]["spot.order"]["kept"] == 1
    assert left(sim) == 1
    two.start("--key", "binance-exec")
    assert left(sim) == 0


def test_what_was_found_at_the_exchange_waits_for_a_person(two: Desk) -> None:
    """An address and a trade that are not ours, a key without a bound: each is an alarm until somebody looked."""
    sim = two.sims["binance"]
    sim.allow_address("BTC", "bc1q-cold-store")
    sim.allow_address("BTC", "bc1q-thief")
    sim.grant_key(grants={"read", "trade.spot", "withdraw"})
    sim.client().create_order("BTC/USDT", "market", "buy", 0.01)
    two.keys["binance-glass"].flags["ipRestrict"] = False
    two.start("--key", "binance-exec")
    steps = two.steps()
    assert (steps["withdrawals/binance/main"]["state"], steps["withdrawals/binance/main"]["lines"]) == (
        "alarm",
        ["known: bc1q-cold-store", "NOT KNOWN: bc1q-thief"],
    )
    assert steps["history/binance/main"]["state"] == "waiting"  # no bot of ours ever sent there
    assert "BTC/USDT buy 0.01" in steps["history/binance/main"]["lines"][0]
    assert two.step("withdrawals/binance", "--done").code == 0
    assert two.steps()["withdrawals/binance/main"]["lines"] == ["known: bc1q-cold-store", "NOT KNOWN: bc1q-thief"]


def test_a_store_in_which_no_bot_was_heard_is_not_said_to_stop_any(two: Desk) -> None:
    """At night the shell has not the bots' POLICYKIT_STORE: a halt in a new store stops nothing, and is told so."""
    two.start("--all")
    assert "BUT NO BOT OF IT WAS EVER HEARD THERE" in two.steps()["halt/binance/main"]["words"]


def test_the_report_is_for_support_and_has_no_secret(two: Desk) -> None:
    """Markdown with a timeline, of one account or all, and nothing of a key in it."""
    two.start("--all", "--detected", "2026-11-20T10:00:00Z")
    text = two.incident("report", "--account", "binance/main").out
    assert "| halt | binance/main | done |" in text
    assert "- 2026-11-20T10:00:00 noticed" in text
    assert "bybit" not in text
    assert "journal" in text
    whole = two.incident("report").out
    assert "bybit/main" in whole
    for key in two.keys.values():
        for value in key.credentials().values():
            assert not any(value[at : at + 8] in whole for at in range(len(value) - 7))
    assert two.incident("report", "--account", "kraken/main").code == 2


def test_who_does_a_step_and_a_step_that_is_no_step(two: Desk) -> None:
    """An owner is kept; a name that means none or several is refused with those that may be."""
    two.start("--all")
    assert two.step("cause", "--owner", "carol").code == 0
    assert two.steps()["cause"]["owner"] == "carol"
    assert two.step("cause", "--done").code == 0
    assert (two.steps()["cause"]["owner"], two.steps()["cause"]["state"]) == ("carol", "done")
    several = two.step("password", "--done")
    assert (several.code, "password/binance/main, password/bybit/main may be" in several.out) == (1, True)
    assert two.step("nothing", "--done").code == 1
    assert two.step("cause").code == 2


def test_without_an_incident_there_is_nothing_to_show(two: Desk) -> None:
    """Exit code 4, and how one is started."""
    said = two.incident("status")
    assert (said.code, said.out) == (4, "")
    assert "policykit incident start --key NAME --by YOU --why TEXT starts one" in said.err


def test_the_newest_open_incident_is_meant(two: Desk) -> None:
    """Two at once: the newest is shown, the other by its name; a closed one only when there is no open one."""
    two.start("--key", "binance-exec")
    first = two.incident("status", "--format", "json").json()["incident"]
    head = dict(open_store(two.uri).kept("", "incident")[first])
    later = {**head, "incident": "later", "started_ms": head["started_ms"] + 1}
    for name in ("account", "name", "at_ms"):
        later.pop(name)
    two.store().keep("", "incident", "later", later, head["started_ms"])
    assert two.incident("status", "--format", "json").json()["incident"] == "later"
    assert two.incident("status", "--incident", first, "--format", "json").json()["incident"] == first


def test_the_runbook_is_made_of_the_steps(top: Path) -> None:
    """docs/runbook.md is what the steps say, and names each once."""
    text = (top / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert text == page()
    for step in STEPS:
        assert text.count(f"`{step.id}`)") == 1


def test_every_command_of_a_step_is_one(two: Desk) -> None:
    """What a person is told to type exists: each command that steps name can be asked for its help."""
    head = {
        "incident": "i",
        "since": "s",
        "accounts": [
            {"account": "bybit/main", "exchange": "bybit", "files": ["p.yaml"],
             "keys": [{"name": "k", "leaked": True, "path": []}]}
        ],
    }  # fmt: skip
    typed = {
        line.partition(" --")[0].split()[1:3][0] for task in tasks(head) for line in task.do if "policykit" in line
    }
    from policykit.cli._group import command_files

    assert typed - set(command_files()) <= {"rotate", "vendor"}  # made by others of this issue


def test_a_sub_accounts_key_is_ended_by_the_main_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the exchange documents a call policykit makes it beside the cancels, and proves it by the refusal."""
    with desk(tmp_path, monkeypatch, capsys, ("bybit",)) as found:
        sim = found.sims["bybit"]
        sub = sim.grant_key(account="sub", addresses=["127.0.0.1"])
        main = sim.grant_key(grants={"read", "trade.spot", "transfer"}, addresses=["127.0.0.1"])
        for part, key in (("EXEC", sub), ("GLASS", main)):
            for field, value in key.credentials().items():
                monkeypatch.setenv(f"BYBIT_{part}_{field.upper()}", value)
        rest(sim)
        said = found.start("--key", "bybit-exec", "--master", "bybit-glass")
        assert "1. policykit asks the API now, with the key bybit-glass" in said.out
        step = found.steps()["revoke/bybit/main/bybit-exec"]
        assert (step["state"], step.get("proof"), sub.revoked) == ("done", "refused", True)
        assert step["words"] == "ended by the API with the key bybit-glass, and the exchange refuses it"
        assert left(sim) == 0
        found.start("--key", "bybit-glass", "--master", "bybit-exec")
        step = found.steps()["revoke/bybit/main/bybit-glass"]
        assert (step["state"], main.revoked) == ("waiting", False)
        assert step["words"].startswith("the API did not end it (")


def test_on_a_terminal_a_person_is_asked(two: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step of the first five minutes that a person does: y is a word on it, anything else leaves it open."""
    asked: list[str] = []

    def confirm(text: str, default: bool) -> bool:
        asked.append(text)
        return len(asked) in (2, 3)  # not the key, which still works; then one other key and the withdrawals

    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("click.confirm", confirm)
    said = two.start("--key", "bybit-exec")
    assert (said.code, asked) == (1, ["done?"] * 4)
    steps = two.steps()
    done = [name for name, step in steps.items() if step["state"] == "done" and step.get("why")]
    assert done == ["disable/bybit/main/bybit-glass", "withdrawals/bybit/main"]
    assert steps[done[0]]["claim"]["name"] == "alice"
    assert two.start("--key", "bybit-exec", "--no-input").code == 1
    assert len(asked) == 4
    two.start("--key", "bybit-exec", "--master", "bybit-glass")
    assert asked[4] == "Revoke the key bybit-exec by the API now? It cannot be undone"


def test_with_json_the_way_to_revoke_is_on_standard_error_at_once(two: Desk) -> None:
    """What a script reads is one value; a person who looks at the same screen waits for nothing."""
    said = two.start("--key", "bybit-exec", "--format", "json")
    assert "1. Bybit > Account & Security > API Management" in said.err
    whole = said.json()
    assert (whole["state"], whole["revoked_ms"], whole["accounts"]) == ("open", None, ["bybit/main"])
    assert [step["id"] for step in whole["steps"]][:2] == ["revoke/bybit/main/bybit-exec", "halt/bybit/main"]
    again = two.incident("resume", "--format", "json").json()
    assert again["incident"] == whole["incident"]
    told = two.incident("step", "cause", "--skip", "--by", "bob", "--why", "known", "--format", "json").json()
    assert "cause" not in told["left"]
    assert two.incident("report", "--format", "json").json()["left"] == told["left"]


def test_every_row_of_an_incident_is_in_the_journals_schema(two: Desk) -> None:
    """The head, each step, a person's word and the end are of the form that the schema names, with nothing else."""
    two.start("--all", "--master", "bybit-glass")
    two.step("cause", "--owner", "carol")
    for step in two.incident("status", "--format", "json").json()["left"]:
        two.step(step, "--skip")
    assert two.step("close", "--done").code == 0
    rows = [row for row in two.store().rows() if row.kind == "incident"]
    assert len(rows) > 40
    assert [message for row in rows for message in wrong(row)] == []


def test_a_snapshot_that_was_good_tells_known_addresses(two: Desk) -> None:
    """What it lists is known; a file that is none is refused before anything begins."""
    two.sims["binance"].allow_address("BTC", "bc1q-of-before")
    snapshot = Snapshot("2026-11-01T00:00:00Z", "binance", withdrawal_addresses=[{"address": "bc1q-of-before"}])
    (two.folder / "good.json").write_text(json.dumps(to_dict(snapshot)))
    (two.folder / "bad.json").write_text("{}")
    two.start("--key", "binance-exec", "--state", "good.json")
    assert two.steps()["withdrawals/binance/main"]["words"] == "1 addresses, all known"
    assert two.start("--key", "binance-exec", "--state", "bad.json").code == 2


def test_a_key_that_leaked_is_overdue_since_it_was_first_marked(two: Desk) -> None:
    """The incident marks it once; starting another does not make the mark younger."""
    two.start("--key", "binance-exec")
    first = dict(two.store().kept("binance/main", "exposed")["binance-exec"])
    assert (first["by"], first["why"], first["result"][:9]) == ("alice", "secret in a log", "incident ")
    two.start("--key", "binance-exec")
    assert dict(two.store().kept("binance/main", "exposed")["binance-exec"]) == first
    nothing = two.start()
    assert nothing.code == 2
    assert "no key is named; --key NAME (known in policies: binance-exec, binance-glass, bybit-exec" in nothing.err
