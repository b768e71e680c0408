"""All that is held of one asset."""

from __future__ import annotations

from policykit.engine.case import Case
from policykit.engine.exposing import Exposing


class AssetExposure(Exposing):
    """Denies an increase after which the positions in one base asset, spot and contracts, could be over the cap (G35).

    `risk.max_asset_exposure`: long and short ones are added up, since they need not be closed at the same price.
    """

    id = "risk.max_asset_exposure"
    codes = ("RISK_ASSET_EXPOSURE", "RISK_QUOTE_ASSET", "NUMBER_RANGE")
    rank = 81
    total = "exposure to the asset"

    def owner(self, case: Case, name: str) -> str:
        assert case.market is not None
        return f"{self.setup.account}|asset|{case.market.base}"
