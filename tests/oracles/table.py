"""The table of docs/semantics.md: which checks Cedar and CEL can say (`policykit/proofs/export/table.py`)."""

from __future__ import annotations

from pathlib import Path

from policykit.proofs.export.table import TABLE


def markdown() -> str:
    """Write the table as docs/semantics.md shows it."""
    rows = [
        f"| `{check}` | {'yes' if said.translated else 'no'} | {said.note} |" for check, said in sorted(TABLE.items())
    ]
    return "\n".join(["| check | Cedar and CEL | what stays outside |", "|---|---|---|", *rows])


def main() -> None:
    """Put the table into docs/semantics.md."""
    page = Path(__file__).resolve().parent.parent.parent / "docs" / "semantics.md"
    text = page.read_text("utf-8")
    page.write_text(text[: text.index("| check | Cedar and CEL |")] + markdown() + "\n", "utf-8")


if __name__ == "__main__":
    main()
