"""What holds for the facts of every exchange: they have a source, ids fit, units are sane, words are there."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from policykit import traits
from policykit.orders.ids import _text
from policykit.snapshot import SCOPES
from policykit.traits.base import FENCE_TERMS, Exchange, Family, fence_length_ms, fence_terms

DAY_MS = 86_400_000


@pytest.fixture(params=traits.known())
def exchange(request: pytest.FixtureRequest) -> Exchange:
    """The facts of each exchange."""
    found = traits.load(str(request.param))
    assert found is not None
    return found


def _families(exchange: Exchange) -> list[tuple[str, Family]]:
    return [
        (f"{product}.{name}", family)
        for product, facts in exchange.products.items()
        for name, family in facts.families.items()
    ]


def test_ids_fit_and_never_meet(exchange: Exchange) -> None:
    """200 of our ids, rendered, fit the exchange's own pattern, and two ids are never rendered alike."""
    rng = random.Random(4)
    ids = [_text(rng.getrandbits(128), 26) for _ in range(200)]
    for name, family in _families(exchange):
        if family.client_order_id is None:
            continue
        rendered = [family.client_order_id.encode(one) for one in ids]
        wrong = [one for one in rendered if not re.fullmatch(family.client_order_id.pattern, str(one))]
        assert wrong == [], name
        assert len(set(rendered)) == len(ids), name


def test_spans_and_counts_are_sane(exchange: Exchange) -> None:
    """Times are milliseconds: nothing is a second taken for one, nothing is longer than it can be."""
    for name, family in _families(exchange):
        for field in ("validity_default_ms", "validity_max_ms", "ahead_ms", "processing_ms", "visibility_lag_ms"):
            value = getattr(family, field)
            least = 0 if field == "processing_ms" else 1  # an engine that holds the deadline itself adds nothing
            assert value is None or least <= value <= 14 * DAY_MS, f"{name}.{field}"
        if family.validity_default_ms and family.validity_max_ms:
            assert family.validity_default_ms <= family.validity_max_ms, name
        assert family.source, name
    for window in exchange.rate_windows:
        assert window.limit >= 1
        assert 100 <= window.per_ms <= 30 * DAY_MS
        assert window.source, window.name
    for expiry in exchange.key_expiries:
        assert DAY_MS <= expiry.after_ms <= 3_700 * DAY_MS
        assert expiry.source
    for product, facts in exchange.products.items():
        switch = facts.dead_man_switch
        if switch is not None:
            assert switch.source, product
            assert (switch.least_ms or 0) <= (switch.most_ms or DAY_MS), product
    assert exchange.ban_ms is None or 1_000 <= exchange.ban_ms <= 3 * DAY_MS


def test_only_a_stated_assumption_is_assumed(exchange: Exchange) -> None:
    """A term that no document names is None, and then there is no fence; the exceptions are told by their names."""
    for name, family in _families(exchange):
        rests = fence_terms(family)
        assert list(rests) == list(FENCE_TERMS)
        known = {term for term, how in rests.items() if how != "unknown"}
        assert family.assumed <= known, name  # an assumption has a figure
        assert {term for term, how in rests.items() if how == "assumed"} == family.assumed
        # docs/orders.md: the lag of Binance, and the second that USD-M's engine gets beside its documented rule.
        lags = family.visibility_lag_ms is not None and exchange.id in ("binance", "binanceusdm")
        slack = {"processing_ms"} if family.processing_ms == 1_000 else set()
        assert family.assumed == ({"visibility_lag_ms"} | slack if lags else set()), name
        assert (fence_length_ms(family, 5_000, 500) is None) == (known != set(FENCE_TERMS)), name


def test_costs_are_of_allowances_that_exist(exchange: Exchange) -> None:
    """A cost table of no allowance would be counted nowhere; a call is named `VERB /path`."""
    names = {window.name for window in exchange.rate_windows}
    assert set(exchange.costs) <= names
    for table in exchange.costs.values():
        wrong = [call for call, cost in table.items() if not re.match(r"(GET|POST|PUT|DELETE) /", call) or cost < 0]
        assert wrong == []


def test_errors_say_what_to_do(exchange: Exchange) -> None:
    """Every meaning has words; what a request proves is "no" only for refusals, never for what is not known."""
    meanings = [*exchange.errors.values(), *(meaning for _, meaning in exchange.error_texts)]
    assert meanings
    for meaning in meanings:
        assert meaning.words
        assert meaning.words[0].islower() or meaning.words.startswith("IP"), meaning
        assert not (meaning.executed == "no" and meaning.code in ("UNKNOWN", "NETWORK", "DUPLICATE_ID")), meaning


def test_a_person_is_led(exchange: Exchange) -> None:
    """Where the key is edited, what its boxes are called, and how it is revoked, for keys plan and incident."""
    assert exchange.key_page
    assert set(exchange.scope_labels) <= {*SCOPES, "ip_allowlist"}
    assert exchange.revocation is not None
    assert exchange.revocation.steps
    assert exchange.evidence in ("documented", "declared")


def test_every_fact_file_names_its_sources(exchange: Exchange, top: Path) -> None:
    """A source is a page or a file, with a date."""
    text = (top / "policykit" / "traits" / f"{exchange.id}.py").read_text()
    assert re.search(r"20[12][0-9]-[01][0-9]|from memory", text)
