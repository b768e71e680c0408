"""Messages to people: one adapter to apprise, which knows Telegram, Slack, PagerDuty, mail and webhooks by URL.

Nothing here decides what is told, to whom, or how often; that is `policykit.guard.telling`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
#: How many messages are being sent now, and how apprise's logger was before the first of them.
_sending = 0
_before: tuple[int, bool, list[logging.Handler]] = (logging.NOTSET, True, [])


class Sent(NamedTuple):
    """What came of one message: whether the service took it, and its words if not."""

    ok: bool
    words: str = ""


def send(address: Secret, title: str, body: str, tone: Tone) -> Sent:
    """Send plain text to one address and say what came of it; nothing is raised, and no word holds the address.

    An answer is read up to `bounded.MAX_ANSWER`. Takes up to some ten seconds (apprise's time-outs are 4 s to connect
    and 4 s to read): never on the order path.
    """
    heard: list[str] = []
    with quiet(), _unlogged():
        try:
            found = _service(address)
            if isinstance(found, Sent):
                return found
            done = found.notify(
                body=body,
                title=title,
                notify_type=_TONES[tone],
                body_format="text",
                log_callback=lambda entry, _: heard.append(entry.message),
                log_level=logging.WARNING,
            )
        except Exception as error:  # noqa: BLE001 - a service's own bug must not reach a guard; its text may be the URL
            return Sent(False, f"{type(error).__name__} in the message service")
    return Sent(True) if done else Sent(False, scrub("; ".join(heard) or "the service took nothing")[:MAX_WORDS])


def prepare() -> None:
    """Load apprise with its services: a second or two of work, which no message should cost a bot that trades."""
    with suppress(ImportError), quiet(), _unlogged():
        from apprise import Apprise

        Apprise.instantiate("json://localhost")


def problem(address: Secret) -> Sent | None:
    """Return why nothing can be sent to an address, None if it looks right; nothing is sent."""
    with quiet(), _unlogged():
        try:
            found = _service(address)
        except Exception as error:  # noqa: BLE001 - as in `send`
            return Sent(False, f"{type(error).__name__} in the message service")
    return found if isinstance(found, Sent) else None


def _service(address: Secret) -> Any | Sent:
    """Return what sends to an address, or why nothing does."""
    try:
        from apprise import Apprise, AppriseAsset, PersistentStoreMode

        from policykit.notify import bounded
    except ImportError:
        return Sent(False, 'apprise is not installed; run `pip install "policykit-trading[notify]"`')
    url = address.reveal()
    asset = AppriseAsset(app_id="policykit", async_mode=False, storage_mode=PersistentStoreMode.MEMORY)
    service = Apprise.instantiate(url, asset=asset)
    bounded.bind()
    if service is None:
        return Sent(False, "the address is none that apprise knows; tgram://, slack://, mailtos://, jsons:// may be")
    scheme = url.partition("://")[0].lower()
    if scheme in _PLAIN and getattr(service, "host", "") not in _LOOPBACK:
        return Sent(False, f"{scheme}:// sends in clear; use {scheme}s://, or a receiver on this machine")
    sender = Apprise(asset=asset)
    sender.add(service)
    return sender


@contextmanager
def _unlogged() -> Iterator[None]:
    """Let apprise's log reach nobody meanwhile: at DEBUG it has addresses in it. What it says is asked for by call."""
    global _sending, _before  # noqa: PLW0603 - one logger for the process
    logger = logging.getLogger("apprise")
    with _lock:
        _sending += 1
        if _sending == 1:
            _before = (logger.level, logger.propagate, logger.handlers)
            logger.setLevel(logging.WARNING)
            logger.propagate, logger.handlers = False, []
    try:
        yield
    finally:
        with _lock:
            _sending -= 1
            if _sending == 0:
                logger.propagate, logger.handlers = _before[1], _before[2]
                logger.setLevel(_before[0])
