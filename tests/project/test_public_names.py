"""The public names: few, typed, cheap to import, and none of another project's files beside them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import policykit
from policykit._foreign import FOREIGN_FILES, refuse_foreign_files

NAMES = [
    "Decision", "Denied", "EffectivePolicy", "ExchangeUnavailable", "Finding", "Guard", "Order", "OutcomeUnknown",
    "PolicyError", "PolicykitError", "Reason", "SecretUnavailable", "StoreUnavailable", "__version__", "enforce",
    "kill", "load",
]  # fmt: skip
#: What `import policykit` may bring in beside itself: nothing that is not loaded by Python's own start.
HEAVY = ("ccxt", "pydantic", "ruamel", "click", "rich", "opentelemetry", "jsonschema", "asyncio", "sqlite3", "ssl")


def test_the_public_names_are_these_and_under_25() -> None:
    """A public name is added or removed on purpose only."""
    assert dir(policykit) == sorted(NAMES)
    assert len(NAMES) < 25


@pytest.mark.parametrize("name", [n for n in NAMES if n != "__version__"])
def test_a_public_name_loads_on_first_use(name: str) -> None:
    """Each lazy name leads to an object of that name."""
    assert getattr(policykit, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A wrong name fails as it does in any module."""
    with pytest.raises(AttributeError) as caught:
        _ = policykit.Gaurd  # type: ignore[attr-defined]
    assert str(caught.value) == "module 'policykit' has no attribute 'Gaurd'"


def test_import_is_cheap() -> None:
    """`import policykit` loads none of the heavy libraries."""
    code = f"import sys, policykit; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_files_of_the_other_policykit_are_refused(tmp_path: Path) -> None:
    """A folder that holds files of PyPI's `policykit` is refused with what to do."""
    refuse_foreign_files(str(tmp_path))
    (tmp_path / "models.py").write_text("")
    (tmp_path / "cli.py").write_text("")
    with pytest.raises(ImportError) as caught:
        refuse_foreign_files(str(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path}: holds cli.py, models.py of another project, PyPI's `policykit`; only one of the two can be "
        "installed, and files of both are mixed now; run `pip uninstall policykit policykit-trading`, then "
        "`pip install policykit-trading`"
    )


def test_no_file_of_ours_is_named_like_one_of_theirs() -> None:
    """The check could not work if this project used one of those names itself."""
    folder = Path(policykit.__file__).parent
    assert [name for name in FOREIGN_FILES if (folder / name).exists()] == []


def test_import_refuses_a_mixed_folder(tmp_path: Path) -> None:
    """`import policykit` itself fails where the two projects are mixed."""
    source = Path(policykit.__file__).parent
    mixed = tmp_path / "policykit"
    mixed.mkdir()
    for name in ("__init__.py", "_foreign.py"):
        (mixed / name).write_text((source / name).read_text())
    (mixed / "test_models.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", "import policykit"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"ImportError: {mixed}: holds test_models.py of another project" in done.stderr
