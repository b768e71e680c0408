"""The README's policy and bot, run as typed: what the README shows is what they print."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

#: What differs from run to run: ids, times, ages, the price path, sequence numbers.
VARYING = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b|\b[0-9a-f]{32}\b|sha256:[0-9a-f]{12}|\d[\d,]*(?:\.\d+)?")
TRACED = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from policykit.telemetry import shared
from policykit.telemetry.tree import render_tree
spans, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
exec(open("bot.py").read())
shared().flush()
print("TRACE")
print(render_tree(spans.get_finished_spans()))
"""
MOST_LINES = {"policy.yaml": 15, "bot.py": 14}


def masked(text: str) -> list[str]:
    """Return the lines with what varies taken out, spaces run together."""
    text = text.replace("pk01", "01")
    lines = [re.sub(r"\s+", " ", VARYING.sub("#", line)).strip() for line in text.strip().splitlines()]
    return [re.sub(r"# [num]?s\b", "# s", line) for line in lines]


def block(top: Path, marker: str) -> str:
    """Return the README's code block after a marker."""
    found = re.search(rf"<!-- {marker} -->\n```text\n(.*?)```\n", (top / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Run the bot in a folder of its own; return what it printed and its trace as a tree."""
    folder = tmp_path_factory.mktemp("quickstart")
    for file in (Path(__file__).parents[2] / "examples" / "quickstart").glob("*.*"):
        shutil.copy(file, folder)
    done = subprocess.run(
        [sys.executable, "-c", TRACED],
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), "POLICYKIT_STORE": f"sqlite:///{folder}/store.db"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said, _, tree = done.stdout.partition("TRACE\n")
    return said, tree


def test_the_bot_prints_what_the_readme_shows(printed: tuple[str, str], top: Path) -> None:
    """One order is sent, one is denied with its reason, place and decision."""
    assert masked(printed[0]) == masked(block(top, "bot"))


def test_the_trace_is_what_the_readme_shows(printed: tuple[str, str], top: Path) -> None:
    """One span a decision and one a send, in that tree."""
    assert masked(printed[1]) == masked(block(top, "trace"))


def test_the_mask_keeps_words() -> None:
    """The control: another word, another outcome or a missing line differs."""
    assert masked("sent 1") == masked("sent 27")
    assert masked("ALLOW  731 us") == masked("ALLOW  1.1 ms")
    assert masked("DENY 1") != masked("ALLOW 1")


@pytest.mark.parametrize(("name", "lines"), MOST_LINES.items())
def test_the_first_example_is_short(name: str, lines: int, top: Path) -> None:
    """What a newcomer types fits on one screen."""
    assert len((top / "examples" / "quickstart" / name).read_text().splitlines()) <= lines
