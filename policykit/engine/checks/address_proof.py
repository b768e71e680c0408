"""A recent proof that the key works from here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.units import Duration


class AddressProof(Check):
    """Denies increases in live trading while no recent proof says that the key works from this host's address (G11).

    `keys.NAME.address_proof.max_age`: `policykit doctor` on the host that trades makes the proof and keeps it in the
    store. A proof that was made elsewhere, with another key, in a sandbox, or of another origin than the exchange does
    not count.
    """

    id = "key.address_proof"
    codes = ("ADDRESS_PROOF_MISSING", "ADDRESS_PROOF_STALE")
    rank = 19

    def __init__(self, setup: Setup, max_age: Duration) -> None:
        super().__init__(setup)
        self.max_age = max_age

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        key = (setup.policy.keys or {}).get(setup.key or "")
        proof = key.address_proof if key is not None else None
        return cls(setup, proof.max_age) if proof is not None and setup.policy.environment == "live" else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        host, key = self.setup.host, self.setup.key
        at_ms = case.facts.address_proofs.get(f"{host}|{key}")
        code, said = "ADDRESS_PROOF_MISSING", f"that the key {key} works from {host} was never proved"
        if at_ms is not None:
            if case.fresh(at_ms, self.max_age.ms):
                return
            code = "ADDRESS_PROOF_STALE"
            age = Duration(max(0, case.age_ms(at_ms)) // 1000 * 1000)
            said = f"that the key {key} works from {host} was proved {age} ago, max_age is {self.max_age}"
        place = self.setup.place(f"keys.{key}.address_proof")
        yield Reason(code, self.id, f"{said}; run policykit doctor on it", place=place)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True
