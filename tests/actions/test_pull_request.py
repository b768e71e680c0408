"""What the action makes of reviews and comments, over HTTP."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.actions.hub import READS, REPOSITORY, TOKEN, Hub, serving

TOP = Path(__file__).resolve().parents[2]
HEAD, OLDER, BASE = "a" * 40, "b" * 40, "c" * 40
TEXT = "<!-- policykit diff -->\n\n### policykit diff: looser\n"


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("pull_request", TOP / "actions" / "diff" / "pull_request.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = _script()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A pull request of eve's, number 7."""
    event = {
        "pull_request": {"number": 7, "user": {"login": "Eve"}, "head": {"sha": HEAD}, "base": {"sha": BASE}},
        "repository": {"full_name": REPOSITORY},
    }
    (tmp_path / "event.json").write_text(json.dumps(event))
    with serving(Hub()) as made:
        said = {"GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_API_URL": made.url}
        for name, value in {**said, "GITHUB_REPOSITORY": REPOSITORY, "TOKEN": TOKEN}.items():
            monkeypatch.setenv(name, value)
        yield made


def _said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = script.main(list(words))
    found = capsys.readouterr()
    return code, found.out, found.err


def test_the_last_word_of_each_counts_and_only_of_the_newest_commit(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who approved an older commit, changed their mind, is the author or a stranger approves nothing."""
    hub.review("Desk-Head", "APPROVED", HEAD)
    hub.review("desk-head", "COMMENTED", HEAD)
    hub.review("older", "APPROVED", OLDER)
    hub.review("changed", "APPROVED", HEAD)
    hub.review("changed", "CHANGES_REQUESTED", HEAD)
    hub.review("again", "CHANGES_REQUESTED", HEAD)
    hub.review("again", "APPROVED", HEAD, "COLLABORATOR")
    hub.review("dismissed", "APPROVED", HEAD)
    hub.review("dismissed", "DISMISSED", HEAD)
    hub.review("eve", "APPROVED", HEAD)
    hub.review("stranger", "APPROVED", HEAD, "CONTRIBUTOR")
    hub.reviews.append({"user": None, "state": "APPROVED", "commit_id": HEAD, "author_association": "MEMBER"})
    assert _said(capsys, "approvers") == (0, "again\ndesk-head\n", "")


def test_every_page_of_reviews_is_read(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """A later refusal on a later page takes an approval back."""
    hub.review("alice", "APPROVED", HEAD)
    for index in range(200):
        hub.review(f"r{index}", "COMMENTED", HEAD)
    hub.review("alice", "CHANGES_REQUESTED", HEAD)
    assert _said(capsys, "approvers") == (0, "\n", "")
    assert len(hub.asked) == 3


def test_one_comment_is_written_and_then_changed(hub: Hub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A comment of a person that starts alike is not touched."""
    file = tmp_path / "comment.md"
    file.write_text(TEXT)
    hub.say(TEXT + "by hand", login="eve")
    for index in range(150):
        hub.say(f"talk {index}")
    address = f"https://github.com/{REPOSITORY}/pull/7#issuecomment-152\n"
    assert _said(capsys, "comment", str(file)) == (0, address, "")
    file.write_text(TEXT + "second\n")
    assert _said(capsys, "comment", str(file)) == (0, address, "")
    assert [said["body"] for said in hub.comments if said["body"].startswith(script.MARK)] == [
        TEXT + "by hand",
        TEXT + "second\n",
    ]


def test_a_long_comment_ends_at_a_line(hub: Hub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """GitHub refuses over 65,536 characters."""
    file = tmp_path / "comment.md"
    file.write_text(TEXT + "a row of some length\n" * 5_000)
    assert _said(capsys, "comment", str(file))[0] == 0
    body = hub.comments[0]["body"]
    assert len(body) < 65_536
    assert body.endswith("a row of some length\n\n... the rest stands on the page of the job\n")


@pytest.mark.parametrize(
    ("start", "answer", "says"),
    [
        ("POST", (422, b"{}"), f"POST /repos/{REPOSITORY}/issues/7/comments: GitHub answered 422"),
        ("GET", (200, b"not json"), "no answer (JSONDecodeError)"),
        ("GET", (200, b"{}"), f"GET /repos/{REPOSITORY}/issues/7/comments: GitHub answered no list"),
        ("GET", (302, b"http://127.0.0.1:9/elsewhere"), "GitHub answered 302"),
    ],
)
def test_what_github_refuses_is_said_in_one_line(
    hub: Hub,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    start: str,
    answer: tuple[int, bytes],
    says: str,
) -> None:
    """No token, no traceback; a redirect is not followed, so that the token goes to nobody else."""
    file = tmp_path / "comment.md"
    file.write_text(TEXT)
    hub.instead[start] = answer
    code, out, err = _said(capsys, "comment", str(file))
    assert (code, out) == (3, "")
    assert says in err
    assert err.count("\n") == 1
    assert TOKEN not in err


def test_a_fork_reads_but_does_not_comment(
    hub: Hub, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token of a fork's pull request writes nothing; who approves is still known."""
    monkeypatch.setenv("TOKEN", READS)
    hub.review("desk-head", "APPROVED", HEAD)
    file = tmp_path / "comment.md"
    file.write_text(TEXT)
    assert _said(capsys, "comment", str(file))[0] == 3
    assert _said(capsys, "approvers") == (0, "desk-head\n", "")


def test_base_and_a_run_of_no_pull_request(hub: Hub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The commit that the pull request goes into, and its own; a push is none."""
    assert _said(capsys, "base") == (0, f"{BASE}\n", "")
    assert _said(capsys, "head") == (0, f"{HEAD}\n", "")
    (tmp_path / "event.json").write_text("{}")
    code, _, err = _said(capsys, "base")
    assert (code, err) == (2, "policykit: this run is of no pull request; run it on pull_request\n")
