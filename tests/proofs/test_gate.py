"""Who must agree to a loosened policy, and what counts as agreement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policykit.errors import PolicykitError
from policykit.guard.approvals import of_policy
from policykit.policy import EffectivePolicy, load_text
from policykit.policy.statement import digest_of
from policykit.proofs.difference import Difference, PolicyDifference, Verdict
from policykit.proofs.gate import Consent, Evidence, consents, gathered
from tests.engine.worlds import NOW
from tests.guard.signing import Signer, allowed, ed25519_signer, stated
from tests.guard.world import policy_text

ALICE, BOB, EVE = ed25519_signer("alice"), ed25519_signer("bob"), ed25519_signer("eve")
SIGNERS = allowed(ALICE, BOB)
FILE = "policy.yaml"
NOBODY_SAYS = "no `approvals:` of it says who may approve a looser policy"


def _policy(approvals: str = "", cap: str = "1500 USDT") -> EffectivePolicy:
    text = policy_text().replace("1500 USDT", cap)
    assert cap in text
    return load_text(text + (f"approvals: {{signers: /etc/policykit/signers{approvals}}}\n" if approvals else ""))


def _difference(old: EffectivePolicy | None, new: EffectivePolicy | None, verdict: Verdict = "looser") -> Difference:
    return Difference("main", ".", (PolicyDifference("mm", old, new, verdict),))


def _signature(policy: EffectivePolicy, signer: Signer, signers: str = SIGNERS, at_ms: int = NOW) -> tuple[str, str]:
    text = stated(of_policy(policy), signer, at_ms, signers=digest_of(signers)).text()
    return text, signer.sign(text)


def _asked(difference: Difference, **evidence: object) -> Consent:
    (found,) = consents(difference, Evidence(NOW, **evidence))  # type: ignore[arg-type]
    return found


BY = ", by: [alice, bob]"
OLD, NEW = _policy(BY), _policy(BY, "15000 USDT")


@pytest.mark.parametrize("verdict", ["equal", "tighter"])
def test_what_is_not_looser_needs_nobody(verdict: Verdict) -> None:
    """A reviewer is not asked for what takes nothing away."""
    assert consents(_difference(OLD, NEW, verdict), Evidence(NOW)) == ()


@pytest.mark.parametrize("verdict", ["looser", "different"])
def test_a_looser_policy_needs_who_is_named(verdict: Verdict) -> None:
    """Nobody agreed; then somebody who is not named, then one who is."""
    difference = _difference(OLD, NEW, verdict)
    assert _asked(difference) == Consent(FILE, 1, ("alice", "bob"), (), "0 of 1 approved it")
    assert _asked(difference, reviewers=("carol",)).why == "0 of 1 approved it"
    assert _asked(difference, reviewers=("Alice",)) == Consent(FILE, 1, ("alice", "bob"), ("alice",))


def test_two_are_two_persons() -> None:
    """One who reviews and signs is one; two names with one key are one."""
    old, new = _policy(f"{BY}, count: 2"), _policy(f"{BY}, count: 2", "15000 USDT")
    signed = (_signature(new, ALICE),)
    twice = _asked(_difference(old, new), signed=signed, signers=SIGNERS, reviewers=("alice",))
    assert twice == Consent(FILE, 2, ("alice", "bob"), ("alice",), "1 of 2 approved it")
    both = _asked(_difference(old, new), signed=signed, signers=SIGNERS, reviewers=("bob",))
    assert both == Consent(FILE, 2, ("alice", "bob"), ("alice", "bob"))
    bob_too = replace(ALICE, name="bob")
    file = allowed(ALICE, bob_too)
    one_key = tuple(_signature(new, who, file) for who in (ALICE, bob_too))
    assert _asked(_difference(old, new), signed=one_key, signers=file).why == "1 of 2 approved it"


def test_who_was_named_before_must_agree_to_another_list() -> None:
    """An editor who puts their own name in, asks for fewer, or takes `approvals` out still needs the old ones."""
    for approvals in (", by: [eve]", ""):
        new = _policy(approvals, "15000 USDT")
        found = _asked(_difference(OLD, new), reviewers=("eve",))
        assert (found.may, found.why) == (("alice", "bob"), "0 of 1 approved it")
    new = _policy(", by: [eve]", "15000 USDT")
    assert _asked(_difference(OLD, new), reviewers=("alice",)) == Consent(FILE, 1, ("eve",), (), "0 of 1 approved it")
    assert _asked(_difference(OLD, new), reviewers=("alice", "eve")).why == ""


def test_a_policy_that_names_nobody_is_not_approved() -> None:
    """Closed by default: nobody can have agreed where nobody is named; a policy that is new is judged by itself."""
    assert _asked(_difference(_policy(), _policy("", "15000 USDT")), reviewers=("alice",)).why == NOBODY_SAYS
    assert _asked(_difference(None, NEW, "tighter"), reviewers=("bob",)).why == ""
    assert _asked(_difference(None, NEW, "tighter")).why == "0 of 1 approved it"
    assert _asked(_difference(OLD, None), reviewers=("bob",)).why == ""
    assert _asked(_difference(OLD, None)).why == "0 of 1 approved it"


def test_without_names_the_file_of_signers_says_who() -> None:
    """And without that file nobody can be told apart."""
    old, new = _policy(", count: 1"), _policy(", count: 1", "15000 USDT")
    missing = "approvals.by names nobody, and the file of signers is not at hand; give it with --signers"
    assert _asked(_difference(old, new), reviewers=("alice",)).why == missing
    assert _asked(_difference(old, new), reviewers=("Bob",), signers=SIGNERS) == Consent(
        FILE, 1, ("alice", "bob"), ("bob",)
    )
    pattern = f"*@acme.com {ALICE.line}\n"
    assert _asked(_difference(old, new), reviewers=("joe@acme.com",), signers=pattern).why == ""
    assert _asked(_difference(old, new), reviewers=("joe@evil.com",), signers=pattern).why == "0 of 1 approved it"
    cannot = "the signers' file cannot be read; see ssh-keygen(1), ALLOWED SIGNERS"
    assert _asked(_difference(old, new), reviewers=("joe",), signers="x" * 70_000).why == cannot


def test_names_of_the_policy_are_no_patterns() -> None:
    """`by: ["*"]` lets nobody in but a person of that name."""
    old, new = _policy(', by: ["*"]'), _policy(', by: ["*"]', "15000 USDT")
    assert _asked(_difference(old, new), reviewers=("eve",)).why == "0 of 1 approved it"


@pytest.mark.parametrize(
    ("signed", "why"),
    [
        (_signature(NEW, ALICE), ""),
        (_signature(OLD, ALICE), f"alice signed mm {OLD.digest[:19]}, and this is {NEW.digest[:19]}"),
        (_signature(NEW, EVE), f"the signers' file has no key {EVE.fingerprint}"),
        (_signature(NEW, replace(EVE, name="alice")), f"the signers' file has no key {EVE.fingerprint}"),
        (_signature(NEW, ALICE, allowed(ALICE)), "alice signed with another file of signers in mind"),
        ((_signature(NEW, ALICE)[0], _signature(NEW, BOB)[1]), "the signature is not of this statement"),
        (("nonsense", "nonsense"), 'it is no statement: "policykit approval 1" and the lines'),
    ],
    ids=["right", "of the old one", "a stranger", "in her name", "other signers", "another's", "no statement"],
)
def test_a_signature_counts_for_what_was_signed(signed: tuple[str, str], why: str) -> None:
    """Of this policy, by a key of the file, under that name."""
    found = _asked(_difference(OLD, NEW), signed=(signed,), signers=SIGNERS)
    if not why:
        assert found == Consent(FILE, 1, ("alice", "bob"), ("alice",))
    else:
        assert found.why.startswith(f"0 of 1 approved it; a signature does not count: {why}")
    assert _asked(_difference(OLD, NEW), signed=(signed,)).why.startswith("0 of 1 approved it; a signature")


def test_a_signature_of_another_policy_is_no_reason() -> None:
    """The folder has those of all policies: what the comment says is missing must be of this one."""
    other = load_text(policy_text().replace("name: mm", "name: trend"))
    assert other.name == "trend"
    signed = (_signature(other, ALICE),)
    assert _asked(_difference(OLD, NEW), signed=signed, signers=SIGNERS).why == "0 of 1 approved it"


def test_a_signature_ends() -> None:
    """One that was given for a time is none after it; a revoked key signs nothing."""
    text = stated(of_policy(NEW), ALICE, NOW - 7_200_000, signers=digest_of(SIGNERS), for_ms=3_600_000).text()
    late = _asked(_difference(OLD, NEW), signed=((text, ALICE.sign(text)),), signers=SIGNERS)
    assert "what alice signed expired at" in late.why
    revoked = _asked(_difference(OLD, NEW), signed=(_signature(NEW, ALICE),), signers=SIGNERS, revoked=ALICE.line)
    assert f"the key {ALICE.fingerprint} is revoked" in revoked.why


def test_every_policy_is_asked_for() -> None:
    """One that is approved hides none that is not."""
    both = Difference("a", "b", (*_difference(OLD, NEW).policies, PolicyDifference("other", _policy(), None, "looser")))
    found = consents(both, Evidence(NOW, reviewers=("alice",)))
    assert [one.why for one in found] == ["", NOBODY_SAYS]


def test_what_there_is_of_agreement_is_read(tmp_path: Path) -> None:
    """Signatures beside the new policies, or where it is said; logins as the persons that the policies name."""
    (tmp_path / "mm.yaml").write_text(policy_text())
    new = replace(NEW, file=str(tmp_path / "mm.yaml"))
    difference = _difference(OLD, new)
    text, signature = _signature(new, ALICE)
    (tmp_path / "mm.approval").write_text(f"{text}\n{signature}")
    (tmp_path / "signers").write_text(SIGNERS)
    found = gathered(difference, NOW, reviewers=("Jane-Gh", "bob"), people={"jane-gh": "desk-head"})
    assert found == Evidence(NOW, ((text, signature),), ("desk-head", "bob"))
    named = {"signers": tmp_path / "signers", "revoked": tmp_path / "signers"}
    both = gathered(difference, NOW, approvals=(tmp_path / "mm.approval", tmp_path), **named)  # type: ignore[arg-type]
    assert both == Evidence(NOW, ((text, signature),) * 2, (), SIGNERS, SIGNERS)
    assert gathered(_difference(OLD, None), NOW) == Evidence(NOW)
    elsewhere = replace(NEW, file="rev:policies/mm.yaml")
    assert gathered(_difference(OLD, elsewhere), NOW) == Evidence(NOW)
    assert consents(difference, gathered(difference, NOW, signers=tmp_path / "signers"))[0].agreed == ("alice",)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A file that is named is there and is what it should be: else nothing is judged without it, silently."""
    difference = _difference(OLD, replace(NEW, file=str(tmp_path / "mm.yaml")))
    with pytest.raises(PolicykitError) as raised:
        gathered(difference, NOW, signers=tmp_path / "nobody")
    assert str(raised.value) == f"{tmp_path}/nobody: cannot be read (FileNotFoundError)"
    (tmp_path / "long").write_text("x" * 70_000)
    with pytest.raises(PolicykitError) as raised:
        gathered(difference, NOW, revoked=tmp_path / "long")
    assert str(raised.value) == f"{tmp_path}/long: over 65,536 bytes; it is no file of signatures or signers"
    with pytest.raises(PolicykitError, match="/dev/zero: over 65,536 bytes"):
        gathered(difference, NOW, signers=Path("/dev/zero"))
    (tmp_path / "mm.approval").write_text(_signature(NEW, ALICE)[0])
    with pytest.raises(PolicykitError) as raised:
        gathered(difference, NOW)
    unsigned = "nobody has signed it; ssh-keygen -Y sign -n policykit -f KEY FILE does"
    assert str(raised.value) == f"{tmp_path}/mm.approval: {unsigned}"
    with pytest.raises(PolicykitError, match="over 1000 files of signatures; take old ones away"):
        gathered(difference, NOW, approvals=(tmp_path / "mm.approval",) * 1_001)


def test_who_names_approvers_for_the_first_time_is_not_approved_by_them() -> None:
    """Beside a loosening they were put there by who loosens it; alone, it is tighter and needs nobody."""
    bare = load_text(policy_text())
    found = _asked(_difference(bare, NEW, "different"), reviewers=("alice",))
    assert found.why == "no `approvals:` stood in it before this change; add it by a change of its own"
    assert consents(_difference(bare, OLD, "tighter"), Evidence(NOW)) == ()


def test_naming_persons_where_all_signers_might_needs_one_of_the_signers() -> None:
    """A review asks for no key: a name that no signer has would approve the next change."""
    all_of_them, intern = _policy(", count: 1"), _policy(", by: [intern]")
    difference = _difference(all_of_them, intern, "tighter")
    assert _asked(difference, signers=SIGNERS, reviewers=("intern",)).why == "0 of 1 approved it"
    assert _asked(difference, signers=SIGNERS, reviewers=("alice", "intern")).why == ""
