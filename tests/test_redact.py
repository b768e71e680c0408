"""The redaction boundary: a secret shows nowhere, whole or cut off, plain or encoded."""

from __future__ import annotations

import base64
import copy
import io
import logging
import pickle
import random
import traceback
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policykit import redact
from policykit.redact import REDACTED, Redactor, Secret
from tests.canary import assert_clean, canaries, leaks


@pytest.fixture
def factory() -> Iterator[None]:
    """Give the log record factory, and how a logger hands on, back after a test that changes them."""
    before, hand_on = logging.getLogRecordFactory(), logging.Logger.handle
    yield
    logging.setLogRecordFactory(before)
    logging.Logger.handle = hand_on  # type: ignore[method-assign]


def _secrets(seed: int, count: int = 1) -> tuple[list[str], list[Secret]]:
    birds = canaries(seed, count)
    return birds, [Secret(bird) for bird in birds]


def test_a_secret_shows_its_value_only_when_asked() -> None:
    """repr, str, format, %, f-string, containers and errors of a Secret never hold its value."""
    (bird,), (secret,) = _secrets(1)
    assert secret.reveal() == bird
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret!s:>3}", f"{[secret]}"]
    assert_clean(" ".join(shown), [bird])
    assert repr(secret) == "Secret([redacted])"
    assert copy.deepcopy({"a": secret})["a"] is secret
    assert copy.copy(secret) is secret
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol: int) -> None:
    """Pickling refuses with a sentence that holds no value."""
    (bird,), (secret,) = _secrets(2)
    with pytest.raises(TypeError) as caught:
        pickle.dumps(secret, protocol)
    assert str(caught.value) == "a secret is not pickled"
    assert_clean(str(caught.value), [bird])
    with pytest.raises(TypeError):
        secret.__getstate__()


def test_secrets_compare_without_showing() -> None:
    """Equality works and hashing is refused, so that no secret becomes a dict key by accident."""
    assert Secret("abcdefgh12345678") == Secret("abcdefgh12345678")
    assert Secret("abcdefgh12345678") != Secret("abcdefgh12345679")
    assert Secret("abcdefgh12345678") != "abcdefgh12345678"
    with pytest.raises(TypeError):
        hash(Secret("abcdefgh12345678"))


@pytest.mark.parametrize("value", ["", "x" * (redact.MAX_SECRET + 1)])
def test_an_empty_or_endless_secret_is_refused(value: str) -> None:
    """The refusal names the bound, never the value."""
    with pytest.raises(ValueError) as caught:
        Secret(value)
    assert str(caught.value) == "a secret has 1 to 16384 characters"


def _hide(rng: random.Random, bird: str) -> str:
    """Put a canary, or nine or more characters of it, into text in one of the ways secrets travel."""
    start = rng.randrange(0, len(bird) - 12)
    part = bird if rng.random() < 0.5 else bird[start : start + rng.randrange(9, 13)]
    way = rng.randrange(7)
    if way == 0:
        return f"GET https://api.example/api/v3/account?x={part}&y=1"
    if way == 1:
        return base64.b64encode(b"u" * rng.randrange(4) + part.encode() + b"tail" * rng.randrange(2)).decode()
    if way == 2:
        return base64.urlsafe_b64encode(b"user:" + part.encode()).decode()
    if way == 3:
        return part.encode().hex()
    if way == 4:
        return f"{{'X-MBX-APIKEY': '{part}'}}"
    if way == 5:
        return quote(f"?k={part}&", safe="")
    return "..." + part.encode().hex().upper() + part


def test_I23_scrub_leaves_no_window_of_a_secret() -> None:
    """500 texts with hidden canaries are clean after scrub; the same texts are not before (the control)."""
    cases, dirty = 500, 0
    rng = random.Random(23)
    for case in range(cases):
        birds = canaries(case, 2)
        one = Redactor()
        for bird in birds:
            one.register(bird)
        text = "ordinary words before " + _hide(rng, birds[0]) + " and between " + _hide(rng, birds[1]) + " after"
        dirty += bool(leaks(text, birds))
        clean = one.exact(text)
        assert_clean(clean, birds)
        assert clean.startswith("ordinary words before ")
        assert clean.endswith(" after")
    assert dirty == cases


def test_a_redactor_that_only_replaces_whole_secrets_fails_the_same_check() -> None:
    """Control: the naive way, text.replace(secret), leaves cut-off and encoded secrets."""
    (bird,) = canaries(5)
    for text in (bird[:12], base64.b64encode(bird.encode()).decode(), bird.encode().hex()):
        assert leaks(text.replace(bird, REDACTED), [bird])


def test_what_is_around_a_secret_stays() -> None:
    """Exactly the secret goes: text before, between and after is kept, neighbours melt into one mark."""
    one = Redactor()
    one.register("AbCdEfGhIjKlMnOp")
    assert one.exact("a AbCdEfGhIjKlMnOp b AbCdEfGhIjKlMnOpAbCdEfGhIjKlMnOp c") == f"a {REDACTED} b {REDACTED} c"
    assert one.exact("EfGhIjKl") == REDACTED
    assert one.exact("EfGhIjK") == "EfGhIjK"
    assert one.exact("nothing here") == "nothing here"


def test_short_secrets_go_whole_and_tiny_ones_are_left() -> None:
    """A passphrase under eight characters is redacted as a whole; under four it would blank ordinary text."""
    one = Redactor()
    one.register("pa55wd")
    one.register("abc")
    assert one.exact("x pa55wd y abc pa55w") == f"x {REDACTED} y abc pa55w"


def test_a_private_key_is_redacted_line_by_line_and_its_frame_is_not() -> None:
    """PEM bodies go, the words BEGIN PRIVATE KEY do not, else every text about keys would be blanked."""
    body = canaries(9, 2, 64)
    pem = f"-----BEGIN PRIVATE KEY-----\n{body[0]}\n{body[1]}\n-----END PRIVATE KEY-----\n"
    one = Redactor()
    one.register(pem)
    assert_clean(one.exact(repr(pem)), body)
    assert one.exact("the PRIVATE KEY of the END") == "the PRIVATE KEY of the END"


def test_forgotten_secrets_are_no_longer_known() -> None:
    """Registering twice needs forgetting twice; others stay known."""
    one = Redactor()
    for value in ("first-secret-value", "first-secret-value", "another+unlike+1"):
        one.register(value)
    one.forget(["first-secret-value"])
    assert one.exact("first-secret-value") == REDACTED
    one.forget(["first-secret-value"])
    assert one.exact("first-secret-value") == "first-secret-value"
    assert one.exact("another+unlike+1") == REDACTED


def test_the_number_of_secrets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit registering fails loudly: dropping a secret silently would print it later."""
    monkeypatch.setattr(redact, "MAX_SECRETS", 1)
    one = Redactor()
    one.register("first-secret-value")
    one.register("first-secret-value")
    with pytest.raises(OverflowError) as caught:
        one.register("second-secret-value")
    assert str(caught.value) == "over 1 secrets in one process"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("signature=ab12cd&x=1", "signature=[redacted]&x=1"),
        ('{"apiKey": "k", "n": 1}', '{"apiKey": "[redacted]", "n": 1}'),
        ("X-MBX-APIKEY: zzz", "X-MBX-APIKEY: [redacted]"),
        ("listen_token='t t'", "listen_token='[redacted] t'"),
        ("redis://user:pass@host:6379/0", "redis://[redacted]@host:6379/0"),
        ("secret: env://BINANCE_MAIN", "secret: env://BINANCE_MAIN"),
        ("secret: vault://kv/trading/mm", "secret: vault://kv/trading/mm"),
        ("key: mm-exec", "key: mm-exec"),
        ("signature=[redacted]", "signature=[redacted]"),
    ],
)
def test_values_of_secret_names_go_even_when_nobody_registered_them(text: str, clean: str) -> None:
    """Scrub knows secret-looking names and credentials in URIs, and leaves references and key names."""
    assert redact.scrub(text) == clean


def test_fields_are_redacted_by_name_at_any_depth() -> None:
    """Names with secret, key, pass, token, credential or signature lose their values; plain data stays."""
    data = {
        "symbol": "BTC/USDT",
        "n": 1,
        "ok": True,
        "none": None,
        "list": [{"API_KEY": "v", "inner": {"Passphrase": "v"}}],
        "x-token": "v",
        "credentials": {"a": "v"},
        "signature": "v",
    }
    assert redact.fields(data) == {
        "symbol": "BTC/USDT",
        "n": 1,
        "ok": True,
        "none": None,
        "list": [{"API_KEY": REDACTED, "inner": {"Passphrase": REDACTED}}],
        "x-token": REDACTED,
        "credentials": REDACTED,
        "signature": REDACTED,
    }
    deep: object = "end"
    for _ in range(redact.MAX_DEPTH + 1):
        deep = [deep]
    assert REDACTED in str(redact.fields(deep))
    assert "end" not in str(redact.fields(deep))


def test_texts_from_outside_are_scrubbed_names_and_all() -> None:
    """Known secrets go from names and values at any depth; names like `keys` keep their values."""
    (bird,), _ = _secrets(80)
    data = {"keys": [{f"enable{bird}": bird, "n": 1, "ok": True, "none": None}], "secret": "env://MM"}
    assert redact.texts(data) == {
        "keys": [{f"enable{REDACTED}": REDACTED, "n": 1, "ok": True, "none": None}],
        "secret": "env://MM",
    }
    deep: object = "end"
    for _ in range(redact.MAX_DEPTH + 1):
        deep = [deep]
    assert "end" not in str(redact.texts(deep))


def test_headers_are_redacted_by_name() -> None:
    """Key, cookie and authorization headers lose their values, others are scrubbed only."""
    seen = redact.headers({"X-MBX-APIKEY": "k", "Set-Cookie": "c", "Authorization": "Basic x", "Retry-After": 7})
    assert seen == {
        "X-MBX-APIKEY": REDACTED,
        "Set-Cookie": REDACTED,
        "Authorization": REDACTED,
        "Retry-After": "7",
    }


def _log_all(logger: logging.Logger, bird: str) -> None:
    logger.warning("url %s", f"https://x/?signature={bird}")
    logger.warning("no format for %d", bird)
    logger.warning("extra", extra={"api_secret": bird, "note": f"half {bird[:12]}", "n": 3})
    try:
        raise ValueError(f"bad {bird}")
    except ValueError:
        logger.exception("failed with %r", bird)
    logger.warning("stack", stack_info=True)


class _Everything(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return super().format(record) + str(vars(record))


def test_I23_no_log_line_holds_a_secret(factory: None) -> None:
    """Message, arguments, exception, traceback and extra fields of a record are clean; without the filter they leak."""
    (bird,), _ = _secrets(77)
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Everything())
    logger = logging.getLogger("policykit.test.redact")
    logger.propagate = False
    logger.addHandler(handler)
    errors = logging.raiseExceptions
    logging.raiseExceptions = False
    try:
        _log_all(logger, bird)
        assert leaks(out.getvalue(), [bird])
        out.truncate(0)
        redact.install([handler])
        redact.install([handler])
        assert len(handler.filters) == 1
        _log_all(logger, bird)
    finally:
        logging.raiseExceptions = errors
        logger.removeHandler(handler)
    assert_clean(out.getvalue(), [bird])
    assert "ValueError: bad [redacted]" in out.getvalue()
    assert "'n': 3" in out.getvalue()


@pytest.mark.parametrize(
    "name", ["", "ccxt.base.exchange", "urllib3.connectionpool", "aiohttp.client", "httpx", "mine"]
)
def test_I23_fields_of_a_record_are_clean_for_every_handler(factory: None, name: str) -> None:
    """Loggers made before and after, a handler that is added later and that `install` never saw, fields by `extra=`."""
    redact.install()
    (bird,), _ = _secrets(81)
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Everything())
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        _log_all(logger, bird)
        headers = {"OK-ACCESS-SIGN": "c2lnbmF0dXJlIG9mIG9uZSByZXF1ZXN0", "Content-Type": "json"}
        logger.warning("sent %s", headers)
        logger.warning("GET /v5/order?sign=aabbccddeeff&signed_ms=17, a design: fine")
    finally:
        logger.removeHandler(handler)
    assert_clean(out.getvalue(), [bird])
    assert "'OK-ACCESS-SIGN': '[redacted]', 'Content-Type': 'json'" in out.getvalue()
    assert "sign=[redacted]&signed_ms=17, a design: fine" in out.getvalue()


def test_a_record_with_ready_exception_text_is_scrubbed() -> None:
    """A record that comes from elsewhere with its exception as text is cleaned as well."""
    (bird,), _ = _secrets(78)
    record = logging.makeLogRecord({"msg": "m", "exc_text": f"Error: {bird}", "stack_info": f"at {bird}"})
    redact.clean_record(record)
    assert record.exc_text == "Error: [redacted]"
    assert record.stack_info == "at [redacted]"


def test_an_exception_printed_by_traceback_can_be_scrubbed() -> None:
    """Scrub cleans a whole formatted traceback and keeps its frame lines."""
    (bird,), _ = _secrets(79)
    try:
        raise RuntimeError(bird)
    except RuntimeError as error:
        text = redact.scrub("".join(traceback.format_exception(error)))
    assert_clean(text, [bird])
    assert "RuntimeError: [redacted]" in text


@given(
    st.lists(
        st.sampled_from(
            [*"aK_-=:& '\"1", "api", "API", "key", "ſecret", "sign", "SIGNED", "toKen", "pass", "word", "private"]
        )
    )
)
def test_text_that_passes_quickly_has_nothing_to_redact(pieces: list[str]) -> None:
    """The quick look lets no text by that the slow one would change, whatever its case or its letters' old forms."""
    text = "".join(pieces)
    assert redact.scrub(text) == redact._PAIR.sub(lambda match: match[1] + redact.REDACTED, text)
