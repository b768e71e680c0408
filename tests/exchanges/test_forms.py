"""Reading forms: what proves a restriction and what does not, fields told twice, answers that are no key report."""

from __future__ import annotations

import pytest

from policykit.exchanges.base import CallFailed
from policykit.exchanges.forms import Fields, KeyForm, addresses_of

#: Every way to let all addresses in that an allowlist can hold.
EVERYWHERE = (
    False,
    "",
    [],
    [""],
    "*",
    ["*"],
    "0.0.0.0/0",
    "0.0.0.0/00",
    "0.0.0.0/0.0.0.0",
    ["203.0.113.7", "::/0"],
    "*.*.*.*",
    "**",
    "0.0.0.0-255.255.255.255",
    ["0.0.0.0 - 255.255.255.255"],
    "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ["0.0.0.0/1", "128.0.0.0/1"],
    ["0.0.0.0/1", "203.0.113.7", "128.0.0.0/2", "192.0.0.0/2"],
    ["::/1", "8000::/1"],
    "::ffff:0:0/96",
    ["::ffff:0.0.0.0/97", "::ffff:128.0.0.0/97"],
)
#: What may be how somebody writes "none", or nothing at all.
UNREADABLE = (
    "0",
    "-",
    "-1",
    "--",
    ".",
    ":",
    "a",
    "dead",
    "0/0",
    "000.000.000.000",
    "0.*",
    "203.0.113.*/0",
    "10.0.0.1-",
    "-10.0.0.1",
    "1.2.3.4|5.6.7.8",
    "none",
    None,
    True,
    0,
    [None],
    {"ip": "203.0.113.7"},
)


@pytest.mark.parametrize("value", EVERYWHERE, ids=repr)
def test_what_leaves_no_address_out_is_no_restriction(value: object) -> None:
    """A list that lets all addresses in, in one piece or in two halves, restricts nothing."""
    assert addresses_of(value) == ("no", [])


@pytest.mark.parametrize("value", UNREADABLE, ids=repr)
def test_what_names_no_address_proves_no_restriction(value: object) -> None:
    """A placeholder or a broken address is unknown, never a restriction whose addresses are hidden."""
    assert addresses_of(value) == ("unknown", None)


@pytest.mark.parametrize(
    "value", ["203.**.154", "203.**.154,103.**.34", "203.0.113.*", "10.0.0.1-10.0.0.9", "10.0.0.1-9", "2001:db8::*"]
)
def test_masked_addresses_and_spans_restrict_and_cannot_be_compared(value: str) -> None:
    """A masked address or a span leaves addresses out: a restriction, of addresses that are not known."""
    assert addresses_of(value) == ("yes", None)


def test_a_field_that_is_told_twice_and_differently_is_not_believed() -> None:
    """Of two spellings of one field that do not agree neither is read, so a yes among them is never a denial."""
    form = KeyForm(
        "binance",
        "GET /x",
        Fields({"enableWithdrawals": False, "enable_withdrawals": True, "canFly": 1, "can_fly": 0}),
        0,
    )
    form.flags("withdraw", ("enableWithdrawals",))
    report = form.report()
    assert report.permissions["withdraw"] == "unknown"
    assert report.unknown["permissions.withdraw"] == "enableWithdrawals was not a yes or a no"
    assert report.unrecognised == ["canFly"]


def test_a_field_that_is_told_twice_alike_is_read() -> None:
    """Two spellings that agree are one field, as in an answer on its way from one form to the other."""
    form = KeyForm("kraken", "GET /x", Fields({"enableWithdrawals": True, "enable_withdrawals": True}), 0)
    form.flags("withdraw", ("enableWithdrawals",))
    assert form.report().permissions["withdraw"] == "granted"


@pytest.mark.parametrize("answer", [{}, {"error": "please log in"}, {"serverTime": 1}])
def test_an_answer_without_a_field_of_a_key_report_is_no_report(answer: dict[str, object]) -> None:
    """What holds nothing that was asked for is a bad answer, so that lint ends with 3 and not with unknowns."""
    form = KeyForm("binance", "GET /x", Fields(answer), 0)
    form.flags("withdraw", ("enableWithdrawals",))
    with pytest.raises(CallFailed) as failed:
        form.report()
    assert failed.value.failure.code == "BAD_ANSWER"
    assert str(failed.value) == "binance: the answer is not a key report; check the endpoint"


@pytest.mark.parametrize("given", ["", [], [""], ","])
def test_a_key_that_answered_has_a_permission(given: object) -> None:
    """An empty list of permissions denies nothing: a key without any could not have asked."""
    form = KeyForm("x", "GET /key", Fields({"perm": given}), 1_795_255_200_000)
    form.permissions("perm", {"read": ("read",), "withdraw": ("withdraw",)})
    report = form.report()
    assert (report.permissions["read"], report.permissions["withdraw"]) == ("unknown", "unknown")
    assert report.unknown["permissions.withdraw"] == "perm was not a list that names a permission"
