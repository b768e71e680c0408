"""docs/linter.md shows what the command prints."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from policykit.lint.report import formats
from tests.lint.conftest import NOW, Said

PAGE = Path(__file__).parent.parent.parent / "docs" / "linter.md"


def test_the_page_shows_a_real_output(run: Callable[..., Said], policy: Path) -> None:
    """The report in the section Output is that of the policy of the tests with two faults."""
    said = re.search(r"```text\n\$ policykit (lint [^\n]+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert said is not None
    Path("policies").mkdir()
    text = policy.read_text().replace("1.5% of equity", "10% of equity")
    Path("policies/mm.yaml").write_text(text.replace("[read, trade.spot]", "[read, trade.spot, withdraw]"))
    assert run(*shlex.split(said[1]), "--now", NOW).out == said[2]


def test_the_page_names_every_format() -> None:
    """A format that is not described is not known."""
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(rows) >= set(formats())
