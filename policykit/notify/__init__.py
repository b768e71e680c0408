"""Messages to people: one adapter to apprise, which knows Telegram, Slack, PagerDuty, mail and webhooks by URL.

Nothing here decides what is told, to whom, or how often; that is `policykit.guard.telling`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple

from policykit.redact import Secret, quiet, scrub

#: How a message is shown: what a phone rings for, what it lists, and what is over.
Tone = Literal["critical", "warning", "resolved"]
_TONES: Final[dict[Tone, str]] = {"critical": "failure", "warning": "warning", "resolved": "success"}
#: Webhooks without TLS: only on this machine, for the address has a token in it.
_PLAIN: Final = frozenset(("json", "xml", "form"))
_LOOPBACK: Final = frozenset(("127.0.0.1", "localhost", "::1"))
#: The longest reason of a failure that is passed on, in characters.
MAX_WORDS: Final = 300

_lock = threading.Lock()


class Sent(NamedTuple):
    """What came of one message: whether the service took it, and its words if not."""

    ok: bool
    words: str = ""


def send(address: Secret, title: str, body: str, tone: Tone) -> Sent:
    """Send plain text to one address and say what came of it; nothing is raised, and no word holds the address.

    Takes up to some ten seconds (apprise's time-outs are 4 s to connect and 4 s to read): never on the order path.
    """
    with _lock, quiet(), _heard() as heard:
        try:
            found = _service(address)
            if isinstance(found, Sent):
                return found
            done = found.notify(body=body, title=title, notify_type=_TONES[tone], body_format="text")
        except Exception as error:  # noqa: BLE001 - a service's own bug must not reach a guard; its text may be the URL
            return Sent(False, f"{type(error).__name__} in the message service")
    return Sent(True) if done else Sent(False, scrub("; ".join(heard) or "the service took nothing")[:MAX_WORDS])


def _service(address: Secret) -> Any | Sent:
    """Return what sends to an address, or why nothing does."""
    try:
        from apprise import Apprise, AppriseAsset, PersistentStoreMode
    except ImportError:
        return Sent(False, 'apprise is not installed; run `pip install "policykit-trading[notify]"`')
    url = address.reveal()
    asset = AppriseAsset(app_id="policykit", async_mode=False, storage_mode=PersistentStoreMode.MEMORY)
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        return Sent(False, "the address is none that apprise knows; tgram://, slack://, mailtos://, jsons:// may be")
    scheme = url.partition("://")[0].lower()
    if scheme in _PLAIN and getattr(service, "host", "") not in _LOOPBACK:
        return Sent(False, f"{scheme}:// sends in clear; use {scheme}s://, or a receiver on this machine")
    sender = Apprise(asset=asset)
    sender.add(service)
    return sender


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Take what apprise says of a failure, and let its log say nothing else: at DEBUG it has addresses in it."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger = logging.getLogger("apprise")
    before = (logger.level, logger.propagate, logger.handlers[:])
    logger.setLevel(logging.WARNING)
    logger.propagate, logger.handlers = False, [Listener()]
    try:
        yield heard
    finally:
        logger.level, logger.propagate, logger.handlers = before
        logger.setLevel(before[0])
