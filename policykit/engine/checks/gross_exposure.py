"""The sum of all positions."""

from __future__ import annotations

from policykit.engine.exposing import WHY_NOT, Exposing


class GrossExposure(Exposing):
    """Denies an increase after which all positions together, long and short added up, could be over the cap (G01, G35).

    `risk.max_gross_exposure`: each position counts at its worst, with every order that is out, at the mark; the order
    that is asked for at its own price where that is higher. While what is held has no price, increases are denied; an
    asset that the exchange prices in no market counts nothing.
    """

    id = "risk.max_gross_exposure"
    codes = ("RISK_GROSS_EXPOSURE", *WHY_NOT)
    rank = 82
    total = "gross exposure"
