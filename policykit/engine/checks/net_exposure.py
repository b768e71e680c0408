"""The difference between long and short positions."""

from __future__ import annotations

from policykit.engine.exposing import WHY_NOT, Exposing


class NetExposure(Exposing):
    """Denies an increase after which long less short positions, or short less long ones, could be over the cap (G01).

    `risk.max_net_exposure`: a buy is held against the long side, a sell against the short one, each at its worst, so an
    order that is out hedges no other one before it filled.
    """

    id = "risk.max_net_exposure"
    codes = ("RISK_NET_EXPOSURE", *WHY_NOT)
    rank = 83
    total = "net exposure"
    kind = "net"
