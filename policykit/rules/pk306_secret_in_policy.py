"""A secret stands in a policy.

## What it finds
A text or a name in a policy that looks like a credential: a private key, a token of a known format, a password in a
URL, a value given to a credential's name (`secret=...`), or a long run of mixed letters and digits as exchanges give
out. Public addresses under `withdrawals`, links, hashes and ids are none. The value is never shown. A literal in
`secret:` itself is refused when the policy is loaded.

## Why
A policy is reviewed, shared and kept in a repository for ever: what stands in it is exposed (G15, G02).

## Bad
```yaml
incident: {contacts: [desk-head], runbook: "log in with secret=q7Zt2LxW9vRk4Hd8Bn3Y"}
```
```finding
open certain policy.yaml:1:44 `incident.runbook` holds a secret
```
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: "env://q7Zt2LxW9vRk4Hd8Bn3Ys6Pf1Jc5Mg0TaVeUo2KiXrQw"
```
```finding
open likely policy.yaml:4:13 `keys.mm-exec.secret` holds what looks like a secret
```
```yaml
keys:
  q7Zt2LxW9vRk4Hd8Bn3Ys6Pf1Jc5Mg0TaVeUo2KiXrQw: {purpose: execution}
```
```finding
open likely policy.yaml:2:3 a name in `keys` looks like a secret
```

## Good
```yaml
incident: {contacts: ["desk-head@example.com"], runbook: "https://wiki.example.com/d/1A2b3C4d5E6f7G8h9I0jKlMnOpQrStUv"}
withdrawals: {allowlist: required, addresses: ["1BoatSLRHtKNngkdXEeobR76b53LETtpyT"]}
keys:
  mm-exec:
    purpose: execution
    secret: env://MM_EXECUTION_FRANKFURT_2026_PRIMARY
    ip_allowlist:
      - {address: 45.33.32.156, why: "instance i-0abcd1234ef567890, image 9fceb02d0ae598e95dc970b74767f19372d61af8"}
```

## Source
GUIDE.md G02, G15, G18.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

from policykit.finding import Confidence, Finding
from policykit.model.base import Section
from policykit.rules.base import Inputs, Rule
from policykit.rules.credentials import credential, keeps, known, placeholder

RULE = Rule(
    "PK306",
    "secret-in-policy",
    "critical",
    ("G15", "G02", "G18"),
    "a policy is shared and its history is kept: what stands in it is exposed (G15)",
)

#: Sections whose keys are names that the file gives.
_NAMED = ("keys", "vendors", "rate_budgets")
#: What is public, however random it looks.
_PUBLIC = "withdrawals.addresses"
#: Shorter texts hold nothing.
MIN_TEXT = 12
#: Shorter runs of no name are ids and hashes more often than credentials.
MIN_RUN = 32
#: A run that was drawn at random has so many digits, and changes between capitals, small letters and digits so often.
MIN_DIGITS = 3
MIN_CHANGES_PERCENT = 45

_GIVEN = re.compile(r"([A-Za-z][\w-]{0,63})[\"']?\s*[=:]\s*[\"']?([^\s\"',;]+)")
_USERINFO = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
_RUN = re.compile(r"[A-Za-z0-9+/=_-]+\Z")
#: A hash, or an address of a chain.
_HEX = re.compile(r"(0x)?[0-9a-fA-F]+\Z")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at every text and every name that the policy gives."""
    for path, text in _texts(inputs.model, ""):
        how = _secret(text)
        if how is not None and path.rpartition(".")[0] != _PUBLIC:
            yield _finding(inputs, path, how)
    for section in _NAMED:
        for name in getattr(inputs.model, section) or {}:
            how = _secret(str(name))
            if how is not None:
                yield _finding(inputs, f"{section}.{name}", how, section)


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield every text of a section that is long enough to hold something, with its path."""
    if isinstance(value, str):
        if len(value) >= MIN_TEXT:
            yield path, value
        return
    inner: Iterable[tuple[object, object]] = ()
    if isinstance(value, Section):
        inner = value.__dict__.items()
    elif isinstance(value, dict):
        inner = value.items()
    elif type(value) is tuple:  # not a length or an amount
        inner = enumerate(value)
    for name, item in inner:
        if item is not None:
            yield from _texts(item, f"{path}.{name}" if path else str(name))


def _finding(inputs: Inputs, at: str, how: Confidence, section: str = "") -> Finding:
    place = inputs.effective.key_place(at) if section else inputs.place(at)
    sure = "holds a secret" if how == "certain" else "holds what looks like a secret"
    named = "a name in `{}` {}".format(section, "is a secret" if how == "certain" else "looks like a secret")
    return RULE.finding(
        place._replace(path=section or at),
        named if section else f"`{at}` {sure}",
        confidence=how,
        label="not for a repository",
        next_step="revoke it where it is of use, take it out, and keep the next one in a secrets manager",
    )


@lru_cache(4_096)
def _secret(text: str) -> Confidence | None:
    """Tell whether a text holds a credential: certain by its form or its name, likely by its look."""
    if _USERINFO.search(text) or known(text):
        return "certain"
    if any(keeps(name) and credential(value) for name, value in _GIVEN.findall(text)):
        return "certain"
    for word in text.split():
        scheme, mark, rest = word.partition("://")
        if mark and scheme in ("http", "https"):
            continue
        if known(word):
            return "certain"
        if _drawn(rest or scheme):
            return "likely"
    return None


def _drawn(word: str) -> bool:
    """Tell a run that was drawn at random from words, hashes and ids."""
    if len(word) < MIN_RUN or not _RUN.match(word) or _HEX.match(word) or placeholder(word):
        return False
    kinds = ["u" if c.isupper() else "l" if c.islower() else "d" if c.isdigit() else "" for c in word]
    changes = sum(a != b for a, b in pairwise(kinds))
    mixed = {"u", "l", "d"} <= set(kinds)
    return mixed and kinds.count("d") >= MIN_DIGITS and 100 * changes >= MIN_CHANGES_PERCENT * (len(word) - 1)
