"""Hyperliquid's `POST /info`: agents, roles, the time. Public by address: nothing that is read is signed.

Sources: nktkas/hyperliquid@db80d59 (2026-08-02) extraAgents.ts, userRole.ts; ccxt 4.5.90 for the shapes of
exchangeStatus, clearinghouseState and errors. Addresses are derived here from the curve and Keccak-256 themselves.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any, ClassVar, Final

from policykit.sim.dialects.base import Reply, Request, World
from policykit.sim.dialects.reading import Endpoint, Reading, params_of
from policykit.sim.keys import SimKey

#: The account whose agents the keys are.
ACCOUNT: Final = "0x5e9ee1089755c3435139848e47e6635505d5a13a"
#: Grants that only an account's own key has.
_OWN_KEY: Final = frozenset(("transfer", "withdraw", "key_admin"))
_MASK: Final = (1 << 64) - 1
_TURNS: Final = (1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44)
_LANES: Final = (10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1)


def _constants() -> list[int]:
    """Return the 24 round constants: bits of a linear feedback shift register (FIPS 202, 3.2.5)."""
    found, register = [], 1
    for _ in range(24):
        word = 0
        for bit in range(7):
            word |= (register & 1) << ((1 << bit) - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        found.append(word)
    return found


def _permute(state: list[int]) -> None:
    for constant in _constants():
        columns = [state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20] for x in range(5)]
        for x in range(5):
            mixed = columns[x - 1] ^ _turned(columns[(x + 1) % 5], 1)
            for y in range(0, 25, 5):
                state[y + x] ^= mixed
        carried = state[1]
        for lane, turn in zip(_LANES, _TURNS, strict=True):
            state[lane], carried = _turned(carried, turn), state[lane]
        for y in range(0, 25, 5):
            row = state[y : y + 5]
            for x in range(5):
                state[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & _MASK)
        state[0] ^= constant


def _turned(lane: int, by: int) -> int:
    return (lane << by | lane >> (64 - by)) & _MASK


def keccak256(data: bytes) -> bytes:
    """Return Keccak-256 (the padding of Ethereum, not of SHA-3) of less than 136 bytes."""
    if len(data) >= 136:
        raise ValueError("sim: one block is hashed")
    block = bytearray(data + bytes(136 - len(data)))
    block[len(data)] ^= 0x01
    block[135] ^= 0x80
    state = [int.from_bytes(block[at : at + 8], "little") for at in range(0, 136, 8)] + [0] * 8
    _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def address_of(private_key: str) -> str:
    """Return the address of a private key: the last 20 bytes of the hash of its public point."""
    from cryptography.hazmat.primitives.asymmetric import ec

    point = ec.derive_private_key(int(private_key, 16), ec.SECP256K1()).public_key().public_numbers()
    return "0x" + keccak256(point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big"))[-20:].hex()


def _dead(key: SimKey) -> bool:
    return key.revoked or key.refused == "revoked"


def _info(world: World, request: Request, key: SimKey | None, now_ms: int) -> Any:
    params = params_of(request)
    user = str(params.get("user", "")).lower()
    kind = params.get("type")
    if kind == "exchangeStatus":
        return {"specialStatuses": None, "time": now_ms}
    if kind == "extraAgents":
        return [
            {
                "address": one.key,
                "name": one.label,
                "validUntil": world.drift.time(one.expires_ms, "ms", None),
            }
            for one in world.keys.values()
            if one.wallet == user and one.key != user and one.label and not _dead(one)
        ]
    if kind == "userRole":
        agent = next((one for one in world.keys.values() if one.key == user and not _dead(one)), None)
        if agent is not None and agent.wallet != user:
            return {"role": "agent", "data": {"user": agent.wallet}}
        return {"role": "user" if agent is not None or user == ACCOUNT else "missing"}
    known = _ACCOUNT.get(str(kind))
    return known(world, now_ms) if known else Reply(422, "Failed to deserialize the JSON body into the target type")


def _tokens(world: World) -> list[str]:
    return ["USDC", *sorted({asset for one in world.venue.symbols.values() for asset in (one.base, one.quote)})]


def _spot_meta(world: World, now_ms: int) -> dict[str, Any]:
    names = _tokens(world)
    tokens = [{"name": name, "index": at, "szDecimals": 5, "weiDecimals": 8} for at, name in enumerate(names)]
    pairs = [
        {"name": f"@{at}", "index": at, "tokens": [names.index(one.base), names.index(one.quote)]}
        for at, one in enumerate(world.venue.symbols.values())
    ]
    return {"tokens": tokens, "universe": pairs}


def _spot_contexts(world: World, now_ms: int) -> list[Any]:
    prices = [world.venue.touch(one, now_ms) for one in world.venue.symbols.values()]
    return [_spot_meta(world, now_ms), [{"midPx": str((bid + ask) / 2), "markPx": str(bid)} for bid, ask in prices]]


def _spot_state(world: World, now_ms: int) -> dict[str, Any]:
    world.venue.settle(now_ms)
    balances = world.venue.balances.items()
    return {"balances": [{"coin": asset, "hold": str(h.locked), "total": str(h.total)} for asset, h in balances]}


def _state(world: World, now_ms: int) -> dict[str, Any]:
    summary = {"accountValue": "0.0", "totalMarginUsed": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0"}
    return {"assetPositions": [], "marginSummary": summary, "time": now_ms, "withdrawable": "0.0"}


#: What the account and the markets are asked, beside the keys. No perpetual is listed.
_ACCOUNT: Final[dict[str, Callable[[World, int], Any]]] = {
    "userAbstraction": lambda world, now_ms: Reply(200, '"default"'),
    "spotMeta": _spot_meta,
    "spotMetaAndAssetCtxs": _spot_contexts,
    "metaAndAssetCtxs": lambda world, now_ms: [{"universe": []}, []],
    "perpDexs": lambda world, now_ms: [None],
    "spotClearinghouseState": _spot_state,
    "clearinghouseState": _state,
    "frontendOpenOrders": lambda world, now_ms: [],
}


class Hyperliquid(Reading):
    """The dialect `hyperliquid`."""

    id = "hyperliquid"
    routes: ClassVar = {("POST", "/info"): Endpoint(_info, public=True, weight=20)}
    errors: ClassVar = {
        "key": Reply(200, {"status": "err", "response": "User or API Wallet does not exist."}),
        "rate": Reply(429, "null"),
        "ban": Reply(429, "null"),
        "maintenance": Reply(502, "<html><body>502 Bad Gateway</body></html>"),
        "clock": Reply(200, {"status": "err", "response": "Invalid nonce: timestamp is out of bounds"}),
    }

    def __init__(self) -> None:
        self._own = 0

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make an agent of the account, or, for what no agent may, an account's own key: the same in every run."""
        if grants & _OWN_KEY:
            self._own += 1
            private = "0x" + hashlib.sha256(f"policykit sim {self._own}".encode()).hexdigest()
            return SimKey(address_of(private), "", now_ms, private_key=private, wallet=address_of(private))
        private = "0x" + secrets.token_hex(32)
        return SimKey(address_of(private), "", now_ms, private_key=private, wallet=ACCOUNT)

    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Refuse: only `/exchange` is signed, and it is not simulated."""
        return "key"


DIALECT = Hyperliquid
