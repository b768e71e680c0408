"""What the rules on addresses share: every allowed address of a policy with its place."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from policykit.place import Place
from policykit.rules.base import Inputs

Network = IPv4Network | IPv6Network

#: Ranges for documentation: RFC 5737 and RFC 3849.
DOCUMENTATION = tuple(
    ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


class Allowed(NamedTuple):
    """One allowed address; `network` is None when the text is no address."""

    key: str
    number: int
    text: str
    network: Network | None
    place: Place


def network_of(text: str) -> Network | None:
    """Read an address or a range; None when it is neither."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def inside(network: Network, ranges: tuple[Network, ...]) -> bool:
    """Tell whether a network lies in one of the ranges."""
    return any(
        r.version == network.version
        and int(r.network_address) <= int(network.network_address)
        and int(network.broadcast_address) <= int(r.broadcast_address)
        for r in ranges
    )


def allowed(inputs: Inputs) -> Iterator[Allowed]:
    """Yield every address that the policy allows a key."""
    for name, key in inputs.keys.items():
        for index, entry in enumerate(key.ip_allowlist or ()):
            place = inputs.place(f"keys.{name}.ip_allowlist.{index}.address")
            yield Allowed(name, index, entry.address, network_of(entry.address), place)
