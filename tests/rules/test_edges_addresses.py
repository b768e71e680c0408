"""Addresses: each special range, the edges of a list, and what a person declared of it."""

from __future__ import annotations

import pytest

from policykit.place import Place
from policykit.rules import Inputs
from policykit.rules.addresses import mapped, network_of, public, special
from policykit.rules.fleet import Card
from policykit.testing.rules.examples import NOW_MS, Example, inputs_of
from tests.rules.asking import KEY, findings_of, key_card, lines_for, lines_of, policy_card


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("9.255.255.255", ""),
        ("10.0.0.0", "a private address"),
        ("10.255.255.255", "a private address"),
        ("11.0.0.0", ""),
        ("100.63.255.255", ""),
        ("100.64.0.0", "an address inside a carrier's network"),
        ("100.127.255.255", "an address inside a carrier's network"),
        ("100.128.0.0", ""),
        ("172.15.255.255", ""),
        ("172.16.0.0/12", "a private address"),
        ("172.32.0.0", ""),
        ("0.0.0.0", "an address of no host"),
        ("127.0.0.1", "a loopback address"),
        ("169.254.169.254", "a link-local address"),
        ("192.0.0.8", "an address reserved for protocols"),
        ("192.168.1.4", "a private address"),
        ("198.18.0.1", "an address for benchmarks"),
        ("198.20.0.1", ""),
        ("223.255.255.255", ""),
        ("224.0.0.1", "a multicast address"),
        ("239.255.255.255", "a multicast address"),
        ("240.0.0.1", "a reserved address"),
        ("255.255.255.255", "a reserved address"),
        ("0.0.0.0/0", ""),
        ("8.0.0.0/5", ""),
        ("::", "an address of no host"),
        ("::1", "a loopback address"),
        ("::ffff:45.33.32.156", "an IPv4 address written as IPv6"),
        ("::2d21:209c", "a reserved address"),
        ("64:ff9b::1", "an address inside a translator"),
        ("100::1", "a reserved address"),
        ("1fff::1", "a reserved address"),
        ("2001:0:1::1", "an address reserved for protocols"),
        ("2002::1", "an address of the withdrawn 6to4 relays"),
        ("2600:3c01::7", ""),
        ("3fff::1", ""),
        ("4000::1", "a reserved address"),
        ("fc00::1", "a private address"),
        ("fd00::1", "a private address"),
        ("fe80::1", "a link-local address"),
        ("fec0::1", "a reserved address"),
        ("ff02::1", "a multicast address"),
        ("2000::/3", ""),
        ("::/0", ""),
        ("2000::", ""),
        ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
    ],
)
def test_what_no_exchange_sees_as_a_sender(text: str, what: str) -> None:
    """Each special range is told by what it is, from its first address to its last, and nothing beside it is."""
    network = network_of(text)
    assert network is not None
    assert special(network) == what


def test_public_addresses_are_single_and_somebodys() -> None:
    """Only one address, outside every special range and every example, can be compared between policies."""
    texts = (
        "45.33.32.156",
        "45.33.32.156/32",
        "2600:3c01::7",
        "45.33.32.0/24",
        "10.0.0.7",
        "203.0.113.7",
        "3fff::1",
        "x",
    )
    assert [public(text) is not None for text in texts] == [True, True, True, False, False, False, False, False]
    assert public("45.33.32.156") == public("45.33.32.156/32")
    assert public("45.33.32.156/31") is None
    ends = ("192.0.2.0", "192.0.2.255", "198.51.100.0", "203.0.113.255", "2001:db8::", "2001:db8:ffff::1")
    beside = ("192.0.1.255", "192.0.3.0", "198.51.99.255", "203.0.114.0", "2001:db7:ffff::1", "2001:db9::")
    assert [public(text) is None for text in (*ends, *beside)] == [True] * 6 + [False] * 6


def test_mapped_address_is_rewritten_only_if_it_is_public() -> None:
    """`::ffff:` before a public address has a fix; before a private one, a range or nothing it has none."""
    text = KEY + '    ip_allowlist: [{address: "::ffff:45.33.32.156"}, {address: "::ffff:10.0.0.7"}]\n'
    one, two = findings_of("PK203", text)
    assert one.fix is not None
    assert (one.fix.safe, [e.text for e in one.fix.edits], two.fix) == (False, ["45.33.32.156"], None)
    twice = '{address: "::ffff:45.33.32.156"}, {address: 45.33.32.156}'
    assert [f.fix for f in findings_of("PK203", KEY + f"    ip_allowlist: [{twice}]\n")] == [None]
    other_key = (
        '{address: "::ffff:45.33.32.156"}]\n  b:\n    purpose: execution\n    ip_allowlist: [{address: 45.33.32.156}'
    )
    assert [f.fix is None for f in findings_of("PK203", KEY + f"    ip_allowlist: [{other_key}]\n")] == [False]
    for other in ("::ffff:0:0/96", "2600:3c01::7", "45.33.32.156"):
        network = network_of(other)
        assert network is not None
        assert mapped(network) is None


def test_what_is_no_address_lies_in_no_range() -> None:
    """A text that is no address is PK203's alone; ranges and addresses of two versions do not meet."""
    text = KEY + '    ip_allowlist: [{address: 45.33.32.256}, {address: "2600::/16"}, {address: 45.33.32.1}]\n'
    assert lines_of("PK206", text) == []
    assert len(lines_of("PK203", text)) == 1


def test_empty_why_says_nothing() -> None:
    """A `why` of blanks is none."""
    text = KEY + '    ip_allowlist: [{address: 45.33.32.156, why: "  "}]\n'
    assert lines_of("PK205", text) == [
        "open certain policy.yaml:4:30 address 45.33.32.156 of key `k` does not say what it is"
    ]


def test_each_further_owner_is_named_once() -> None:
    """Of many policies of two desks behind one address, one finding tells it."""
    at = Place("x", 1, 1)

    def owned(file: str, owner: str | None) -> Card:
        key = key_card("k", addresses=(("45.33.32.156", at._replace(file=file)),))
        return policy_card(file, key)._replace(owner=owner)

    cards = (*(owned(f"{i}.yaml", f"desk-{'abb'[i % 3]}") for i in range(9)), owned("x.yaml", None))
    assert lines_for("PK208", Inputs(NOW_MS, fleet=cards)) == [
        "open certain 1.yaml:1:1 key `k` of desk-b and key `k` of desk-a are bound to the same address, 45.33.32.156"
    ]


def test_size_of_a_range() -> None:
    """Large ranges are written as a power of two; a live range that the policy names is said once."""
    text = KEY + '    ip_allowlist: [{address: "2600::/16"}, {address: 0.0.0.0/1}, {address: 0.0.0.0/0}]\n'
    assert [f.label for f in findings_of("PK202", text)] == [
        "2^112 addresses",
        "2,147,483,648 addresses",
        "2^32 addresses",
    ]
    both = KEY.replace("k:", "mm-exec:") + "    ip_allowlist: [{address: 45.33.32.0/24}]\n"
    live = '{"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "yes", "addresses": ["45.33.32.0/24", "*"]}}]}'
    assert len(lines_of("PK202", both, live)) == 1


def _addresses(*entries: str) -> str:
    return KEY + "    ip_allowlist: [" + ", ".join(f'{{address: "{entry}"}}' for entry in entries) + "]\n"


def test_what_is_sound_hides_nothing_behind_it() -> None:
    """Each address is looked at, whatever stands before it in the list."""
    assert [
        f.primary.path for f in findings_of("PK203", _addresses("45.33.32.1", "10.0.0.7", "45.33.32.2", "::1"))
    ] == [
        "keys.k.ip_allowlist.1.address",
        "keys.k.ip_allowlist.3.address",
    ]
    twice = _addresses("45.33.32.999", "45.33.32.1", "45.33.32.1/32", "45.33.33.0/31", "45.33.33.1")
    assert [f.primary.path for f in findings_of("PK206", twice)] == [
        "keys.k.ip_allowlist.2.address",
        "keys.k.ip_allowlist.4.address",
    ]
    assert [f.label for f in findings_of("PK202", _addresses("45.33.33.0/31", "45.33.33.4/30"))] == [
        "2 addresses",
        "4 addresses",
    ]
    assert [f.label for f in findings_of("PK202", _addresses("45.33.32.156/24"))] == ["256 addresses"]
    shared = (("10.0.0.7", Place("f", 1)), ("45.33.32.1", Place("f", 2)), ("45.33.32.2", Place("f", 3)))
    cards = [policy_card(f"{owner}.yaml", key_card("k", addresses=shared)) for owner in "ab"]
    fleet = tuple(card._replace(owner=card.file) for card in cards)
    assert [text.rpartition(" ")[2] for text in lines_for("PK208", Inputs(NOW_MS, fleet=fleet))] == [
        "45.33.32.1",
        "45.33.32.2",
    ]


def test_restriction_that_is_empty_or_off() -> None:
    """An empty list is called empty; the evidence is the exchange's own field where it was kept, its reason is told."""
    (found,) = findings_of("PK201", KEY + "    ip_allowlist: []\n")
    assert found.label == "empty"
    (found,) = findings_of("PK201", KEY)
    assert found.label == "no `ip_allowlist`"
    text = _addresses("45.33.32.1").replace("  k:", "  mm-exec:")
    off = '{"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "no", "addresses": null}, "raw": {%s}}]}'
    for raw, path, value in (('"ipRestrict": false', "ipRestrict", False), ("", "ip_allowlist.restricted", "no")):
        (found,) = findings_of("PK201", text, off % raw)
        assert found.observed is not None
        assert (found.observed.path, found.observed.value) == (path, value)
    for field in ("ip_allowlist.restricted", "ip_allowlist"):
        untold = (
            '{"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "unknown"}, "unknown": {"%s": "hidden"}}]}'
        )
        assert [text.rpartition(": ")[2] for text in lines_of("PK201", text, untold % field)] == ["hidden"]


@pytest.mark.parametrize(
    ("at", "when"),
    [
        ("2026-08-23", ""),
        ("2026-08-22", "is 91 days old"),
        ("2026-11-22", ""),
        ("2026-11-23", "which is still to come"),
    ],
)
def test_declaration_at_the_edge_of_its_age(at: str, when: str) -> None:
    """The ninetieth day is the last that counts; tomorrow is the last day that somebody's clock may be at."""
    fresh = "{purpose: tracking, declared: {by: me, at: 2026-11-20}}"
    text = (
        f"keys:\n  a: {{purpose: tracking}}\n  b: {fresh}\n  k: {{purpose: tracking, declared: {{by: me, at: {at}}}}}\n"
    )
    assert [when in said for said in lines_of("PK207", text)] == ([True] if when else [])


def test_declaration_to_the_millisecond() -> None:
    """The ninetieth day ends at midnight; a declaration of the day after tomorrow is still to come."""
    inputs = inputs_of(Example("yaml", "keys:\n  k: {purpose: tracking, declared: {by: me, at: 2026-08-23}}\n"))
    day = 86_400_000
    midnight = NOW_MS - 10 * day // 24
    assert [len(lines_for("PK207", inputs._replace(now_ms=midnight + day + ms))) for ms in (-1, 0)] == [0, 1]
    ahead = inputs_of(Example("yaml", "keys:\n  k: {purpose: tracking, declared: {by: me, at: 2026-11-22}}\n"))
    assert [len(lines_for("PK207", ahead._replace(now_ms=midnight + ms))) for ms in (0, -1)] == [0, 1]
