"""What `policykit diff` names: files, folders, revisions of a real git repository, and what is none of these."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from policykit.proofs.diff import diff, differences, pairs
from policykit.proofs.revisions import NotNamed, Side, merge_base, read_side, read_sides

BASE = "policykit: 1\nname: base\nrisk: {max_order_notional: 2000 USDT}\n"
MM = """\
policykit: 1
name: mm
extends: [base.yaml]
exchange: binance
account: {name: main, currency: USDT}
risk: {max_open_orders: 20}
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as somebody."""
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    line = ["git", "-C", str(folder), "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(line, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def write(folder: Path, **files: str) -> None:
    """Write policies: `mm="..."` is policies/mm.yaml."""
    (folder / "policies").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "policies" / f"{name}.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Give a repository with one commit of a policy and the profile that it extends."""
    git(tmp_path, "init", "-q")
    write(tmp_path, base=BASE, mm=MM)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def commit(folder: Path, **files: str) -> None:
    """Write policies and commit all."""
    write(folder, **files)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "more")


def side(name: str, folder: Path, *paths: str) -> Side:
    """Read a side as a call in that folder would."""
    return read_side(name, paths, folder=str(folder))


def test_a_revision_is_read_with_what_its_policies_extend(repository: Path) -> None:
    """The parent of that revision counts, not the one that lies there now; places are the repository's paths."""
    commit(repository, base=BASE.replace("2000", "3000"))
    old, new = side("HEAD~1", repository), side("main", repository, "policies")
    assert sorted(old.policies) == sorted(new.policies) == ["policies/base.yaml", "policies/mm.yaml"]
    found = differences(old, new)
    texts = [(one.name, one.verdict, [str(field) for field in one.fields]) for one in found.policies]
    said = ["risk.max_order_notional: 2000 USDT -> 3000 USDT"]
    assert texts == [("base", "looser", said), ("mm", "looser", said)]
    assert str(found.policies[1].fields[0].now_at) == "policies/base.yaml:3:28"


def test_one_file_of_a_revision_is_compared_with_one_here(repository: Path) -> None:
    """Files are compared with each other whatever they are called."""
    (repository / "new.yaml").write_text(MM.replace("20", "30").replace("base.yaml", "policies/base.yaml"), "utf-8")
    old, new = side("main:policies/mm.yaml", repository), read_side(str(repository / "new.yaml"))
    assert (old.kind, new.kind) == ("file", "file")
    ((was, now),) = pairs(old, new)
    assert was is not None
    assert now is not None
    assert [str(field) for field in diff(was, now).fields] == ["risk.max_open_orders: 20 -> 30"]


def test_policies_are_paired_by_path_then_by_name(repository: Path) -> None:
    """One that moved is the same one; one that came is tighter than nothing, one that went is the loosest change."""
    (repository / "policies" / "mm.yaml").unlink()
    commit(repository, moved=MM, other=MM.replace("name: mm", "name: new").replace("main,", "two,"))
    found = differences(side("HEAD~1", repository), side("HEAD", repository))
    assert [(one.name, one.verdict) for one in found.policies] == [
        ("new", "tighter"),
        ("base", "equal"),
        ("mm", "equal"),
    ]
    back = differences(side("HEAD", repository), side("HEAD~1", repository))
    assert (back.policies[0].name, back.policies[0].verdict, back.policies[0].new) == ("new", "looser", None)


def test_a_folder_is_paired_with_a_folder(tmp_path: Path) -> None:
    """By their paths from the folders' tops."""
    for name, text in (("a", MM), ("b", MM.replace("20", "10"))):
        (tmp_path / name).mkdir()
        write(tmp_path / name, base=BASE, mm=text)
    found = differences(read_side(str(tmp_path / "a")), read_side(str(tmp_path / "b")))
    assert [(one.name, one.verdict) for one in found.policies] == [("mm", "tighter"), ("base", "equal")]


def test_what_does_not_load_is_told_with_its_place(repository: Path) -> None:
    """Findings of a revision name its paths; what does load is there all the same."""
    commit(repository, mm=MM.replace("max_open_orders", "max_open_order"))
    found = side("HEAD", repository)
    assert [(str(f.primary), f.rule) for f in found.faults] == [("policies/mm.yaml:6:8", "PK010")]
    assert list(found.policies) == ["policies/base.yaml"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("nowhere", "nowhere: there is no such file, folder or git revision"),
        ("HEAD~9", "a shallow clone lacks older ones"),
        ("main:policies/none.yaml", "main:policies/none.yaml: there is no such file in that revision"),
        ("--output=x", "--output=x: there is no such file, folder or git revision"),
        (":policies/mm.yaml", "there is no such file, folder or git revision"),
    ],
)
def test_what_is_no_revision_is_said(repository: Path, name: str, what: str) -> None:
    """A name that is nothing, a commit that is not there, a word that looks like an option."""
    with pytest.raises(NotNamed, match=re.escape(what)):
        side(name, repository)


def test_outside_of_a_repository_that_is_said(tmp_path: Path) -> None:
    """There is nothing to read a revision from."""
    with pytest.raises(NotNamed, match="no git repository here"):
        side("main", tmp_path)


def test_links_large_files_and_lfs_are_refused_with_their_place(repository: Path) -> None:
    """None of them is followed, fetched or skipped in silence."""
    folder = repository / "policies"
    (folder / "link.yaml").symlink_to("/etc/hosts")
    (folder / "twin.yaml").symlink_to("mm.yaml")
    lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    commit(repository, lfs=lfs, child=MM.replace("base.yaml", "link.yaml").replace("name: mm", "name: child"))
    said = [f"{f.primary.file}: {f.message}" for f in side("HEAD", repository).faults]
    assert any('"link.yaml" cannot be extended' in text and "symbolic link" in text for text in said)
    assert any("policies/link.yaml: it is a symbolic link" in text for text in said)
    assert any("policies/lfs.yaml: it is kept by Git LFS" in text for text in said)
    assert not any("twin" in text for text in said)


def test_a_link_in_a_folder_is_refused_as_in_a_revision(repository: Path, tmp_path: Path) -> None:
    """A policy that is a link, or lies behind one, or extends one: what it leads to is not what is under review."""
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = repository / "policies"
    (folder / "twin.yaml").symlink_to("mm.yaml")
    here, plain = str(repository), side(str(folder), repository)
    assert "mm.yaml" in plain.policies
    assert not plain.faults
    assert "twin.yaml" not in plain.policies  # it is compared under its own name
    (folder / "twin.yaml").unlink()
    for name in ("mm.yaml", "base.yaml"):
        (folder / name).rename(outside / name)
        (folder / name).symlink_to(outside / name)
        told = [f"{f.primary.file}: {f.message}" for f in read_side(here, ("policies",)).faults]
        assert any(f"policies/{name}" in text and "it is a symbolic link" in text for text in told), name
        (folder / name).unlink()
        (outside / name).rename(folder / name)
    assert not read_side(here, ("policies",)).faults
    folder.rename(outside / "policies")
    folder.symlink_to(outside / "policies")
    assert not read_side(here, ("policies",)).policies
    assert read_side(here, ("policies",)).faults


def test_a_link_beside_a_revision_is_what_stood_at_its_path(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what it leads to, then and now: that would be proved equal."""
    monkeypatch.chdir(repository)
    (repository / "lax.yaml").write_text(MM.replace("20", "90").replace("base.yaml", "policies/base.yaml"), "utf-8")
    commit(repository, other=MM.replace("name: mm", "name: other"))
    mm = repository / "policies" / "mm.yaml"
    mm.unlink()
    mm.symlink_to("../lax.yaml")
    was, _ = read_sides("main", "policies/mm.yaml")
    assert [one.file for one in was.policies.values()] == ["policies/mm.yaml"]


def test_the_merge_base_is_what_a_pull_request_is_compared_with(repository: Path) -> None:
    """What went on in the base meanwhile is no difference of the pull request."""
    git(repository, "checkout", "-qb", "topic")
    commit(repository, mm=MM.replace("20", "30"))
    git(repository, "checkout", "-q", "main")
    commit(repository, base=BASE.replace("2000", "1"))
    assert merge_base("main", "topic", str(repository)) == git(repository, "rev-parse", "main~1")


def test_a_policy_that_does_not_load_was_not_taken_away(tmp_path: Path) -> None:
    """Nor is it new when it loads again: it is not compared, and its fault says why."""
    for side, cap in (("old", "20"), ("new", "many")):
        (tmp_path / side).mkdir()
        (tmp_path / side / "mm.yaml").write_text(MM.replace("extends: [base.yaml]\n", "").replace("20", cap))
    old, new = (read_side(str(tmp_path / side)) for side in ("old", "new"))
    for pair in ((old, new), (new, old)):
        found = differences(*pair)
        assert (found.policies, [fault.rule for fault in found.faults]) == ((), ["PK011"])


def test_a_name_with_a_line_break_is_refused(repository: Path) -> None:
    """Git is asked for files a line each: such a policy cannot be read, and is not passed over."""
    commit(repository, **{"a\nb": MM})
    with pytest.raises(NotNamed, match=r"the name of 'policies/a\\nb.yaml' has a line break"):
        side("HEAD", repository)


def test_a_path_that_neither_side_has_is_no_comparison(repository: Path) -> None:
    """A misspelt path of a pull request's check would else be green for ever; one that is new, or gone, is there."""
    write(repository, new=MM)
    for named in ("policies/new.yaml", "policies/mm.yaml", "policies", "."):
        read_sides("HEAD", str(repository), (named,), folder=str(repository))
    with pytest.raises(NotNamed, match=r"polices: there is no such file or folder in HEAD, nor in "):
        read_sides("HEAD", str(repository), ("policies", "polices"), folder=str(repository))
    with pytest.raises(NotNamed, match=r"polices: there is no such file or folder in HEAD, nor in HEAD"):
        read_sides("HEAD", "HEAD", ("polices",), folder=str(repository))


def test_two_sides_without_a_policy_are_no_comparison(tmp_path: Path) -> None:
    """A check on a folder that has none would be green for ever; one that does not load is there."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    with pytest.raises(NotNamed, match=r"there is no policy in .*old, nor in .*new; nothing would be compared"):
        read_sides(old, new)
    (tmp_path / "new" / "mm.yaml").write_text("policykit: 1\nrisk: 7\n")
    assert read_sides(old, new)[1].broken == {"mm.yaml"}
