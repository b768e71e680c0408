"""A signed time from an authority (RFC 3161), so that an anchor is as old as it says; extra `timestamp`."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 15
#: An answer has a few kilobytes of certificates.
MAX_BYTES: Final = 200_000
MISSING: Final = "rfc3161-client is not installed; pip install 'policykit-trading[timestamp]'"


class TimestampError(Exception):
    """A timestamp could not be had, or does not hold."""


def stamp(url: str, message: bytes) -> bytes:
    """Ask an authority to sign a message with the time; return its answer (DER), once it is one for this message."""
    try:
        from rfc3161_client import TimestampRequestBuilder
    except ImportError:
        raise TimestampError(MISSING) from None
    if not url.startswith(("http://", "https://")):
        raise TimestampError("is no address; http:// or https:// is needed")
    asked = TimestampRequestBuilder().data(message).build()
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    request = urllib.request.Request(url, asked.as_bytes(), headers)  # noqa: S310  # the scheme was looked at
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  # nosec B310
            content: bytes = answer.read(MAX_BYTES)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise TimestampError(f"did not answer ({type(error).__name__})") from None
    _signed(content, message)
    return content


def proved(content: bytes, message: bytes, roots: Path) -> str:
    """Return the time that an answer proves, by an authority of which `roots` (PEM) has the certificate."""
    from cryptography.x509 import load_pem_x509_certificates
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    told = _signed(content, message)
    try:
        known = load_pem_x509_certificates(roots.read_bytes())
    except (OSError, ValueError):
        raise TimestampError(f"{roots}: has no certificates; a PEM file with the authority's is needed") from None
    builder = VerifierBuilder()
    for certificate in known:
        builder = builder.add_root_certificate(certificate)
    try:
        builder.build().verify_message(decode_timestamp_response(content), message)
    except (VerificationError, ValueError) as error:
        raise TimestampError(f"the timestamp does not hold ({type(error).__name__})") from None
    return told


def _signed(content: bytes, message: bytes) -> str:
    """Return the time in an answer; raise for one that is none, or of another message. Signatures are not looked at."""
    import hashlib

    try:
        from rfc3161_client import decode_timestamp_response
    except ImportError:
        raise TimestampError(MISSING) from None
    try:
        answer = decode_timestamp_response(content)
        told = answer.tst_info
        imprint = told.message_imprint.message
    except ValueError:
        raise TimestampError("is no timestamp, or a refusal") from None
    if imprint not in (hashlib.sha256(message).digest(), hashlib.sha512(message).digest()):
        raise TimestampError("the timestamp is of something else")
    return str(told.gen_time.isoformat())
