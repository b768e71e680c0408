"""The compose file for freqtrade: what must hold of it for a halt, a budget and a key to be kept. None is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

FOLDER = Path(__file__).parents[2] / "examples" / "freqtrade"


@pytest.fixture
def compose() -> dict[str, Any]:
    """Read it as docker compose does, merges included."""
    read: dict[str, Any] = YAML(typ="safe").load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    return read


def test_every_bot_has_the_same_store_on_the_hosts_disk(compose: dict[str, Any]) -> None:
    """One bind mount, the store and its fallback inside it, and a name of its own for each bot."""
    services = compose["services"].values()
    stores = {service["environment"]["POLICYKIT_STORE"] for service in services}
    assert stores == {"sqlite:////shared/policykit.db"}
    mounts = [{mount["target"]: mount for mount in service["volumes"]} for service in services]
    assert [one["/shared"] for one in mounts] == [{"type": "bind", "source": "./shared", "target": "/shared"}] * 2
    assert all(service["environment"]["XDG_STATE_HOME"].startswith("/shared/") for service in services)
    assert len({service["environment"]["POLICYKIT_BOT"] for service in services}) == len(services)


def test_secrets_are_files_and_nothing_else(compose: dict[str, Any]) -> None:
    """Each variable that names one is of `policy.yaml`'s prefix, and its file is mounted from one that is declared."""
    assert "env://FREQTRADE_BOT " in (FOLDER / "policy.yaml").read_text(encoding="utf-8")
    for service in compose["services"].values():
        named = {name: path for name, path in service["environment"].items() if "KEY" in name or "SECRET" in name}
        assert set(named) == {"FREQTRADE_BOT_API_KEY_FILE", "FREQTRADE_BOT_API_SECRET_FILE"}
        mounted = {f"/run/secrets/{one['target']}": one["source"] for one in service["secrets"]}
        assert set(named.values()) < set(mounted)
        assert set(mounted) - set(named.values()) == {word for word in service["command"] if "/run/secrets/" in word}
        assert set(mounted.values()) <= set(compose["secrets"])


def test_the_image_runs_freqtrade_behind_its_policy() -> None:
    """The command of the image is freqtrade's, with `policykit run --` before it."""
    lines = (FOLDER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert 'ENTRYPOINT ["policykit", "run", "--", "freqtrade"]' in lines
    assert "RUN pip install --no-cache-dir --user policykit-trading" in lines
    assert any(line.startswith("FROM freqtradeorg/freqtrade:") for line in lines)
