"""Going live in stages (G41): what the next one needs, moving on, going back, what a person has to look at."""

from __future__ import annotations

from policykit.operate.stages.moves import Refused, adopt, demote, promote
from policykit.operate.stages.needs import Need, Standing, standing

__all__ = ["Need", "Refused", "Standing", "adopt", "demote", "promote", "standing"]
