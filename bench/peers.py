"""`@enforce` beside what a bot could use instead: the same order, in one process, measured in the same rounds.

Ours is the whole decision on the memory store: every check, the reservation, the journal's row. Of the peers Nautilus
Trader and OpenPit check a notional and reserve; the others evaluate the twelve conditions of `hand` and keep nothing.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from bench._harness import Row, ratio
from bench._peers import libraries

TOP = Path(__file__).resolve().parent.parent
#: A process of its own: peers are imported after everything of ours, and by no other bench.
SCRIPT = "import sys; sys.path.append(sys.argv[1]); from bench._orders import main; main()"


def rows() -> list[Row]:
    """Return SPEED's rows about peers."""
    command = [sys.executable, "-c", SCRIPT, libraries()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=TOP)
    figures: dict[str, list[float]] = json.loads(done.stdout)
    median = {name: statistics.median(values) for name, values in figures.items()}

    def beside(peer: str, mine: str = "ours") -> tuple[float, str, float, str]:
        alone = f"; assess alone x {ratio(figures, peer, 'assess'):.2f}" if mine == "ours" else ""
        note = f"{peer} {median[peer] * 1e6:.4g} us, ours {median[mine] * 1e6:.4g}{alone}"
        return ratio(figures, peer, mine), f"x faster than {peer}", median[mine], note

    return [
        Row("@enforce, memory store: beside pydantic and plain Python", 1.0, *beside("pydantic"), at_least=True),
        Row("@enforce, memory store: beside Nautilus Trader", 4.0, *beside("Nautilus Trader"), at_least=True),
        Row("@enforce, memory store: beside OpenPit", 4.0, *beside("OpenPit"), at_least=True),
        Row("@enforce, memory store: beside CEL", 15.0, *beside("CEL"), at_least=True),
        Row("@enforce, memory store: beside cedarpy", 60.0, *beside("cedarpy"), at_least=True),
        Row("@enforce, memory store: beside casbin", 140.0, *beside("casbin"), at_least=True),
        Row("one use of a rolling window: beside limits", 1.0, *beside("limits", "window"), at_least=True),
        Row(
            "one use of a rolling window: beside pyrate-limiter",
            1.0,
            *beside("pyrate-limiter", "window"),
            at_least=True,
        ),
    ]
