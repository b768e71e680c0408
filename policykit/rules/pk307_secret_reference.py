"""A secret reference cannot be read, or leads to a place that is not for a bot.

## What it finds
A reference that no source can follow: `env://` with more than letters, digits and `_` (it is the start of a variable's
name), `vault://` without a path under the mount, `azure-kv://` without a name, `keyring://` without a user, an `@`.
And, in a live policy, `keyring://` for a key that trades.

## Why
A key that cannot be read is put where it can be, in haste. A keyring opens with a person's login and keeps no log of
who read it: secrets of bots live in the environment of a locked-down host, or in a secrets manager (G14, G18).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: env://mm-exec
  mm-hedge:
    purpose: hedging
    secret: vault://mm-hedge
```
```finding
open certain policy.yaml:4:13 the secret of key `mm-exec` cannot be read: env:// needs the start of a variable's name
  (env://MM_EXEC)
open certain policy.yaml:7:13 the secret of key `mm-hedge` cannot be read: vault:// needs a mount and a path
  (vault://kv/trading/mm)
```
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    secret: keyring://trading/mm
```
```finding
open certain policy.yaml:5:13 the secret of the trading key `mm-exec` lies in a person's keyring
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    secret: env://MM_EXEC
  mm-hedge:
    purpose: hedging
    secret: aws-sm://mm-hedge
  dashboard:
    purpose: tracking
    scopes: [read]
    secret: keyring://trading/dashboard
```
```yaml
environment: sandbox
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    secret: keyring://trading/mm
```

## Source
GUIDE.md G14, G18; INTERFACE.md (secret references).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK307",
    "secret-reference",
    "medium",
    ("G14", "G18"),
    "a bot's secret lives in a locked-down host's environment or in a secrets manager (G14)",
)

_PATH = r"[^/@]+(/[^/@]+)+\Z"
#: Scheme -> (what may follow, what is needed).
_FORMS = {
    "env": (r"[A-Za-z_][A-Za-z0-9_]*\Z", "the start of a variable's name (env://MM_EXEC)"),
    "vault": (_PATH, "a mount and a path (vault://kv/trading/mm)"),
    "azure-kv": (_PATH, "a vault and a name (azure-kv://trading/mm)"),
    "keyring": (_PATH, "a service and a user (keyring://trading/mm)"),
    "aws-sm": (r"[^@]+\Z", "a name (aws-sm://trading/mm)"),
}


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the form of each reference, then at where it leads."""
    for name, key in inputs.keys.items():
        if key.secret is None:
            continue
        scheme, _, rest = key.secret.partition("://")
        pattern, needs = _FORMS[scheme]
        place = inputs.place(f"keys.{name}.secret")
        if not re.match(pattern, rest):
            yield RULE.finding(
                place,
                f"the secret of key `{name}` cannot be read: {scheme}:// needs {needs}",
                label="leads nowhere",
                next_step=f"write {needs}",
            )
        elif (
            scheme == "keyring"
            and inputs.model.environment == "live"
            and any(scope.startswith("trade") for scope in key.scopes or ())
        ):
            yield RULE.finding(
                place,
                f"the secret of the trading key `{name}` lies in a person's keyring",
                label="opens with a person's login",
                next_step="keep it in a secrets manager (`vault://`, `aws-sm://`, `azure-kv://`), or in the"
                " environment of the host (`env://`)",
            )
