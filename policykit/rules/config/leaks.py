"""Which settings of a file are secrets: by the name and the value together, or by a format that is one for certain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from policykit.finding import Finding
from policykit.rules.base import Rule
from policykit.rules.config.base import Config, Setting
from policykit.rules.credentials import MIN_LENGTH, MIN_PASSPHRASE, Keeps, credential, keeps, known

#: Names that mean an exchange's secret, not the password of a database or of a chat.
_EXCHANGE_NAME = re.compile(r"(?i)secret|private_?key|pass_?phrase|mnemonic|seed_?phrase")
#: Sections of freqtrade's file whose secrets open something else than the exchange.
_OTHER_SECTIONS = frozenset(("telegram", "api_server", "discord", "webhook", "external_message_consumer", "coingecko"))


#: The section of freqtrade's own server: whoever has its password can enter and exit trades.
_SERVER = "api_server"


class Leak(NamedTuple):
    """A setting that is a credential."""

    setting: Setting
    keeps: Keeps
    #: What it is, as a message names it: `a secret`, `a Telegram bot token`, `an API key`.
    what: str
    #: Whether it opens an account at an exchange.
    exchange: bool
    certain: bool


def leaks(config: Config) -> Iterator[Leak]:
    """Yield the credentials of a file in their order; placeholders, references and encrypted values are none."""
    structured = config.kind != "python"  # there, only names are known, not what stands beside them
    beside_secret = {s.path[:-1] for s in config.settings if structured and "".join(s.path[-1:]).lower() == "secret"}
    off = {s.path[:-1] for s in config.settings if s.name == "enabled" and s.value.lower() == "false"}
    for setting in config.settings:
        if setting.path[:-1] in off and setting.path[:1] == (_SERVER,):
            continue  # what `freqtrade new-config` draws for a server that is off opens nothing
        leak = _leak(setting, setting.path[:-1] in beside_secret, config.kind in ("freqtrade", "hummingbot"))
        if leak is not None:
            yield leak


def _leak(setting: Setting, beside_secret: bool, bot: bool) -> Leak | None:
    value = setting.value
    what = known(value)
    if what:
        if what == "AWS access key":
            return Leak(setting, "key", f"an {what}", exchange=False, certain=True)
        return Leak(setting, "secret", f"a {what}", exchange=what == "private key", certain=True)
    name = setting.name
    kept = keeps(name) or ("key" if beside_secret and name.lower() == "key" else "")
    passphrase = (beside_secret and name.lower() == "password") or "phrase" in name.lower()
    chosen = passphrase or setting.path == (_SERVER, "password")
    if not kept or not credential(value, MIN_PASSPHRASE if chosen else MIN_LENGTH):
        return None
    exchange = bool(_EXCHANGE_NAME.search(name) or passphrase) and not _OTHER_SECTIONS.intersection(
        part.lower() for part in setting.path
    )
    what = "an API key" if kept == "key" else "a passphrase" if passphrase else "a secret"
    return Leak(setting, kept, what, exchange and kept == "secret", certain=bot or beside_secret)


def hidden(finding: Finding) -> Finding:
    """Mark a finding whose span is a secret: reports then show stars in its place, whatever it looks like."""
    finding.extra["secret"] = True
    return finding


def first_secret(rule: Rule, config: Config, message: str, next_step: str) -> Iterator[Finding]:
    """State one finding on a file with secrets, at the first; `{}` in the message becomes how many there are."""
    secrets = [leak for leak in leaks(config) if leak.keeps == "secret"]
    if secrets:
        held = secrets[0].what if len(secrets) == 1 else f"{len(secrets)} secrets"
        place = secrets[0].setting.place
        yield hidden(rule.finding(place, message.format(held), label=secrets[0].what, next_step=next_step))
