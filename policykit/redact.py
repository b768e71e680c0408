"""The one boundary that no secret crosses: a type that never shows its value, and exact redaction of what was read.

Every `Secret` is known to `scrub` from the moment it is made. `scrub` removes each run of characters that holds an
eight-character window of a known secret, plain, URL-, base64- or hex-encoded, so that a cut-off secret goes as well.
"""

from __future__ import annotations

import base64
import hmac
import logging
import re
import threading
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn
from urllib.parse import quote, quote_plus, unquote

#: What stands where a secret stood.
REDACTED: Final = "[redacted]"
#: A window of this many characters of a secret counts as the secret (PROMISES I23).
WINDOW: Final = 8
#: Shorter values are no secrets: redacting them would blank the text.
MIN_SECRET: Final = 4
#: The longest value that is a secret here (an RSA-4096 key in PEM is 3.2 kB), in characters.
MAX_SECRET: Final = 16_384
#: How many secrets one process may know.
MAX_SECRETS: Final = 10_000
#: How deep `fields` walks; what is deeper is replaced.
MAX_DEPTH: Final = 12

_NAME = re.compile(r"secret|key|pass|token|credential|signature|passphrase", re.IGNORECASE)
#: `name=value` in text nobody registered; bare "key" is left out, our own messages name keys.
_WORDS: Final = "secret|api[-_]?key|private[-_]?key|pass(?:word|phrase|wd)|token|credential|signature"
#: The last word of a header or parameter (OK-ACCESS-SIGN, `sign=`); `signed` and `design` are other words.
_SIGN: Final = "(?<![a-z0-9])sign(?![a-z0-9_-])"
#: Each name that `_PAIR` looks for has one of these in it, and is found by `_PAIR_NAME`.
_PARTS: Final = (
    *("secret", "token", "credential", "sign", "password", "passphrase", "passwd"),
    *(f"{word}{between}key" for word in ("api", "private") for between in ("", "-", "_")),
)
_PAIR_NAME = re.compile(f"{_WORDS}|{_SIGN}", re.IGNORECASE)
#: A bound before the word: without it a long run of letters takes the square of its length (10 kB: 0.2 s).
_PAIR = re.compile(
    rf"""((?:[\w-]{{0,64}}(?:{_WORDS})[\w-]*|{_SIGN})
        ["']?\s*[=:]\s*["']?)(?!(?:env|vault|aws-sm|azure-kv|keyring)://)(?!\[redacted\])([^\s"'&,;}}\])]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_USERINFO = re.compile(r"(://)[^\s/@]+@")
_PEM_LINE = re.compile(r"-----[A-Z0-9 ]{1,60}-----")


class Secret:
    """Hold a value that is shown by no `repr`, `str`, format, pickle, copy or comparison error; `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Keep the value and make it known to `scrub`. Raise ValueError for an empty or over-long one."""
        if not value or len(value) > MAX_SECRET:
            raise ValueError(f"a secret has 1 to {MAX_SECRET} characters")
        self._value = value
        register(value)

    def reveal(self) -> str:
        """Return the value: only for the call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({REDACTED})"

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class SecretUrl(Secret):
    """Hold an address with a token in it. `scrub` knows its parts, not the whole: else it would blank every `https://`."""

    __slots__ = ()

    def __init__(self, value: str) -> None:
        """Keep the address and make known to `scrub` what may be secret in it. Raise ValueError as Secret does."""
        if not value or len(value) > MAX_SECRET:
            raise ValueError(f"a secret has 1 to {MAX_SECRET} characters")
        self._value = value
        for part in _parts(value):
            register(part)


def _parts(url: str) -> Iterable[str]:
    """Yield what may be secret in an address: a password, and all else that is long enough but the name of a host."""
    rest = url.partition("://")[2] or url
    user, _, host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
    name = host.partition(":")[0]
    public = {host, name} if "." in name or name == "localhost" else set()  # slack://TOKEN/... has a token there
    yield user.partition(":")[2]
    for part in {*re.split(r"[/?#&=,@]", rest), *re.split(r"[/?#&=,@:]", rest)} - public:
        if len(part) >= WINDOW:
            yield from {part, unquote(part)}


def _encodings(value: str) -> Iterable[tuple[str, int]]:
    """Yield every encoded form of a secret, with the length of the window that is looked for in it."""
    raw = value.encode("utf-8", "surrogatepass")
    yield value, WINDOW
    for text in {quote(value, safe="", errors="replace"), quote_plus(value, errors="replace")} - {value}:
        yield text, WINDOW
        yield re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), text), WINDOW
    yield raw.hex(), WINDOW
    yield raw.hex().upper(), WINDOW
    for shift in range(3):  # the three ways a secret can lie in base64 of something longer
        text = base64.b64encode(b"\0" * shift + raw + b"\0" * ((-shift - len(raw)) % 3)).decode()
        inner = text[(0, 2, 3)[shift] : (8 * (shift + len(raw))) // 6]
        yield inner, WINDOW
        yield inner.replace("+", "-").replace("/", "_"), WINDOW


def _windows(value: str) -> set[str]:
    out: set[str] = set()
    for part in _PEM_LINE.split(value):
        part = part.strip()
        if len(part) < MIN_SECRET:
            continue
        for text, size in _encodings(part):
            size = min(size, len(text))
            out.update(text[i : i + size] for i in range(len(text) - size + 1))
    return {window for window in out if len(window) >= MIN_SECRET}


class Redactor:
    """Know secrets and remove them from text. Thread-safe. One for the process stands behind the functions below."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: Counter[str] = Counter()
        self._windows: dict[str, set[str]] = {}
        self._sizes: dict[int, frozenset[str]] = {}
        #: How often what it knows has changed.
        self.changes = 0

    def register(self, value: str) -> None:
        """Make a value known. Values under MIN_SECRET characters are ignored. Raise OverflowError past MAX_SECRETS."""
        with self._lock:
            if value not in self._known and len(self._known) >= MAX_SECRETS:
                raise OverflowError(f"over {MAX_SECRETS} secrets in one process")
            self._known[value] += 1
            if self._known[value] == 1:
                self._windows[value] = _windows(value)
                self._sizes = _merge(self._sizes, self._windows[value])
                self.changes += 1

    def forget(self, values: Iterable[str]) -> None:
        """Forget values registered before, each once (tests; a rotated key's old value)."""
        with self._lock:
            for value in values:
                self._known[value] -= 1
                if self._known[value] <= 0:
                    del self._known[value]
                    self._windows.pop(value, None)
            self._sizes = _merge({}, set().union(*self._windows.values()))
            self.changes += 1

    def exact(self, text: str) -> str:
        """Remove known secrets from text."""
        sizes = self._sizes
        if not sizes:
            return text
        spans: list[tuple[int, int]] = []
        for size, windows in sizes.items():
            spans.extend((i, i + size) for i in range(len(text) - size + 1) if text[i : i + size] in windows)
        return _cut(text, spans) if spans else text


def _merge(sizes: Mapping[int, frozenset[str]], windows: set[str]) -> dict[int, frozenset[str]]:
    out = dict(sizes)
    for size in {len(window) for window in windows}:
        out[size] = out.get(size, frozenset()) | {window for window in windows if len(window) == size}
    return out


def _cut(text: str, spans: list[tuple[int, int]]) -> str:
    out: list[str] = []
    done = 0
    end = -1
    for start, stop in sorted(spans):
        if start > end:
            if end >= 0:
                out.append(REDACTED)
                done = end
            out.append(text[done:start])
        end = max(end, stop)
    out.append(REDACTED)
    out.append(text[end:])
    return "".join(out)


_PROCESS = Redactor()


def register(value: str) -> None:
    """Make a value known to `scrub`; `Secret` does it by itself."""
    _PROCESS.register(value)


def forget(values: Iterable[str]) -> None:
    """Forget values registered before."""
    _PROCESS.forget(values)


def changes() -> int:
    """Return how often the known secrets have changed: a text that was clean stays so until it grows."""
    return _PROCESS.changes


def scrub(text: str) -> str:
    """Return text without known secrets, without values of secret-looking names, and without credentials in URIs."""
    # INVARIANT I23: whatever leaves as text passes here, and no window of a known secret is left in it.
    text = _PROCESS.exact(text)
    text = _USERINFO.sub(rf"\1{REDACTED}@", text)
    # Most text names nothing secret, which is told in a hundredth of the time that looking for its value takes.
    folded = text.casefold()
    if not any(part in folded for part in _PARTS) or not _PAIR_NAME.search(text):
        return text
    return _PAIR.sub(lambda match: match[1] + REDACTED, text)


def secret_name(name: str) -> bool:
    """Tell whether a field or header of this name may hold a secret."""
    return bool(_NAME.search(name))


def fields(value: Any, depth: int = 0) -> Any:
    """Return a copy of plain data with the values of secret-named fields replaced and every text scrubbed."""
    if depth > MAX_DEPTH:
        return REDACTED
    if isinstance(value, Mapping):
        return {
            scrub(str(name)): REDACTED if secret_name(str(name)) else fields(inner, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [fields(inner, depth + 1) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return scrub(str(value))


def texts(value: Any, depth: int = 0) -> Any:
    """Return a copy of plain data with every text scrubbed, names too; for data that came from outside."""
    if depth > MAX_DEPTH:
        return REDACTED
    if isinstance(value, Mapping):
        return {scrub(str(name)): texts(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [texts(inner, depth + 1) for inner in value]
    return value if value is None or isinstance(value, bool | int | float) else scrub(str(value))


def headers(values: Mapping[str, Any]) -> dict[str, str]:
    """Return HTTP headers with the values of secret-named ones replaced, cookies and authorization among them."""
    hidden = ("cookie", "authorization")
    return {
        name: REDACTED if secret_name(name) or any(word in name.lower() for word in hidden) else scrub(str(value))
        for name, value in values.items()
    }


class RedactingFilter(logging.Filter):
    """Scrub a log record: message, arguments, exception text, stack and extra fields. Put it on handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place; never drop it."""
        clean_record(record)
        return True


_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def clean_record(record: logging.LogRecord) -> None:
    """Scrub one log record in place."""
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - a broken format string must not print its arguments
        message = "a log message whose arguments do not fit its format"
    record.msg, record.args = scrub(message), ()
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = scrub("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
        record.exc_info = None
    elif record.exc_text:
        record.exc_text = scrub(record.exc_text)
    if record.stack_info:
        record.stack_info = scrub(record.stack_info)
    _clean_fields(record)


def _clean_fields(record: logging.LogRecord) -> None:
    for name in set(vars(record)) - _STANDARD:
        setattr(record, name, REDACTED if secret_name(name) else fields(getattr(record, name)))


_install_lock = threading.Lock()


def install(handlers: Iterable[logging.Handler] = ()) -> None:
    """Scrub every record that this process logs from now on, and everything that these handlers write. Idempotent.

    The record factory reaches each logger of the process, whenever it is made; fields given by `extra=` are set after
    it ran, so they are scrubbed where a logger hands its record on. `handlers` are for records that come to them
    another way. What a library prints (`verbose` of a ccxt client that no guard protects) is no log.
    """
    with _install_lock:
        before = logging.getLogRecordFactory()
        if not getattr(before, "policykit", False):

            def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
                record = before(*args, **kwargs)
                clean_record(record)
                return record

            factory.policykit = True  # type: ignore[attr-defined]
            logging.setLogRecordFactory(factory)
        hand_on = logging.Logger.handle
        if not getattr(hand_on, "policykit", False):

            def handle(self: logging.Logger, record: logging.LogRecord) -> None:
                _clean_fields(record)
                hand_on(self, record)

            handle.policykit = True  # type: ignore[attr-defined]
            logging.Logger.handle = handle  # type: ignore[method-assign]
        for handler in (*logging.getLogger().handlers, *handlers):
            if not any(isinstance(one, RedactingFilter) for one in handler.filters):
                handler.addFilter(RedactingFilter())


# ---- libraries that log what passes through them

#: Loggers of the libraries that see raw values: at DEBUG botocore logs every body, the others addresses and headers.
TALKATIVE: Final = (
    "boto3", "botocore", "urllib3", "requests", "hvac", "azure", "msal", "msal_extensions", "keyring",
    "secretstorage", "jeepney", "ccxt",
)  # fmt: skip
_SILENT: Final = logging.CRITICAL + 1

_quiet_lock = threading.Lock()
_depth = 0
_levels: dict[str, int] = {}
_debuglevel = 0


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries from logging, and http.client from printing, while raw values pass through them.

    # INVARIANT I23: what these libraries would log is no `Secret` yet, so no redaction could know it.
    """
    global _depth  # noqa: PLW0603 - one switch for the process: the loggers are the process's too
    with _quiet_lock:
        _depth += 1
        if _depth == 1:
            _silence()
    try:
        yield
    finally:
        with _quiet_lock:
            _depth -= 1
            if _depth == 0:
                _restore()


def _silence() -> None:
    import http.client  # here: only what talks to a server needs it

    global _debuglevel  # noqa: PLW0603 - as above
    known = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in TALKATIVE]
    for name in {*TALKATIVE, *known}:
        logger = logging.getLogger(name)
        if logger.level != logging.NOTSET or name in TALKATIVE:  # the others take their parent's level
            _levels[name] = logger.level
            logger.setLevel(_SILENT)
    _debuglevel = http.client.HTTPConnection.debuglevel
    http.client.HTTPConnection.debuglevel = 0


def _restore() -> None:
    import http.client

    for name, level in _levels.items():
        logging.getLogger(name).setLevel(level)
    _levels.clear()
    http.client.HTTPConnection.debuglevel = _debuglevel
