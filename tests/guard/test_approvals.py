"""A policy that asks for signatures is in force only once those who may sign it have; exits never wait."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from policykit.engine.facts import Halt
from policykit.guard import Guard
from policykit.guard.approvals import (
    ENVIRONMENT,
    KIND,
    PIN,
    approval,
    of_policy,
    of_resume,
    of_stage,
    pinned,
    unapproved_resume,
)
from policykit.order import Order
from policykit.policy import load
from policykit.policy.statement import NOBODY, Subject, digest_of
from policykit.store import Store, open_store
from tests.guard.signing import Signer, allowed, approve, ed25519_signer, smuggle, stated
from tests.guard.world import SYMBOL, World, policy_text

ALICE, BOB, EVE = (ed25519_signer(name) for name in ("alice", "bob", "eve"))
MINUTE = 60_000


class Desk:
    """A host: a policy that asks for signatures, and the file of those who may give them, elsewhere."""

    def __init__(self, start: Callable[..., World], etc: Path) -> None:
        self.signers = etc / "allowed_signers"
        self.signers.write_text(allowed(ALICE, BOB))
        self.signers.chmod(0o644)
        self.world = start(text=self.text())
        self.store: Store = open_store(self.world.store)

    def text(self, more: str = "", **changes: object) -> str:
        """Return a policy that asks for signatures."""
        return policy_text(**changes) + f"approvals: {{signers: {self.signers}{more}}}\n"

    def write(self, text: str) -> None:
        """Write the policy's file, so that it is seen even within one tick of the file system's clock."""
        told = os.stat(self.world.policy)
        self.world.policy.write_text(text, encoding="utf-8")
        os.utime(self.world.policy, ns=(told.st_atime_ns, told.st_mtime_ns + 1_000_000))

    @property
    def now(self) -> int:
        now: int = self.world.clock.now_ms()
        return now

    def approve(self, *who: Signer, later_ms: int = 0, file: Path | None = None, **more: object) -> None:
        """Have persons sign the policy as its file stands, a moment apart."""
        loaded = load(file or self.world.policy, now_ms=self.now)
        trusted = digest_of(self.signers.read_text()) if loaded.model.approvals else NOBODY
        trusted = str(more.pop("signers", trusted))
        for one in who:
            approve(self.store, of_policy(loaded), one, self.now + later_ms, signers=trusted, **more)  # type: ignore[arg-type]

    def guard(self) -> Guard:
        return self.world.guard(store=self.store)


@pytest.fixture
def desk(start: Callable[..., World], tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A host on which nobody has signed anything."""
    return Desk(start, tmp_path_factory.mktemp("etc"))


def codes(guard: Guard, side: str = "buy", notional: int = 600) -> list[str]:
    """Return why an order is denied; nothing when it is allowed."""
    order = Order(SYMBOL, side, "limit", Decimal(notional) / 60_000, Decimal(60_000))
    return [reason.code for reason in guard.check(order).reasons]


def why(guard: Guard) -> str:
    """Return what a denied increase says."""
    order = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(60_000))
    return guard.check(order).reasons[0].message


def test_increases_wait_for_a_signature_and_exits_do_not(desk: Desk) -> None:
    """Nobody signed: a purchase is denied, a sale of what is held passes; once alice signed, both do, unrestarted."""
    guard = desk.guard()
    guard.observe(positions={"BTC/USDT": "0.1"}, equity="100000 USDT", marks={SYMBOL: "60000"})
    assert codes(guard) == ["POLICY_UNAPPROVED"]
    assert why(guard) == "increases wait for a signature: 0 of 1 signed policy mm"
    assert codes(guard, "sell") == []
    desk.approve(EVE)
    guard.maintain()
    told = f"0 of 1 signed policy mm (the last signature: the signers' file has no key {EVE.fingerprint})"
    assert why(guard) == f"increases wait for a signature: {told}"
    desk.approve(ALICE)
    guard.maintain()
    assert codes(guard) == []


def test_every_host_of_the_store_takes_the_signature(desk: Desk) -> None:
    """The row travels with the store: a guard that is started elsewhere asks nobody again."""
    desk.approve(BOB)
    assert codes(desk.guard()) == []
    assert codes(desk.world.guard(store=open_store(desk.world.store))) == []


def test_a_loosened_file_is_taken_once_it_is_signed(desk: Desk) -> None:
    """No --allow-loosen: the signature is the leave. A tighter one waits as well; the old one stays in force."""
    desk.approve(ALICE)
    guard = desk.guard()
    was = guard.policy.version
    desk.write(desk.text(order="2000 USDT"))
    guard.maintain()
    assert (guard.policy.version, codes(guard, notional=1_800)) == (was, ["RISK_ORDER_NOTIONAL"])
    told = "it is not approved: 0 of 1 signed policy mm"
    assert guard.in_force.refused.endswith(f"mm {was} stays in force: {told}")
    assert codes(guard) == []
    desk.world.clock.advance(1)
    desk.approve(ALICE)
    guard.maintain()
    assert (guard.in_force.refused, codes(guard, notional=1_800)) == ("", [])
    desk.write(desk.text(order="1000 USDT"))
    guard.maintain()
    assert guard.in_force.refused.endswith(told)
    assert codes(guard, notional=1_800) == []
    refused = [row.body for row in desk.store.rows(0, 10_000) if row.kind == "policy.refused"]
    assert len(refused) == 2  # once a version, not once a round


def test_leave_to_loosen_is_no_signature(desk: Desk) -> None:
    """--allow-loosen is the operator's word; the approvers' is asked for all the same."""
    desk.approve(ALICE)
    guard = desk.guard()
    desk.write(desk.text(order="2000 USDT"))
    assert not guard.reload(allow_loosen=True).taken


def test_two_persons_are_two_keys(desk: Desk) -> None:
    """The same person twice, one key under two names, a person who may not: none of them is the second one."""
    desk.signers.write_text(allowed(ALICE, BOB) + f"carol {ALICE.line}\n{allowed(EVE)}")
    desk.write(desk.text(", count: 2, by: [alice, bob, carol]"))
    desk.approve(ALICE)
    desk.approve(ALICE, later_ms=1000)
    desk.approve(Signer("carol", ALICE.key), EVE)
    guard = desk.guard()
    assert why(guard) == "increases wait for a signature: 1 of 2 signed policy mm (alice)"
    desk.approve(BOB)
    guard.maintain()
    assert codes(guard) == []


def test_what_was_approved_before_another_version_does_not_come_back_by_itself(desk: Desk) -> None:
    """Looser A is signed, then tighter B; the old file and its old signature are no way back. Signing A again is."""
    loose, tight = desk.text(order="3000 USDT"), desk.text(order="1000 USDT")
    for text in (loose, tight):
        desk.write(text)
        desk.world.clock.advance(60)
        desk.approve(ALICE)
    desk.write(loose)
    guard = desk.guard()
    told = "another version of mm was approved after this one; sign this one again to go back"
    assert why(guard) == f"increases wait for a signature: {told}"
    desk.world.clock.advance(60)
    desk.approve(BOB)
    guard.maintain()
    assert codes(guard) == []


def test_one_signature_of_two_takes_nothing_from_what_is_in_force(desk: Desk) -> None:
    """While a next version waits for its second person, a restart with this one is no accident."""
    desk.write(desk.text(", count: 2"))
    desk.approve(ALICE, BOB)
    was = desk.world.policy.read_text()
    desk.write(desk.text(", count: 2", order="1400 USDT"))
    desk.world.clock.advance(60)
    desk.approve(ALICE)
    desk.write(was)
    assert codes(desk.guard()) == []


def test_a_signature_ends_when_its_maker_said(desk: Desk) -> None:
    """Approved for an hour, a policy starts within it and not after."""
    desk.approve(ALICE, for_ms=60 * MINUTE)
    assert codes(desk.guard()) == []
    desk.world.clock.advance(3601)
    assert "what alice signed expired at" in why(desk.guard())


@pytest.mark.parametrize("change", ["what", "account", "of", "digest"])
def test_a_signature_for_something_else_counts_for_nothing(desk: Desk, change: str) -> None:
    """Rows written straight into the store, each really signed by alice, about another thing."""
    good = of_policy(load(desk.world.policy, now_ms=desk.now))
    other = {"what": "stage", "account": "binance/hedge", "of": "mm2", "digest": digest_of("x")}[change]
    statement = stated(
        Subject(**{name: other if name == change else getattr(good, name) for name in Subject.__slots__}),
        ALICE,
        desk.now,
        signers=digest_of(desk.signers.read_text()),
    )
    smuggle(desk.store, "binance/main", statement.text(), ALICE.sign(statement.text()), desk.now)
    assert codes(desk.guard()) == ["POLICY_UNAPPROVED"]


def test_what_a_thief_of_the_store_writes_is_no_signature(desk: Desk) -> None:
    """Text without signature, another's, nonsense, a time to come: increases go on waiting, nothing breaks."""
    good = of_policy(load(desk.world.policy, now_ms=desk.now))
    signers = digest_of(desk.signers.read_text())
    text = stated(good, ALICE, desk.now, signers=signers).text()
    for signature in ("", "x", EVE.sign(text), ALICE.sign(text, "git")):
        smuggle(desk.store, "binance/main", text, signature, desk.now)
    late = stated(good, ALICE, desk.now + 10 * MINUTE, signers=signers).text()
    smuggle(desk.store, "binance/main", late, ALICE.sign(late), desk.now)
    smuggle(desk.store, "binance/main", text, ALICE.sign(text), desk.now + 10 * MINUTE)
    assert codes(desk.guard()) == ["POLICY_UNAPPROVED"]


def test_who_edits_the_policy_cannot_take_the_question_out(desk: Desk) -> None:
    """Without `approvals`, with another file of signers, with fewer persons: the account remembers who could sign."""
    desk.approve(ALICE)
    assert codes(desk.guard()) == []
    mine = desk.signers.with_name("mine")
    mine.write_text(allowed(EVE))
    mine.chmod(0o600)
    for text in (policy_text(), desk.text().replace(str(desk.signers), str(mine)), policy_text(name="mm2")):
        desk.write(text)
        desk.world.clock.advance(60)
        desk.approve(EVE, signers=digest_of(mine.read_text()) if "mine" in text else NOBODY)
        guard = desk.guard()
        assert codes(guard) == ["POLICY_UNAPPROVED"], text[-90:]
        guard.maintain()
        assert codes(guard) == ["POLICY_UNAPPROVED"]
    assert pinned(desk.store, "binance/main").signers == allowed(ALICE, BOB)  # type: ignore[union-attr]


def test_who_may_sign_is_changed_by_those_who_could(desk: Desk) -> None:
    """Eve is added to the file: increases wait, also for her own signature, until alice has signed her in."""
    desk.approve(ALICE)
    guard = desk.guard()
    desk.signers.write_text(allowed(ALICE, BOB, EVE))
    guard.maintain()
    assert codes(guard) == ["POLICY_UNAPPROVED"]
    desk.world.clock.advance(1)
    desk.approve(EVE)
    guard.maintain()
    assert codes(guard) == ["POLICY_UNAPPROVED"]
    desk.world.clock.advance(1)
    desk.approve(BOB)
    guard.maintain()
    assert codes(guard) == []
    desk.write(desk.text(order="1400 USDT"))
    desk.world.clock.advance(1)
    desk.approve(EVE)
    guard.maintain()
    assert (guard.in_force.refused, codes(guard)) == ("", [])


def test_those_who_may_sign_may_end_it(desk: Desk) -> None:
    """A policy without `approvals` that alice signed is in force, and from then on nobody is asked."""
    desk.approve(ALICE)
    desk.guard()
    desk.write(policy_text())
    desk.world.clock.advance(1)
    desk.approve(ALICE)
    assert codes(desk.guard()) == []
    assert pinned(desk.store, "binance/main") is None
    desk.write(policy_text(order="1400 USDT"))
    assert codes(desk.guard()) == []


def test_a_revoked_key_stops_increases_in_the_next_round(desk: Desk) -> None:
    """The file of revoked keys is looked at while the guard runs; a second approver's word is enough to go on."""
    revoked = desk.signers.with_name("revoked")
    revoked.write_text("# nobody\n")
    revoked.chmod(0o644)
    desk.write(desk.text(f", revoked: {revoked}"))
    desk.approve(ALICE)
    guard = desk.guard()
    assert codes(guard) == []
    revoked.write_text(f"{ALICE.line} left in November\n")
    guard.maintain()
    assert f"the key {ALICE.fingerprint} is revoked" in why(guard)
    desk.approve(BOB)
    guard.maintain()
    # Who could sign before is asked, too, and by that word alice's key is no longer one of theirs.
    assert codes(guard) == []


def test_the_host_may_ask_for_signatures_whatever_a_policy_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """POLICYKIT_SIGNERS is set by who owns the host: an unsigned policy of any account does not increase on it."""
    desk.write(policy_text(account="other"))
    assert codes(desk.guard()) == []
    monkeypatch.setenv(ENVIRONMENT, str(desk.signers))
    assert codes(desk.guard()) == ["POLICY_UNAPPROVED"]
    desk.approve(ALICE, signers=digest_of(desk.signers.read_text()))
    assert codes(desk.guard()) == []


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda file: file.unlink(), "who may sign cannot be read (FileNotFoundError)"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "who may sign cannot be read (UnicodeDecodeError)"),
        (lambda file: file.chmod(0o666), "others than its owner can write it; chmod go-w"),
        (lambda file: file.write_text("#" * 70_000), "is longer than 65,536 characters"),
        (lambda file: (file.parent / ".git").mkdir(), "lies beside the policy or in a repository: who edits"),
    ],
)
def test_a_file_of_signers_that_cannot_be_trusted_signs_nothing(
    desk: Desk, spoil: Callable[[Path], object], told: str
) -> None:
    """Gone, unreadable, writable by others, endless, or where the policy's editor writes."""
    desk.approve(ALICE)
    spoil(desk.signers)
    assert f"increases wait for a signature: {desk.signers}: {told}" in why(desk.guard())


def test_a_pin_that_cannot_be_read_denies(desk: Desk) -> None:
    """What another version wrote there is not guessed at."""
    desk.store.keep("binance/main", KIND, PIN, {"asks": {"signers": 1}}, desk.now)
    told = "the store does not say who could sign before; it was written by another version"
    assert told in why(desk.guard())


def test_in_shadow_nobody_is_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that is only tried beside a bot needs no signature, and pins nothing."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    assert codes(desk.guard()) == []
    assert desk.store.kept("binance/main", KIND) == {}


def test_a_halt_is_lifted_by_a_signature_for_that_halt(desk: Desk) -> None:
    """Signed is the end of these halts for a time: no later halt, no other scope, not after it, and never for good."""
    desk.approve(ALICE)
    desk.guard()
    file = str(desk.world.policy)
    desk.store.halt("all", "HALTED", "bob", "runaway", desk.now)
    told = f"{file}: approvals: 0 of 1 signed resume all"

    def refused(scope: str = "all") -> str | None:
        return unapproved_resume(desk.store, [file], scope, desk.now)

    assert (refused() or "").startswith(told)
    subject = of_resume("all", desk.store.halts())
    approve(desk.store, subject, ALICE, desk.now, signers=NOBODY)
    assert "it has no end; what is done once is approved for a time" in (refused() or "")
    approve(desk.store, subject, ALICE, desk.now, signers=NOBODY, for_ms=MINUTE)
    assert refused() is None
    assert refused("account:binance/main") is not None
    desk.world.clock.advance(61)
    assert "what alice signed expired at" in (refused() or "")
    approve(desk.store, subject, ALICE, desk.now, signers=NOBODY, for_ms=MINUTE)
    assert refused() is None
    desk.store.resume("all", "alice", "fixed", desk.now)
    desk.store.halt("all", "HALTED", "bob", "runaway", desk.now + 1)
    assert (refused() or "").startswith(told)


def test_what_is_not_covered_needs_no_signature(desk: Desk) -> None:
    """`resume: false`: a halt is lifted by name alone."""
    desk.write(desk.text(", resume: false"))
    assert unapproved_resume(desk.store, [str(desk.world.policy)], "all", desk.now) is None
    policy = load(desk.world.policy, now_ms=desk.now)
    found = approval(desk.store, policy, of_stage(policy, "small-live"), desk.now)
    assert (found.needed, found.why) == (True, "0 of 1 signed stage mm small-live")


def test_a_stage_is_entered_by_the_version_that_was_signed(desk: Desk) -> None:
    """Another stage or another version of the policy is another thing."""
    policy = load(desk.world.policy, now_ms=desk.now)
    subject = of_stage(policy, "small-live")
    approve(desk.store, subject, BOB, desk.now, signers=NOBODY, for_ms=MINUTE)
    assert approval(desk.store, policy, subject, desk.now).why == ""
    desk.write(desk.text(order="1400 USDT"))
    changed = load(desk.world.policy, now_ms=desk.now)
    for other in (of_stage(changed, "small-live"), of_stage(policy, "full-live")):
        assert approval(desk.store, policy, other, desk.now).why.startswith("0 of 1 signed stage mm")


def test_halts_are_told_apart_by_all_that_is_said_of_them() -> None:
    """The digest of a halt is of its scope, state, person, reason, time and freeze."""
    halt = Halt("all", "HALTED", "bob", "runaway", 1_000)
    seen = {of_resume("all", [halt]).digest}
    for change in (
        {"scope": "bot:a"},
        {"state": "REDUCING"},
        {"by": "b"},
        {"why": "w"},
        {"at_ms": 2},
        {"freeze": True},
    ):
        seen.add(of_resume("all", [halt._replace(**change)]).digest)  # type: ignore[arg-type]
    assert len(seen) == 7
    assert of_resume("bot:a", [halt]) == of_resume("bot:a", [])


def test_the_step_from_paper_to_money_is_asked_for_what_paper_was(desk: Desk) -> None:
    """Who takes the question out in the edit that ends paper finds it in the store: the account is the same."""
    paper = desk.text() + "stage: {current: paper}\n"
    desk.write(paper)
    desk.guard()
    desk.write(policy_text())
    guard = desk.guard()
    assert (guard.account, codes(guard)) == ("binance/main", ["POLICY_UNAPPROVED"])


def test_a_copy_for_the_sandbox_grants_no_stage_of_the_account(desk: Desk) -> None:
    """A stage is the real account's, so is the question: a file without it, of another environment, is asked too."""
    desk.approve(ALICE)
    desk.guard()
    copy = desk.world.policy.with_name("copy.yaml")
    text = policy_text().replace("environment: live", "environment: sandbox")
    copy.write_text(text + "stage: {current: full-live}\n", encoding="utf-8")
    policy = load(copy, now_ms=desk.now)
    assert policy.account_key == "binance/main@sandbox"
    found = approval(desk.store, policy, of_stage(policy, "full-live"), desk.now)
    assert found.why == "0 of 1 signed stage mm full-live"


def test_a_halt_is_asked_for_what_guards_traded_not_for_what_files_say_now(desk: Desk) -> None:
    """A file that names another account, or none at all, lifts nothing without a signature."""
    desk.approve(ALICE)
    desk.guard()
    desk.store.halt("all", "HALTED", "bob", "runaway", desk.now)
    desk.write(policy_text().replace("name: main", "name: other"))
    for files in ([str(desk.world.policy)], []):
        told = unapproved_resume(desk.store, files, "all", desk.now) or ""
        assert told.startswith("binance/main: approvals: 0 of 1 signed resume all; policykit approve resume")
    approve(desk.store, of_resume("all", desk.store.halts()), ALICE, desk.now, signers=NOBODY, for_ms=MINUTE)
    assert unapproved_resume(desk.store, [], "all", desk.now) is None


def test_not_stopped_another_account_is_another_first_start(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that calls the same key's account by another name is asked nothing, unless the host asks by itself."""
    desk.approve(ALICE)
    desk.guard()
    desk.write(policy_text().replace("name: main", "name: other"))
    assert codes(desk.guard()) == []
    monkeypatch.setenv(ENVIRONMENT, str(desk.signers))
    assert codes(desk.guard()) == ["POLICY_UNAPPROVED"]


def test_a_revoked_key_cannot_take_its_revocation_out(desk: Desk) -> None:
    """Alice's key was stolen and is listed; whoever has it signs a policy without the list: the list still counts."""
    revoked = desk.signers.with_name("revoked")
    revoked.write_text("")
    revoked.chmod(0o644)
    desk.write(desk.text(f", revoked: {revoked}"))
    desk.approve(ALICE)
    assert codes(desk.guard()) == []
    revoked.write_text(ALICE.line + "\n")
    assert codes(desk.guard()) == ["POLICY_UNAPPROVED"]
    desk.write(desk.text())
    desk.world.clock.advance(1)
    desk.approve(ALICE)
    guard = desk.guard()
    assert codes(guard) == ["POLICY_UNAPPROVED"]
    assert f"the key {ALICE.fingerprint} is revoked" in why(guard)
    desk.approve(BOB)
    assert codes(desk.guard()) == []


def test_a_key_whose_line_was_taken_out_signs_nothing_more(desk: Desk) -> None:
    """The owner of the host took alice's line out; a policy without the question, signed by her key, waits as well."""
    desk.approve(ALICE)
    assert codes(desk.guard()) == []
    desk.signers.write_text(allowed(BOB))
    desk.write(policy_text())
    desk.world.clock.advance(1)
    desk.approve(ALICE)
    assert codes(desk.guard()) == ["POLICY_UNAPPROVED"]
    desk.approve(BOB)
    assert codes(desk.guard()) == []
