"""What is found in a folder: a policy is one whatever it is called and however it is laid out."""

from __future__ import annotations

from pathlib import Path

import pytest

from policykit.lint.discover import MAX_DEPTH, Found, Target, discover

POLICY = "policykit: 1\nname: mm\nexchange: binance\nkeys:\n  k: {secret: env://A, scopes: [withdraw]}\n"
INDENTED = "".join(f"  {line}\n" for line in POLICY.splitlines())
FLOW = '{"name": "mm", "exchange": "binance",\n "policykit": 1}\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["p.YAML", "p.Yml", ".p.yml", "compose.yaml", "a.service.yaml"])
def test_policies_of_any_name(name: str) -> None:
    """Neither capital letters nor the name of another tool's file hide a policy in a folder."""
    Path(name).write_text(POLICY)
    assert discover((".",)) == Found((Target(name, "policy", named=False),), ())


@pytest.mark.parametrize("name", ["p", "p.txt", "p.env", ".env", "p.toml", "p.service"])
def test_named_policies_of_any_name(name: str) -> None:
    """A policy that is named is linted as one, also where its name is that of settings."""
    Path(name).write_text(POLICY)
    assert discover((name,)) == Found((Target(name, "policy", named=True),), ())


@pytest.mark.parametrize(
    "text",
    [
        INDENTED,
        f"\n# about\n---\n\n{INDENTED}",
        FLOW,
        f"--- {FLOW}",
        f"%YAML 1.2\n---\n{FLOW}",
        POLICY.replace("\n", "\r"),
        f"\ufeff{POLICY}",
        POLICY.replace("policykit: 1\n", ""),
        '"policykit" : 1\n',
    ],
)
def test_policies_of_any_layout(text: str) -> None:
    """Indented, between braces, after comments, with other line ends, without its first key: a policy is found."""
    Path("p.yaml").write_bytes(text.encode())
    assert discover((".",)).targets == (Target("p.yaml", "policy", named=False),)


def test_policies_in_other_files() -> None:
    """JSON that is a policy is one; so is UTF-16, which lint then refuses."""
    Path("p.json").write_text(FLOW)
    Path("q.yaml").write_bytes(POLICY.encode("utf-16"))
    assert [t.kind for t in discover((".",)).targets] == ["policy", "policy"]


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  policykit:\n    image: x\n",
        "jobs: {policykit: 1}\n",
        '{"dependencies": {"policykit": "^1.0"}}\n',
        "keys: [a]\nscopes: [b]\n",
        "exchange: x\nkeys: {}\n",
        " " * 100_000,
    ],
)
def test_files_of_other_tools(text: str) -> None:
    """A file that only has the word, or a key of ours, is none of ours."""
    Path("o.yaml").write_text(text)
    assert discover((".",)) == Found((), ())


def test_folders_too_deep_are_said() -> None:
    """What lies deeper than lint looks is not passed over in silence."""
    folder = Path(*["d"] * (MAX_DEPTH + 1))
    folder.mkdir(parents=True)
    (folder / "p.yaml").write_text(POLICY)
    assert discover((".",)) == Found(
        (), (f"./{folder.parent}: folders over 32 deep are not looked into; name those below it",)
    )
