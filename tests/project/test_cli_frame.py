"""The frame of the command line: help with examples, exit codes, never a traceback."""

from __future__ import annotations

import gc
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import policykit
from policykit import errors
from policykit.cli import __main__ as frame
from policykit.cli import _group
from policykit.cli import _options as cli
from policykit.cli.__main__ import main
from policykit.finding import Finding
from policykit.place import Place

ROOT = click.Context(_group.group, info_name="policykit")


def walk(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Give every command with its full name, groups and their commands included."""
    yield context.command_path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, f"{context.command_path} {name} has no click object named `command`"
            yield from walk(found, click.Context(found, info_name=name, parent=context))


COMMANDS = dict(walk(_group.group, ROOT))


def examples(command: click.Command) -> list[str]:
    """Return the lines of a command's example."""
    lines = (command.epilog or "").splitlines()
    assert lines[:2] == ["\b", "Example:"], "every command needs epilog=example(...)"
    return [line.strip() for line in lines[2:]]


def calls(lines: list[str]) -> Iterator[list[str]]:
    """Give the words of each call in an example; a call goes on while a quote or a backslash keeps it open."""
    text = ""
    for line in lines:
        text += line + "\n"
        try:
            words = [word for word in shlex.split(text, comments=True) if word != "\n"]
        except ValueError:
            continue
        if text.endswith("\\\n"):
            continue
        text = ""
        if words:
            yield words
    assert text == "", f"a quote stays open: {text}"


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make the command `broken` raise the error."""

    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(_group.FileGroup, "get_command", lambda self, ctx, name: broken)
    monkeypatch.setattr(_group, "command_files", lambda: {"broken": "broken"})


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_shows_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of every command says what it does and shows an example that starts with the command."""
    assert main([*name.split()[1:], "--help"]) == 0
    shown = capsys.readouterr().out
    command = COMMANDS[name]
    assert (command.help or "").strip(), f"{name} has no help"
    lines = [line for line in examples(command) if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert line in shown
    assert any(name in line for line in lines)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_an_example_uses_options_that_exist(name: str) -> None:
    """The options in an example are options of a command of that name."""
    for words in calls(examples(COMMANDS[name])):
        if words[0] != "policykit":
            continue
        depth = next(n for n in range(len(words), 0, -1) if " ".join(words[:n]) in COMMANDS)
        command = COMMANDS[" ".join(words[:depth])]
        known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
        rest = words[depth:]
        own = rest[: rest.index("--")] if "--" in rest else rest
        assert {w.split("=")[0] for w in own if w.startswith("-") and not w.lstrip("-")[:1].isdigit()} <= known, words


@pytest.mark.parametrize("arguments", [["--version"], ["-V"]])
def test_version_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The version is answered with code 0."""
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"policykit {policykit.__version__}\n"


def test_version_among_other_options(capsys: pytest.CaptureFixture[str]) -> None:
    """The version wins over a command beside it."""
    assert main(["--version", "sim"]) == 0
    assert capsys.readouterr().out == f"policykit {policykit.__version__}\n"


def test_the_arguments_are_the_process_own_by_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without arguments `main` reads the command line."""
    monkeypatch.setattr(sys, "argv", ["policykit", "-V"])
    assert main() == 0
    assert capsys.readouterr().out == f"policykit {policykit.__version__}\n"


def test_a_file_that_is_no_command_is_none() -> None:
    """A name without a file is not looked for."""
    assert _group.FileGroup().get_command(ROOT, "nosuch") is None


def test_version_loads_no_click() -> None:
    """`--version` is answered before click is imported."""
    code = "import sys; from policykit.cli.__main__ import main; main(['--version']); print('click' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["False"]


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The bare command lists the commands."""
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: policykit ")


def test_an_unknown_command_is_named_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped command is a wrong call that names the command that was meant."""
    assert main(["nosuchcommandatall"]) == 2
    assert capsys.readouterr().err == (
        "policykit: 'nosuchcommandatall' is no command; policykit --help lists the commands\ntry: policykit --help\n"
    )


def test_a_near_miss_is_suggested(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`lnt` is answered with `lint`."""
    monkeypatch.setattr(_group, "command_files", lambda: {"lint": "lint"})
    assert main(["lnt"]) == 2
    assert capsys.readouterr().err.splitlines()[0] == "policykit: 'lnt' is no command; did you mean 'lint'?"


FINDING = Finding("PK001", "yaml", "critical", "is no YAML", Place("p.yaml", 3, 5))
KNOWN = [
    (errors.PolicykitError("x"), 2, "policykit: x\n"),
    (errors.PolicyError((FINDING,)), 2, f"policykit: {FINDING.primary}: is no YAML\n"),
    (errors.StoreUnavailable("store is locked"), 3, "policykit: store is locked\n"),
    (errors.ExchangeUnavailable("binance did not answer"), 3, "policykit: binance did not answer\n"),
    (errors.SecretUnavailable("env://X leads nowhere"), 3, "policykit: env://X leads nowhere\n"),
    (errors.OutcomeUnknown("01J", "01J is unknown"), 1, "policykit: 01J is unknown\n"),
    (click.UsageError("no file"), 2, "policykit: no file\ntry: policykit broken --help\n"),
    (click.ClickException("no file"), 2, "policykit: no file\n"),
    (click.exceptions.Abort(), 130, "policykit: interrupted\n"),
    (KeyboardInterrupt(), 130, "\npolicykit: interrupted\n"),
]


@pytest.mark.parametrize(("error", "code", "text"), KNOWN, ids=[type(k[0]).__name__ for k in KNOWN])
def test_an_error_is_one_line_and_a_code(
    error: BaseException, code: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each error of policykit and of a wrong call ends in its exit code, without a traceback."""
    fail_with(monkeypatch, error)
    assert main(["broken"]) == code
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", text)


def test_an_unexpected_error_is_one_line_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A defect names its class and place, never the foreign text: that can hold a secret."""
    fail_with(monkeypatch, ZeroDivisionError("signature=abc"))
    assert main(["broken"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("policykit: internal error ZeroDivisionError at cli/__main__.py:")
    assert shown.endswith(
        "; please report it (POLICYKIT_DEBUG=1 shows the traceback, which can hold values of your files)\n"
    )
    assert len(shown.splitlines()) == 1


def test_the_traceback_is_there_for_those_who_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """POLICYKIT_DEBUG=1 shows the traceback before the line."""
    fail_with(monkeypatch, ZeroDivisionError("why"))
    monkeypatch.setenv("POLICYKIT_DEBUG", "1")
    assert main(["broken"]) == 2
    assert "ZeroDivisionError: why\n" in capsys.readouterr().err


def test_a_closed_pipe_is_no_traceback() -> None:
    """`policykit --help | true` says nothing on standard error and does not claim success."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "policykit.cli", "--help"], stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_broken_pipe_inside_a_command_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the reader goes in the middle, what is left is written to nothing."""
    turned: list[bool] = []
    monkeypatch.setattr(frame, "_flush_into_nothing", lambda: turned.append(True))
    fail_with(monkeypatch, BrokenPipeError())
    assert main(["broken"]) == 1
    assert turned == [True]


def test_a_command_may_return_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code of a command is what it returns, or what it leaves with."""

    @click.command()
    def answering() -> int:
        return cli.Exit.NO

    @click.command()
    def leaving() -> None:
        cli.leave(cli.Exit.NOTHING)

    table = {"answering": answering, "leaving": leaving}
    monkeypatch.setattr(_group, "command_files", lambda: dict.fromkeys(table, ""))
    monkeypatch.setattr(_group.FileGroup, "get_command", lambda self, ctx, name: table[name])
    assert (main(["answering"]), main(["leaving"])) == (1, 4)


def options(*arguments: str) -> dict[str, object]:
    """Call a command with every shared option; return what it was given."""
    given: dict[str, object] = {}

    @click.command()
    @cli.now_option
    @cli.format_option(("text", "json"))
    @cli.output_option
    def command(**values: object) -> None:
        given.update(values)

    command.main(list(arguments), standalone_mode=False)
    return given


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-21", 1795219200000),
        ("2026-11-21T10:00:00Z", 1795255200000),
        ("2026-11-21T10:00:00.250Z", 1795255200250),
        ("2026-11-21T11:00:00+01:00", 1795255200000),
        ("2026-11-21T10:00:00", 1795255200000),
    ],
)
def test_now_is_utc_milliseconds(text: str, ms: int) -> None:
    """`--now` takes a date or a time, without zone in UTC."""
    assert options("--now", text) == {"now_ms": ms, "output_format": "text", "output": None}


def test_now_that_is_no_moment_says_what_is_needed() -> None:
    """A wrong `--now` names what was given and what may be."""
    with pytest.raises(click.BadParameter) as caught:
        options("--now", "yesterday")
    assert caught.value.message == (
        "'yesterday' is no moment; an ISO date or time is needed (2026-11-21 or 2026-11-21T10:00:00Z)"
    )


def test_the_other_shared_options(tmp_path: Path) -> None:
    """`--format` and `-o` arrive under their names."""
    target = tmp_path / "o.json"
    assert options("--format", "json", "-o", str(target)) == {"now_ms": None, "output_format": "json", "output": target}


def test_output_is_written_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file is replaced in one step; without one the text goes to standard output; both end in a newline."""
    target = tmp_path / "report.json"
    target.write_text("old")
    cli.write_output("new", target)
    assert target.read_text() == "new\n"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
    cli.write_output("shown\n")
    assert capsys.readouterr().out == "shown\n"


def test_output_that_cannot_be_written_is_a_wrong_call(tmp_path: Path) -> None:
    """A missing folder is said in one line."""
    target = tmp_path / "missing" / "report.json"
    with pytest.raises(click.ClickException) as caught:
        cli.write_output("x", target)
    assert caught.value.message == (
        f"{target}: cannot be written (No such file or directory); a writable place is needed; give another --output"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "stream", "colour"),
    [
        ({"TERM": "xterm"}, Terminal(), True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, Terminal(), False),
        ({"TERM": "dumb"}, Terminal(), False),
        ({"TERM": "xterm"}, io.StringIO(), False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    environment: dict[str, str], stream: io.StringIO, colour: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR, a dumb terminal and a pipe get none."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cli.use_colour(stream) is colour


def test_starting_gives_the_collector_back_and_keeps_what_was_imported() -> None:
    """After an import without the garbage collector it runs again, a failed import too, and skips what stays."""
    before = gc.get_freeze_count()
    try:
        with cli.starting():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
        with pytest.raises(ImportError), cli.starting():
            raise ImportError
        assert gc.isenabled()
    finally:
        gc.unfreeze()
