"""The files for hosts where keys live say what the commands say, and ask for snapshots only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policykit.cli.lint import command as lint
from tests.operate.test_operating_page import wrong

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
OPS = EXAMPLES / "ops"


#: None of them writes to an exchange.
NAMED = {"snapshot", "exporter", "journal", "status", "orders", "stage"}


@pytest.mark.parametrize("file", sorted(OPS.iterdir()), ids=lambda f: f.name)
def test_commands_for_hosts_can_be_called(file: Path) -> None:
    """Every option that they name is one of its command; nothing in them writes to an exchange."""
    for line in (line for line in file.read_text().splitlines() if re.search(r"bin/policykit ", line)):
        call = re.split(r" 2?>| \|\|| &&", line.partition("bin/")[2])[0]
        assert wrong(call) is None
        assert call.split()[1] in NAMED


def test_the_exporters_service_waits_for_its_store_and_may_not_harm_the_bots() -> None:
    """It is restarted when it died, not when the call is wrong or the port taken, and has bounds."""
    service = (OPS / "policykit-exporter.service").read_text()
    for line in ("Restart=on-failure", "RestartPreventExitStatus=2 3", "MemoryMax=512M", "UMask=0077"):
        assert f"{line}\n" in service
    assert "--allow-remote" not in service


def test_there_is_a_timer_and_a_line_for_cron() -> None:
    """One file each; the timer belongs to the service, the service makes room for nothing but its snapshots."""
    assert {"policykit-snapshot@.service", "policykit-snapshot@.timer", "policykit.cron"} <= {
        file.name for file in OPS.iterdir()
    }
    service = (OPS / "policykit-snapshot@.service").read_text()
    assert "SuccessExitStatus=3\n" in service
    assert "UMask=0077\n" in service
    assert "OnCalendar=hourly\n" in (OPS / "policykit-snapshot@.timer").read_text()


def test_the_ci_of_live_state_reads_files_and_says_why() -> None:
    """CI is given snapshots, verified and young; never keys, and never --live."""
    text = (EXAMPLES / "ci" / "snapshot.yml").read_text()
    script = text[text.index("- run: >-") :]
    assert set(re.findall(r"--[a-z-]+", script)) <= {option for part in lint.params for option in part.opts}
    assert "--live" not in script
    assert "secrets." not in text
    assert "Why --state and not --live: a hosted runner has no address" in text
