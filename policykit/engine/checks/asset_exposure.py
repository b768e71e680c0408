"""All that is held of one asset."""

from __future__ import annotations

from policykit.decision import asset_owner
from policykit.engine.case import Case
from policykit.engine.exposing import WHY_NOT, Exposing
from policykit.engine.use import RoomOf


class AssetExposure(Exposing):
    """Denies an increase after which the positions in one base asset, spot and contracts, could be over the cap (G35).

    `risk.max_asset_exposure`: long and short ones are added up, since they need not be closed at the same price.
    """

    id = "risk.max_asset_exposure"
    codes = ("RISK_ASSET_EXPOSURE", *WHY_NOT)
    rank = 81
    room = RoomOf("exposure", "asset")
    total = "exposure to the asset"

    def owner(self, case: Case, name: str) -> str:
        return asset_owner(self.setup.account, case.position_key)
