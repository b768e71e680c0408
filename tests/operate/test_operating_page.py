"""docs/operating.md: every command on it can be typed as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from policykit.cli._group import group

BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
IN_TEXT = re.compile(r"`(policykit [^`]+)`")
PAGES = ("docs/operating.md", "SECURITY.md", "docs/threat-model.md")


def wrong(line: str) -> str | None:
    """Tell what the command line would refuse: a command or an option that is none; None: nothing."""
    words = shlex.split(line)[1:]
    command: click.Command = group
    context = click.Context(command)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            return f"{line}: {words[0]} is no command"
        command, words = found, words[1:]
        context = click.Context(command, parent=context)
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]
    return f"{line}: {unknown} are no options" if unknown else None


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_is_one(page: str, top: Path) -> None:
    """In a block, and in the text."""
    text = (top / page).read_text(encoding="utf-8")
    lines = "".join(BLOCK.findall(text)).splitlines() + IN_TEXT.findall(text)
    assert lines
    assert [problem for line in lines if (problem := wrong(line)) is not None] == []


def test_a_command_that_is_none_is_found() -> None:
    """The control: a renamed command or option would be seen."""
    assert wrong("policykit evidnce --from x") == "policykit evidnce --from x: evidnce is no command"
    assert wrong("policykit evidence --since x") == "policykit evidence --since x: ['--since'] are no options"


def test_the_page_is_linked(top: Path) -> None:
    """Whoever looks for it finds it in the list of pages."""
    listed = (top / "docs" / "README.md").read_text(encoding="utf-8")
    assert "[operating.md](operating.md)" in listed
    assert "[threat-model.md](threat-model.md)" in listed
