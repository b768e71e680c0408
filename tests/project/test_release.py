"""`make release`: a bill of materials of what a user installs, with hashes, and the same bytes for the same commit."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def release(top: Path) -> ModuleType:
    """Return .ci/release.py."""
    spec = importlib.util.spec_from_file_location("release", top / ".ci" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_block_of_pins_is_taken_whole(release: ModuleType) -> None:
    """With every hash, and no other package's."""
    text = (
        "Foo_Bar==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nother==2 \\\n    --hash=sha256:cc\nx[y]==3\n"
    )
    assert release.pins(text, {"foo-bar"}) == "Foo_Bar==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    assert release.pins(text, {"x"}) == "x[y]==3\n"


def test_the_bill_is_of_what_a_user_installs(release: ModuleType, top: Path) -> None:
    """What policykit needs with every extra, and no tool of ours; each is pinned, or of another platform."""
    names = release.packages()
    assert {"ccxt", "pydantic", "click", "hvac", "boto3", "sshsig", "apprise", "valkey", "urllib3"} <= names
    assert not names & {"pytest", "ruff", "mypy", "hypothesis", "cyclonedx-bom", "policykit-trading"}
    pinned = release.pins((top / "requirements" / "dev.txt").read_text(), names)
    assert len(names) - pinned.count("==") <= 3


def test_what_is_not_committed_is_no_release(
    release: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The bytes of a release are a commit's; a folder that is there is not written into."""
    monkeypatch.setattr(release, "git", lambda *_: " M policykit/guard/gate.py")
    assert release.main([str(tmp_path / "dist")]) == 1
    assert "not committed" in capsys.readouterr().err
    monkeypatch.setattr(release, "git", lambda *_: "")
    assert release.main([str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err
