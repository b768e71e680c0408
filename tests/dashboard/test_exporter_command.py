"""Where `policykit exporter` listens, and what it refuses at once."""

from __future__ import annotations

import socket

import pytest

from policykit.cli.__main__ import main
from policykit.dashboard.background import loopback, own_host


def test_which_addresses_are_this_machines() -> None:
    """What other machines reach needs the word of whoever starts it."""
    assert [loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "10.0.0.1", "fra-1")] == [
        *(True,) * 3,
        *(False,) * 4,
    ]
    assert [own_host(host, ["a"]) for host in ("", ":80", "a", "b", "a:1:2", "[::1", "::1")] == [
        *(False, False, True, False, False, True, True)
    ]


def test_another_address_needs_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """What other machines can reach is never opened by accident."""
    assert main(["exporter", "--host", "0.0.0.0"]) == 2
    wanted = "policykit: --host 0.0.0.0 is reached from other machines; 127.0.0.1 is not; say --allow-remote if that is"
    assert capsys.readouterr().err.startswith(wanted)
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["exporter", "--host", "0.0.0.0", "--allow-remote", "--port", port]) == 3


def test_a_store_that_no_process_can_read_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, at once: waiting would not help."""
    assert main(["exporter", "--store", "memory:", "--port", "0"]) == 3
    wanted = "policykit: memory: has no journal that another process could read; name a store that has a file\n"
    assert capsys.readouterr().err == wanted
