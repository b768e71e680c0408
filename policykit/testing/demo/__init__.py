"""`policykit demo`: the whole job on real parts in two minutes. Nothing is pre-recorded; what is printed was measured.

A simulated exchange on loopback, stock ccxt, the naive bot of the README, a real store. `run` prints and returns
whether each part came out as it should.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from policykit.testing.demo.halting import show_halt
from policykit.testing.demo.linting import show_lint
from policykit.testing.demo.tracing import Recorder, show_trace
from policykit.testing.demo.trading import compare, show_comparison

Say = Callable[[str], None]


class Part(NamedTuple):
    """One part of the demo and whether it came out as it should; `why` says what did not."""

    name: str
    why: str | None


def run(say: Say, seed: int = 7, progress: Callable[[str], None] | None = None, keep: Path | None = None) -> list[Part]:
    """Run the demo; `progress` gets a short line that replaces the one before (None: no terminal).

    Policies and journals are left in `keep`, a folder that is there and empty, or in a new one.
    """
    folder = keep or Path(tempfile.mkdtemp(prefix="policykit-demo-"))
    store = f"sqlite:///{folder}/store.db"
    os.environ["POLICYKIT_STORE"] = store
    recorder = Recorder()
    parts = []

    say(_title("1  lint: the policy and the key, as the exchange reports it"))
    parts.append(Part("lint", show_lint(say, folder)))

    say(_title("2  the same naive bot, the same faults: bare, then behind the policy"))
    result = compare(folder, store, seed, progress or (lambda _: None))
    parts.append(Part("trading", show_comparison(result, say)))

    say(_title("3  the kill switch, in the middle of a run"))
    parts.append(Part("kill switch", show_halt(say, folder, f"sqlite:///{folder}/halt.db", seed)))

    say(_title("4  one order that was denied and one that was sent, as traces"))
    parts.append(Part("traces", show_trace(recorder, say)))

    say(_title("what to type next"))
    say(f"policykit dashboard --store {store}")
    say("                                    # look at it: what was denied and why, how close each limit was")
    say(f"export POLICYKIT_STORE={store}    # the journal of this demo")
    say("policykit journal tail              # what was decided, sent and found")
    say("policykit orders --all              # every order and what became of it")
    say("policykit explain RISK_POSITION     # any reason or rule")
    say(f"policykit lint {folder}/faulty.yaml")
    return parts


def _title(text: str) -> str:
    return f"\n\033[1m{text}\033[0m\n" if os.environ.get("NO_COLOR") is None else f"\n== {text}\n"
