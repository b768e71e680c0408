"""Rules of other packages: modules that an entry point of the group `policykit.rules` names.

Such a module holds what a rule file here holds (docstring, `RULE`, `check`). It has the same rights; its code is its
own: letters and three digits, not PK.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from policykit.errors import PolicykitError
from policykit.rules.base import Rule

GROUP: Final = "policykit.rules"
_CODE = re.compile(r"(?!PK)[A-Z]{2,8}[0-9]{3}\Z")


class PluginError(PolicykitError):
    """A rule of another package cannot be used: one line `PLACE: what is; what may be; what to do`."""


@cache
def plugins() -> tuple[ModuleType, ...]:
    """Return the modules, in the order of their codes; PluginError for one that is no rule."""
    if not _any():
        return ()
    from importlib.metadata import entry_points  # 50 ms: only where a package has such rules

    modules = [_module(point.value, point.load) for point in entry_points(group=GROUP)]
    codes = [m.RULE.code for m in modules]
    twice = next((code for code in codes if codes.count(code) > 1), None)
    if twice:
        raise PluginError(f"{GROUP}: two packages have a rule {twice}; each code once; leave one of them out")
    return tuple(sorted(modules, key=lambda m: str(m.RULE.code)))


def _any() -> bool:
    """Tell whether an installed package names the group, without the cost of reading all of their metadata."""
    needle = f"[{GROUP}]".encode()
    for folder in dict.fromkeys(sys.path):
        for file in Path(folder or ".").glob("*-info/entry_points.txt"):
            with suppress(OSError):  # one that nobody can read names no rule
                if needle in file.read_bytes():
                    return True
    return False


def _module(name: str, load: object) -> ModuleType:
    try:
        module = load() if callable(load) else None
    except Exception as error:  # noqa: BLE001  # whatever a foreign module does while it is imported
        raise PluginError(f"{name}: cannot be imported ({type(error).__name__}); mend or uninstall it") from None
    rule = getattr(module, "RULE", None)
    if not isinstance(module, ModuleType) or not isinstance(rule, Rule) or not callable(getattr(module, "check", None)):
        raise PluginError(f"{name}: not a rule; a module with a docstring, RULE and check(inputs) is needed")
    if not _CODE.match(rule.code):
        raise PluginError(f"{name}: its code is {rule.code!r}; letters other than PK and three digits are needed")
    return module
