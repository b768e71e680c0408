"""Python's start-up hook in every program under `policykit run`: have ccxt protected as soon as it is imported.

`policykit run` puts this folder at the front of PYTHONPATH, and nothing of it into anybody's site-packages. It costs a
program that never imports ccxt next to nothing. A `sitecustomize` that the machine has runs after it. Whatever fails
here ends the program with code 2: a program that asked for protection does not run without.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
#: Where every client of ccxt is made: sync, async and pro classes end in its constructor.
BASE = "ccxt.base.exchange"


class Hook:
    """An import finder that changes nothing but how one module is executed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Find the module as the other finders do, and have it protected once it was executed."""
        if name != BASE:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = Loader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


class Loader:
    """The loader of the module, with one step after it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, then protect what it makes; without that there is no such module."""
        self._loader.exec_module(module)
        try:
            from policykit.guard.run import install

            install(module)
        except ModuleNotFoundError as error:
            if error.name != "policykit":
                stop(f"{type(error).__name__}: {error}")
            python = sys.executable
            stop(f"{python} has no policykit; install it there: {python} -m pip install policykit-trading")
        except Exception as error:  # noqa: BLE001 - closed by default, whatever it is
            stop(str(error) or type(error).__name__)


def stop(why: str) -> None:
    """End the program: it asked to be protected, and cannot be."""
    sys.stderr.write(f"policykit run: {why}\npolicykit run: nothing was started without its policy\n")
    sys.stderr.flush()
    raise SystemExit(2)


def chain() -> None:
    """Run the `sitecustomize` that stands behind this one, if there is any."""
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", [p for p in sys.path if p != HERE])
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def start() -> None:
    """Set the hook up. Python would carry on after an error in a `sitecustomize`."""
    try:
        sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]
        sys.meta_path.insert(0, Hook())
        if BASE in sys.modules:
            stop("ccxt was imported before the policy; take it out of .pth files and other start-up hooks")
    except BaseException as error:  # noqa: BLE001 - closed by default
        sys.stderr.write(f"policykit run: {type(error).__name__} at start; nothing was started without its policy\n")
        sys.stderr.flush()
        os._exit(2)


if __name__ == "sitecustomize":
    start()
    chain()
