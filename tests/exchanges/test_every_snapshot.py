"""A whole snapshot of every exchange over real HTTP: what was sent, what it cost, what is known and why not."""

from __future__ import annotations

import json

import pytest

from policykit.exchanges import known, load
from policykit.exchanges.calls import listed
from policykit.exchanges.snapshot import plan, take
from policykit.redact import Secret, texts
from policykit.sim import SimServer
from policykit.snapshot import SCOPES, from_dict, to_dict
from tests.canary import assert_clean
from tests.exchanges.fakes import JumpClock
from tests.exchanges.policies import policy

POLICY = """\
policykit: 1
name: mm
owner: desk
exchange: {exchange}
account: {{name: main, currency: {currency}}}
environment: live
keys:
  one: {{purpose: execution, secret: "env://ONE", scopes: [read, {scope}]}}
  two: {{purpose: tracking, secret: "env://TWO", scopes: [read]}}
  bad: {{purpose: market_data, secret: "env://BAD", scopes: [read]}}
risk: {{symbols: ["{symbol}"]}}
"""
#: Exchanges of which only contracts are traded.
CONTRACTS = frozenset(("binanceusdm", "binancecoinm", "bitmex", "krakenfutures", "deribit"))


@pytest.mark.parametrize("exchange", known())
def test_I19_every_request_of_a_snapshot_is_a_listed_read(exchange: str) -> None:
    """Three keys, one of them revoked, and the account: the traffic as it arrived holds listed reads only.

    What could be read is in the file, the bad key is named with its reason, the cost is what was sent, every gap has a
    reason, and no secret is in it.
    """
    adapter = load(exchange)
    assert adapter is not None
    clock = JumpClock()
    contracts = exchange in CONTRACTS
    text = POLICY.format(
        exchange=exchange,
        currency="USDT",
        scope="trade.derivatives" if contracts else "trade.spot",
        symbol="BTC/USDT:USDT" if contracts else "BTC/USDT",
    )
    with SimServer(clock=clock, dialect=exchange) as sim:
        keys = {
            "ONE": sim.grant_key(30, addresses=["203.0.113.7"]),
            "TWO": sim.grant_key(3, grants={"read"}),
            "BAD": sim.grant_key(refused="revoked"),
        }

        def source(reference: str) -> dict[str, Secret]:
            key = keys[reference.removeprefix("env://")]
            return {name: Secret(value) for name, value in key.credentials().items()}

        loaded = policy(text)
        before = plan(loaded)
        taken = take(loaded, endpoint=sim.url, clock=clock, secret_source=source)
        arrived = sim.truth.by_route + sim.truth.unrouted
    both = adapter.reads | adapter.public
    strange = [name for name in arrived if not listed(name, both)]
    kinds = {adapter.call(name.split(" ", 1)[0], f"https://x{name.split(' ', 1)[1]}", None).kind for name in strange}
    assert kinds <= {"public"}  # Bitfinex lists what is asked of its configuration in the path
    assert taken.cost["calls"] == arrived.total()
    assert before["calls"] > 0
    public = all(listed(name, adapter.public) for name in adapter.asks["key_report"])
    assert {key.name for key in taken.keys} - {"bad"} == {"one", "two"}
    if not public:
        assert [error["key"] for error in taken.errors] == ["bad"]
        assert taken.errors[0]["code"] in ("KEY_REJECTED", "PERMISSION_MISSING")
    for key in taken.keys:
        assert key.id.startswith("sha256:")
        for scope in SCOPES:
            assert key.permissions[scope] != "unknown" or key.unknown[f"permissions.{scope}"]
    unknown = taken.account["unknown"]
    for name in ("equity", "balances", "positions", "open_orders"):
        assert taken.account[name] is not None or any(one.split(".")[0] == name for one in unknown), name
    data = to_dict(taken)
    assert to_dict(from_dict(json.loads(json.dumps(data)))) == data
    written = json.dumps(data)
    assert_clean(written, [key.secret for key in keys.values() if key.secret])
    assert texts(data) == data
