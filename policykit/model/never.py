"""`never`: what no policy of an organisation may allow, in a small closed language that is made of the model itself.

A statement is `SUBJECT` (a scope of a key), `SUBJECT > VALUE` (a field that is stricter when lower), `SUBJECT < VALUE`
(stricter when higher), `SUBJECT == WORD` (a list that may not have the word, a word that may not be so loose, a switch
that may not be off) or `SUBJECT absent`. The subjects are the fields of the model: a new cap is a subject by itself.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

from pydantic_core import PydanticCustomError, core_schema

from policykit.model.account import Account
from policykit.model.approvals import Approvals
from policykit.model.base import SECTION, Meta, Section
from policykit.model.clock import Clock
from policykit.model.group import Group
from policykit.model.keys import Key, Scope
from policykit.model.operation import DeadManSwitch, KillSwitch, Reconciliation
from policykit.model.people import AccountSecurity, Incident, Review, Vendor, Withdrawals
from policykit.model.rate import CountWindow, RateBudget
from policykit.model.retry import Retry
from policykit.model.risk import Risk
from policykit.model.shape import Shape, shapes
from policykit.model.stage import Stage
from policykit.model.store import Store
from policykit.units import Duration, parse_bound, parse_duration, parse_percent, plain

#: The sections that have subjects, as the root of a policy names them; `*` stands for each entry of a map.
ROOTS: Final[Mapping[str, type[Section]]] = {
    "account": Account,
    "store": Store,
    "keys.*": Key,
    "clock": Clock,
    "rate_budgets.*": RateBudget,
    "risk": Risk,
    "groups.*": Group,
    "retry": Retry,
    "kill_switch": KillSwitch,
    "dead_man_switch": DeadManSwitch,
    "reconciliation": Reconciliation,
    "stage": Stage,
    "withdrawals": Withdrawals,
    "account_security": AccountSecurity,
    "vendors.*": Vendor,
    "incident": Incident,
    "review": Review,
    "approvals": Approvals,
}
_NEEDED: Final = 'a statement ("order_notional > 2% of equity", "key.withdraw")'
#: The most statements of one file.
MAX_STATEMENTS: Final = 64
#: Where the word for what is bounded differs from the field's own.
_WORDS: Final = {"risk.price_collar.max_deviation": "price_deviation"}

#: Maps of words and of costs, of which no one value is the loosest.
_NOT: Final = ("risk.on_breach", "rate_budgets.*.costs")

Kind = Literal[
    "bound", "amount", "percent", "duration", "number", "count", "window", "words", "symbols", "word", "switch",
    "scope", "said",
]  # fmt: skip
_NUMBER: Final = r"[0-9]{1,15}(\.[0-9]{1,12})?"
_SPAN: Final = r"[1-9][0-9]{0,8}(ms|s|m|h|d)"
#: What a value of each kind looks like, and an example of it.
_VALUES: Final[Mapping[str, tuple[str, str]]] = {
    "bound": (rf"{_NUMBER}(% of equity| [A-Z0-9]{{2,20}})", "2% of equity"),
    "amount": (rf"{_NUMBER} [A-Z0-9]{{2,20}}", "5000 USDT"),
    "percent": (rf"{_NUMBER}%", "3%"),
    "duration": (r"[0-9]{1,9}(ms|s|m|h|d)", "90d"),
    "number": (r"[0-9]{1,9}(\.[0-9]{1,9})?", "5"),
    "count": (r"[0-9]{1,9}", "50"),
    "window": (rf"[0-9]{{1,9}} per {_SPAN}", "60 per 1m"),
    "symbols": (r"[A-Za-z0-9*][A-Za-z0-9*/:._-]{0,63}", "LUNA*"),
}


class Window(NamedTuple):
    """So many in such a span."""

    limit: int
    per: Duration

    def __str__(self) -> str:
        return f"{self.limit} per {self.per}"


class Subject(NamedTuple):
    """What a statement speaks of: its name, the field (`keys.*.rotation.every`), and how it is written.

    `op` is `>`, `<`, `==`; empty for a scope of a key, and for what can only be absent. `words`: what a word may be,
    loosest first where the field orders them.
    """

    name: str
    path: str
    kind: Kind
    op: str
    meta: Meta
    words: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """An example of a statement."""
        if not self.op:
            return self.name if self.kind == "scope" else f"{self.name} absent"
        example = self.words[0] if self.words else _VALUES[self.kind][1]
        return f"{self.name} {self.op} {example}"

    @property
    def pattern(self) -> str:
        """What statements about it look like."""
        absent = "" if self.kind == "scope" else " absent"
        if not self.op:
            return re.escape(self.name) + absent
        value = "|".join(map(re.escape, self.words)) if self.words else _VALUES[self.kind][0]
        return rf"{re.escape(self.name)}( {self.op} ({value})|{absent})"


class Statement(NamedTuple):
    """One invariant. `op` is empty for a scope; `value` is typed as the field is, None where there is none."""

    subject: Subject
    op: str
    value: Any = None

    def __str__(self) -> str:
        if self.op == "absent":
            return f"{self.subject.name} absent"
        value = plain(self.value) if isinstance(self.value, Decimal) else self.value
        return f"{self.subject.name} {self.op} {value}" if self.op else self.subject.name


def _singular(name: str) -> str:
    return name.removesuffix("s")


def name_of(path: str, kind: str = "") -> str:
    """Return the name of the subject that is a field: `order_notional` of `risk.max_order_notional`."""
    if path in _WORDS:
        return _WORDS[path]
    *parents, last = path.split(".")
    last = _singular(last) if kind in ("words", "symbols") else last
    steps = [_singular(step) if after == "*" else step for step, after in zip(parents, [*parents[1:], last])]  # noqa: B905
    steps = [step.removeprefix("max_").removeprefix("min_") for step in (*steps, last) if step not in ("*", "risk")]
    if steps[-1] in ("limit", "current") and len(steps) > 1:
        steps.pop()
    return ".".join(steps)


def _words_of(annotation: Any) -> tuple[str, ...]:
    for part in get_args(annotation):
        if isinstance(part, str):
            return get_args(annotation)
        if found := _words_of(part):
            return found
    return ()


#: Marks in a field's type, and what kind of value it holds.
_KINDS: Final[tuple[tuple[str, Kind], ...]] = (
    ("units.Share", "bound"),
    ("units.Amount", "amount"),
    ("units.Percent", "percent"),
    ("units.Duration", "duration"),
    ("Decimal", "number"),
    ("int", "count"),
)


def _kind(shape: Shape, annotation: Any) -> tuple[Kind, str, tuple[str, ...]]:
    """Return the kind of a field that holds no section, the operator of statements about it, and its words."""
    strictness = shape.meta.strictness
    way = strictness.of.kind if strictness.of is not None else strictness.kind
    if way in ("lower", "higher"):
        text = str(annotation)
        kind = next(kind for mark, kind in _KINDS if mark in text)
        return kind, ">" if way == "lower" else "<", ()
    if way == "true":
        return "switch", "==", ("false",)
    if strictness.kind == "ordered":
        return "word", "==", strictness.order
    if strictness.order == ("symbols",):
        return "symbols", "==", ()
    words = _words_of(annotation)
    return ("words", "==", words) if words and strictness.kind == "subset" else ("said", "", ())


def _fields(section: type[Section], path: str) -> Iterator[Subject]:
    for name, shape in shapes(section).items():
        at, meta = f"{path}.{name}", shape.meta
        if at == "keys.*.scopes":
            for scope in get_args(Scope):
                yield Subject(f"key.{scope}", at, "scope", "", meta)
        elif shape.section is CountWindow:
            yield Subject(name_of(at), at, "window", ">", meta)
        elif shape.section is not None:
            if meta.strictness.kind == "neutral":
                continue
            if "limit" not in shape.section.model_fields:  # else the section is there when its limit is
                yield Subject(name_of(at), at, "said", "", meta)
            if shape.kind == "section":
                yield from _fields(shape.section, at)
        elif meta.strictness.kind not in ("neutral", "identity") and at not in _NOT:
            kind, op, words = _kind(shape, section.model_fields[name].annotation)
            yield Subject(name_of(at, kind), at, kind, op, meta, words)


@cache
def subjects() -> Mapping[str, Subject]:
    """Return what a statement may speak of, by name, in the model's order."""
    found: dict[str, Subject] = {}
    for path, section in ROOTS.items():
        if "*" not in path and path != "account":  # every policy has an account
            found[path] = Subject(path, path, "said", "", Meta(f"The section `{path}`.", SECTION))
        found |= {subject.name: subject for subject in _fields(section, path)}
    return found


def parse(text: str) -> Statement:
    """Read a statement. Raise ValueError with a sentence that says what is needed."""
    name, _, rest = text.partition(" ")
    subject = subjects().get(name)
    if subject is None:
        close = difflib.get_close_matches(name, subjects(), n=1)
        known = f'did you mean "{close[0]}"?' if close else "docs/invariants.md has the subjects"
        raise ValueError(f"{_NEEDED} is needed; {known}")
    if not re.fullmatch(subject.pattern, text):
        raise ValueError(f'of {name} a statement like "{subject.form}" is needed')
    if rest in ("", "absent"):
        return Statement(subject, rest)
    return Statement(subject, subject.op, _value(subject.kind, rest.partition(" ")[2]))


def _value(kind: Kind, text: str) -> Any:
    if kind in ("bound", "amount"):
        return parse_bound(text)
    if kind == "percent":
        return parse_percent(text)
    if kind == "duration":
        return parse_duration(text)
    if kind == "window":
        limit, _, span = text.partition(" per ")
        return Window(int(limit), parse_duration(span))
    if kind == "number":
        return Decimal(text)
    return int(text) if kind == "count" else text


class _StatementText(NamedTuple):
    """A statement as text, written in one way; the JSON Schema shows the pattern of all of them."""

    def validate(self, value: object) -> str:
        if not isinstance(value, str):
            raise PydanticCustomError("policykit", f"{_NEEDED} is needed")
        try:
            return str(parse(value))
        except ValueError as error:
            raise PydanticCustomError("policykit", "{needs}", {"needs": str(error)}) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{pattern()})$"}


def pattern() -> str:
    """Return what a statement looks like: subjects that are written alike stand together."""
    forms: dict[str, list[str]] = {}
    for subject in subjects().values():
        forms.setdefault(subject.pattern.removeprefix(re.escape(subject.name)), []).append(re.escape(subject.name))
    return "|".join(f"({'|'.join(names)}){form}" for form, names in forms.items())


StatementText = Annotated[str, _StatementText()]
