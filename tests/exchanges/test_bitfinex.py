"""Bitfinex's permissions: rows of read and write, nothing of addresses and times; errors whose code ccxt drops."""

from __future__ import annotations

from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.bitfinex import ADAPTER
from policykit.sim import SimClock, SimServer
from policykit.traits import load
from tests.exchanges.reading import client_of, report_of

#: npm @taichunmin/bitfinex (README, 2025), the answer it shows, as rows of docs.bitfinex.com/reference/key-permissions.
SEEN: list[Any] = [
    ["account", 0, 0],
    ["history", 1, 0],
    ["orders", 0, 0],
    ["positions", 0, 0],
    ["funding", 1, 1],
    ["settings", 0, 0],
    ["wallets", 1, 0],
    ["withdraw", 0, 0],
    ["ui_withdraw", 0, 0],
    ["bfxpay", 0, 0],
    ["eaas_agreement", 0, 0],
    ["eaas_withdraw", 0, 0],
    ["eaas_deposit", 0, 0],
    ["eaas_brokerage", 0, 0],
]


def _with(*rows: list[Any]) -> list[Any]:
    """Return the seen answer with these rows in the place of those of the same name, or at its end."""
    names = [row[0] for row in rows]
    return [row for row in SEEN if row[0] not in names] + list(rows)


def _granted(report: Any) -> list[str]:
    return [scope for scope, said in report.permissions.items() if said == "granted"]


def test_the_answer_that_was_seen() -> None:
    """What is not told is unknown with the reason: addresses, times, label; what nobody knows and is denied is none."""
    report = report_of(ADAPTER, SEEN)
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "denied",
        "trade.margin": "denied",
        "trade.derivatives": "denied",
        "trade.options": "unknown",
        "trade.other": "granted",
        "transfer": "denied",
        "withdraw": "denied",
        "key_admin": "unknown",
    }
    assert (report.restricted, report.addresses, report.created_at, report.account_id) == ("unknown", None, None, None)
    assert report.unrecognised == []
    never = ("permissions.trade.options", "permissions.key_admin", "ip_allowlist.restricted", "label")
    assert report.unknown == dict.fromkeys(
        (*never, "created_at", "expires_at", "last_used_at"), "bitfinex does not report it"
    )
    assert (report.raw["funding.write"], report.raw["orders.write"], len(report.raw)) == (1, 0, 20)


@pytest.mark.parametrize(
    ("row", "granted"),
    [
        (["orders", 1, 1], ["read", "trade.spot", "trade.margin", "trade.derivatives", "trade.other"]),
        (["positions", 1, 1], ["read", "trade.margin", "trade.derivatives", "trade.other"]),
        (["wallets", 1, 1], ["read", "trade.other", "transfer"]),
        (["withdraw", 0, 1], ["read", "trade.other", "withdraw"]),
        (["ui_withdraw", 0, True], ["read", "trade.other", "withdraw"]),
        (["funding", "1", "0"], ["read"]),
    ],
)
def test_what_each_permission_grants(row: list[Any], granted: list[str]) -> None:
    """Writing orders is every market's; a withdrawal by API or by the web page is one."""
    assert _granted(report_of(ADAPTER, _with(row))) == granted


def test_a_permission_nobody_knows() -> None:
    """One that writes may be a withdrawal; one that only reads is reported and takes no denial away."""
    report = report_of(ADAPTER, _with(["eaas_withdraw", 0, 1]))
    assert (report.unrecognised, report.permissions["withdraw"]) == (["eaas_withdraw"], "unknown")
    assert report.unknown["permissions.withdraw"] == "eaas_withdraw is not understood and may grant it"
    report = report_of(ADAPTER, _with(["eaas_withdraw", 1, 0]))
    assert (report.unrecognised, report.permissions["withdraw"]) == (["eaas_withdraw"], "denied")


def test_rows_that_cannot_be_read() -> None:
    """A missing or damaged row is unknown; of two rows of one name only two noes deny; HTML is no report."""
    report = report_of(ADAPTER, [row for row in SEEN if row[0] != "wallets"])
    assert report.unknown["permissions.transfer"] == "wallets.write was not in the answer"
    report = report_of(ADAPTER, _with(["withdraw", 0]))
    assert report.unknown["permissions.withdraw"] == "withdraw.write was not a yes or a no"
    report = report_of(ADAPTER, [*SEEN, {"withdraw": 1}])
    assert report.unknown["permissions.withdraw"] == "a row that is no permission is not understood and may grant it"
    assert report_of(ADAPTER, [*SEEN, ["withdraw", 0, 1]]).permissions["withdraw"] == "granted"
    assert report_of(ADAPTER, [*SEEN, ["withdraw", 0, None]]).permissions["withdraw"] == "unknown"
    assert report_of(ADAPTER, [*SEEN, ["withdraw", 0, 0]]).permissions["withdraw"] == "denied"
    answers: tuple[Any, ...] = ([], {"orders": 1}, "<html>")
    for answer in answers:
        with pytest.raises(CallFailed, match="bitfinex: the answer is not a key report; check the endpoint"):
            report_of(ADAPTER, answer)


GONE = "bitfinex: there is no such key, its signature is wrong, or this address is not on its allowlist (10100)"
REFUSED = {
    "revoked": ("KEY_REJECTED", GONE),
    "address": ("KEY_REJECTED", GONE),
    "permission": ("PERMISSION_MISSING", "bitfinex: the key lacks a permission; check its scopes (10001)"),
    "clock": (
        "CLOCK",
        (
            "bitfinex: the request's number is not above the key's last one: another program uses this key, or this "
            "host's clock went back; give each program a key of its own (10114)"
        ),
    ),
    "rate": ("RATE_LIMIT", "bitfinex: too many requests; wait (11010)"),
    "ban": ("RATE_LIMIT", "bitfinex: too many requests; wait (11010)"),
    "maintenance": ("MAINTENANCE", "bitfinex: the exchange is under maintenance; wait (20060)"),
}


def test_over_http() -> None:
    """Stock ccxt, two hosts kept apart, real signatures; each refusal is read from the answer's own code."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="bitfinex") as sim:
        client = client_of(sim, sim.grant_key(30, grants={"read", "withdraw"}))
        report = run(ADAPTER, client, ADAPTER.key_report(), clock)
        assert (_granted(report), report.restricted) == (["read", "withdraw"], "unknown")
        assert client.fetch_balance({"type": "exchange"})["total"]["USDT"] == 100000.0
        for refusal, (code, words) in REFUSED.items():
            with pytest.raises(CallFailed) as caught:
                run(ADAPTER, client_of(sim, sim.grant_key(refused=refusal)), ADAPTER.key_report(), clock)
            assert (caught.value.code, str(caught.value)) == (code, words)
        client.secret = "another"
        with pytest.raises(CallFailed, match="its signature is wrong") as caught:
            run(ADAPTER, client, ADAPTER.key_report(), clock)
        assert caught.value.code == "KEY_REJECTED"


def test_each_wallet_is_counted_once() -> None:
    """Each product's calls name wallets; what derivatives are paid with is in the margin wallet, and not told twice."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="bitfinex") as sim:
        client = client_of(sim, sim.grant_key())
        client.load_markets()
        kinds = (("exchange", "BTC"), ("margin", "USTF0"), ("funding", "USD"))
        rows = [[kind, coin, number, 0, number, None, None] for number, (kind, coin) in enumerate(kinds, 1)]
        client.privatePostAuthRWallets = lambda params: rows
        asked = {str(params): params for reads in ADAPTER.live.values() for params in reads.balances}
        totals = [client.fetch_balance(params)["total"] for params in asked.values()]
        assert totals == [{"BTC": 1.0}, {"USDT": 2.0}, {"USD": 3.0}]


def test_an_answer_that_is_no_error_is_not_taken_for_one() -> None:
    """An exception that ccxt raises over a good answer is not read by what that answer holds."""
    client = ADAPTER.client_class()()
    client.last_http_response = '[["account", 10100, 0]]'
    assert ADAPTER.failure(KeyError("x"), client).code == "UNKNOWN"
    client.last_http_response = '["error",10114,"nonce: small"]'
    assert ADAPTER.failure(KeyError("x"), client).code == "UNKNOWN"


def test_public_configuration_is_several_lists_in_one_path() -> None:
    """Lists of public configuration may be asked together; nothing else rides on the pattern."""
    path = "https://api-pub.bitfinex.com/v2/conf/pub:info:pair,pub:list:pair:margin"
    assert ADAPTER.call("GET", path, None).kind == "public"
    assert ADAPTER.call("POST", path, None).kind == "refused"
    assert ADAPTER.call("GET", f"{path}/x", None).kind == "refused"
    assert ADAPTER.call("POST", "https://api.bitfinex.com/v2/auth/w/order/submit", "{}").kind == "refused"


def test_an_order_id_is_a_number_of_45_bits() -> None:
    """Our 128 bits do not fit: the traits say that nothing is unique by it."""
    facts = load("bitfinex")
    assert facts is not None
    ids = facts.products["spot"].families["order"].client_order_id
    assert ids is not None
    numbers = {ids.encode(f"01JD7Z0000000000000000{n:04d}") for n in range(2000)}
    assert (len(numbers), max(map(int, numbers)) < 2**45, ids.unique) == (2000, True, "none")
