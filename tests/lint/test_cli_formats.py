"""`policykit lint --format F --output FILE`, and what a CI says of the run in the environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from policykit.cli._ci import Context, ci_context
from policykit.lint.report import formats
from tests.lint.conftest import NOW, Said

Run = Callable[..., Said]
ASKED = ("--select", "PK603", "--now", NOW)
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "desk/bots",
    "GITHUB_SHA": "0" * 40,
    "GITHUB_REF_NAME": "main",
}


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch: pytest.MonkeyPatch, policy: Path) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_HEAD_REF", "GITLAB_CI", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    policy.write_text(policy.read_text().replace("1.5% of equity", "10% of equity"))


@pytest.mark.parametrize("name", formats())
def test_output_holds_what_would_be_printed(run: Run, policy: Path, name: str) -> None:
    """The file has the report, nothing is printed, and the exit code is that of the findings in every format."""
    printed = run("lint", policy, *ASKED, "--format", name)
    written = run("lint", policy, *ASKED, "--format", name, "--output", "out")
    assert (printed.code, written) == (1, Said(1, "", ""))
    assert Path("out").read_text(encoding="utf-8") == printed.out
    assert "PK603" in printed.out


def test_github_page_of_the_job_gets_the_whole_list(
    run: Run, policy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With `--format github` the table is appended to the file that GitHub gives; other formats leave it alone."""
    for name, value in {**GITHUB, "GITHUB_STEP_SUMMARY": str(tmp_path / "page.md")}.items():
        monkeypatch.setenv(name, value)
    page = tmp_path / "page.md"
    page.write_text("before\n")
    run("lint", policy, *ASKED, "--format", "sarif")
    assert page.read_text() == "before\n"
    run("lint", policy, *ASKED, "--format", "github")
    said = page.read_text()
    assert said.startswith("before\n<!-- policykit lint -->\n\n### policykit lint: 1 medium\n")
    assert "| **medium** | PK603 order-cap | `mm.yaml:21:23` |" in said
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "page.md"))
    ended = run("lint", policy, *ASKED, "--format", "github")
    assert ended.code == 1
    assert ended.err.endswith("page.md: the summary cannot be written (No such file or directory)\n")


def test_paths_are_those_of_the_checkout(run: Run, policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of a checkout, places are named from its top, as the CI does; SARIF says which version it is."""
    top = policy.resolve().parent.parent
    for name, value in {**GITHUB, "GITHUB_WORKSPACE": str(top)}.items():
        monkeypatch.setenv(name, value)
    below = f"{policy.resolve().parent.name}/mm.yaml"
    assert run("lint", policy, *ASKED, "--format", "github").out.startswith(f"::warning file={below},line=21,")
    log = json.loads(run("lint", policy, *ASKED, "--format", "sarif").out)["runs"][0]
    assert log["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == below
    assert log["versionControlProvenance"] == [
        {
            "repositoryUri": "https://github.com/desk/bots",
            "revisionId": "0" * 40,
            "branch": "main",
            "mappedTo": {"uriBaseId": "%SRCROOT%"},
        }
    ]


def test_a_folder_that_was_removed_is_no_reason_to_fail(
    run: Run, policy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every format is written from a folder that is gone; SARIF then has full addresses."""
    gone = tmp_path / "gone"
    gone.mkdir()
    file = policy.resolve()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for name in formats():
        assert "PK603" in run("lint", file, *ASKED, "--format", name).out, name


def test_gitlab_says_what_was_checked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """GitLab's variables are read, without credentials in the address; outside of a CI there is the folder only."""
    assert ci_context() == Context(str(Path.cwd()))
    given = {
        "GITLAB_CI": "true",
        "CI_PROJECT_DIR": str(Path.cwd().parent),
        "CI_PROJECT_URL": "https://user:token@gitlab.example/desk/bots",
        "CI_COMMIT_SHA": "1" * 40,
        "CI_COMMIT_REF_NAME": "main",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert ci_context() == Context(str(Path.cwd().parent), "https://gitlab.example/desk/bots", "1" * 40, "main")
    monkeypatch.setenv("CI_PROJECT_DIR", "/somewhere/else")
    assert ci_context().root == str(Path.cwd())
