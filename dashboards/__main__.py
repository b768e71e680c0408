"""Write `dashboards/grafana/*.json`; `--check` compares and names what differs."""

from __future__ import annotations

import sys

from dashboards.boards import FOLDER, files


def main(arguments: list[str]) -> int:
    """Write the dashboards, or compare them."""
    stale = {name: text for name, text in files().items() if not _same(name, text)}
    for name, text in stale.items():
        if "--check" in arguments:
            print(f"{name}: differs from what it is made of; run: .venv/bin/python -m dashboards", file=sys.stderr)
        else:
            (FOLDER / name).write_text(text, encoding="utf-8")
            print(f"written: {name}")
    return 1 if stale and "--check" in arguments else 0


def _same(name: str, text: str) -> bool:
    path = FOLDER / name
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
