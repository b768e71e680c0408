"""What a place is said to need: the value of a key that is missing, the keys of a section, the items of a list."""

from __future__ import annotations

import pytest

from tests.policy.test_load import HEAD, told

NEEDS = [
    (
        "risk: {daily_loss: 3}",
        [
            (
                "PK011 3:20 risk.daily_loss is 3; a section (`limit: ...`) is needed; here may be: limit, day_starts, "
                "on_breach"
            )
        ],
    ),
    (
        "dead_man_switch: {timeout: 60s}",
        [
            (
                "PK012 3:1 `dead_man_switch` has no `refresh`; `refresh: ...` is needed here, "
                'a duration ("500ms", "30s", "5m", "24h", "90d")'
            )
        ],
    ),
    (
        "risk: {max_order_notional: 5000}",
        ['PK011 3:28 risk.max_order_notional is 5000; an amount ("5000 USDT") or a share ("1.5% of equity") is needed'],
    ),
    (
        "risk: {max_position_notional: 5000}",
        [
            (
                'PK011 3:31 risk.max_position_notional is 5000; a cap ("5000 USDT", "10% of equity"), or caps by '
                'symbol ("default", "BTC/USDT") are needed'
            )
        ],
    ),
    (
        "keys: {k: {purpose: execution, ip_allowlist: [192.0.2.1]}}",
        [
            (
                'PK011 3:47 keys.k.ip_allowlist.0 is "192.0.2.1"; a section (`address: ...`) is needed; here may be: '
                "address, why"
            )
        ],
    ),
    (
        "keys: {k: {purpose: execution, ip_allowlist: 192.0.2.1}}",
        [
            (
                'PK011 3:46 keys.k.ip_allowlist is "192.0.2.1"; a list (`[{address: ...}]`) is needed; in an item may '
                "be: address, why"
            )
        ],
    ),
    (
        "rate_budgets: {w: {limit: 1, per: 1m, shared_by: ip}}",
        ["PK012 3:16 `rate_budgets.w` has no `window`; `window: ...` is needed here, one of `fixed` or `rolling`"],
    ),
    (
        "rate_budgets: {w: {per: 1m, shared_by: ip, window: fixed}}",
        ["PK012 3:16 `rate_budgets.w` has no `limit`; `limit: ...` is needed here, a whole number"],
    ),
    (
        'risk: {daily_loss: {day_starts: "00:00 UTC"}}',
        [
            (
                "PK012 3:8 `risk.daily_loss` has no `limit`; `limit: ...` is needed here, "
                'an amount ("5000 USDT") or a share ("1.5% of equity")'
            )
        ],
    ),
]


@pytest.mark.parametrize(("text", "findings"), NEEDS)
def test_what_is_needed_is_said_so_that_it_can_be_written(text: str, findings: list[str]) -> None:
    """A message names the keys of a section, the form of a list and the values that a missing key may have."""
    assert told(HEAD + text) == findings


def test_what_may_stand_behind_an_error_is_not_said_to_be_missing() -> None:
    """A policy of which only a part could be read has the finding that ended the reading, and no other for it."""
    assert told("policykit: 1\nname x\nowner: y") == [
        "PK002 2:1 this is not YAML (could not find expected ':'); `key: value`, with a blank after the colon"
    ]
