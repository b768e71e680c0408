"""Notice files of the other project that PyPI knows as `policykit`: it installs into a folder of the same name."""

from __future__ import annotations

import os

#: What `policykit` 0.4.0 of PyPI ships into `policykit/` and this project does not (its wheel, November 2026).
FOREIGN_FILES = ("cli.py", "conftest.py", "models.py", "test_conftest.py", "test_models.py")


def refuse_foreign_files(folder: str) -> None:
    """Raise ImportError if `folder` holds files of the other project: one of the two has overwritten the other's."""
    found = [name for name in FOREIGN_FILES if os.path.exists(os.path.join(folder, name))]
    if found:
        raise ImportError(
            f"{folder}: holds {', '.join(found)} of another project, PyPI's `policykit`; only one of the two can be "
            "installed, and files of both are mixed now; run `pip uninstall policykit policykit-trading`, then "
            "`pip install policykit-trading`"
        )
