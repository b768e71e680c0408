"""The next `git add` publishes a file with a secret.

## What it finds
A file of settings with a secret inside of a git repository that git neither tracks nor ignores. One finding a file.

## Why
`git add .` takes it, the next push publishes it, and history keeps it (G15).

## Bad
```settings .env untracked
OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
```
```finding
open certain .env:1:16 git does not ignore this file, which holds a secret: the next `git add .` publishes it
```

```settings docker-compose.yml untracked
services:
  bot:
    environment:
      - OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
```
```finding
open certain docker-compose.yml:4:24 git does not ignore this file, which holds a secret: the next `git add .` publishes
  it
```

## Good
```settings .env ignored
OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
```
```settings .env outside
OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
```

## Source
GUIDE.md G15, G02.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.config.leaks import first_secret

RULE = Rule(
    "PK954", "secret-file-not-ignored", "medium", ("G15", "G02"), "what is not ignored is one command from published",
    ("config",),
)  # fmt: skip


def check(inputs: Inputs) -> Iterator[Finding]:
    """State that git would take a file with secrets."""
    config = inputs.settings
    if config.past is None and config.git == "untracked":
        yield from first_secret(
            RULE,
            config,
            "git does not ignore this file, which holds {}: the next `git add .` publishes it",
            "add its name to .gitignore" if config.kind == "dotenv" else "take it out, or add the file to .gitignore",
        )
