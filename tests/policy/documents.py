"""Policies for tests: the worked example, a corpus of bad files, and random documents drawn from the model itself."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any, get_args

from policykit.model.base import Section
from policykit.model.policy import Policy
from policykit.model.shape import Shape, shapes

TOP = Path(__file__).resolve().parents[2]
EXAMPLE = TOP / "policies" / "binance-market-maker.yaml"
BASELINE = TOP / "policies" / "baseline.yaml"

#: Texts that a field may or may not take; each kind of value of the language is among them, and near misses.
POOL: tuple[Any, ...] = (
    *(1, 0, 3, -1, 10**9, 10**9 + 1, True, False, "", " ", "x", "1", "1.5", "-1", "1e3", "5000 USDT", "5000usdt"),
    *(
        "0.5 BTC",
        "1.5% of equity",
        "1.5 % of equity",
        "101%",
        "100%",
        "2%",
        "99.999999%",
        "500ms",
        "90d",
        "1.5h",
        "5 m",
    ),
    *(
        "2026-11-20",
        "2026-13-20",
        "2026-02-31",
        "00:00 UTC",
        "24:00 UTC",
        "00:00",
        "BTC/USDT",
        "*/USDT",
        "!LUNA*",
        "!!X",
    ),
    *("read", "trade.spot", "limit", "limt", "halt", "deny", "required", "full", "entries", "main", "fra-1", "a b"),
    *(
        "vault://kv/x",
        "env://PREFIX",
        "http://x",
        "203.0.113.7",
        "10.0.0.0/8",
        "::1",
        "PK204",
        "PK9",
        "a\nb",
        "5s\n",
        "é",
    ),
    *(
        [],
        ["x"],
        ["limit"],
        ["5000 USDT"],
        ["5000 USDT", "1 BTC"],
        [[]],
        {},
        {"default": "2%"},
        {"default": "2% of equity"},
    ),
    *({"BTC/USDT": ["1 BTC"]}, {"limit": 1, "per": "1m"}, {"limit": 1}, {"a b": 1}, {"": {}}, {"x": {}}, None),
)

#: Files that broke, hung or fooled readers.
CORPUS: tuple[bytes, ...] = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"[" * 100_000,
    b"{a: " * 60_000,
    b"- " * 100_000,
    b"? " * 100_000,
    b"a: " + b"'" * 100_000,
    b"a: &x [" + b"*x, " * 50_000 + b"]",
    b"&a [&b [&c [" + b"*a, " * 1_000,
    b"a: !!python/object/apply:os.system ['true']",
    b"%YAML 9.9\n---\n",
    b"%TAG ! tag:x,2000:\n---\n!x y",
    b"policykit: 1\nname: " + b"x" * 200_000,
    b"a:\n" + b"".join(b" " * i + b"a:\n" for i in range(1, 400)),
    b"k" * 2_000 + b": 1",
    b"".join(b"k%d: 1\n" % i for i in range(19_000)),
    b"{" + b"".join(b'"k%d": {}, ' % i for i in range(9_000)) + b"}",
    b"policykit: 1\nname: a\nextends: [" + b"x, " * 16 + b"]",
    b"policykit: 1\nname: a\nrisk: {max_position_notional: {"
    + b"".join(b"A%d/B: 1 USDT, " % i for i in range(8_000))
    + b"}}",
    b"policykit: 1\nname: a\nkeys: {" + b"".join(b"k%d: {purpose: execution}, " % i for i in range(4_000)) + b"}",
    b"policykit: 1\nname: a\nrisk: {symbols: [" + b"*a*a*a*a*a*a*a*a*a*a*a*a*a*b, " * 8_000 + b"]}",
    b"a: |\n" + b" x\n" * 50_000,
    b"a: >-\n" + b" x\n\n" * 40_000,
    b'"' + b"\\x41" * 60_000 + b'": 1',
    b"# " + b"\xf0\x9f\x98\x80" * 60_000,
    b"---\n" * 60_000,
    b"...\n" * 60_000,
    b"a: 1\r" * 50_000,
    b"- - - - - - - - - - - - - - - - - - - - - - -",
    b"\t\t\t",
    b": : : : :",
    b"-",
    b"?",
    b"!",
    b"&",
    b"*",
    b"@",
    b"`",
    b"|",
    b">",
    b"%",
    b"[,]",
    b"{,}",
    b"{[]: 1}",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xf4\x90\x80\x80",
)


def text_of(document: Any) -> str:
    """Write a document as JSON, which the strict reader reads as flow YAML."""
    return json.dumps(document, ensure_ascii=False)


def paths(document: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value of a document."""
    found = [at]
    if isinstance(document, dict):
        for key, value in document.items():
            found += paths(value, (*at, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            found += paths(value, (*at, index))
    return found


def changed(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy of a document with another value at a path; with `...` the value is taken out."""
    if not path:
        return {} if value is ... else value
    copy = dict(document) if isinstance(document, dict) else list(document)
    if len(path) == 1 and value is ...:
        del copy[path[0]]
    elif len(path) == 1:
        copy[path[0]] = value
    else:
        copy[path[0]] = changed(document[path[0]], path[1:], value)
    return copy


def put(file: Path, text: bytes) -> None:
    """Write a file anew. Emptying the old one first would wait for the disk each time (ext4), 1 ms a file."""
    file.unlink(missing_ok=True)
    file.write_bytes(text)


def mutant(draw: random.Random, text: bytes) -> bytes:
    """Return a text with one to four small harms: bytes flipped, taken out, doubled, lines moved, words swapped."""
    out = bytearray(text)
    for _ in range(draw.randint(1, 4)):
        at, to = sorted(draw.randrange(len(out) + 1) for _ in range(2))
        kind = draw.randrange(8)
        if kind == 0 and out:
            out[min(at, len(out) - 1)] = draw.randrange(256)
        elif kind == 1:
            del out[at : min(to, at + 40)]
        elif kind == 2:
            out[at:at] = out[at : min(to, at + 200)]
        elif kind == 3:
            out[at:at] = draw.choice(
                (b"&a ", b"*a", b"!!str ", b"[", b"{", b"- ", b": ", b"'", b'"', b"\n", b"\t", b"#", b"?")
            )
        elif kind == 4:
            out[at:at] = draw.choice(
                (b"yes", b"1.5", b"0777", b"~", b"12:30", b".inf", b"\xe2\x80\x8b", b"\xff", b"\x00")
            )
        elif kind == 5:
            lines = bytes(out).split(b"\n")
            draw.shuffle(lines)
            out = bytearray(b"\n".join(lines))
        elif kind == 6:
            out[at:at] = b" " * draw.randint(1, 9)
        else:
            out = out[:at]
    return bytes(out)


def random_section(draw: random.Random, section: type[Section], values: dict[str, tuple[Any, ...]], p: float) -> Any:
    """Return a random section as a document; `values` gives what a field may say, by its name or its kind."""
    out: dict[str, Any] = {}
    for name, shape in shapes(section).items():
        if not _required(section, name) and draw.random() > p:
            continue
        made = _random_value(draw, name, shape, values, p, section)
        if made is not None:
            out[name] = made
    return out


@cache
def _required(section: type[Section], name: str) -> bool:
    return bool(section.model_fields[name].is_required())


def _random_value(
    draw: random.Random, name: str, shape: Shape, values: dict[str, tuple[Any, ...]], p: float, owner: type[Section]
) -> Any:
    if shape.section is not None:
        if shape.kind == "section":
            return random_section(draw, shape.section, values, p)
        if shape.kind == "map":
            names = draw.sample(("a", "b", "c"), draw.randint(0, 3))
            return {key: random_section(draw, shape.section, values, p) for key in names}
        return None
    if name in ("by", "at") and shape.kind != "list":
        return {"by": "a", "at": "2026-11-20"}[name]
    for said in (f"{owner.__name__}.{name}", name):
        if said in values:
            return draw.choice(values[said])
    text, words = _annotation(owner, name)
    if words:
        return draw.sample(words, draw.randint(1, len(words))) if shape.kind == "list" else draw.choice(words)
    for mark, kind in (("Amount", "cap"), ("Duration", "duration"), ("Percent", "percent"), ("Decimal", "number")):
        if mark in text:
            return _cap(draw, values) if kind == "cap" else draw.choice(values[kind])
    return draw.choice(values["bool"] if "bool" in text else values["int"]) if "int" in text or "bool" in text else None


def _cap(draw: random.Random, values: dict[str, tuple[Any, ...]]) -> list[str]:
    by_dimension = draw.sample(("cap", "cap2", "cap3"), draw.randint(1, 3))
    return [draw.choice(values[kind]) for kind in by_dimension]


@cache
def _annotation(owner: type[Section], name: str) -> tuple[str, tuple[str, ...]]:
    """Return what a field is declared as, and the words that it may say."""
    annotation = owner.model_fields[name].annotation
    return str(annotation), _words(annotation)


def _words(annotation: Any) -> tuple[str, ...]:
    for part in get_args(annotation):
        if isinstance(part, str):
            return tuple(str(word) for word in get_args(annotation))
        found = _words(part)
        if found:
            return found
    return ()


#: What random policies say: few values of each kind, so that pairs of them meet.
SAYS: dict[str, tuple[Any, ...]] = {
    "Risk.max_order_quantity": ({"default": "1.5"}, {"default": 2, "BTC/USDT": "0.5"}, {"ETH/USDT": 1}),
    "Risk.on_breach": ({"symbols": "warn"}, {"symbols": "halt", "max_slippage": "deny"}, {"sides": "reduce_only"}),
    "Group.max_gross_exposure": ("100 USDT", ["1000 USDT", "1 BTC"]),
    "Group.max_net_exposure": ("1000 USDT", "5000.5 USDT"),
    "week_starts": ("mon 00:00 UTC",),
    "trading_hours": (["mon-fri 08:00-20:00 UTC"], ["mon-fri 08:00-20:00 UTC", "daily 00:00-24:00 UTC"]),
    "cap": ("1% of equity", "2% of equity", "5% of equity"),
    "cap2": ("100 USDT", "1000 USDT", "5000.5 USDT"),
    "cap3": ("1 BTC", "2 BTC"),
    "duration": ("500ms", "1s", "5s", "1m", "60s", "90d"),
    "paper_balances": ("1000 USDT", ["2000 USDT", "1 BTC"]),
    "percent": ("0%", "2%", "10%", "100%"),
    "number": (0, 1, 3, "1.5"),
    "int": (1, 2, 5, 100),
    "bool": (True, False),
    "policykit": (1,),
    "name": ("p",),
    "owner": ("a", "b"),
    "exchange": ("binance",),
    "currency": ("USDT",),
    "position_mode": ("one_way",),
    "environment": ("live",),
    "egress": ("fra-1", "fra-2"),
    "max_equity": ("1000 USDT", "5000.5 USDT", ["2000 USDT", "1 BTC"]),
    "purpose": ("execution",),
    "secret": ("env://A", "vault://kv/b"),
    "scopes": (["read"], ["read", "trade"], ["read", "trade.spot"], ["trade"], []),
    "holders": (["a"], ["a", "b"], []),
    "by": (["a"], ["a", "b"]),
    "per": ("1m",),
    "window": ("fixed",),
    "shared_by": ("ip",),
    "costs": ({"GET /a": 1}, {"GET /a": 2, "GET /b": 1}),
    "symbols": (["*/USDT"], ["BTC/USDT"], ["BTC/*", "!BTC/USDC"], ["!LUNA*"], ["ETH/USDT", "BTC/USDT"], ["*"]),
    "reference": ("mark",),
    "day_starts": ("00:00 UTC",),
    "max_position_notional": (
        "5% of equity",
        ["1000 USDT", "2% of equity"],
        {"default": "5% of equity", "BTC/USDT": "10% of equity"},
        {"BTC/USDT": "2% of equity"},
        {"default": ["1000 USDT"], "ETH/USDT": ["500 USDT", "1% of equity"]},
        {"default": "1% of equity", "ETH/USDT": "2% of equity"},
    ),
    "addresses": (["x"], ["x", "y"], []),
    "signers": ("/etc/policykit/signers",),
    "contacts": (["a"], ["b", "c"]),
    "keys": (["a"], ["a", "b"]),
    "waivable": (["PK204"], ["PK204", "PK603"]),
}


def random_policy(draw: random.Random, p: float = 0.35) -> dict[str, Any]:
    """Return a random policy that loads on its own."""
    out: dict[str, Any] = random_section(draw, Policy, SAYS, p)
    account = {"name": "main", "currency": "USDT", **out.get("account", {})}
    if isinstance(account.get("name"), str):
        account["name"] = "main"
    out["account"] = account
    return out
