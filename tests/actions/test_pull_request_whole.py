"""A pull request from its first push to its merge: a bare remote, the runner's checkout, the action's own steps.

GitHub is a server on loopback, git, bash and the command are real. Only the environment of the action is not made anew:
its first step installs policykit, and the tests' own stands in for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from policykit.clock import SystemClock
from policykit.guard.approvals import of_policy
from policykit.policy import load
from policykit.policy.statement import digest_of
from tests.actions.hub import READS, REPOSITORY, TOKEN, Hub, serving
from tests.guard.signing import allowed, ed25519_signer, stated
from tests.guard.world import policy_text

TOP = Path(__file__).resolve().parents[2]
ACTION = TOP / "actions" / "diff"
ALICE = ed25519_signer("alice")
#: Nothing of whoever runs the tests: no name, no signing, no hook.
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    **{f"GIT_{who}_{what}": f"{what.lower()}@example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
APPROVALS = "approvals: {signers: /etc/policykit/signers, by: [alice, desk-head]}\n"


def git(folder: Path, *words: str) -> str:
    """Run git; return what it says."""
    done = subprocess.run(
        ("git", *words), cwd=folder, env={**os.environ, **GIT}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


class Project:
    """A team's repository: a bare remote, a developer's clone, and the runner."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.folder, self.hub = folder, hub
        self.remote, self.dev = folder / "remote.git", folder / "dev"
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.remote))
        git(folder, "clone", "-q", str(self.remote), str(self.dev))
        git(self.dev, "checkout", "-q", "-b", "main")
        (self.dev / "policies").mkdir()
        (self.dev / ".github").mkdir()
        self.write(policy_text() + APPROVALS)
        (self.dev / ".github" / "policy-signers").write_text(allowed(ALICE))
        self.push("Begin")
        self.base = git(self.dev, "rev-parse", "HEAD")
        self.runs = 0

    @property
    def file(self) -> Path:
        return self.dev / "policies" / "mm.yaml"

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def push(self, why: str, branch: str = "main") -> None:
        """Commit all that changed, and push it."""
        git(self.dev, "add", ".")
        git(self.dev, "commit", "-q", "-m", why)
        git(self.dev, "push", "-q", "origin", f"+HEAD:{branch}")

    def propose(self, text: str, why: str = "Change a cap") -> None:
        """Push a branch with another policy, as eve does."""
        git(self.dev, "checkout", "-q", "-B", "change", "main")
        self.write(text)
        self.push(why, "change")

    @property
    def head(self) -> str:
        return git(self.dev, "rev-parse", "HEAD")

    def run(self, token: str = TOKEN, based: str = "", **inputs: str) -> tuple[int, str]:
        """Run the action on the pull request as GitHub's runner does; return the exit code and what it said."""
        self.runs += 1
        place = self.folder / f"run-{self.runs}"
        work, temp = place / "work", place / "temp"
        temp.mkdir(parents=True)
        self._checkout(work)
        event = {
            "pull_request": {
                "number": 7,
                "user": {"login": "eve"},
                "head": {"sha": self.head},
                "base": {"sha": based or git(self.remote, "rev-parse", "main")},
            }
        }
        (temp / "event.json").write_text(json.dumps(event))
        (temp / "policykit" / "bin").mkdir(parents=True)
        for name in ("python", "policykit"):
            program = f'#!/bin/sh\nexec "{sys.executable}" {"-m policykit.cli " if name == "policykit" else ""}"$@"\n'
            (temp / "policykit" / "bin" / name).write_text(program)
            (temp / "policykit" / "bin" / name).chmod(0o755)
        action = YAML(typ="safe").load((ACTION / "action.yml").read_text())
        asked = {name.upper(): str(one["default"]) for name, one in action["inputs"].items()}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "GIT_"))},
            **GIT,
            **asked,
            "TOKEN": token,
            "RUNNER_TEMP": str(temp),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(work),
            "GITHUB_ACTION_PATH": str(ACTION),
            "GITHUB_API_URL": self.hub.url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_EVENT_PATH": str(temp / "event.json"),
            "GITHUB_OUTPUT": str(temp / "output"),
            "GITHUB_STEP_SUMMARY": str(temp / "summary.md"),
            "PYTHONPATH": str(TOP),
            **inputs,
        }
        _, compare, comment = action["runs"]["steps"]
        code, said = self._step(compare, work, environment)
        environment["COMMENT"] = str(temp / "policykit-diff.md")
        assert f"exit-code={code}\n" in (temp / "output").read_text()
        ended, told = self._step(comment, work, environment)
        assert ended == 0, told
        return code, said + told

    def _checkout(self, work: Path) -> None:
        """Check out as actions/checkout does with fetch-depth 2: the merge that GitHub makes, and its parents."""
        hub = work.parent / "hub"
        git(self.folder, "clone", "-q", "-b", "main", str(self.remote), str(hub))
        git(hub, "merge", "-q", "--no-ff", "--no-edit", "origin/change")
        git(hub, "push", "-q", "origin", "+HEAD:refs/pull/7/merge")
        git(self.folder, "init", "-q", str(work))
        git(work, "remote", "add", "origin", f"file://{self.remote}")
        git(work, "fetch", "-q", "--no-tags", "--depth=2", "origin", "+refs/pull/7/merge:refs/remotes/pull/7/merge")
        git(work, "checkout", "-q", "--detach", "refs/remotes/pull/7/merge")

    def _step(self, step: dict[str, Any], work: Path, environment: dict[str, str]) -> tuple[int, str]:
        command = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    @property
    def comment(self) -> str:
        """What stands in the one comment that the action keeps."""
        (own,) = [one["body"] for one in self.hub.comments if one["user"]["type"] == "Bot"]
        return str(own)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A repository with one policy, and a pull request of eve's, number 7."""
    with serving(Hub()) as hub:
        yield Project(tmp_path, hub)


LOOSER = (policy_text() + APPROVALS).replace("1500 USDT", "15000 USDT")


def test_a_cap_that_is_loosened_by_mistake_waits_for_who_may_approve(project: Project) -> None:
    """Red with a comment that says what, by an order; an approval of an older commit is none; then green."""
    project.propose(LOOSER, "Fix a comment")
    code, said = project.run()
    assert code == 1, said
    assert "### policykit diff: 1 policy is looser, 1 not approved" in project.comment
    assert "| `1500 USDT` | `15000 USDT` |" in project.comment
    assert "was denied RISK\\_ORDER\\_NOTIONAL" in project.comment
    assert "**Needs** 1 of `alice`, `desk-head`: 0 of 1 approved it." in project.comment
    assert "::error file=policies/mm.yaml,line=" in said
    project.hub.review("jane-doe", "APPROVED", project.head)
    assert project.run()[0] == 1  # a login that no policy names
    assert project.run(PEOPLE="jane-doe=desk-head")[0] == 0
    assert "**Approved** by `desk-head`." in project.comment
    project.write(LOOSER.replace("15000 USDT", "150000 USDT"))
    project.push("And a little more", "change")
    code, _ = project.run(PEOPLE="jane-doe=desk-head")
    assert (code, "`150000 USDT`" in project.comment, "not approved" in project.comment) == (1, True, True)
    assert len(project.hub.comments) == 1


def test_a_signature_in_the_branch_approves_what_was_signed(project: Project) -> None:
    """Signed with a key of the base's file of signers; a file of signers that the branch brings does not count."""
    project.propose(LOOSER)
    policy = load(project.file)
    signers = (project.dev / ".github" / "policy-signers").read_text()
    text = stated(of_policy(policy), ALICE, SystemClock().now_ms(), signers=digest_of(signers)).text()
    (project.dev / "policies" / "mm.approval").write_text(f"{text}\n{ALICE.sign(text)}")
    project.push("Sign it", "change")
    code, said = project.run()
    assert code == 0, said
    assert "**Approved** by `alice`." in project.comment
    mallory = ed25519_signer("alice")
    own = allowed(mallory)
    text = stated(of_policy(policy), mallory, SystemClock().now_ms(), signers=digest_of(own)).text()
    (project.dev / ".github" / "policy-signers").write_text(own)
    (project.dev / "policies" / "mm.approval").write_text(f"{text}\n{mallory.sign(text)}")
    project.push("Sign it myself", "change")
    code, _ = project.run()
    assert code == 1
    assert "the signers' file has no key" in project.comment


def test_what_is_tighter_passes(project: Project) -> None:
    """And the comment says that it does."""
    project.propose((policy_text() + APPROVALS).replace("1500 USDT", "150 USDT"))
    assert project.run()[0] == 0
    assert "### policykit diff: nothing is looser" in project.comment


def test_a_policy_that_does_not_load_is_an_error_at_its_line(project: Project) -> None:
    """The comment says so, and nothing is compared."""
    project.propose(LOOSER.replace("15000 USDT", "much"))
    code, said = project.run()
    assert code == 2
    assert "::error file=policies/mm.yaml,line=" in said
    assert "### policykit diff: a policy does not load" in project.comment


def test_a_fork_and_a_silent_github_approve_nothing(project: Project) -> None:
    """A fork's token writes nothing: the verdict stands on the job's page. Reviews that nobody can read are none."""
    project.propose(LOOSER)
    project.hub.review("alice", "APPROVED", project.head)
    project.hub.instead["GET /repos/acme/bots/pulls"] = (503, b"")
    code, said = project.run(READS)
    assert (code, project.hub.comments) == (1, [])
    assert "::warning::who approved cannot be read: no review counts" in said
    assert "::notice::the comment could not be written" in said
    assert "1 not approved" in (project.folder / "run-1" / "temp" / "summary.md").read_text()
    del project.hub.instead["GET /repos/acme/bots/pulls"]
    assert project.run(READS)[0] == 0


def test_an_event_with_an_older_base_is_compared_with_what_it_is_merged_into(project: Project) -> None:
    """Main took a cap down after the branch began, and the branch copies what stood there before."""
    folder = project.dev / "policies"
    (folder / "caps.yaml").write_text("policykit: 1\nname: caps\nrisk: {max_leverage: 9}\n")
    project.write((policy_text() + APPROVALS).replace("name: mm\n", "name: mm\nextends: [caps.yaml]\n"))
    project.push("Extend")
    older = project.head
    git(project.dev, "checkout", "-q", "-B", "change", "main")
    (folder / "mine.yaml").write_text((folder / "caps.yaml").read_text().replace("name: caps", "name: mine"))
    project.write(project.file.read_text().replace("caps.yaml", "mine.yaml"))
    project.push("Rename", "change")
    head = project.head
    git(project.dev, "checkout", "-q", "main")
    (folder / "caps.yaml").write_text("policykit: 1\nname: caps\nrisk: {max_leverage: 1}\n")
    project.push("Tighten")
    git(project.dev, "checkout", "-q", "--detach", head)
    code, said = project.run(based=older)
    assert code == 1, said
    assert "risk.max_leverage" in project.comment
