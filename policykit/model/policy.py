"""The root of a policy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from policykit.model.account import Account
from policykit.model.approvals import Approvals
from policykit.model.base import IDENTITY, NEUTRAL, SECTION, SUBSET, SUPERSET, Meta, Section, pointwise
from policykit.model.clock import Clock
from policykit.model.group import Group
from policykit.model.keys import Key
from policykit.model.never import MAX_STATEMENTS, StatementText
from policykit.model.notify import Notify
from policykit.model.operation import DeadManSwitch, KillSwitch, Reconciliation
from policykit.model.people import AccountSecurity, Incident, Review, Vendor, Withdrawals
from policykit.model.rate import RateBudget
from policykit.model.retry import Retry
from policykit.model.risk import Risk
from policykit.model.stage import Stage
from policykit.model.store import Store
from policykit.model.types import ExchangeId, FileName, Name, Person, RuleCode
from policykit.model.waivers import Waiver

#: The most policies that one file may extend, and the most levels of them.
MAX_EXTENDS = 16


class Policy(Section):
    """One exchange and one account. A file without `exchange` is a profile: others extend it, no guard runs it."""

    model_config = ConfigDict(defer_build=False, title="policykit policy, version 1")

    policykit: Annotated[
        int, Field(strict=True, ge=1, le=1), Meta("The version of the language.", IDENTITY, held_by=("rule:PK011",))
    ]
    name: Annotated[Name, Meta("The policy's name, in every decision and span.", NEUTRAL)]
    owner: Annotated[Person | None, Meta("Who answers for the policy.", NEUTRAL)] = None
    extends: Annotated[
        tuple[FileName, ...],
        Field(max_length=MAX_EXTENDS),
        Meta("Policies and profiles that this one tightens, named relative to this file.", NEUTRAL),
    ] = ()
    exchange: Annotated[
        ExchangeId, Meta("The exchange, by its ccxt id; absent in a profile.", IDENTITY, held_by=("guard:client",))
    ] = ""
    account: Annotated[Account, Meta("The account.", SECTION)] = Account.model_construct()
    environment: Annotated[
        Literal["sandbox", "live"],
        Meta("Which hosts are spoken to; `stage` says how.", IDENTITY, guide=("G41",), held_by=("guard:client",)),
    ] = "live"
    store: Annotated[Store | None, Meta("How widely counters are shared.", SECTION)] = None
    keys: Annotated[dict[Name, Key] | None, Meta("The API keys, by name.", pointwise(SECTION), guide=("G07",))] = None
    clock: Annotated[Clock | None, Meta("Bounds on time.", SECTION, guide=("G03",))] = None
    rate_budgets: Annotated[
        dict[Name, RateBudget] | None,
        Meta("The exchange's allowances, named as its traits name them.", pointwise(SECTION), guide=("G22", "G24")),
    ] = None
    risk: Annotated[Risk | None, Meta("What may be traded, and how much.", SECTION, guide=("G01", "G33"))] = None
    groups: Annotated[
        dict[Name, Group] | None,
        Meta("Caps on all accounts of one store that name the group, added up.", pointwise(SECTION), guide=("G01",)),
    ] = None
    retry: Annotated[Retry | None, Meta("What follows a failure.", SECTION, guide=("G26", "G27"))] = None
    kill_switch: Annotated[KillSwitch | None, Meta("How trading is stopped.", SECTION, guide=("G37",))] = None
    dead_man_switch: Annotated[
        DeadManSwitch | None, Meta("Orders that the exchange cancels when it no longer hears from us.", SECTION)
    ] = None
    reconciliation: Annotated[
        Reconciliation | None, Meta("Intended against actual orders and positions.", SECTION, guide=("G30",))
    ] = None
    notify: Annotated[Notify | None, Meta("Who is told what, by message.", SECTION)] = None
    stage: Annotated[Stage | None, Meta("How far on the way to full size.", SECTION, guide=("G41",))] = None
    withdrawals: Annotated[
        Withdrawals | None, Meta("Where persons may withdraw to.", SECTION, guide=("G42", "G44"))
    ] = None
    account_security: Annotated[
        AccountSecurity | None, Meta("How persons log in at the exchange.", SECTION, guide=("G43",))
    ] = None
    vendors: Annotated[
        dict[Name, Vendor] | None, Meta("Third parties that hold a key, by name.", pointwise(SECTION), guide=("G46",))
    ] = None
    incident: Annotated[Incident | None, Meta("Who is called, and what they read.", SECTION, guide=("G42",))] = None
    review: Annotated[Review | None, Meta("How often persons look at this policy.", SECTION, guide=("G41",))] = None
    approvals: Annotated[Approvals | None, Meta("Who signs before this policy is in force.", SECTION)] = None
    never: Annotated[
        tuple[StatementText, ...] | None,
        Field(min_length=1, max_length=MAX_STATEMENTS),
        Meta(
            "What this policy, and each that extends it, can be proved never to allow; no waiver touches it.",
            SUPERSET,
            guide=("G01",),
            held_by=("rule:PK0xx", "rule:PK1xx"),
        ),
    ] = None
    waivable: Annotated[
        tuple[RuleCode, ...] | None,
        Meta(
            "The rules that a policy which extends this one may waive; absent: none.",
            SUBSET,
            held_by=("rule:PK0xx",),
            absent=(),
        ),
    ] = None
    waivers: Annotated[tuple[Waiver, ...], Meta("Findings that are accepted.", NEUTRAL)] = ()
