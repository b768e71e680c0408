"""`--fix`, `--unsafe-fixes`, `--diff`: what is written, what is not, and what is said."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from policykit.finding import Edit, Finding, Fix
from policykit.lint import Call, Options, lint, rewrite
from policykit.lint.discover import Target
from policykit.lint.fix import Edited, mend
from policykit.lint.proof import new_findings
from policykit.place import Place
from tests.lint.conftest import NOW, NOW_MS, Said

Run = Callable[..., Said]


def _break(path: Path, *pairs: tuple[str, str]) -> str:
    text = path.read_text()
    for good, bad in pairs:
        assert good in text
        text = text.replace(good, bad, 1)
    path.write_text(text)
    return text


CAP = ("max_order_notional: 1.5% of equity", "max_order_notional: 5% of equity  # big")


def test_a_safe_fix_is_written_and_the_report_shows_what_is_left(run: Run, policy: Path) -> None:
    """--fix writes the fix, keeps the comment, reports what is left and says how many were fixed."""
    text = _break(policy, CAP, ("every: 90d", "every: 200d"))
    said = run("lint", policy, "--fix", "--now", NOW, "--format", "concise")
    assert said.code == 0
    assert "PK603" not in said.out
    assert said.err == "policykit: fixed 2 of 2 findings\n"
    assert policy.read_text() == text.replace("5% of equity  # big", "2% of equity  # big").replace("200d", "90d")
    assert run("lint", policy, "--fix", "--now", NOW).err == "policykit: fixed 0 of 0 findings\n"


def test_a_cap_that_a_parent_says_too_is_fixed(tmp_path: Path) -> None:
    """A bound is mended where the file says it, though it is in force as one of those that two layers unite."""
    (tmp_path / "base.yaml").write_text("policykit: 1\nname: base\nrisk: {max_order_notional: 5% of equity}\n")
    file = tmp_path / "mm.yaml"
    file.write_text(
        "policykit: 1\nname: mm\nextends: [base.yaml]\nexchange: binance\naccount: {name: main, currency: USDT}\n"
        "risk:\n  max_order_notional: 4% of equity\n"
    )
    ended = lint(Call((str(file),), fix="safe"), Options(NOW_MS))
    assert "PK603" not in [f.rule for f in ended.report.findings if f.status == "open"]
    assert "max_order_notional: 2% of equity\n" in file.read_text()


def test_an_unsafe_fix_needs_to_be_asked_for(run: Run, policy: Path) -> None:
    """A guess is made with --unsafe-fixes only; without it, it is counted."""
    text = _break(policy, ("max_orders:", "max_order:"))
    said = run("lint", policy, "--fix", "--now", NOW)
    assert (said.code, said.err) == (2, "policykit: fixed 0 of 1 findings; 1 more with --unsafe-fixes\n")
    assert policy.read_text() == text
    said = run("lint", policy, "--fix", "--unsafe-fixes", "--now", NOW)
    assert said.code == 0
    assert policy.read_text() == text.replace("max_order:", "max_orders:")


def test_diff_shows_the_change_and_writes_nothing(run: Run, policy: Path) -> None:
    """--diff prints a unified diff and nothing else, ends with 1, and leaves the file alone."""
    text = _break(policy, CAP)
    said = run("lint", policy, "--diff", "--now", NOW)
    assert (said.code, said.err) == (1, "policykit: would fix 1 of 1 findings\n")
    assert said.out.startswith("--- mm.yaml\n+++ mm.yaml\n@@ -")
    assert [line for line in said.out.splitlines()[3:] if line[0] in "-+"] == [
        "-  max_order_notional: 5% of equity  # big",
        "+  max_order_notional: 2% of equity  # big",
    ]
    assert policy.read_text() == text
    _break(policy, CAP[::-1])
    assert run("lint", policy, "--diff", "--now", NOW) == Said(0, "", "policykit: would fix 0 of 0 findings\n")


def test_diff_of_a_low_finding_ends_with_1_and_of_a_file_that_is_wrong_with_2(run: Run, policy: Path) -> None:
    """With --diff a change that would be made ends with 1 whatever its severity; a wrong file ends with 2 as ever."""
    _break(policy, CAP)
    assert run("lint", policy, "--now", NOW, "--fail-on", "critical").code == 0
    assert run("lint", policy, "--diff", "--now", NOW, "--fail-on", "critical").code == 1
    _break(policy, ("limit: 30", "limit: 1_000"))
    assert run("lint", policy, "--diff", "--now", NOW).code == 2


def test_diff_shows_no_secret(tmp_path: Path) -> None:
    """Lines around a change are starred where they hold what looks like a secret."""
    secret = "k3Jf93kfKQ0dkfj3kfl2kd9f"
    old, new = (
        f'api_key = "{secret}"\nverify = False\r\n\x1b'.encode(),
        f'api_key = "{secret}"\nverify = True\r\n\x1b'.encode(),
    )
    shown = rewrite.diff([Edited("bot.py", "bot.py", old, new)])
    assert secret not in shown
    assert shown.splitlines()[3:] == [
        f" api_key = {'*' * 26}",
        "-verify = False",
        "+verify = True",
        " \u00b7",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--unsafe-fixes",), "--unsafe-fixes is given without --fix or --diff; one of them is needed"),
        (
            ("--diff", "--write-baseline", "b"),
            "--diff and --write-baseline are both given; --diff writes nothing; leave one out",
        ),
    ],
)
def test_calls_that_make_no_sense_end_with_2(run: Run, policy: Path, arguments: tuple[str, ...], message: str) -> None:
    """Options that go against each other are a wrong call."""
    said = run("lint", policy, *arguments)
    assert said.code == 2
    assert message in said.err


def test_a_file_that_is_only_extended_is_left_alone(run: Run, policy: Path) -> None:
    """A value that a parent says is not edited when the parent was not given; when it was, it is mended there."""
    text = _break(policy, CAP)
    Path("child.yaml").write_text("policykit: 1\nname: child\nextends: [mm.yaml]\n")
    said = run("lint", "child.yaml", "--fix", "--now", NOW, "--format", "concise")
    assert said.err.startswith("policykit: fixed 0 of ")
    assert "(what is to be changed stands in a file that is not linted here); mend it by hand" in said.err
    assert (policy.read_text(), said.code) == (text, 1)
    assert run("lint", "child.yaml", "mm.yaml", "--fix", "--now", NOW).err.startswith("policykit: fixed 1 of ")
    assert policy.read_text() == text.replace("5%", "2%")


def test_what_a_parent_lacks_is_added_to_the_policy_that_extends_it(run: Run, policy: Path) -> None:
    """A key that is missing joins the policy that was given, not the one that it extends."""
    text = _break(policy, (", drill_every: 30d", ""))
    child = "policykit: 1\nname: child\nextends: [mm.yaml]\n"
    Path("child.yaml").write_text(child)
    said = run("lint", "child.yaml", "--fix", "--now", NOW, "--select", "PK710")
    assert said.err == "policykit: fixed 1 of 1 findings\n"
    assert policy.read_text() == text
    added = "kill_switch:\n  drill_every: 90d\n"
    assert Path("child.yaml").read_text() == child + added


def test_a_value_that_a_stage_scaled_is_left_alone(run: Run, policy: Path) -> None:
    """Where the stage's own word is in force, the file's value is not what the finding saw."""
    text = _break(policy, ("current: full-live", "current: small-live"))
    finding = Finding("PK603", "n", "high", "m", Place("mm.yaml", path="risk.max_order_notional"))
    line = next(n for n, said in enumerate(text.splitlines(), 1) if "small-live" in said)
    column = text.splitlines()[line - 1].index("small-live") + 1
    place = Place("mm.yaml", line, column, line, column + 10, "risk.max_order_notional")
    fixed = mend(
        [Target("mm.yaml", "policy", True)],
        [
            Finding(
                **{
                    **{n: getattr(finding, n) for n in finding.__slots__},
                    "fix": Fix.replace(place, "x", "l", safe=True),
                }
            )
        ],
        "safe",
        lambda _, __: [],
    )
    assert fixed.files == ()
    why = "what is in force at risk.max_order_notional is not said here"
    assert fixed.left_out == (f"mm.yaml:1:1: PK603 is not fixed ({why}); mend it by hand",)


def test_mode_link_and_owner_stay(policy: Path) -> None:
    """A fixed file keeps its mode, and a link to it stays a link."""
    _break(policy, CAP)
    policy.chmod(0o640)
    Path("in").mkdir()
    Path("in/link.yaml").symlink_to("../mm.yaml")
    assert lint(Call(("in/link.yaml",), fix="safe"), Options(NOW_MS)).notes == ("fixed 1 of 1 findings",)
    assert Path("in/link.yaml").is_symlink()
    assert "2% of equity  # big" in policy.read_text()
    assert stat.S_IMODE(policy.stat().st_mode) == 0o640
    assert sorted(os.listdir()) == ["in", "mm.yaml"]


def test_a_read_only_file_is_not_replaced(run: Run, policy: Path) -> None:
    """Who takes the leave to write from a file means it, also where its folder could be written."""
    text = _break(policy, CAP)
    policy.chmod(0o444)
    said = run("lint", policy, "--fix", "--now", NOW)
    assert said.err.startswith("policykit: mm.yaml: it is read-only; a writable file is needed; nothing was changed\n")
    assert (said.code, policy.read_text()) == (2, text)


def test_ctrl_c_while_writing_leaves_nothing_behind(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted write leaves the old file, and no other one beside it."""
    text = _break(policy, CAP)

    def stopped(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rewrite.os, "fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        rewrite.write(Edited("mm.yaml", os.path.realpath(policy), text.encode(), b"new"))
    assert (os.listdir(), policy.read_text()) == (["mm.yaml"], text)


def test_a_file_that_changed_meanwhile_is_not_written(policy: Path) -> None:
    """What somebody else wrote between reading and writing is not lost."""
    _break(policy, CAP)
    real = os.path.realpath(policy)
    assert rewrite.write(Edited("mm.yaml", real, b"other", b"new")) == (
        "mm.yaml: it has changed meanwhile; nothing was written to it; run --fix again"
    )
    assert b"5%" in policy.read_bytes()


def test_a_file_that_cannot_be_written_is_said_and_ends_with_2(
    run: Run, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves the old file and no other one, one line, and exit code 2."""
    text = _break(policy, CAP)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rewrite.os, "fsync", full)
    said = run("lint", policy, "--fix", "--now", NOW)
    assert said.code == 2
    assert said.err.splitlines()[0] == (
        "policykit: mm.yaml: it cannot be written (No space left on device); "
        "a writable file is needed; nothing was changed"
    )
    assert "fixed" not in said.err
    assert (policy.read_text(), os.listdir()) == (text, ["mm.yaml"])
    assert rewrite.write(Edited("gone", str(policy.resolve().parent / "gone"), b"", b"")).startswith("gone: it cannot")


def test_fixes_that_touch_are_made_in_rounds(run: Run, policy: Path) -> None:
    """A value in one that is removed, and what a mended value reveals, are mended in the same call."""
    _break(policy, CAP, ("limit: 30", "limit: 1_000"), ("max_orders:", "max_order:"))
    said = run("lint", policy, "--fix", "--unsafe-fixes", "--now", NOW)
    assert said.err.startswith("policykit: fixed 3 of ")
    assert "max_orders: {limit: 1000, per: 1m}" in policy.read_text()


def test_an_unused_waiver_is_taken_out_with_its_lines(run: Run, policy: Path) -> None:
    """Stale waivers go; the comment above stays, and the last one leaves an empty list."""
    waiver = "  - rule: PK204\n    at: keys\n    owner: a\n    reason: r\n    expires: 2027-01-01\n"
    text = policy.read_text()
    policy.write_text(text + "waivers:\n  # why\n" + waiver)
    assert run("lint", policy, "--fix", "--now", NOW).err == "policykit: fixed 1 of 1 findings\n"
    assert policy.read_text() == text + "waivers: []\n  # why\n"


def test_a_fix_that_cannot_be_proved_is_left_out(run: Run, policy: Path) -> None:
    """A fix that leads to another finding is not made, and that is said."""
    text = _break(policy, ("owner: desk-a", "owner: on"))
    said = run("lint", policy, "--fix", "--unsafe-fixes", "--now", NOW)
    assert policy.read_text() == text
    assert said.err == (
        "policykit: fixed 0 of 1 findings\n"
        "policykit: mm.yaml:3:8: PK004 is not fixed (it would make a new finding, PK011 at owner); mend it by hand\n"
    )


def test_a_safe_fix_that_would_loosen_is_left_out(policy: Path) -> None:
    """Whatever a rule calls safe: a limit that becomes looser is not written."""
    line = next(n for n, said in enumerate(policy.read_text().splitlines(), 1) if "max_order_notional" in said)
    place = Place("mm.yaml", line, 23, line, 37, "risk.max_order_notional")
    finding = Finding("PK603", "n", "high", "m", place, fix=Fix.replace(place, "1.9% of equity", "l", safe=True))
    seen: list[int] = []

    def assess(_: object, __: object) -> list[Finding]:
        seen.append(1)
        return [finding] if len(seen) == 1 else []

    fixed = mend([Target("mm.yaml", "policy", True)], [finding], "safe", assess)
    assert fixed.files == ()
    assert fixed.left_out == (
        f"mm.yaml:{line}:23: PK603 is not fixed (it would loosen a limit); --unsafe-fixes does it",
    )


def test_a_fix_that_does_not_help_is_left_out(policy: Path) -> None:
    """A finding that stays was not fixed."""
    place = Place("mm.yaml", 3, 8, 3, 14, "owner")
    finding = Finding("PK999", "n", "high", "m", place, fix=Fix.replace(place, "desk-b", "l"))
    fixed = mend([Target("mm.yaml", "policy", True)], [finding], "unsafe", lambda _, __: [finding])
    assert (fixed.files, fixed.made) == ((), 0)
    assert fixed.left_out == ("mm.yaml:3:8: PK999 is not fixed (the finding would stay); mend it by hand",)


def test_source_and_settings_are_fixed_by_span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bot's source the span is replaced, in characters; what is not UTF-8 or too long is left alone."""
    monkeypatch.chdir(tmp_path)
    Path("bot.py").write_text("é = f(verify=False)\n")
    place = Place("bot.py", 1, 14, 1, 19, "f")
    finding = Finding("PK999", "n", "high", "m", place, fix=Fix((Edit(place, "True"),), "verify", safe=True))
    fixed = mend([Target("bot.py", "source", True)], [finding], "safe", lambda _, texts: [] if texts else [finding])
    assert [f.new.decode() for f in fixed.files] == ["é = f(verify=True)\n"]
    for raw in (b"\xff", b"#" * 2_000_000):
        Path("bot.py").write_bytes(raw)
        assert mend([Target("bot.py", "source", True)], [finding], "safe", lambda _, __: [finding]).files == ()


def test_what_two_files_are_together_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fix after which another file has a finding that it had not is taken back."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b.py"):
        Path(name).write_text("x\n")
    place = Place("a.py", 1, 1, 1, 2)
    mine = Finding("PK999", "n", "high", "m", place, fix=Fix.replace(place, "y", "l", safe=True))
    theirs = Finding("PK998", "n", "high", "m", Place("b.py"))

    def assess(targets: object, texts: object) -> list[Finding]:
        alone = len(targets) == 1  # type: ignore[arg-type]
        return [] if texts and alone else [theirs] if texts else [mine]

    fixed = mend([Target(n, "source", True) for n in ("a.py", "b.py")], [mine], "safe", assess)
    assert (fixed.files, fixed.made) == ((), 0)
    assert fixed.left_out == ("a.py:1:1: PK999 is not fixed (another file would have a new finding); mend it by hand",)


def test_a_list_of_several_lines_is_replaced_as_a_whole(policy: Path) -> None:
    """A finding points at a long value by its key; the fix is made to the value."""
    _break(policy, ('symbols: ["BTC/USDT"]', 'symbols:\n    - "BTC/USDT"\n    - "ETH/USDT"'))
    text = policy.read_text()
    line = next(n for n, said in enumerate(text.splitlines(), 1) if "symbols" in said)
    place = Place("mm.yaml", line, 3, line, 10, "risk.symbols")
    finding = Finding("PK999", "n", "high", "m", place, fix=Fix.replace(place, '["BTC/USDT"]', "l", safe=True))
    fixed = mend([Target("mm.yaml", "policy", True)], [finding], "safe", lambda _, texts: [] if texts else [finding])
    assert [f.new.decode() for f in fixed.files] == [text.replace('- "BTC/USDT"\n    - "ETH/USDT"', '["BTC/USDT"]')]


def test_findings_are_the_same_wherever_their_lines_are() -> None:
    """What moved is not new; a second one of the kind is, and a file's own fault is, even where others were hidden."""
    one = Finding("PK603", "n", "high", "m", Place("a", 3, 1, 3, 2, "risk.x.0"))
    moved = Finding("PK603", "n", "high", "other", Place("a", 9, 1, 9, 2, "risk.x.4"))
    fault = Finding("PK004", "n", "high", "m", Place("a", path="x"))
    typed = Finding("PK011", "n", "high", "m", Place("a", path="y"))
    real = os.path.realpath("a")
    assert new_findings([one], [moved], (real,)) == []
    assert new_findings([one], [one, moved], (real,)) == [moved]
    assert new_findings([fault], [one], (real,)) == []
    assert new_findings([fault], [typed], (real,)) == [typed]
    assert new_findings([fault], [typed], ("elsewhere",)) == []


def test_the_last_item_goes_with_its_key_where_no_empty_list_may_stand(policy: Path) -> None:
    """An emptied list stays if the policy loads with it, and goes with its key if it does not."""
    policy.write_text(policy.read_text().replace("name: mm", "name: mm\nextends: [base.yaml]"))
    Path("base.yaml").write_text("policykit: 1\nname: base\n")
    line = next(n for n, said in enumerate(policy.read_text().splitlines(), 1) if "extends" in said)
    place = Place("mm.yaml", line, 11, line, 20, "extends.0")
    finding = Finding("PK999", "n", "high", "m", place, fix=Fix.remove(place, "l", safe=True))

    def assess(_: object, texts: dict[str, bytes]) -> list[Finding]:
        text = b"".join(texts.values())
        empty = Finding("PK011", "n", "high", "m", Place("mm.yaml", path="extends"))
        return [finding] if not texts else [empty] if b"extends: []" in text else []

    fixed = mend([Target("mm.yaml", "policy", True)], [finding], "safe", assess)  # type: ignore[arg-type]
    assert [f.new.decode() for f in fixed.files] == [policy.read_text().replace("extends: [base.yaml]\n", "")]


def test_fixes_that_do_not_go_together_are_made_one_after_the_other(policy: Path) -> None:
    """Two fixes that each help and together do harm: the first is made, the second is looked at again, and left out."""
    text = policy.read_text().splitlines()
    places = []
    for name, value in (("owner", "desk-a"), ("environment", "live")):
        line = next(n for n, said in enumerate(text, 1) if said.startswith(f"{name}: "))
        column = len(name) + 3
        places.append(Place("mm.yaml", line, column, line, column + len(value), name))
    one, two = (
        Finding("PK999", "n", "high", "m", p, fix=Fix.replace(p, new, "l"))
        for p, new in zip(places, ("desk-b", "sandbox"), strict=True)
    )
    worse = Finding("PK998", "n", "high", "m", Place("mm.yaml"))

    def assess(_: object, texts: dict[str, bytes]) -> list[Finding]:
        now = b"".join(texts.values())
        a, b = b"desk-b" in now, b"environment: sandbox" in now
        return [worse] if a and b else [two] if a else [one] if b else [one, two]

    fixed = mend([Target("mm.yaml", "policy", True)], [one, two], "unsafe", assess)  # type: ignore[arg-type]
    assert [f.new.decode() for f in fixed.files] == ["\n".join(text).replace("desk-a", "desk-b") + "\n"]
    assert (fixed.made, len(fixed.left_out)) == (1, 1)
    assert "it would make a new finding, PK998 at mm.yaml:1:1" in fixed.left_out[0]


def test_only_what_was_selected_is_fixed_and_every_rule_judges_it(run: Run, policy: Path) -> None:
    """--select says what is fixed; a fix that another rule would find fault with is not made all the same."""
    text = _break(policy, CAP, ("every: 90d", "every: 200d"))
    said = run("lint", policy, "--fix", "--now", NOW, "--select", "PK301")
    assert said.err == "policykit: fixed 1 of 1 findings\n"
    assert policy.read_text() == text.replace("200d", "90d")
    place = Place("mm.yaml", 3, 8, 3, 14, "owner")
    finding = Finding("PK301", "n", "high", "m", place, fix=Fix.replace(place, "desk-b", "l"))
    other = Finding("PK603", "n", "high", "m", place, fix=Fix.replace(place, "desk-c", "l"))
    fixed = mend(
        [Target("mm.yaml", "policy", True)],
        [finding],
        "unsafe",
        lambda _, texts: [other] if texts else [finding],
        wants=lambda code: code == "PK301",
    )
    assert (fixed.files, fixed.made, fixed.findings) == ((), 0, (finding,))
    assert "it would make a new finding, PK603" in fixed.left_out[0]
