"""What every test has: a clean environment, no network beyond loopback, the size of a promise's proof, its ledger."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

pytest_plugins = ["policykit.testing.plugin"]

PROVING = os.environ.get("POLICYKIT_PROVE") == "1"
#: Seconds of one core that all tests of promises may take in `make test`: 150 s on two cores.
PROMISE_SECONDS = 300.0
PROMISE = re.compile(r"::test_(I\d+)_")

_real_connect = socket.socket.connect


def _loopback_only(self: socket.socket, address: Any) -> None:
    host = address[0] if isinstance(address, tuple) else "localhost"
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = host == "localhost"
    if self.family != socket.AF_UNIX and not inside:
        raise PermissionError(f"a test may talk to loopback only, not to {host}")
    _real_connect(self, address)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Refuse every connection that would leave this machine."""
    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", _loopback_only)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's own settings and state out of the tests."""
    for name in [n for n in os.environ if n.startswith("POLICYKIT_") and n != "POLICYKIT_PROVE"]:
        monkeypatch.delenv(name)
    state = tmp_path_factory.getbasetemp() / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setenv("XDG_CACHE_HOME", str(state / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(autouse=True)
def _fresh_redaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test's secrets be redacted in the texts of the next one."""
    from policykit import redact

    monkeypatch.setattr(redact, "_PROCESS", redact.Redactor())


@pytest.fixture
def tier(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """Return `tier(p, n)`: p cases in `make test`, n in `make prove`; the figure used is printed at the end."""

    def choose(p: int, n: int) -> int:
        count = n if PROVING else p
        request.node.user_properties.append(("tier", count))
        return count

    return choose


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in memory where there is one: for files that are many, and whose disk is not in question."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def top() -> Path:
    """Return the top folder of the project."""
    return Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of a promise with `prove`: its number in the id says that it is one.

    What runs thousands of cases is not traced: coverage is of the tests that say what they hold (I24), and doubles the
    time. It comes last, so that what is computed once was computed by a test that is traced.
    """
    items.sort(key=_many)
    for item in items:
        if PROMISE.search(item.nodeid):
            item.add_marker(pytest.mark.prove)
        if _many(item):
            item.add_marker(pytest.mark.no_cover)


def _many(item: pytest.Item) -> bool:
    return "tier" in getattr(item, "fixturenames", ()) and PROMISE.search(item.nodeid) is not None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List every promise that was tested: how many tests, cases, seconds of one core."""
    seconds: dict[str, float] = defaultdict(float)
    cases: dict[str, int] = defaultdict(int)
    tests: dict[str, set[str]] = defaultdict(set)
    tables: dict[str, str] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            found = PROMISE.search(getattr(report, "nodeid", ""))
            if not found or not hasattr(report, "duration"):
                continue
            promise = found.group(1)
            seconds[promise] += report.duration
            tests[promise].add(report.nodeid)
            if report.when == "call":
                cases[promise] += sum(value for name, value in report.user_properties if name == "tier")
                tables.update((report.nodeid, value) for name, value in report.user_properties if name == "table")
    if not seconds:
        return
    if PROVING and tables:
        terminalreporter.section("what each policy of retry comes to")
        terminalreporter.write_line("\n\n".join(tables[name] for name in sorted(tables)))
    terminalreporter.section(f"promises, {'N' if PROVING else 'P'} figures (docs/reliability.md)")
    for promise in sorted(seconds, key=lambda name: int(name[1:])):
        figure = f"{cases[promise]:>10,} cases" if cases[promise] else " " * 16
        terminalreporter.write_line(f"{promise:4}{len(tests[promise]):4} tests {figure} {seconds[promise]:8.1f} s")
    total = sum(seconds.values())
    over = "" if PROVING or total <= PROMISE_SECONDS else f"  OVER the {PROMISE_SECONDS:.0f} s they may take"
    terminalreporter.write_line(f"all promises {total:.1f} s of one core{over}")
