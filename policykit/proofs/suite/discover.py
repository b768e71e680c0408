"""Find the test files among paths: those that are named, those of a policy that is named, and all in a folder."""

from __future__ import annotations

import os
from typing import NamedTuple

from policykit.lint.discover import discover
from policykit.proofs.suite.reading import SUFFIX


class Found(NamedTuple):
    """Test files, each once, in the order given; `policies` were seen beside them; `problems` are of the call."""

    files: tuple[str, ...]
    policies: tuple[str, ...]
    problems: tuple[str, ...]


def find(paths: tuple[str, ...]) -> Found:
    """Return what there is to run: `NAME.test.yaml`, and any YAML file with the key `policykit_test`."""
    found = discover(paths)
    files = dict.fromkeys(found.tests)
    policies = [target.file for target in found.targets if target.kind == "policy"]
    for target in found.targets:
        if target.kind == "policy" and target.named:
            files |= dict.fromkeys(_beside(target.file))
    return Found(tuple(files), tuple(policies), found.problems)


def _beside(policy: str) -> list[str]:
    """Return the test files of a policy that is named: `NAME.test.yaml`, `NAME.WORD.test.yaml`."""
    folder, name = os.path.split(os.path.splitext(policy)[0])
    try:
        names = sorted(os.listdir(folder or "."))
    except OSError:
        return []
    return [os.path.join(folder, each) for each in names if each.startswith(f"{name}.") and each.endswith(SUFFIX)]
