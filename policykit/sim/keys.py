"""API keys of the simulated exchange: made for one run, worthless anywhere else."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field

#: Real Binance keys and secrets are 64 letters and digits.
KEY_LENGTH = 64
#: The permissions of a key report, as GET /sapi/v1/account/apiRestrictions names them (binance-connector-python
#: 29da3291, 2026-08-21), with what a careful bot's key has.
CAREFUL: dict[str, bool] = {
    "ipRestrict": True,
    "enableReading": True,
    "enableSpotAndMarginTrading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "permitsUniversalTransfer": False,
    "enableMargin": False,
    "enableFutures": False,
    "enableVanillaOptions": False,
    "enablePortfolioMarginTrading": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": False,
}
DAY_MS = 86_400_000


@dataclass(slots=True)
class SimKey:
    """One key of the simulated account: what it may do, how old it is, whether it still lives."""

    key: str
    secret: str = field(repr=False)
    created_ms: int
    flags: dict[str, bool] = field(default_factory=lambda: dict(CAREFUL))
    revoked: bool = False
    account: str = "main"

    def may(self, flag: str) -> bool:
        """Tell whether the key has a permission."""
        return not self.revoked and self.flags.get(flag, False)


def make_key(now_ms: int, age_days: float = 1, **flags: bool) -> SimKey:
    """Make a key with the careful permissions changed by `flags`; an unknown flag is refused by its name."""
    unknown = sorted(set(flags) - set(CAREFUL))
    if unknown:
        raise ValueError(f"sim key: {unknown[0]!r} is no permission; known are {', '.join(CAREFUL)}")
    return SimKey(_token(), _token(), now_ms - int(age_days * DAY_MS), {**CAREFUL, **flags})


def _token() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(KEY_LENGTH))
