"""Prove the alerts: by promtool, by amtool, and by a real Alertmanager that must hold back what a halt explains.

Every example policy's rules are linted; of one that asks for every alert each fires when it must and is silent when it
must (tests/telemetry/alert_cases.py).
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP))

from policykit.policy import load  # noqa: E402 - found by the path above
from policykit.telemetry.alerts import rules  # noqa: E402
from tests.telemetry.alert_cases import CASES, POLICY, promtool_tests  # noqa: E402

CONFIG = TOP / "examples" / "ops" / "alertmanager.yml"
#: Debian calls it after Prometheus.
ALERTMANAGER = ("alertmanager", "prometheus-alertmanager")
SECONDS = 60
#: An alert with its labels, and whether the one before it holds it back.
LOSS = {
    "policykit_exchange_name": "binance",
    "policykit_account_alias": "main",
    "policykit_check_id": "risk.daily_loss",
}
HELD = (
    ({"alertname": "PolicykitHalted"}, False),
    ({"alertname": "PolicykitDenialSpike"}, True),
    ({"alertname": "PolicykitLossReached", **LOSS}, False),
    ({"alertname": "PolicykitLossHigh", **LOSS}, True),
    ({"alertname": "PolicykitDrift", **LOSS}, False),
    ({"alertname": "PolicykitKeyExpired", "policykit_key_name": "a"}, False),
    ({"alertname": "PolicykitKeyDue", "policykit_key_name": "a"}, True),
    ({"alertname": "PolicykitKeyDue", "policykit_key_name": "b"}, False),
)


def asked(*command: str, folder: Path = TOP) -> bool:
    """Run a tool; say what it said when it failed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0:
        print(f"alerts: {' '.join(command)}\n{(done.stdout + done.stderr)[-2000:]}", file=sys.stderr)
    return done.returncode == 0


def by_promtool(folder: Path) -> bool:
    """Lint the rules of every example policy, and run the cases."""
    good = True
    for file in sorted(f for f in (TOP / "policies").rglob("*.yaml") if not f.name.endswith(".test.yaml")):
        policy = load(file)
        if not policy.profile:
            (folder / "rules.yaml").write_text(rules(policy))
            good &= asked("promtool", "check", "rules", "--lint=all", "rules.yaml", folder=folder)
    (folder / "mm.yaml").write_text(POLICY)
    policy = load(folder / "mm.yaml")
    (folder / "rules.yaml").write_text(rules(policy))
    (folder / "cases.yaml").write_text(promtool_tests("rules.yaml", policy.version))
    good &= asked("promtool", "check", "rules", "--lint=all", "rules.yaml", folder=folder)
    good &= asked("promtool", "test", "rules", "cases.yaml", folder=folder)
    # The control: a rule whose threshold is wrong is found by its case.
    broken = rules(policy).replace("} > 180", "} > 1800")
    (folder / "broken.yaml").write_text(broken)
    (folder / "control.yaml").write_text(promtool_tests("broken.yaml", policy.version))
    control = subprocess.run(
        ("promtool", "test", "rules", "control.yaml"), cwd=folder, capture_output=True, check=False
    )
    if broken == rules(policy) or control.returncode == 0:
        print("alerts: promtool passed a rule that is wrong", file=sys.stderr)
        good = False
    return good


def by_alertmanager(folder: Path) -> bool:
    """Post alerts to a real Alertmanager with the example's configuration; what it holds back must be what is meant."""
    program = next((found for name in ALERTMANAGER if (found := shutil.which(name))), None)
    if program is None:
        print("alerts: alertmanager is not installed: what it holds back was not tried")
        return True
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{free.getsockname()[1]}"
    command = (program, f"--config.file={CONFIG}", f"--storage.path={folder}", f"--web.listen-address={url}")
    running = subprocess.Popen(
        (*command, "--cluster.listen-address="), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        body = [{"labels": labels | {"severity": "warning"}} for labels, _ in HELD]
        ready(lambda: ask(url, "POST", body) is None)
        found = {json.dumps(one["labels"], sort_keys=True): one["status"] for one in ask(url, "GET", None)}
        good = True
        for labels, held in HELD:
            status = found[json.dumps(labels | {"severity": "warning"}, sort_keys=True)]
            if bool(status["inhibitedBy"]) != held:
                print(f"alerts: {labels}: {status}; held back: {held} is meant", file=sys.stderr)
                good = False
        return good
    finally:
        running.terminate()
        running.wait(SECONDS)


def ask(url: str, method: str, body: Any) -> Any:
    """Ask Alertmanager's API for alerts, or give it some."""
    request = urllib.request.Request(
        f"http://{url}/api/v2/alerts",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        said = answer.read()
    return json.loads(said) if said else None


def ready(work: Any) -> None:
    """Do it once the server listens."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            work()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def main() -> int:
    """Run all of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        good = [by_promtool(folder), asked("amtool", "check-config", str(CONFIG)), by_alertmanager(folder)]
    cases = sum(1 + len(case.silent) for case in CASES.values())
    print(f"alerts: {len(CASES)} alerts, {cases} cases, {'all as they must be' if all(good) else 'FAILED'}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
