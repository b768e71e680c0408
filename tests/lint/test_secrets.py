"""Secrets in files and in git's history: found where they are, judged by what git and the host do, and never shown."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.finding import Finding
from policykit.lint import Call, Options, git, history, lint
from policykit.lint.report import Style, formats, write
from policykit.rules.config import read, read_version
from policykit.rules.config.leaks import leaks
from tests.canary import assert_clean, canaries
from tests.lint.conftest import NOW_MS, Said

Run = Callable[..., Said]
OPTIONS = Options(NOW_MS)
SECRET = canaries(seed=9)[0]
#: A file of each kind: its name, and its text with `@0@`, `@1@`, ... for secrets.
KINDS = {
    ".env": "# keys\nOKX_HOST=www.okx.com\nexport OKX_API_SECRET='@0@'\nOKX_PASSPHRASE=@1@ # mine\n",
    "prod.env": '\ufeffBINANCE_API_SECRET="@0@"\r\nSTORE=redis://:@1@@host:6379/0\r\n',
    "user_data/config.json": (
        '{\n  // ours\n  "stake_currency": "USDT", /* "secret": "x" */\n'
        '  "exchange": {"name": "okx", "secret": "@0@", "password": "@1@",},\n}\n'
    ),
    "conf/connectors/okx.yml": 'connector: okx\nokx_secret_key: @0@\nokx_passphrase: "@1@"\n',
    "docker-compose.prod.yml": (
        "services:\n  bot:\n    image: bot\n    environment:\n      - MODE=live\n      - OKX_API_SECRET=@0@\n"
        "  two:\n    environment: &e\n      OKX_PASSPHRASE: '@1@'\n  three:\n    environment: *e\n"
    ),
    "bot.service": '[Service]\nEnvironment="OKX_API_SECRET=@0@" MODE=live\nEnvironment=A=b \\\n  OKX_PASSPHRASE=@1@\n',
    "bot.service.d/keys.conf": "[Service]\nEnvironment=OKX_API_SECRET=@0@\nSetCredential=okx_passphrase:@1@\n",
    "bot/settings.toml": "[exchange.okx]\napi_secret = \"@0@\"\npassphrase = '@1@'\n",
    "bot/config.ini": "[binance]\nsecret: @0@\n; a comment\nprivate_key = @1@\n",
    "bot/config.yaml": "binance: {key: '@1@', secret: '@0@'}\n---\nother: !vault x\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty folder outside of any repository, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git.forget()
    yield tmp_path
    git.forget()


def _git(*arguments: str, at: str = "2026-03-01T00:00:00Z") -> str:
    who = {"GIT_COMMITTER_DATE": at, "GIT_AUTHOR_DATE": at}
    line = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    done = subprocess.run(line, env={**os.environ, **who}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _commit(at: str = "2026-03-01T00:00:00Z") -> str:
    _git("add", "-A", "-f")
    _git("commit", "-q", "--allow-empty", "-m", "x", at=at)
    return _git("rev-parse", "HEAD")[: history.COMMIT_DIGITS]


def _put(name: str, text: str, mode: int = 0o600) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    path.chmod(mode)
    return path


def _found(*paths: str, past: bool = False) -> list[str]:
    git.forget()
    ended = lint(Call(paths or (".",), history=history.search if past else None), OPTIONS)
    said = [f"{f.status} {f.severity} {f.rule} {f.primary} {f.message}" for f in ended.report.findings]
    return [*said, *ended.problems, *ended.notes]


def _span(finding: Finding) -> str:
    place = finding.primary
    line = re.split(r"\r\n|\n", Path(place.file).read_bytes().decode("utf-8-sig"))[place.line - 1]
    assert place.line == place.end_line
    return line[place.column - 1 : place.end_column - 1].strip("\"'")


def test_I23_each_kind_of_file_is_read_to_the_letter_and_shown_by_no_format(
    folder: Path, tier: Callable[[int, int], int]
) -> None:
    """A secret is found at its exact span in every kind of file that git tracks, and no format shows any of it."""
    _git("init", "-q")
    for seed in range(tier(1, 300)):
        _each_kind(seed)


def _each_kind(seed: int) -> None:
    birds = canaries(seed, 2 * len(KINDS))
    expected = {}
    for index, (name, text) in enumerate(KINDS.items()):
        mine = birds[2 * index : 2 * index + 2]
        _put(name, text.replace("@0@", mine[0]).replace("@1@", mine[1]))
        expected[name] = mine
    _git("add", "-A")
    git.forget()
    report = lint(Call((".",)), OPTIONS).report
    assert report.configs == len(KINDS)
    spans: dict[str, set[str]] = {name: set() for name in KINDS}
    for finding in report.findings:
        assert finding.rule in ("PK951", "PK952"), finding.message
        span = _span(finding)
        spans[finding.primary.file].add(span.removeprefix("redis://:").removesuffix("@host:6379/0"))
    assert spans == {name: set(mine) for name, mine in expected.items()}
    for name in formats():
        assert_clean(write(name, report, Style(columns=200)), birds)


def test_I23_the_control_shows_what_it_must_not(folder: Path) -> None:
    """The search for canaries does find one that a report shows."""
    _put(".env", f"OKX_API_SECRET={SECRET}\n", 0o644)
    report = lint(Call((".",)), OPTIONS).report
    with pytest.raises(AssertionError):
        assert_clean(write("text", report, Style()) + SECRET[3:12], [SECRET])


@pytest.mark.parametrize(
    "value",
    [
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
        r"Ab1\"cdefgh",
        "-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEIBkg\\nAB1xyz\\n-----END EC PRIVATE KEY-----\\n",
    ],
)
def test_a_span_is_stars_whatever_it_looks_like(folder: Path, value: str) -> None:
    """Seed phrases, escaped quotes and keys in PEM, which no pattern of a quoted line knows, are stars as well."""
    _put("config.json", f'{{"stake_currency": "USDT", "exchange": {{"secret": "", "pass_phrase": "{value}"}}}}')
    _put(".env", f'OKX_MNEMONIC="{value}"\nOKX_PASSPHRASE="{value}"\n', 0o644)
    report = lint(Call((".",)), OPTIONS).report
    assert report.findings
    shown = "".join(write(name, report, Style()) for name in formats())
    assert not any(value[i : i + 8] in shown for i in range(len(value) - 7) if "-----" not in value[i : i + 8])


def test_an_environment_file_is_judged_by_git_and_mode(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracked is critical; not ignored or open to others is medium; ignored and 0600 is what the guide allows."""
    _put(".env", f"OKX_API_SECRET={SECRET}\n")
    assert _found() == []
    open_to_all = "every user of this host may read this file, which holds a secret; mode 0600 is needed"
    with monkeypatch.context() as patch:
        patch.setattr(git, "world_readable", lambda file: bool(os.stat(file).st_mode & 0o004))
        assert _found() == []
        Path(".env").chmod(0o644)
        assert _found() == [f"open medium PK953 .env:1:16 {open_to_all}"]
    _git("init", "-q")
    taken = "git does not ignore this file, which holds a secret: the next `git add .` publishes it"
    assert _found() == [f"open medium PK954 .env:1:16 {taken}"]
    _put(".gitignore", ".env\n")
    assert _found() == []
    _git("add", "-f", ".env")
    assert _found() == ["open critical PK951 .env:1:16 `OKX_API_SECRET` is a secret, in a file that git tracks"]


def test_world_readable_needs_every_folder_above(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is open to others when it and all folders above it let them in; one that is gone is not."""
    modes = {"/a/b/.env": 0o644, "/a/b": 0o755, "/a": 0o711, "/": 0o755}
    monkeypatch.setattr(git.os, "stat", lambda path: os.stat_result((modes[str(path)], *[0] * 9)))
    assert git.world_readable("/a/b/.env")
    modes["/a"] = 0o750
    assert not git.world_readable("/a/b/.env")
    modes["/a/b/.env"] = 0o640
    assert not git.world_readable("/a/b/.env")
    monkeypatch.undo()
    assert not git.world_readable("gone")


def test_without_git_whether_a_file_is_tracked_is_unknown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a repository, without the program, nothing passes for want of an answer."""
    _put(".env", f"OKX_API_SECRET={SECRET}\n")
    _git("init", "-q")
    monkeypatch.setenv("PATH", "")
    assert _found() == [
        "unknown critical PK951 .env:1:16 `OKX_API_SECRET` is a secret; whether git tracks this file could not be asked"
    ]
    assert _found(past=True)[-1] == (
        ".: there is no git program; --git-history asks git for past versions; mend that, or leave the flag out"
    )


def test_a_broken_repository_is_no_pass(folder: Path) -> None:
    """A `.git` that git cannot read leaves the question open."""
    _put(".env", f"OKX_API_SECRET={SECRET}\n")
    _put(".git", "gitdir: nowhere\n")
    assert [line.partition(" PK951")[0] for line in _found()] == ["unknown critical"]
    assert _found(past=True)[-1] == (
        ".: git cannot read this repository; --git-history asks git for past versions; mend that, or leave the flag out"
    )


def test_nothing_that_a_repository_configures_is_run(folder: Path) -> None:
    """A monitor, a hook or a pager that a stranger's repository names is not started."""
    trap = _put("trap.sh", f"#!/bin/sh\ntouch {folder}/sprung\n", 0o700)
    _put(".env", f"OKX_API_SECRET={SECRET}\n")
    _git("init", "-q")
    _commit()
    for name in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "log.showSignature",
        "gpg.program",
        "core.sshCommand",
    ):
        _git("config", name, "true" if name == "log.showSignature" else str(trap.resolve()))
    _git("config", "core.hooksPath", str(folder))
    assert len(_found(past=True)) == 2
    assert not Path("sprung").exists()


def _gone(place: str, name: str, date: str) -> str:
    said = f"added on {date} and gone since; every clone still has it"
    return f"open critical PK959 {place} `{name}` is a secret, {said}"


def test_history_finds_what_was_removed(folder: Path) -> None:
    """A secret that a later commit removed is found once, at the commit that added it, on any branch or stash."""
    secrets = canaries(seed=5, count=5)
    _git("init", "-q")
    _put("README.md", f"secret = '{secrets[0]}'\n")
    _put("bot.py", f"import ccxt\nx = ccxt.okx({{'secret': '{secrets[0]}'}})\nkey = '{secrets[4]}'\n")
    one = _commit()
    _put("bot.py", f"\nimport ccxt\nx = ccxt.okx({{'secret': '{secrets[0]}'}})\n")
    _put("old/note.ipynb", json.dumps({"cells": [{"source": ["a\n", f'api_secret = "{secrets[1]}"\n']}]}, indent=1))
    two = _commit("2026-03-02T00:00:00Z")
    _put("bot.py", "\n")
    _git("rm", "-q", "-f", "old/note.ipynb")
    _put("mm.yaml", f"policykit: 1\nkeys:\n  a: {{secret: {secrets[2]}}}\n")
    three = _commit("2026-03-03T00:00:00Z")
    _put("mm.yaml", f"policykit: 1\nother: {{secret: '{secrets[3]}'}}\nkeys:\n  a: {{secret: {secrets[2]}}}\n")
    _git("stash", "-q", at="2026-03-04T00:00:00Z")
    stash = _git("rev-parse", "stash@{0}")[: history.COMMIT_DIGITS]
    _git("checkout", "-q", "--orphan", "empty")
    _git("rm", "-q", "-rf", ".")
    _commit("2026-03-05T00:00:00Z")
    assert _found(past=True) == sorted(
        (
            _gone(f"bot.py@{one}:2:25", "secret", "2026-03-01"),
            _gone(f"mm.yaml@{three}:3:15", "keys.a.secret", "2026-03-03"),
            _gone(f"mm.yaml@{stash}:2:17", "other.secret", "2026-03-04"),
            _gone(f"old/note.ipynb@{two}:6:5", "api_secret", "2026-03-02"),
        )
    )


def test_history_shows_no_secret_in_any_format(run: Run, folder: Path) -> None:
    """What was found in the past is quoted from no file, and is in no format, nor on a terminal's progress line."""
    _git("init", "-q")
    _put(".env", f"OKX_API_SECRET={SECRET}\n")
    commit = _commit()
    for name in formats():
        git.forget()
        said = run("lint", ".env", "--git-history", "--format", name)
        assert said.code == 1
        assert commit in said.out
        assert_clean(said.out + said.err, [SECRET])
    said = run("lint", ".", "--git-history", "--select", "PK959", "--now", "2026-11-21T10:00:00Z")
    assert said.out == (
        "critical[PK959 secret-in-history]: `OKX_API_SECRET` is a secret, added on 2026-03-01 and still there; "
        f"every clone has it (likely)\n  --> .env@{commit}:1:16\n"
        "   = why:  every clone has the commit, and no later one takes it back (G15, G19, G20, G02)\n"
        "   = fix:  revoke it and rotate now, if that was not done since; then it may be accepted in a baseline\n"
        "   = help: policykit explain PK959\n\n1 settings file, 1 past version: 1 critical\n"
    )


def test_merges_shallow_clones_and_what_was_too_large_are_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only a merge brought in is found; what a shallow clone lacks, and what was not read, is said."""
    monkeypatch.setattr(history, "MAX_VERSION_BYTES", 200)
    _git("init", "-q", "-b", "main", "full")
    monkeypatch.chdir("full")
    _put("a.py", "a = 1\n")
    _commit()
    _git("checkout", "-q", "-b", "side")
    _put("b.py", "b = 1\n" * 100)
    _commit("2026-03-02T00:00:00Z")
    _git("checkout", "-q", "main")
    _put("c.py", "c = 1\n")
    _commit("2026-03-03T00:00:00Z")
    _git("merge", "-q", "--no-commit", "side")
    _put("d.py", f"api_secret = '{SECRET}'\n")
    merge = _commit("2026-03-04T00:00:00Z")
    found = (
        f"open critical PK959 d.py@{merge}:1:14 `api_secret` is a secret, "
        "added on 2026-03-04 and still there; every clone has it"
    )
    not_read = ".: 1 version was not looked at: missing here, or over 0 KiB"
    assert [line for line in _found(past=True) if "PK903" not in line and "PK901" not in line] == [found, not_read]
    monkeypatch.chdir(folder)
    _git("clone", "-q", "--depth", "1", f"file://{folder}/full", "cut")
    monkeypatch.chdir("cut")
    cut = ".: a shallow clone: only the commits that it has were looked at (git fetch --unshallow)"
    assert [line for line in _found(past=True) if "PK9" not in line] == [cut, not_read]


def test_history_has_limits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the limit, the newest versions are read, and the rest is said."""
    _git("init", "-q")
    for day in (1, 2, 3):
        _put(".env", f"OKX_API_SECRET={canaries(day)[0]}\n")
        _commit(f"2026-03-0{day}T00:00:00Z")
    monkeypatch.setattr(history, "MAX_VERSIONS", 2)
    monkeypatch.setattr(history, "MAX_TOTAL_BYTES", 60)
    seen: list[tuple[int, int]] = []
    ended = history.search((".",), OPTIONS, lambda done, of: seen.append((done, of)))
    assert [f.message for f in ended.findings] == [
        "`OKX_API_SECRET` is a secret, added on 2026-03-02 and gone since; every clone still has it"
    ]
    assert ended.notes == [
        ".: only the newest 2 of 3 versions were looked at",
        ".: 1 version was not looked at: missing here, or over 1024 KiB",
    ]
    assert (ended.versions, seen) == (2, [(1, 2), (2, 2)])


def test_history_needs_a_repository(run: Run, folder: Path) -> None:
    """A path outside of any repository ends with 2; a repository without a commit has no history."""
    _put("bot.env", "A=b\n")
    said = run("lint", "bot.env", "--git-history", "--format", "concise")
    assert said == Said(
        2,
        "",
        "policykit: bot.env: not in a git repository; --git-history needs one; "
        "leave the flag out, or name its folder\n",
    )
    _git("init", "-q")
    git.forget()
    assert run("lint", "bot.env", "--git-history", "--format", "concise") == Said(0, "", "")


def test_history_alone_is_something_checked(run: Run, folder: Path) -> None:
    """A folder whose files of today hold nothing of ours is not "nothing to check" when its past was looked at."""
    _git("init", "-q")
    _put("gone.env", "A=b\n")
    _commit()
    Path("gone.env").unlink()
    assert run("lint", ".", "--git-history", "--now", "2026-11-21T10:00:00Z") == Said(
        0, "1 past version: no findings\n", ""
    )


def test_a_terminal_is_told_how_far_history_is(folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal lines say how many files and versions were read; elsewhere none does."""
    _git("init", "-q")
    _put(".env", "A=b\n")
    _commit()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("policykit.cli._options.PROGRESS_FROM", 1)
    assert main(["lint", ".env", "--git-history", "--format", "concise"]) == 0
    assert capsys.readouterr().err == "\rlint: 1 of 1 files\n\rhistory: 1 of 1 versions\n"


def test_a_folder_of_a_bot_s_data_is_left_alone(folder: Path) -> None:
    """In a folder only files that keep settings are read: not data, not other tools' files, not what is too large."""
    _put("package.json", '{"name": "x", "private_key": "none"}')
    _put("results.json", '{"exchange": "x", "stake_currency": "y"' + " " * (1024 * 1024) + "}")
    _put("values.yaml", "a: 1\n")
    _put("data.txt", f"secret={SECRET}\n")
    _put("nginx.conf", "server_name x;\n")
    report = lint(Call((".",)), OPTIONS).report
    assert (report.files, report.findings) == (0, [])
    assert _found("package.json") == []
    assert _found("results.json") == [
        "unknown medium PK950 results.json:1:1 these settings were not read: a file of over 256 KiB is not read"
    ]


def test_I20_no_file_of_settings_makes_a_traceback(tier: Callable[[int, int], int]) -> None:
    """Files that were cut, repeated or filled with stray characters are read or refused, today's and past ones."""
    rng = random.Random(20)
    texts = [(name, text.replace("@0@", SECRET).replace("@1@", SECRET)) for name, text in KINDS.items()]
    texts += [("a.py", f"x = {{'secret': '{SECRET}'}}\n"), ("a.ipynb", json.dumps({"cells": [f"secret = '{SECRET}'"]}))]
    seen: set[str] = set()
    for _ in range(tier(40, 3_000)):
        for name, text in texts:
            at, to = sorted(rng.choices(range(len(text)), k=2))
            stray = rng.choice(["", "\0", "\ufffe", "\ud800", "{" * 99, "'", '"', "\\", "\n", ": ", "- ", text[at:to]])
            raw = f"{text[:at]}{stray}{text[rng.choice([at, to]) :]}".encode("utf-8", "surrogatepass")
            for config in (read(raw, name), read_version(raw, name)):
                found = list(leaks(config))
                assert not (config.unreadable and found)
                seen |= {config.unreadable, *(leak.what for leak in found)}
    assert {"", "a secret", "a passphrase", "it is not UTF-8", "this is not JSON: a bracket is not closed"} <= seen
