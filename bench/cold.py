"""Cold starts, whole processes: `import policykit`, `--version`, `lint` of one file."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from bench._harness import Row, processes, ratio, row

PYTHON = sys.executable
#: What a linter of this kind cannot do without: the parser, the model library, the command library, one model.
FLOOR = """
import click, pydantic
from ruamel.yaml import YAML
from policykit.model import Policy
"""
#: The same, started as `lint` starts (see `starting` in cli/_options.py): what the rest of `lint` costs.
FLOOR_UNCOLLECTED = f"import gc; gc.disable()\n{FLOOR}\ngc.freeze(); gc.enable()"
VERSION_MS = 10.0  # over a bare interpreter
LINT = ("lint", "--now", "2026-11-21", "--fail-on", "critical")
MAIN = "import sys; from policykit.cli.__main__ import main; sys.exit(main(sys.argv[1:]))"


def rows() -> list[Row]:
    """Return the rows of SPEED that are about starting."""
    top = Path(__file__).resolve().parent.parent
    policy = top / "examples" / "quickstart" / "policy.yaml"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "policy.yaml"
        commands = {
            "bare interpreter": [PYTHON, "-c", "pass"],
            "import policykit": [PYTHON, "-c", "import policykit"],
            "--version": [PYTHON, "-c", MAIN, "--version"],
        }
        copy.write_bytes(policy.read_bytes())
        commands["imports and model alone"] = [PYTHON, "-c", FLOOR]
        commands["the same, uncollected"] = [PYTHON, "-c", FLOOR_UNCOLLECTED]
        commands["lint one file"] = [PYTHON, "-c", MAIN, *LINT, str(copy)]
        figures = processes(commands)
    bare = statistics.median(figures["bare interpreter"])
    limit = round(1 + VERSION_MS / 1000 / bare, 2)
    note = f"the goal is a bare interpreter ({bare * 1000:.1f} ms) + {VERSION_MS:.0f} ms"
    rest = ratio(figures, "lint one file", "the same, uncollected")
    about = f"lint starts and ends without a garbage collection; x {rest:.2f} of a floor that does so too"
    return [
        row("import policykit, cold", figures, "import policykit", "bare interpreter", limit, note=note),
        row("policykit --version, cold", figures, "--version", "bare interpreter", limit, note=note),
        row("policykit lint, one file, cold", figures, "lint one file", "imports and model alone", 1.25, note=about),
    ]
