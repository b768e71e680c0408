"""The options that a bot's settings hand to the exchange client."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.rules.config.base import Config, Setting

#: Sections whose content goes to the constructor of a ccxt client as it is (freqtrade 2026.9, `exchange.py`).
_SECTIONS = frozenset(("ccxt_config", "ccxt_sync_config", "ccxt_async_config"))


def client_options(config: Config) -> Iterator[tuple[str, Setting]]:
    """Yield (option in lower case, setting) for what stands inside of such a section, however deep."""
    for setting in config.settings:
        if any(part.lower() in _SECTIONS for part in setting.path[:-1]):
            yield setting.name.lower(), setting
