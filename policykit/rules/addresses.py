"""What the rules on addresses share: every allowed address of a policy with its place, and what kind it is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from policykit.place import Place
from policykit.rules.base import Inputs

Network = IPv4Network | IPv6Network


def _bounds(network: Network) -> tuple[int, int, int]:
    """Return (version, first address, last address): numbers compare much faster than networks."""
    return network.version, int(network.network_address), int(network.broadcast_address)


#: Ranges for documentation: RFC 5737, RFC 3849, RFC 9637.
_DOCUMENTATION = tuple(
    _bounds(ip_network(text))
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
)
#: Ranges that no exchange sees as a sender (IANA's special-purpose registries, read 2026-11), and what they are. Not
#: Python's own `is_global`: that takes multicast for global, and differs between its versions.
_SPECIAL = tuple(
    (*_bounds(ip_network(text)), what)
    for text, what in (
        ("0.0.0.0/8", "an address of no host"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address inside a carrier's network"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "an address reserved for protocols"),
        ("192.88.99.0/24", "an address of the withdrawn 6to4 relays"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "an address of no host"),
        ("::1/128", "a loopback address"),
        ("::ffff:0:0/96", "an IPv4 address written as IPv6"),
        ("64:ff9b::/96", "an address inside a translator"),
        ("2001::/23", "an address reserved for protocols"),
        ("2002::/16", "an address of the withdrawn 6to4 relays"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
    )
)
#: All that is given out to hosts in IPv6.
_GLOBAL_IPV6 = _bounds(ip_network("2000::/3"))


class Allowed(NamedTuple):
    """One allowed address; `network` is None when the text is no address."""

    key: str
    number: int
    text: str
    network: Network | None
    place: Place


@lru_cache(4_096)
def network_of(text: str) -> Network | None:
    """Read an address or a range; None when it is neither."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def inside(network: Network, held: Network) -> bool:
    """Tell whether a network lies in another one."""
    version, low, high = _bounds(network)
    outer, first, last = _bounds(held)
    return version == outer and first <= low and high <= last


@lru_cache(4_096)
def documentation(network: Network) -> bool:
    """Tell whether an address is one for examples, which is nobody's."""
    version, low, high = _bounds(network)
    return any(v == version and first <= low and high <= last for v, first, last in _DOCUMENTATION)


@lru_cache(4_096)
def special(network: Network) -> str:
    """Return what an address is that no exchange sees as a sender; nothing for a public one."""
    version, low, high = _bounds(network)
    for held, first, last, what in _SPECIAL:
        if held == version and first <= low and high <= last:
            return what
    _, first, last = _GLOBAL_IPV6
    apart = version == 6 and (high < first or low > last)
    return "a reserved address" if apart else ""


def public(text: str) -> Network | None:
    """Return one public address that belongs to somebody; None for ranges, special ones and those of examples."""
    network = network_of(text)
    if network is None or network.num_addresses > 1 or special(network) or documentation(network):
        return None
    return network


def mapped(network: Network) -> IPv4Address | None:
    """Return the IPv4 address that is written as an IPv6 one (`::ffff:45.33.32.156`)."""
    if isinstance(network, IPv6Network) and network.num_addresses == 1:
        return network.network_address.ipv4_mapped
    return None


def allowed(inputs: Inputs) -> Iterator[Allowed]:
    """Yield every address that the policy allows a key."""
    for name, key in inputs.keys.items():
        for index, entry in enumerate(key.ip_allowlist or ()):
            place = inputs.place(f"keys.{name}.ip_allowlist.{index}.address")
            yield Allowed(name, index, entry.address, network_of(entry.address), place)
