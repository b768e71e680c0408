"""Who signed a statement: stock signatures hold, and nothing that differs from what was signed does."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from policykit.guard import signatures
from policykit.guard.signatures import NotSigned, matches, signer, verified
from policykit.policy.statement import Statement, Subject, parse
from tests.guard.signing import Signer, allowed, ecdsa_signer, ed25519_signer, rsa_signer, stated

NOW = 1_795_000_000_000  # 2026-11-18T11:06:40Z
SUBJECT = Subject("policy", "binance/main", "mm", "sha256:" + "a" * 64)
ALICE, BOB = ed25519_signer("alice@desk"), rsa_signer("bob@risk")
BOTH = allowed(ALICE, BOB)


def said(by: Signer = ALICE) -> Statement:
    """Return a statement of a person."""
    return stated(SUBJECT, by, NOW, signers="none")


def refused(text: str, signature: str, *, signers: str = BOTH, revoked: str = "", at_ms: int = NOW) -> str:
    """Return why a signature does not hold."""
    with pytest.raises(NotSigned) as raised:
        verified(text, signature, signers=signers, revoked=revoked, at_ms=at_ms)
    return str(raised.value)


def test_the_text_that_is_signed_is_what_a_person_reads() -> None:
    """Ten lines of plain words, in one order."""
    assert said().text() == (
        "policykit approval 1\nwhat: policy\naccount: binance/main\nof: mm\ndigest: sha256:" + "a" * 64 + "\n"
        "signers: none\nwhy: OPS-12\nby: alice@desk\nat: 2026-11-18T11:06:40Z\nexpires: never\n"
        "nonce: 0000000000000000\n"
    )
    assert parse(said().text()) == said()


@pytest.mark.parametrize("by", [ALICE, BOB])
def test_a_signature_by_who_may_sign_holds(by: Signer) -> None:
    """Ed25519 and RSA; the fingerprint is what `ssh-keygen -l` shows."""
    text = said(by).text()
    found = verified(text, by.sign(text), signers=BOTH, revoked="# nobody\n\n", at_ms=NOW)
    assert (found.statement, found.key) == (said(by), by.fingerprint)
    assert verified(text, by.sign(text, algorithm="sha256"), signers=BOTH, revoked="", at_ms=NOW).key == by.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        {"what": "resume"},
        {"account": "binance/hedge"},
        {"of": "mm2"},
        {"digest": "sha256:" + "b" * 64},
        {"signers": "sha256:" + "c" * 64},
        {"why": "OPS-13"},
        {"by": "bob@risk"},
        {"at": "2026-11-19T11:06:40Z"},
        {"expires": "2027-11-18T11:06:40Z"},
        {"nonce": "1" * 16},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_signature_is_of_no_other_statement(other: dict[str, str]) -> None:
    """Each line counts: a signature of another policy, digest, scope, person or time is none of this one."""
    signature = ALICE.sign(said().text())
    assert refused(replace(said(), **other).text(), signature) == "the signature is not of this statement"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (said().text() + "\n", "the statement was changed"),
        (said().text().replace("\nwhy", "\n\nwhy"), "the statement was changed"),
        (said().text().replace("OPS-12", "OPS\u202e12"), "the statement was changed"),
        (said().text().replace("why: OPS-12\n", "why: OPS-12\nwhy: OPS-12\n"), "the statement was changed"),
        (said().text().replace("why: OPS-12", "why: "), "the statement was changed"),
        (said().text().replace("what: policy\n", ""), "it is no statement"),
        (said().text().replace("approval 1", "approval 2"), "it is no statement"),
        (said().text() + "more: x\n", "it is no statement"),
        ("x" * 10_000_000, "it is no statement"),
        (said().text().replace("what: policy", "what: withdraw"), '"withdraw" is nothing that is approved'),
        (said().text().replace("11:06:40Z", "11:06"), '"2026-11-18T11:06" is no moment'),
        (said().text().replace("expires: never", "expires: soon"), '"soon" is no moment'),
        (said().text().replace("2026-11-18", "2026-13-18"), "month must be in 1..12"),
    ],
)
def test_a_text_in_another_form_is_no_statement_though_it_is_signed(text: str, why: str) -> None:
    """What is hidden, doubled, left out or added is refused before the signature is looked at."""
    assert refused(text, ALICE.sign(text)).startswith(why)


def test_what_is_signed_for_something_else_is_no_approval() -> None:
    """A signature of a git commit or a file, by the same key over the same text, has another namespace."""
    text = said().text()
    told = 'it is signed for another purpose; ssh-keygen -Y sign -n "policykit" is needed'
    assert refused(text, ALICE.sign(text, "git")) == told
    assert refused(text, ALICE.sign(text, algorithm="md5")) == "it is signed over a hash that ssh-keygen does not use"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ('valid-before="20261101"', "the key of alice@desk was not valid then (valid-after, valid-before)"),
        ('valid-after="20261201Z"', "the key of alice@desk was not valid then (valid-after, valid-before)"),
        ('valid-before="20261118110639Z"', "the key of alice@desk was not valid then (valid-after, valid-before)"),
        ('valid-before="soon"', 'the signers\' file has "soon" for a time; YYYYMMDD or YYYYMMDDHHMMSSZ is needed'),
        ('namespaces="git,file"', "the signers' file does not let alice@desk sign for policykit (namespaces)"),
        ("cert-authority", "certificates are not taken; the signers' file needs the key itself"),
        ("made-up=1", "the signers' file cannot be read; see ssh-keygen(1), ALLOWED SIGNERS"),
    ],
)
def test_a_key_signs_only_when_and_for_what_the_file_says(options: str, why: str) -> None:
    """OpenSSH's own options bind here as they do there."""
    text = said().text()
    assert refused(text, ALICE.sign(text), signers=allowed(ALICE, options=options)) == why


@pytest.mark.parametrize(
    "options", ['valid-before="20261118110640Z"', 'valid-after="202611181106Z",namespaces="file,policy*"']
)
def test_the_ends_of_a_key_s_time_are_in_it(options: str) -> None:
    """As ssh-keygen takes them: the moment itself is valid."""
    text = said().text()
    assert verified(text, ALICE.sign(text), signers=allowed(ALICE, options=options), revoked="", at_ms=NOW)


def test_a_key_that_has_run_out_does_not_sign_for_the_past() -> None:
    """Who dates a statement back is met by when it was taken in."""
    text = said().text()
    signers = allowed(ALICE, options='valid-before="20261119Z"')
    assert verified(text, ALICE.sign(text), signers=signers, revoked="", at_ms=NOW)
    assert "was not valid then" in refused(text, ALICE.sign(text), signers=signers, at_ms=NOW + 86_400_000)


def test_who_is_not_in_the_file_signs_nothing() -> None:
    """A stranger's key; a known key under another's name; a revoked one; one that stands in another's line."""
    text, eve = said().text(), ed25519_signer("alice@desk")
    assert refused(text, eve.sign(text)) == f"the signers' file has no key {eve.fingerprint}"
    assert refused(text, BOB.sign(text)) == f"the key {BOB.fingerprint} is not alice@desk's"
    assert refused(text, ALICE.sign(text), signers="") == f"the signers' file has no key {ALICE.fingerprint}"
    revoked = f"# left in May\n{BOB.line}\n{ALICE.line} alice@laptop\n"
    assert refused(text, ALICE.sign(text), revoked=revoked) == f"the key {ALICE.fingerprint} is revoked"
    unread = "the list of revoked keys cannot be read; public keys are needed, one a line"
    assert refused(text, ALICE.sign(text), revoked="serial: 7\n") == unread
    assert refused(text, ALICE.sign(text), revoked="SSHKRL\n\0") == unread


@pytest.mark.parametrize("signature", ["", "x", "-----BEGIN SSH SIGNATURE-----\n!!\n", "é", "A" * 20_000])
def test_what_is_no_signature_is_said_so(signature: str) -> None:
    """Whatever stands in a row of the store."""
    told = "it is no signature of ssh-keygen (-----BEGIN SSH SIGNATURE-----)"
    assert refused(said().text(), signature) == told


def test_a_flipped_bit_anywhere_is_no_signature() -> None:
    """Each byte of the armored text counts, or the text is the same signature."""
    text = said().text()
    good = ALICE.sign(text)
    body = good.splitlines()[1]
    for at in range(0, len(body), 5):
        bad = body[:at] + ("A" if body[at] != "A" else "B") + body[at + 1 :]
        with pytest.raises(NotSigned):
            verified(text, good.replace(body, bad), signers=BOTH, revoked="", at_ms=NOW)


def test_without_the_library_nothing_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail closed, and say what to install."""
    monkeypatch.setitem(__import__("sys").modules, "sshsig.sshsig", None)
    told = "sshsig is not installed, so no signature can be verified; pip install 'policykit-trading[signing]'"
    assert refused(said().text(), ALICE.sign(said().text())) == told


def test_other_kinds_of_keys_are_ssh_keygen_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hardware key is verified by the program where it is there, and is no signer where it is not."""
    carol = ecdsa_signer("carol")
    text = said(carol).text()
    monkeypatch.setenv("PATH", str(tmp_path))
    told = "keys of this type are verified by ssh-keygen, which is not installed; sign with ed25519"
    assert refused(text, carol.sign(text), signers=allowed(carol)) == told
    program = tmp_path / "ssh-keygen"
    for answer in (1, 0):
        program.write_text(f'#!/bin/sh\n[ "$*" = "-Y check-novalidate -n policykit -s $6" ] || exit 9\nexit {answer}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        if answer:
            assert refused(text, carol.sign(text), signers=allowed(carol)) == "the signature is not of this statement"
        else:
            assert signer(text, carol.sign(text)) == carol.fingerprint
    os.truncate(program, 0)
    program.write_bytes(b"\x7fELF")
    assert refused(text, carol.sign(text), signers=allowed(carol)) == "ssh-keygen could not verify the signature"


@pytest.mark.parametrize(
    ("patterns", "name", "found"),
    [
        ("alice", "alice", True),
        ("alice", "Alice", False),
        ("*@desk", "alice@desk", True),
        ("*@desk,!alice@*", "alice@desk", False),
        ("!alice@*,*@desk", "bob@desk", True),
        ("al?ce", "alice", True),
        ("al.ce", "alice", False),
        ("", "", False),
        ("!bob", "alice", False),
    ],
)
def test_patterns_are_openssh_s(patterns: str, name: str, found: bool) -> None:
    """ssh_config(5), PATTERNS: `*`, `?`, and `!` to leave somebody out."""
    assert matches(patterns, name) is found


def test_a_file_of_signers_has_an_end() -> None:
    """A gigabyte is not read into a guard."""
    text = said().text()
    long = BOTH + "#" * signatures.MAX_SIGNERS
    told = "the signers' file cannot be read; see ssh-keygen(1), ALLOWED SIGNERS"
    assert refused(text, ALICE.sign(text), signers=long) == told
