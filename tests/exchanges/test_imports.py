"""One exchange's class is imported without the other hundred, and a bot's own `import ccxt` sees all of it."""

from __future__ import annotations

import subprocess
import sys

import ccxt
import ccxt.async_support
import pytest

from policykit.errors import ExchangeUnavailable
from policykit.exchanges.imports import exchange_class


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_only_the_asked_exchange_is_loaded() -> None:
    """Kraken is not in memory after binance was asked for; `import ccxt` alone loads it (the control)."""
    out = _python(
        "import sys\n"
        "from policykit.exchanges.imports import exchange_class\n"
        "cls = exchange_class('binance')\n"
        "print(cls.__module__, 'ccxt.kraken' in sys.modules, cls().id)\n"
    )
    assert out == "ccxt.binance False binance"
    assert _python("import ccxt, sys; print('ccxt.kraken' in sys.modules)") == "True"


def test_a_later_import_of_ccxt_is_whole_and_the_same() -> None:
    """`import ccxt` after it gives every exchange, the version, errors, and the very class that was loaded first."""
    out = _python(
        "from policykit.exchanges.imports import exchange_class\n"
        "first = exchange_class('binance')\n"
        "asynchronous = exchange_class('binance', asynchronous=True)\n"
        "import ccxt, ccxt.async_support as a\n"
        "print(ccxt.binance is first, a.binance is asynchronous, ccxt.kraken().id, ccxt.__version__[:2],\n"
        "      issubclass(ccxt.errors.RequestTimeout, ccxt.NetworkError), len(ccxt.exchanges) > 90,\n"
        "      exchange_class('binance') is first, a.kraken.__module__)\n"
        "from ccxt import *\n"
        "print(okx.__module__, type(ccxt).__name__)\n"
    )
    assert out == "True True kraken 4. True True True ccxt.async_support.kraken\nccxt.okx module"


def test_what_an_exchange_is_made_of_is_a_class_too() -> None:
    """`binanceusdm` imports `binance`: a bot's `ccxt.binance` was a module after it, and ccxt.pro did not load."""
    out = _python(
        "from policykit.exchanges.imports import exchange_class\n"
        "exchange_class('binanceusdm')\n"
        "exchange_class('binanceusdm', asynchronous=True)\n"
        "print(exchange_class('binance', pro=True).__module__, exchange_class('binanceusdm', pro=True).__module__)\n"
        "import ccxt, ccxt.async_support as a\n"
        "print(ccxt.binance.__module__, a.binance.__module__, ccxt.kraken().id)\n"
    )
    assert out == "ccxt.pro.binance ccxt.pro.binanceusdm\nccxt.binance ccxt.async_support.binance kraken"


def test_with_ccxt_loaded_its_own_classes_are_given() -> None:
    """A bot that imported ccxt itself gets the classes it already has."""
    assert exchange_class("binance") is ccxt.binance
    assert exchange_class("binance", asynchronous=True) is ccxt.async_support.binance
    assert ccxt.binance.__name__ == "binance"


@pytest.mark.parametrize("name", ["nosuchexchange", "os", "../x", "", "Binance", "x" * 99])
def test_no_exchange_is_a_clear_error(name: str) -> None:
    """Odd ids import nothing and say what is needed."""
    with pytest.raises(ExchangeUnavailable) as caught:
        exchange_class(name)
    assert caught.value.code == "NOT_SUPPORTED"
    assert "is no exchange" in str(caught.value) or "ccxt has no exchange" in str(caught.value)
