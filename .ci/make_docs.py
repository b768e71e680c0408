"""Write what is generated in docs/, schemas/ and README.md; `--check` compares.

In README.md and docs/reliability.md `<!-- file: PATH -->` before a code block makes it the file's text, and
`<!-- output: COMMAND -->` what the command prints; after an empty line `<!-- promises -->` are the promises of
docs/reliability.md, `<!-- proofs -->` their tests.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from exchanges_page import page as exchanges_page

from policykit.cli._group import group
from policykit.engine.page import page as checks_page
from policykit.lint.coverage import page as coverage_page
from policykit.lint.explain import page as rules_page
from policykit.model.schema import NAMES, schema
from policykit.operate.incident.runbook import page as runbook_page
from policykit.policy.page import page as language_page
from policykit.telemetry.page import page as telemetry_page

TOP = Path(__file__).resolve().parent.parent
WIDTH = 100
HEAD = "# The commands\n\n<!-- Made by `make docs` from the commands' own help; do not edit. -->\n"
BLOCK = re.compile(r"(<!-- (file|output): ([^\n]+) -->\n```(\w+)\n).*?(```\n)", re.DOTALL)
ROWS = re.compile(r"(<!-- (promises|proofs) -->\n\n)(?:\|[^\n]*\n)*")
CLAIM = re.compile(r"^\| (I\d+) \| \*\*(.+?)\*\*.*? \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
COMMAND_SECONDS = 60


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


def cli_page() -> str:
    """Return docs/cli.md."""
    page = HEAD + "".join(sections(group, new_context(group, "policykit")))
    return "\n".join(line.rstrip() for line in page.splitlines()) + "\n"


def printed(command: str) -> str:
    """Return what a command of policykit prints on standard output, whatever its exit code."""
    words = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", "policykit.cli", *words[1:]],
        cwd=TOP,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": str(WIDTH)},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return done.stdout


def promises_table() -> str:
    """Return the table of claimed promises with their figures."""
    rows = [f"| {number} | {text} | {few} | {many} |\n" for number, text, few, many in CLAIM.findall(_reliability())]
    return "".join(["| | promise | cases in `make test` | in `make prove` |\n", "|---|---|---|---|\n", *rows])


def proofs_table() -> str:
    """Return the files that test each promise."""
    tests = {f: f.read_text(encoding="utf-8") for f in sorted((TOP / "tests").rglob("test_*.py"))}
    rows = ["| | proved by |\n", "|---|---|\n"]
    for number, *_ in CLAIM.findall(_reliability()):
        files = [f.relative_to(TOP) for f, body in tests.items() if f"def test_{number}_" in body]
        links = ", ".join(f"[{f.parent.name}/{f.stem}](../{f.as_posix()})" for f in files)
        rows.append(f"| {number} | {links} |\n")
    return "".join(rows)


def _reliability() -> str:
    return (TOP / "docs" / "reliability.md").read_text(encoding="utf-8")


TABLES = {"promises": promises_table, "proofs": proofs_table}


def filled(page: Path) -> str:
    """Return a page written by hand with its generated parts made anew."""

    def fill(found: re.Match[str]) -> str:
        head, kind, what, _, tail = found.groups()
        body = (TOP / what).read_text(encoding="utf-8") if kind == "file" else printed(what)
        return f"{head}{body.rstrip()}\n{tail}"

    text = BLOCK.sub(fill, page.read_text(encoding="utf-8"))
    return ROWS.sub(lambda found: found.group(1) + TABLES[found.group(2)](), text)


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    pages = {
        **{TOP / "schemas" / f"{name}.schema.json": json.dumps(schema(name), indent=2) + "\n" for name in NAMES},
        TOP / "docs" / "language.md": language_page(),
        TOP / "docs" / "checks.md": checks_page(),
        TOP / "docs" / "telemetry.md": telemetry_page(),
        TOP / "docs" / "cli.md": cli_page(),
        TOP / "docs" / "rules.md": rules_page(),
        TOP / "docs" / "coverage.md": coverage_page(),
        TOP / "docs" / "exchanges.md": exchanges_page(),
        TOP / "docs" / "runbook.md": runbook_page(),
        **{page: filled(page) for page in (TOP / "README.md", TOP / "docs" / "reliability.md")},
    }
    stale = [page for page, text in pages.items() if not page.exists() or page.read_text(encoding="utf-8") != text]
    for page in stale:
        name = page.relative_to(TOP)
        if "--check" in arguments:
            print(f"{name}: differs from what it is made of; run: make docs", file=sys.stderr)
        else:
            page.write_text(pages[page], encoding="utf-8")
            print(f"written: {name}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
