"""Small policies for the tests of this room."""

from __future__ import annotations

from policykit.policy import EffectivePolicy, load_text

TEXT = """\
policykit: 1
name: mm
owner: desk
exchange: binance
account: {name: main, currency: USDT}
environment: live
keys:
  mm-exec:
    purpose: execution
    secret: env://MM
    scopes: [read, trade.spot]
  tracker:
    purpose: tracking
    secret: env://TR
    scopes: [read]
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%}
"""


def policy(text: str = TEXT) -> EffectivePolicy:
    """Load a policy from text."""
    return load_text(text, "mm.yaml")
