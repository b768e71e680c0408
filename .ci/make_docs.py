"""Write docs/cli.md from the commands' own help; with `--check`, only say whether it is fresh."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from policykit.cli._group import group

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
WIDTH = 100
HEAD = "# The commands\n\n<!-- Made by `make docs` from the commands' own help; do not edit. -->\n"


def sections(command: click.Command, context: click.Context) -> Iterator[str]:
    """Give a section for a command and for each of its own."""
    yield f"\n## {context.command_path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from sections(found, new_context(found, name, context))


def new_context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    """Return a context of fixed width, so that the page is the same on every terminal."""
    return command.context_class(
        command, info_name=name, parent=parent, terminal_width=WIDTH, help_option_names=["-h", "--help"]
    )


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    page = HEAD + "".join(sections(group, new_context(group, "policykit")))
    page = "\n".join(line.rstrip() for line in page.splitlines()) + "\n"
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
            return 0
        print("docs/cli.md: differs from the commands' help; run: make docs", file=sys.stderr)
        return 1
    PAGE.write_text(page, encoding="utf-8")
    print(f"written: docs/cli.md, {len(page.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
