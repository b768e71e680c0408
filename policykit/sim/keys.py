"""API keys of the simulated exchange: made for one run, worthless anywhere else."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from typing import Final

#: Real Binance keys and secrets are 64 letters and digits.
KEY_LENGTH = 64
#: What a key can be granted, in the words of the guide; each dialect writes it in its exchange's own.
GRANTS: Final = (
    "read",
    "trade.spot",
    "trade.margin",
    "trade.derivatives",
    "trade.options",
    "trade.other",
    "transfer",
    "withdraw",
    "key_admin",
)
#: In which ways an exchange refuses a key: each dialect answers as its exchange does.
REFUSALS: Final = ("revoked", "address", "permission", "clock", "rate", "ban", "maintenance")
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
#: Binance's flags of each grant; it has none for key_admin.
FLAGS: Final[dict[str, tuple[str, ...]]] = {
    "read": ("enableReading",),
    "trade.spot": ("enableSpotAndMarginTrading",),
    "trade.margin": ("enableSpotAndMarginTrading", "enableMargin"),
    "trade.derivatives": ("enableFutures",),
    "trade.options": ("enableVanillaOptions",),
    "trade.other": ("enablePortfolioMarginTrading",),
    "transfer": ("permitsUniversalTransfer",),
    "withdraw": ("enableWithdrawals",),
    "key_admin": (),
}
#: The account of a key when nothing is said; another name is that of a sub-account.
MAIN: Final = "main"
#: What a key is granted when nothing is said.
CAREFUL_GRANTS: Final = frozenset(("read", "trade.spot"))
DAY_MS = 86_400_000


@dataclass(slots=True)
class SimKey:
    """One key of the simulated account: what it may do, how old it is, whether it still lives.

    `flags` are Binance's permissions, `grants` those of every other dialect. `addresses`: its allowlist, empty is from
    everywhere; it is reported, and kept as far as `admits` says. Times are UTC ms; None: never. `refused`: one
    of REFUSALS, how each request of this key is answered.
    """

    key: str
    secret: str = field(repr=False)
    created_ms: int
    flags: dict[str, bool] = field(default_factory=lambda: dict(CAREFUL))
    revoked: bool = False
    account: str = MAIN
    passphrase: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    wallet: str = ""
    grants: frozenset[str] = CAREFUL_GRANTS
    addresses: tuple[str, ...] = ()
    expires_ms: int | None = None
    used_ms: int | None = None
    label: str = "sim"
    refused: str | None = None

    def __post_init__(self) -> None:
        unknown = sorted(self.grants - set(GRANTS))
        if unknown:
            raise ValueError(f"sim key: {unknown[0]!r} is no grant; known are {', '.join(GRANTS)}")
        if self.refused is not None and self.refused not in REFUSALS:
            raise ValueError(f"sim key: refused is {self.refused!r}; may be {', '.join(REFUSALS)}")

    def admits(self, address: str) -> bool:
        """Tell whether a request may come from an address. Only loopback ones can be told apart here: an allowlist
        that names one is kept, any other is reported and not kept.
        """
        ours = [one for one in self.addresses if one.startswith("127.")]
        return not ours or address in ours

    def credentials(self) -> dict[str, str]:
        """Return what a client needs, by the names that secret sources have: `api_key`, `api_secret`, ..."""
        named = {
            "api_key": self.key,
            "api_secret": self.secret,
            "passphrase": self.passphrase,
            "private_key": self.private_key,
            "wallet": self.wallet,
        }
        return {name: value for name, value in named.items() if value}

    def may(self, flag: str) -> bool:
        """Tell whether the key has a permission of Binance's."""
        return not self.revoked and self.flags.get(flag, False)


def make_key(now_ms: int, age_days: float = 1, **flags: bool) -> SimKey:
    """Make a Binance key with the careful permissions changed by `flags`; an unknown flag is refused by its name."""
    unknown = sorted(set(flags) - set(CAREFUL))
    if unknown:
        raise ValueError(f"sim key: {unknown[0]!r} is no permission; known are {', '.join(CAREFUL)}")
    return SimKey(token(), token(), now_ms - int(age_days * DAY_MS), {**CAREFUL, **flags})


def token(length: int = KEY_LENGTH) -> str:
    """Return fresh letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))
