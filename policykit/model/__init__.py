"""What a policy says, one file a section; each field carries its unit, guide number, strictness and what holds it."""

from __future__ import annotations

from policykit.model.account import Account
from policykit.model.base import Meta, Section, Strictness, meta_of, metas
from policykit.model.clock import Clock
from policykit.model.keys import AddressProof, AllowedAddress, Declared, Key, Rotation
from policykit.model.loss_limits import DailyLoss, PartialFills
from policykit.model.notify import Cause, Notify, Target
from policykit.model.operation import DeadManSwitch, Elsewhere, KillSwitch, Rearm, Reconciliation, Triggers
from policykit.model.order_limits import PriceCollar
from policykit.model.people import AccountSecurity, Incident, Review, Vendor, Withdrawals
from policykit.model.policy import Policy
from policykit.model.rate import CountWindow, RateBudget
from policykit.model.retry import DataRetry, OrderRetry, Reconnect, Retry
from policykit.model.risk import Risk
from policykit.model.stage import NextNeeds, Stage
from policykit.model.store import Store
from policykit.model.types import date_ms
from policykit.model.waivers import Waiver

__all__ = [
    "Account",
    "AccountSecurity",
    "AddressProof",
    "AllowedAddress",
    "Cause",
    "Clock",
    "CountWindow",
    "DailyLoss",
    "DataRetry",
    "DeadManSwitch",
    "Declared",
    "Elsewhere",
    "Incident",
    "Key",
    "KillSwitch",
    "Meta",
    "NextNeeds",
    "Notify",
    "OrderRetry",
    "PartialFills",
    "Policy",
    "PriceCollar",
    "RateBudget",
    "Rearm",
    "Reconciliation",
    "Reconnect",
    "Retry",
    "Review",
    "Risk",
    "Rotation",
    "Section",
    "Stage",
    "Store",
    "Strictness",
    "Target",
    "Triggers",
    "Vendor",
    "Waiver",
    "Withdrawals",
    "date_ms",
    "meta_of",
    "metas",
]
