"""Ids: their form, that they are new in every thread and forked child, and the digest."""

from __future__ import annotations

import os
import random
import threading
from decimal import Decimal
from itertools import count

import pytest

from policykit.order import Order
from policykit.orders import ids
from policykit.orders.ids import ALPHABET, LENGTH, Ids, digest, new_id


def _number(text: str) -> int:
    out = 0
    for character in text:
        out = out * 32 + ALPHABET.index(character)
    return out


def test_an_id_holds_start_noise_and_counter() -> None:
    """An id is 48 bits of start, 40 of noise and 40 of counter, in 26 characters."""
    source = Ids(start_ms=1_795_255_200_000, noise=b"\x01\x02\x03\x04\x05")
    for n in range(3):
        text = source.new()
        assert len(text) == LENGTH
        assert _number(text) == 1_795_255_200_000 << 80 | 0x0102030405 << 40 | n
    assert Ids(0, bytes(5)).new() == "0" * 26


def test_ids_start_at_the_clock_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a start the wall clock is read once, and cut down to whole milliseconds."""
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_795_255_200_000_999_999)
    assert Ids(noise=bytes(5)).new() == Ids(1_795_255_200_000, bytes(5)).new()


def test_ids_go_on_in_the_next_block_in_order() -> None:
    """When the looked-up low bits are spent, the counter carries over, without gap or repetition."""
    source = Ids(1, bytes(5))
    head, _ = source._state
    source._state = (head, count(ids._BLOCK - 2).__next__)
    made = [source.new() for _ in range(4)]
    assert [_number(text) & (1 << 40) - 1 for text in made] == [
        ids._BLOCK - 2,
        ids._BLOCK - 1,
        ids._BLOCK,
        ids._BLOCK + 1,
    ]
    assert made == sorted(made)


def test_a_block_that_another_thread_turned_is_not_turned_again() -> None:
    """Two threads that find the same block spent make one new block between them."""
    source = Ids(1, bytes(5))
    spent, _ = source._state
    first, second = source._turn(spent), source._turn(spent)
    assert [_number(text) & (1 << 40) - 1 for text in (first, second)] == [ids._BLOCK, ids._BLOCK + 1]


def test_threads_never_share_an_id() -> None:
    """Four threads that draw at once, over the end of a block, get 40,000 different ids."""
    source = Ids()
    source._state = (source._state[0], count(ids._BLOCK - 5_000).__next__)
    made: list[list[str]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda out=out: out.extend(source.new() for _ in range(10_000))) for out in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({text for out in made for text in out}) == 40_000


def test_a_forked_child_has_ids_of_its_own() -> None:
    """A child that goes on where its parent stands draws other ids, though it seeds `random` alike."""
    read, write = os.pipe()
    random.seed(1)
    child = os.fork()
    if child == 0:
        os.write(write, new_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 100).decode()
    os.close(read)
    os.close(write)
    ours = new_id()
    assert len(theirs) == LENGTH
    assert theirs[:18] != ours[:18]


def test_control_without_the_fork_handler_ids_would_repeat() -> None:
    """The handler puts another source in place; the old one would count on from the same number in both."""
    before = ids._ids
    ids._after_fork()
    assert ids._ids is not before
    assert ids._ids._origin != before._origin


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "ETH/USDT"},
        {"side": "sell"},
        {"type": "market"},
        {"quantity": Decimal("1.1")},
        {"price": Decimal("50.1")},
        {"stop_price": Decimal(49)},
        {"quote_quantity": Decimal(49)},
        {"reduce_only": True},
        {"time_in_force": "IOC"},
        {"action": "order.amend"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_I6_a_digest_holds_every_field_but_the_id(change: dict[str, object]) -> None:
    """Orders that differ in any field differ in their digest; numbers written differently, or another id, do not."""
    body: dict[str, object] = {
        "symbol": "BTC/USDT", "side": "buy", "type": "limit", "quantity": Decimal(1), "price": Decimal(50),
    }  # fmt: skip
    order = Order(**body)  # type: ignore[arg-type]
    same = Order(**body | {"price": Decimal("50.00"), "client_order_id": "x"})  # type: ignore[arg-type]
    assert digest("a/b", Order(**body | change)) != digest("a/b", order)  # type: ignore[arg-type]
    assert digest("a/b", same) == digest("a/b", order)
    assert digest("a/c", order) != digest("a/b", order)
    assert len(digest("a/b", order)) == 16
