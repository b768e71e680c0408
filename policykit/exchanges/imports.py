"""Import one exchange's class of ccxt without the other hundred (0.13 s instead of 0.36 s, and less memory).

`import ccxt` loads every exchange. Here the package is put in place unexecuted, the one module is imported from it, and
the rest is executed when somebody asks the package for anything else: a bot that imports ccxt later sees all of it.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import threading
from types import ModuleType
from typing import Any

from policykit.errors import ExchangeUnavailable

_lock = threading.RLock()
_ID = re.compile(r"[a-z][a-z0-9]{1,39}\Z")
#: What the import system itself asks a package for; everything else loads it whole.
_OF_THE_IMPORT_SYSTEM = frozenset(("__path__", "__spec__", "__file__", "__loader__", "__wrapped__", "__bases__"))


class _Deferred(ModuleType):
    """A package whose own code runs at the first use of a name that is not there yet."""

    def __getattr__(self, name: str) -> Any:
        if name in _OF_THE_IMPORT_SYSTEM:
            raise AttributeError(name)
        with _lock:
            if type(self) is _Deferred:
                self.__class__ = ModuleType  # type: ignore[assignment]
                spec = self.__spec__
                if spec is not None and spec.loader is not None:
                    spec.loader.exec_module(self)
        return getattr(self, name)


def exchange_class(exchange_id: str, *, asynchronous: bool = False, pro: bool = False) -> type[Any]:
    """Return ccxt's class of an exchange; with `pro` the asynchronous one that also watches streams.

    Raise ExchangeUnavailable when ccxt has no such exchange, or is not there.
    """
    if not _ID.match(exchange_id):
        raise ExchangeUnavailable(f"{exchange_id!r:.60} is no exchange; a ccxt exchange id is needed", "NOT_SUPPORTED")
    packages = ["ccxt", *(["ccxt.async_support"] if asynchronous or pro else []), *(["ccxt.pro"] if pro else [])]
    package = packages[-1]
    with _lock:
        try:
            for name in packages:
                _defer(name)
            module = importlib.import_module(f"{package}.{exchange_id}")
        except ImportError:
            words = f"ccxt has no exchange {exchange_id}, or is not installed; pip install ccxt"
            raise ExchangeUnavailable(words, "NOT_SUPPORTED") from None
        for name in packages:
            _uncover(sys.modules[name])
    found: type[Any] = getattr(module, exchange_id)
    return found


def _uncover(parent: ModuleType) -> None:
    """Take away the modules that the import system leaves where ccxt has classes, until the package is executed.

    Also of those that an exchange is made of: `binanceusdm` imports `binance`.
    """
    if type(parent) is _Deferred:
        for name, value in tuple(vars(parent).items()):
            if isinstance(value, ModuleType) and isinstance(getattr(value, name, None), type):
                vars(parent).pop(name, None)


def base_class(*, asynchronous: bool = False) -> type[Any]:
    """Return the class that every exchange of ccxt is made of: for one that ccxt does not have."""
    package = "ccxt.async_support" if asynchronous else "ccxt"
    with _lock:
        try:
            _defer("ccxt")
            if asynchronous:
                _defer("ccxt.async_support")
            module = importlib.import_module(f"{package}.base.exchange")
        except ImportError:
            raise ExchangeUnavailable("ccxt is not installed; pip install ccxt", "NOT_SUPPORTED") from None
    found: type[Any] = module.Exchange
    return found


def _defer(name: str) -> None:
    """Put a package in place unexecuted, unless it is there already."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError(name)
    package = importlib.util.module_from_spec(spec)
    package.__class__ = _Deferred
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)  # as the import system does it: ccxt.pro asks for it so
