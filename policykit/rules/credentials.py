"""What a credential looks like: its name, its value, and what stands in its place in an example.

The one place that knows it. Rules on policies, on source and on settings ask here, and so do reports, which never show
one. Nothing here keeps, prints or hashes a value.
"""

from __future__ import annotations

import binascii
import json
import re
from functools import lru_cache
from itertools import pairwise
from typing import Literal

#: Shorter values are words or test data more often than credentials; no exchange gives out shorter ones.
MIN_LENGTH = 16
#: A passphrase is chosen by a person; the exchanges that have one ask for 8 characters or more.
MIN_PASSPHRASE = 8
#: The longest value that is looked at; an RSA-4096 key in PEM is 3.2 kB.
MAX_LENGTH = 16_384

#: What a name keeps: `secret` (secret, private key, passphrase, token) or `key` (the id of an API key: G02 calls it
#: less dangerous, but still not for publication).
Keeps = Literal["secret", "key", ""]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
#: What may follow a name without changing what it keeps: a number, a stage, an account.
_SUFFIX = r"(_?[0-9]{1,3}|_(live|prod|production|main|master|sub|test|testnet|paper|dev|spot|futures))*\Z"
_SECRET_NAME = re.compile(
    r"(?:.*_)?(?:(?:api_?)?secret(?:_?key|_?access_?key)?|apisecret|private_?key|pass_?phrase|password|passwd"
    r"|mnemonic|seed_?phrase"
    r"|(?:api|auth|access|refresh|bearer|bot|telegram|discord|slack|ws|jwt|api_?server)_?token)" + _SUFFIX
)
_KEY_NAME = re.compile(r"(?:.*_)?(?:api_?key(?:_?id)?|access_?key(?:_?id)?)" + _SUFFIX)

#: A reference to where a secret is kept, or what a program puts in when it reads the file.
_REFERENCE = re.compile(r"(?:env|vault|aws-sm|azure-kv|keyring|op|file|ref\+\w+)://\S*\Z")
_SUBSTITUTED = re.compile(r"\$\{|\$\(|\A\$[A-Za-z_]\w*\Z|%[A-Za-z_]\w*%\Z|\{\{|<%|%\(|<[A-Za-z][\w .-]*>|\A<")
_PLACEHOLDER = re.compile(
    r"(?i)(?<![a-z0-9])(?:your|fake|dummy|sample|my[-_])|example_|_example|examplekey|placeholder|redacted|not.?a.?secret"
    r"|change.?(?:me|it|this)|\.\.\.|\u2026|\*{3}|xxxx|(.)\1{7}|something.?random|super.?(?:secure|secret)|same.?as.?above"
    r"|(?:insert|replace|enter|paste|put|fill|goes)[-_. ]?(?:me|here|this|in|with|your|the|key|secret)"
)
_LETTERS, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
#: What follows what where somebody types in order instead of a secret; behind the last one it begins anew.
_FOLLOWS = tuple(
    dict(zip(run, run[1:] + run[:1], strict=True))
    for run in (_DIGITS, _DIGITS + "abcdef", _LETTERS, _LETTERS + _DIGITS, _DIGITS + _LETTERS, "1234567890" + _LETTERS)
)
#: An address of an account or a contract is public.
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z")
_WORDLIKE = re.compile(r"[a-z]+([A-Z][a-z]+)*[0-9]{0,3}\Z")

#: Formats that are credentials whatever their name is: (what it is, pattern of the whole value).
_KNOWN = (
    ("private key", re.compile(r"-----BEGIN (?!ENCRYPTED)[A-Z ]{0,20}PRIVATE KEY-----(?=[\s\S]{32})")),
    ("Telegram bot token", re.compile(r"[0-9]{8,10}:[A-Za-z0-9_-]{35}\Z")),
    ("Slack token", re.compile(r"xox[abeoprs]-[A-Za-z0-9-]{20,}\Z")),
    ("Slack webhook", re.compile(r"https://hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{16,}\Z")),
    ("Discord webhook", re.compile(r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/[0-9]{15,}/[\w-]{50,}\Z")),
    ("GitHub token", re.compile(r"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})\Z")),
    ("AWS access key", re.compile(r"(?:AKIA|ASIA)[A-Z2-7]{16}\Z")),
    (
        "password in a URL",
        re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^/\s:@]{0,64}:(?=[^@/\s]*[0-9])[^@/\s]{8,256}@[\w.-]+"),
    ),
    ("Vault token", re.compile(r"hv[sbr]\.[A-Za-z0-9_-]{24,}\Z")),
)
_SEED_WORDS = frozenset((12, 15, 18, 21, 24))


@lru_cache(4_096)
def keeps(name: str) -> Keeps:
    """Tell by a name in any spelling (`apiSecret`, `MM_API_SECRET`, `secret-key`) what it keeps."""
    if len(name) > 256:
        return ""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    plain = (plain if plain.isupper() else _CAMEL.sub("_", plain)).lower()
    if _SECRET_NAME.match(plain):
        return "secret"
    return "key" if _KEY_NAME.match(plain) else ""


def placeholder(value: str) -> bool:
    """Tell what stands in for a credential (`YOUR_SECRET`, `changeme`, `${SECRET}`, `vault://...`) from one."""
    if _REFERENCE.match(value) or _SUBSTITUTED.search(value) or _PLACEHOLDER.search(value):
        return True
    return any(all(follows.get(a) == b for a, b in pairwise(value.lower())) for follows in _FOLLOWS)


def known(value: str) -> str:
    """Return what a value is by its format alone (`Telegram bot token`), or nothing."""
    if not MIN_LENGTH <= len(value) <= MAX_LENGTH:
        return ""
    what = next((what for what, pattern in _KNOWN if pattern.match(value)), "")
    return "" if what and (_PLACEHOLDER.search(value) or _SUBSTITUTED.search(value)) else what


def credential(value: str, minimum: int = MIN_LENGTH) -> bool:
    """Tell whether a text given to a credential's name is one: long enough, letters and digits, no stand-in.

    What is encrypted (hummingbot, age, sops, ansible-vault) and what is public (an address) is none.
    """
    if known(value):
        return True
    if not minimum <= len(value) <= MAX_LENGTH or "://" in value or placeholder(value):
        return False
    if " " in value:
        return _seed_phrase(value)
    if _ADDRESS.match(value) or encrypted(value):
        return False
    return any(c.isalpha() for c in value) and any(c.isdigit() for c in value)


def encrypted(value: str) -> bool:
    """Tell whether a value is the cipher text of a tool that bots use, which is safe without its password."""
    if value.startswith(
        ("ENC[", "$ANSIBLE_VAULT", "age1", "AGE-ENCRYPTED", "gAAAAA", "vault:v", "encrypted:", "{cipher}")
    ):
        return True
    if not value.startswith("7b"):
        return False
    try:  # hummingbot: the hexadecimal form of an Ethereum key file (JSON, version 3)
        data = json.loads(binascii.unhexlify(value))
    except (ValueError, RecursionError):
        return False
    crypto = data.get("crypto") if isinstance(data, dict) else None
    return isinstance(crypto, dict) and "ciphertext" in crypto and "kdf" in crypto


def random_run(run: str) -> bool:
    """Tell whether a run of letters and digits, of any name, may be a secret: a report then shows stars."""
    if _WORDLIKE.match(run):
        return False
    parts = [p for p in re.split(r"[-_/=+]", run) if p]
    if all(p.isalpha() or p.isdigit() for p in parts):
        return False
    return any(c.isdigit() for c in run) and any(c.isalpha() for c in run)


def _seed_phrase(value: str) -> bool:
    words = value.split(" ")
    lower = all(w.isascii() and w.isalpha() and w.islower() and 3 <= len(w) <= 8 for w in words)
    return lower and len(words) in _SEED_WORDS and len(set(words)) > len(words) // 2
