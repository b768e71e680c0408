"""Promoting: one command, refused wherever what would come into force is not what was tried; and the way back."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.guard import Guard, approvals
from policykit.guard.beside import Run, runs_of
from policykit.lint.discover import discover
from policykit.policy import load
from policykit.proofs.shadow import promoting
from policykit.proofs.shadow.promoting import BEFORE, LOOK_S, WAIT_S, Took, commands, planned, promote, taking, watched
from policykit.proofs.shadow.starting import Refused
from policykit.store import open_store
from tests.guard.test_beside import HOUR, WHO, Desk
from tests.guard.world import policy_text

Out = pytest.CaptureFixture[str]


@pytest.fixture
def desk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Give a desk on a real file."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    made = Desk(folder, open_store(f"sqlite:///{folder}/store.db"))
    yield made
    made.store.close()


def lives(guard: Guard) -> Guard:
    """Have it in the registry as one with a maintenance loop."""
    guard.looping = True
    guard.beside.refresh()
    guard.beat()
    return guard


def plan(desk: Desk, run: Run, file: Path | None = None) -> Any:
    """Return what promoting would do."""
    return planned(desk.store, run, None if file is None else str(file), run.host, desk.clock.now_ms())


def go(desk: Desk, run: Run, file: Path | None = None) -> str | None:
    """Promote; return where the old file is kept."""
    return promote(desk.store, plan(desk, run, file), WHO, desk.clock.now_ms())


def test_the_file_says_what_was_tried_and_the_old_one_is_kept(desk: Desk) -> None:
    """Text, comments and mode; the guard takes it in its next round; again changes nothing."""
    guard = lives(desk.guard())
    desk.file.chmod(0o640)
    was = desk.file.read_text(encoding="utf-8")
    next_ = desk.candidate("# tried for a day\n" + policy_text(order="1000 USDT"))
    run = desk.start(next_)
    made = plan(desk, run)
    kept = go(desk, run)
    version = made.old.version.removeprefix("sha256:")
    assert kept == f"{desk.file}{BEFORE}{version}"
    assert desk.file.read_text(encoding="utf-8") == next_.read_text(encoding="utf-8")
    assert Path(kept).read_text(encoding="utf-8") == was
    assert stat.S_IMODE(desk.file.stat().st_mode) == 0o640
    assert [path.name for path in desk.folder.iterdir() if ".part" in path.name] == []
    before = tuple(taking(desk.store, made, guard.host, desk.clock.now_ms()))
    assert [(one.has, one.why) for one in before] == [(False, "takes it in its next round")]
    guard.in_force.refresh()
    guard.beside.refresh()
    guard.beat()
    assert [one.has for one in taking(desk.store, made, guard.host, desk.clock.now_ms())] == [True]
    assert (desk.ask(guard, 1_200), guard.shadow) == (["RISK_ORDER_NOTIONAL"], None)
    after = runs_of(desk.store, guard.account)["mm"]
    assert (after.state, after.said(0)) == ("promoted", "promoted")
    assert go(desk, after) is None
    assert runs_of(desk.store, guard.account)["mm"] == after
    shutil.copy(kept, desk.file)  # the way back
    assert load(desk.file).version == made.old.version


def test_what_was_tried_is_what_is_written(desk: Desk) -> None:
    """A candidate that was edited since, or broke, or is not here: refused, and the file stays."""
    lives(desk.guard())
    next_ = desk.candidate(order="1000 USDT")
    run, was = desk.start(next_), desk.file.read_text(encoding="utf-8")
    next_.write_text(policy_text(order="1400 USDT"), encoding="utf-8")
    with pytest.raises(Refused, match="what it says now was not tried"):
        plan(desk, run)
    next_.write_text("policykit: [", encoding="utf-8")
    with pytest.raises(Refused, match="does not load any more"):
        plan(desk, run)
    next_.unlink()
    with pytest.raises(Refused, match="the candidate's file is on fra-9"):
        planned(desk.store, run._replace(host="fra-9"), None, run.host, 0)
    assert desk.file.read_text(encoding="utf-8") == was


def test_what_is_written_while_it_is_promoted_stays(desk: Desk) -> None:
    """Between the look at the file and the write a report is made: an edit in that time is not lost."""
    lives(desk.guard())
    run = desk.start(desk.candidate(order="1000 USDT"))
    made, edited = plan(desk, run), policy_text(order="1400 USDT")
    desk.file.write_text(edited, encoding="utf-8")
    with pytest.raises(Refused, match="was written meanwhile"):
        promote(desk.store, made, WHO, desk.clock.now_ms())
    assert desk.file.read_text(encoding="utf-8") == edited
    assert [path.name for path in desk.folder.iterdir() if ".part" in path.name or BEFORE in path.name] == []
    assert runs_of(desk.store, run.account)["mm"] == run


def test_a_file_that_changed_since_is_not_written_over(desk: Desk) -> None:
    """What the candidate was held against is what guards run; an edit that nobody took in is somebody's work."""
    guard = lives(desk.guard())
    run = desk.start(desk.candidate(order="1000 USDT"))
    desk.file.write_text(policy_text(order="1400 USDT"), encoding="utf-8")
    with pytest.raises(Refused, match="changed since it came into force"):
        plan(desk, run)
    guard.in_force.refresh()
    guard.beat()
    assert plan(desk, run).old.version == guard.policy.version  # now it is in force
    desk.clock.advance(3_600)  # and no guard lives: then what was in force at the start counts
    with pytest.raises(Refused, match="changed since it came into force"):
        plan(desk, run)
    desk.file.write_text("policykit: [", encoding="utf-8")
    with pytest.raises(Refused, match="does not load, so it is not what is in force"):
        plan(desk, run)


def test_extends_that_would_mean_another_file_is_refused(desk: Desk) -> None:
    """`extends: [base.yaml]` names one file beside the candidate and another beside the policy."""
    lives(desk.guard())
    there = desk.folder / "tried"
    there.mkdir()
    text = policy_text(order="1000 USDT").replace("owner: desk-a\n", "owner: desk-a\nextends: [base.yaml]\n")
    profile = "policykit: 1\nname: base\nowner: desk-a\nrisk: {{max_open_orders: {}}}\n"
    (there / "base.yaml").write_text(profile.format(50), encoding="utf-8")
    next_ = there / "next.yaml"
    next_.write_text(text, encoding="utf-8")
    run, was = desk.start(next_), desk.file.read_text(encoding="utf-8")
    with pytest.raises(Refused, match=f"{desk.file}: the candidate says something else there"):
        go(desk, run)
    (desk.folder / "base.yaml").write_text(
        profile.format("50, max_orders_per_symbol: {limit: 9, per: 1m}"), encoding="utf-8"
    )
    with pytest.raises(Refused, match="other files of the same names are there"):
        go(desk, run)
    assert desk.file.read_text(encoding="utf-8") == was
    assert [path.name for path in desk.folder.iterdir() if ".part" in path.name or BEFORE in path.name] == []
    (desk.folder / "base.yaml").write_text(profile.format(50), encoding="utf-8")
    assert go(desk, run) is not None


def test_a_link_a_read_only_folder_and_several_files_are_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is changed where it is not clear what to change, or it cannot be."""
    guard = lives(desk.guard())
    run = desk.start(desk.candidate(order="1000 USDT"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(Refused, match=r"cannot be written \(No space left on device\); nothing was changed"):
            go(desk, run)
    (info,) = desk.store.guards()
    other = desk.folder / "copy.yaml"
    shutil.copy(desk.file, other)
    desk.store.beat(info._replace(bot="b2", policy_file=str(other)))
    with pytest.raises(Refused, match="guards of this host read several files"):
        plan(desk, run)
    with pytest.raises(Refused, match="no guard of this host told its file"):
        planned(desk.store, run, None, "nowhere", 0)
    link = desk.folder / "link.yaml"
    link.symlink_to(desk.file)
    with pytest.raises(Refused, match=f"is a link to {desk.file}"):
        plan(desk, run, link)
    hedge = desk.folder / "hedge.yaml"
    hedge.write_text(policy_text(account="hedge"), encoding="utf-8")
    with pytest.raises(Refused, match="is mm of binance/hedge; the candidate is for mm of binance/main"):
        plan(desk, run, hedge)
    made = plan(desk, run, desk.file)
    said = {one.bot: one.why for one in taking(desk.store, made, guard.host, desk.clock.now_ms())}
    assert said == {"mm": "takes it in its next round", "b2": f"reads another file ({other})"}


def beside(desk: Desk) -> list[str]:
    """Return the names of what promoting puts beside a policy."""
    return sorted(path.name for path in desk.folder.iterdir() if ".part" in path.name or BEFORE in path.name)


@pytest.mark.parametrize("full_at", ["copy2", "replace"])
def test_a_disk_that_fills_leaves_nothing_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch, full_at: str) -> None:
    """While the old file is copied, and after: no half of it stays, since nothing was changed."""
    lives(desk.guard())
    run, was = desk.start(desk.candidate(order="1000 USDT")), desk.file.read_text(encoding="utf-8")
    replace = Path.replace

    def half(_: Path, to: Path) -> None:
        Path(to).write_text(was[:20], encoding="utf-8")
        raise OSError(28, "No space left on device")

    def full(self: Path, to: Path) -> Path:
        if to == desk.file:
            raise OSError(28, "No space left on device")
        return replace(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(*((shutil, "copy2", half) if full_at == "copy2" else (Path, "replace", full)))
        with pytest.raises(Refused, match="nothing was changed"):
            go(desk, run)
    assert (beside(desk), desk.file.read_text(encoding="utf-8")) == ([], was)
    kept = go(desk, run)
    assert kept is not None
    assert Path(kept).read_text(encoding="utf-8") == was


def test_what_a_killed_promote_left_is_no_policy_and_goes_with_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed takes nothing away: no discovery finds its part, and the next promote removes it."""
    lives(desk.guard())
    run = desk.start(desk.candidate(order="1000 USDT"))
    found = [target.file for target in discover((str(desk.folder),)).targets]
    with monkeypatch.context() as patch:
        patch.setattr(promoting, "_taken_away", lambda _: None)
        patch.setattr(os, "getpid", lambda: 2**22 + 1)  # a process that is no more
        patch.setattr(shutil, "copy2", lambda *_: (_ for _ in ()).throw(OSError(4, "killed")))
        with pytest.raises(Refused):
            go(desk, run)
    name = desk.file.name
    assert beside(desk) == [f".{name}.{2**22 + 1}.new.part"]
    assert [target.file for target in discover((str(desk.folder),)).targets] == found
    other = desk.folder / f".{name}.{os.getppid()}.new.part"  # another one is under way
    other.write_text("", encoding="utf-8")
    kept = go(desk, run)
    assert kept is not None
    assert beside(desk) == sorted((other.name, Path(kept).name))


def test_each_live_guard_is_told_what_it_waits_for(desk: Desk) -> None:
    """A looser one is taken only with leave or signatures; other hosts have their own file; some have no loop."""
    guard = lives(desk.guard())
    made = plan(desk, desk.start(desk.candidate(order="2000 USDT")))
    (info,) = desk.store.guards()
    for changes in (
        {"bot": "free", "loosens": True},
        {"bot": "idle", "loosens": True, "loop": False},
        {"bot": "far", "host": "fra-2"},
        {"bot": "strange", "policy": "{}"},
    ):
        desk.store.beat(info._replace(**changes))  # type: ignore[arg-type]
    said = {one.bot: one.why for one in taking(desk.store, made, guard.host, desk.clock.now_ms())}
    keeps = "keeps the old one until it is restarted: it is looser, and the guard was not loaded with allow_loosen"
    assert said == {
        "mm": keeps,
        "strange": keeps,
        "free": "takes it in its next round",
        "idle": "reads its file where the bot calls `maintain`: its maintenance loop does not run",
        "far": f"has a file of its own there ({desk.file}): put it there as well",
    }
    signed = made.__class__(made.run, made.file, made.old, made.new, approvals.Approval(needed=True), made.mark)
    after = {one.bot: one.why for one in taking(desk.store, signed, guard.host, desk.clock.now_ms())}
    assert after["mm"] == "takes it in its next round"


def test_signatures_that_are_missing_are_named_with_the_command(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who must sign the policy must sign the candidate; a shadow needs nobody."""
    lives(desk.guard())
    run = desk.start(desk.candidate(order="1000 USDT"))
    monkeypatch.setenv(approvals.ENVIRONMENT, "/nowhere/allowed_signers")
    with pytest.raises(Refused) as refused:
        plan(desk, run)
    assert "approvals: /nowhere/allowed_signers: who may sign cannot be read" in str(refused.value)
    assert str(refused.value).endswith(f"policykit approve policy {run.file} --by NAME --why TEXT --sign KEY")


def test_it_waits_for_those_that_take_it_and_for_no_other(desk: Desk) -> None:
    """Bounded, and without a clock of its own: the waiting is the caller's."""
    guard = lives(desk.guard())
    run = desk.start(desk.candidate(order="1000 USDT"))
    made = plan(desk, run)
    promote(desk.store, made, WHO, desk.clock.now_ms())
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            guard.in_force.refresh()
            guard.beat()

    took = watched(desk.store, made, guard.host, desk.clock.now_ms, sleep)
    assert (took, slept) == ((Took("mm", guard.host, os.getpid(), True, ""),), [LOOK_S] * 3)
    other = desk.start(desk.candidate(order="900 USDT"))
    made = plan(desk, other)
    slept = [0.0] * 3
    took = watched(desk.store, made, guard.host, desk.clock.now_ms, sleep)
    assert ([one.why for one in took], len(slept)) == (["takes it in its next round"], 3 + round(WAIT_S / LOOK_S))
    looser = plan(desk, desk.start(desk.candidate(order="9000 USDT")))
    slept = [0.0] * 3
    assert [one.has for one in watched(desk.store, looser, guard.host, desk.clock.now_ms, sleep)] == [False]
    assert len(slept) == 3


def test_in_a_repository_the_commands_of_git_are_printed_and_nothing_is_committed(desk: Desk) -> None:
    """Committing is the person's: the review is theirs."""
    lives(desk.guard())
    made = plan(desk, desk.start(desk.candidate(order="1000 USDT")))
    assert commands(made) == ()
    (desk.folder / ".git").mkdir()
    file = str(made.file)
    what = f"'Promote mm {made.run.version}: tried beside it'"
    assert commands(made) == (f"git add {file}", f"git commit -m {what} -- {file}")


# ---- the commands


@pytest.fixture
def run(desk: Desk, capsys: Out) -> Callable[..., tuple[int, str, str]]:
    """Return `run("shadow", ...)`: the command in this process, on the desk's store and at its time."""

    def call(*words: object) -> tuple[int, str, str]:
        code = main([*map(str, words), "--store", f"sqlite:///{desk.folder}/store.db", "--now", stamp(desk)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def stamp(desk: Desk) -> str:
    """Return the desk's time as commands take it."""
    from policykit.clock import iso

    return iso(desk.clock.now_ms())


def test_the_whole_way_by_its_commands(desk: Desk, run: Callable[..., tuple[int, str, str]]) -> None:
    """Start, status, report, promote too early, promote, again; every answer with its exit code."""
    guard = lives(desk.guard())
    next_ = desk.candidate(order="1000 USDT")
    code, out, _ = run("shadow", "start", next_, "--by", "alice", "--why", "OPS-7", "--for", "1h")
    assert (code, out.splitlines()[1:]) == (
        0,
        [
            f'  {next_} on {guard.host}; by alice: "OPS-7"',
            "guards take it in with their next round; policykit shadow status says which do",
        ],
    )
    assert "was not heard" not in run("shadow", "status")[1]
    lives(guard)
    assert f"mm on {guard.host} pid {os.getpid()} judges by it" in run("shadow", "status")[1]
    code, out, _ = run("shadow", "status", "--format", "json")
    (told,) = json.loads(out)["candidates"]
    assert (told["state"], told["by"], told["guards"][0]["judges"]) == ("running", "alice", True)
    desk.ask(guard, 1_200, over=True)
    code, out, _ = run("shadow", "report", "--format", "json")
    said = json.loads(out)
    assert (code, said["enough"], said["judged"]["groups"][0]["code"]) == (1, False, "RISK_ORDER_NOTIONAL")
    code, out, err = run("shadow", "promote", "--by", "alice", "--why", "fits")
    assert (code, "tighter risk.max_order_notional: 1500 USDT -> 1000 USDT" in out) == (1, True)
    assert "not tried enough: 1 h asked, 0 ms seen so far; wait, or say --early" in err
    assert load(desk.file).version == guard.policy.version
    desk.clock.advance(HOUR / 1000)
    err = run("shadow", "promote", "--by", "alice", "--why", "fits")[2]
    assert "0 ms seen so far; its time is over: start it again, or say --early" in err
    lives(guard)
    assert run("shadow", "report")[0] == 0
    desk.store.beat(desk.store.guards()[0]._replace(loop=False))
    code, out, _ = run("shadow", "promote", "--policy", "mm", "--by", "alice", "--why", "fits")
    assert (code, load(desk.file).version) == (1, load(next_).version)
    assert f"{desk.file}: says mm {load(next_).version}\n  the old one is kept: {desk.file}{BEFORE}" in out
    assert "does not have it: reads its file where the bot calls `maintain`" in out
    guard.in_force.refresh()
    guard.beat()
    code, out, _ = run("shadow", "promote", "--policy", desk.file, "--by", "alice", "--why", "again")
    assert (code, out.splitlines()[0]) == (0, f"{desk.file}: says mm {load(next_).version} already")


def test_refusals_end_with_1_and_what_is_wrong_with_2(desk: Desk, run: Callable[..., tuple[int, str, str]]) -> None:
    """What does not load is a wrong call, with its place; what is not there is no."""
    who = ("--by", "alice", "--why", "OPS-7")
    for words in (("report",), ("stop", *who), ("promote", *who)):
        code, _, err = run("shadow", *words)
        assert (code, "no candidate was started; policykit shadow start NEW" in err) == (1, True)
    assert run("shadow", "status")[:2] == (
        0,
        "no candidate was started; policykit shadow start NEW --by NAME --why TEXT starts one\n",
    )
    broken = desk.candidate("policykit: 1\nname: mm\nriks: {}\n")
    code, out, err = run("shadow", "start", broken, *who)
    assert (code, f"{broken}:3:1" in out + err) == (2, True)
    next_ = desk.candidate(order="1000 USDT")
    assert run("shadow", "start", next_, *who)[0] == 1
    assert run("shadow", "start", next_, *who, "--for", "soon")[0] == 2
    assert run("shadow", "start", next_, *who, "--for", "91d", "--policy", desk.file)[0] == 2
    assert run("shadow", "start", next_, *who, "--policy", desk.file)[0] == 0
    desk.clock.advance(1)
    code, out, _ = run("shadow", "start", desk.candidate(order="900 USDT"), *who, "--policy", desk.file)
    assert "it takes the place of sha256:" in out
    code, out, _ = run("shadow", "start", next_, *who, "--policy", desk.file, "--format", "json")
    assert json.loads(out)["replaces"]["state"] == "running"
    desk.guard()
    code, out, _ = run("shadow", "stop", *who)
    assert (code, out.endswith("stopped; guards let go of it with their next round\n")) == (0, True)
    code, out, _ = run("shadow", "stop", *who)
    assert (code, out.endswith("stopped already\n")) == (0, True)
    with closing(open_store(f"sqlite:///{desk.folder}/store.db")) as store:
        assert [run_.state for run_ in runs_of(store, "binance/main").values()] == ["stopped"]
