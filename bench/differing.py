"""`policykit diff` of two policies of 500 lines: beside a lint of the same file, in one process, after import."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from bench._harness import Row, interleave

TOP = Path(__file__).resolve().parent.parent
#: Markets that the policy names, twice each: in `symbols` and with a cap of its own.
MARKETS = 220
NOW_MS = 1_795_255_200_000


def long_policy() -> str:
    """Return the worked example with so many markets that it is 500 lines long."""
    text = (TOP / "policies" / "binance-market-maker.yaml").read_text(encoding="utf-8")
    names = [f'"C{index}X/USDT"' for index in range(MARKETS)]
    symbols = "  symbols:" + "".join(f"\n    - {name}" for name in ['"BTC/USDT"', '"ETH/USDT"', *names])
    caps = "".join(f"\n    {name}: {1 + index % 9}% of equity" for index, name in enumerate(names))
    lines = text.splitlines()
    said = {
        "  symbols:": symbols,
        "  max_position_notional:": f"  max_position_notional:\n    default: 10% of equity{caps}",
    }
    return "\n".join(next((new for old, new in said.items() if line.startswith(old)), line) for line in lines) + "\n"


def changed(text: str) -> str:
    """Return the policy with three loosenings: a cap, a cap of one market, the markets themselves."""
    for old, new in (
        ('"C7X/USDT": 8% of equity', '"C7X/USDT": 9% of equity'),
        ("1.5% of equity", "2% of equity"),
        ('    - "C9X/USDT"\n', '    - "C9*/USDT"\n'),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    return text


def rows() -> list[Row]:
    """Return the rows of SPEED that are about diff."""
    from policykit.lint.discover import Target
    from policykit.lint.judge import Options
    from policykit.lint.run import lint_targets
    from policykit.policy import load
    from policykit.proofs.diff import diff

    text = long_policy()
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        (top / "old.yaml").write_text(text, encoding="utf-8")
        (top / "new.yaml").write_text(changed(text), encoding="utf-8")
        (top / "baseline.yaml").write_bytes((TOP / "policies" / "baseline.yaml").read_bytes())
        old, new = load(top / "old.yaml"), load(top / "new.yaml")
        targets = [Target(str(top / "old.yaml"), "policy", named=True)]
        seconds = interleave(
            {
                "diff": lambda: diff(old, new),
                "lint": lambda: lint_targets(targets, Options(NOW_MS), lambda _: (None, False), alone=True),
            },
            budget_s=0.5,
        )
    took, beside = statistics.median(seconds["diff"]), statistics.median(seconds["lint"])
    lines = text.count("\n") + 1
    note = f"{lines} lines, 3 loosenings, each with an order that shows it; the goal on an idle core is 100 ms"
    return [Row("diff of two policies of 500 lines", 1.0, took / beside, "lint of one of them", took, note)]
