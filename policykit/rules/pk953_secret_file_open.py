"""Every user of the host may read a file with a secret.

## What it finds
A file of settings with a secret that git does not track, and that others on the host may read (mode, and the modes of
the folders above it). One finding a file.

## Why
Environment files belong on locked-down hosts (G14): what every user, every service and every container with the folder
mounted may read is not locked down.

## Bad
```settings .env ignored 0644
OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
OKX_PASSPHRASE=Example-Pass-0123
```
```finding
open certain .env:1:16 every user of this host may read this file, which holds 2 secrets; mode 0600 is needed
```

## Good
```settings .env ignored 0600
OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
OKX_PASSPHRASE=Example-Pass-0123
```
```settings .env ignored 0644
OKX_HOST=www.okx.com
```

## Source
GUIDE.md G14, G15.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.config.leaks import first_secret

RULE = Rule(
    "PK953",
    "secret-file-open",
    "medium",
    ("G14", "G15"),
    "a secret's file is for the user of the bot alone",
    ("config",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """State that a file with secrets is open to others."""
    config = inputs.settings
    if config.past is None and config.world_readable and config.git != "tracked":
        yield from first_secret(
            RULE,
            config,
            "every user of this host may read this file, which holds {}; mode 0600 is needed",
            f"chmod 600 {config.file}",
        )
