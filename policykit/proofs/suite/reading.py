"""Read a test file: strict YAML as policies are, closed keys, a place and a hint for everything that is wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final, cast, get_args

from policykit.engine import given_values as values
from policykit.engine.checks import all_checks
from policykit.engine.facts import SCOPE
from policykit.engine.given import WORDS
from policykit.engine.given_values import Path, Wrong
from policykit.engine.reasons import REASONS
from policykit.engine.trial import read_order
from policykit.model.order_limits import OrderType
from policykit.model.stage import StageName
from policykit.order import Order
from policykit.place import Place
from policykit.proofs.suite.form import (
    AT_ONCE,
    DEFAULT_NOW,
    EVENTS,
    MAX_STEPS,
    MAX_TESTS,
    MAX_TIMES,
    Became,
    Event,
    Expected,
    Halted,
    Step,
    Suite,
    SuiteError,
    Test,
)
from policykit.source import Document, shown
from policykit.units import parse_duration

#: The key by which a test file is known, and its version.
MARK: Final = "policykit_test"
VERSION: Final = 1
SUFFIX: Final = ".test.yaml"
_SIDES: Final = ("buy", "sell")
_TYPES: Final[tuple[str, ...]] = get_args(OrderType)
_ON_PURPOSE: Final = "a test of an order that is malformed expects ORDER_INVALID by name"
_STAGES: Final[tuple[str, ...]] = get_args(StageName)
_SUITE: Final = (MARK, "policy", "with", "key", "bot", "now", "given", "tests")
_TEST: Final = ("name", "stage", "now", "given", "steps")
_STEP: Final = ("after", "given", "order", "expect", "as", "of", "times", "then", *EVENTS, "halt", "resume")
#: Words of facts that a test says otherwise: by what its orders did.
_NOT_GIVEN: Final = {
    "counted": "it follows from the positions and the marks",
}
#: Facts that are objects by name: a step that says one name leaves the others.
_BY_NAME: Final = (
    *("positions", "marks", "quotes", "contract_sizes", "contracts", "moves", "partials"),
    *("address_proofs", "banned_until"),
)
_ALIKE: Final = 0.6
#: What looks like a code, and is no secret.
_CODE: Final = re.compile(r"[A-Za-z]{1,20}(_[A-Za-z]{1,20}){0,4}")
#: So many words are named where none is near.
_FEW: Final = 24
_MAX_PROBLEMS: Final = 50


def read_suite(document: Document) -> Suite:
    """Return the suite of a document. Raise SuiteError with everything that is wrong with it."""
    if document.findings:
        raise SuiteError(tuple(f"{found.primary}: {found.message}" for found in document.findings))
    return _Reader(document).suite()


def alike(word: str, words: Collection[str]) -> str:
    """Return `; did you mean X?` where a known word is near, else what may be."""
    close = get_close_matches(word, words, n=1, cutoff=_ALIKE) or get_close_matches(
        word.upper(), words, n=1, cutoff=_ALIKE
    )
    few = 0 < len(words) <= _FEW
    return f"did you mean {close[0]}?" if close else f"one of {', '.join(words)} may be" if few else ""


class _Reader:
    """One pass over a document; what is wrong is collected, so that a file is mended in one go."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[str] = []
        self.checks = {check.id for check in all_checks()}

    # ---- what is wrong

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return where a value stands, or its key; what is not there, where the thing around it does."""
        document, dotted = self.document, values.named(path)
        if key and dotted in document.key_places:
            return document.key_places[dotted]
        while dotted and dotted not in document.places:
            dotted = dotted.rpartition(".")[0]
        return document.places.get(dotted) or Place(document.file)

    def say(self, place: Place, text: str) -> None:
        """Note what is wrong."""
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(f"{place}: {text}")

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note a value that cannot be read, and go on."""
        try:
            yield
        except Wrong as wrong:
            self.say(self.place(wrong.path), str(wrong))

    def fields(self, path: Path, value: object, names: Collection[str], what: str) -> Mapping[str, Any]:
        """Return an object of known keys; the others are noted and left out."""
        if not isinstance(value, Mapping):
            self.say(self.place(path), f"{what} is no object; its keys are {', '.join(names)}")
            return {}
        for name in value:
            if name not in names:
                hint = alike(str(name), tuple(names))
                self.say(self.place((*path, name), key=True), f"`{shown(str(name))}` is no key of {what}; {hint}")
        return {name: each for name, each in value.items() if name in names}

    # ---- the suite

    def suite(self) -> Suite:
        """Return the suite."""
        data = self.fields((), self.document.data, _SUITE, "a test file")
        if data and data.get(MARK) != VERSION:
            self.say(self.place((MARK,)), f"{MARK} is not {VERSION}; `{MARK}: {VERSION}` is needed")
        at_ms = self.moment((), data, 0)
        given = self.given((), data, {}, at_ms)
        tests = tuple(self.tests(data.get("tests"), at_ms, given)) if data else ()
        suite = Suite(
            self.document.file,
            self.policy(data.get("policy")),
            tests,
            self.document,
            self.text(("key",), data, ""),
            self.text(("bot",), data, "bot"),
            self.added(data),
        )
        if self.problems:
            raise SuiteError(tuple(self.problems))
        return suite

    def policy(self, said: object) -> str:
        """Return the path of the policy: as the file says it, from where it stands, or the one beside it."""
        file = self.document.file
        if said is None:
            if not file.endswith(SUFFIX):
                self.say(Place(file), f"there is no `policy`; a file that is not called NAME{SUFFIX} says which it is")
            return file.removesuffix(SUFFIX) + ".yaml"
        if not isinstance(said, str) or os.path.isabs(said):
            self.say(self.place(("policy",)), "policy is no path from this file; one is needed")
            return ""
        return os.path.normpath(os.path.join(os.path.dirname(file), said))

    def added(self, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
        said = data.get("with")
        if said is None:
            return None
        if not isinstance(said, Mapping) or "extends" in said or "policykit" in said:
            self.say(self.place(("with",)), "with is no part of a policy; its sections are needed, without `extends`")
            return None
        return said

    def text(self, path: Path, data: Mapping[str, Any], default: str) -> str:
        said = data.get(str(path[-1]), default)
        if not isinstance(said, str):
            self.say(self.place(path), f"{path[-1]} is no text; one is needed")
            return default
        return said

    def moment(self, path: Path, data: Mapping[str, Any], inherited: int) -> int:
        """Return when tests begin."""
        said = data.get("now", DEFAULT_NOW if not inherited else None)
        if said is None:
            return inherited
        times = values.Times(0)
        with self.noting():
            if isinstance(said, str) and "-" in said:
                return times.moment((*path, "now"), said)
            raise Wrong((*path, "now"), "now is no moment; an ISO time (2026-11-21T10:00:00Z) is needed")
        return inherited or times.moment((), DEFAULT_NOW)

    def given(self, path: Path, data: Mapping[str, Any], before: Mapping[str, Any], at_ms: int) -> dict[str, Any]:
        """Return what is known with what is said here; values are read when the currency is known."""
        said = data.get("given")
        if said is None:
            return dict(before)
        path = (*path, "given")
        merged = dict(before)
        for name in _NOT_GIVEN.keys() & said.keys() if isinstance(said, Mapping) else ():
            self.say(self.place((*path, name), key=True), f"`{name}` is not given to a test; {_NOT_GIVEN[name]}")
            said = {word: value for word, value in said.items() if word != name}
        for name, value in self.fields(path, said, [word for word in WORDS if word not in _NOT_GIVEN], "given").items():
            old = before.get(name)
            by_name = name in _BY_NAME and isinstance(value, Mapping) and isinstance(old, Mapping)
            merged[name] = {**cast("Mapping[str, Any]", old), **value} if by_name else value
        return merged

    def tests(self, said: object, at_ms: int, given: Mapping[str, Any]) -> Iterator[Test]:
        if not isinstance(said, list) or not said:
            self.say(self.place(("tests",)), "tests is no list of tests; at least one is needed")
            return
        if len(said) > MAX_TESTS:
            self.say(self.place(("tests",)), f"{len(said)} tests are in one file; at most {MAX_TESTS} may be")
            return
        names: set[str] = set()
        for index, each in enumerate(said):
            path: Path = ("tests", index)
            data = self.fields(path, each, (*_TEST, *_STEP), "a test")
            if not data:
                continue
            name = self.text((*path, "name"), data, "")
            if not name or name in names:
                self.say(self.place((*path, "name")), "a test has no name of its own; `name: what must hold` is needed")
            names.add(name)
            start_ms = self.moment(path, data, at_ms)
            stage = self.text((*path, "stage"), data, "")
            if stage and stage not in _STAGES:
                self.say(self.place((*path, "stage")), f'stage is "{stage}"; {alike(stage, _STAGES)}')
            so_far = len(self.problems)
            steps = tuple(self.steps(path, data, start_ms, given))
            if len(self.problems) == so_far and all(step.order is None for step in steps):
                self.say(self.place(path), "no step asks for an order, so nothing is tried; `order: {...}` does")
            yield Test(name, self.place(path), steps, stage)

    # ---- steps

    def steps(self, path: Path, data: Mapping[str, Any], at_ms: int, given: Mapping[str, Any]) -> Iterator[Step]:
        if "steps" not in data:
            yield self.step(path, data, at_ms, given, set())
            return
        own = [name for name in data if name in _STEP and name != "given"]
        if own:
            self.say(self.place((*path, own[0]), key=True), f"`{own[0]}` stands beside steps; it is one step's")
        given = self.given(path, data, given, at_ms)
        said = data["steps"]
        if not isinstance(said, list) or not said or len(said) > MAX_STEPS:
            self.say(self.place((*path, "steps")), f"steps is no list of 1 to {MAX_STEPS} steps; one is needed")
            return
        names: set[str] = set()
        for index, each in enumerate(said):
            inner: Path = (*path, "steps", index)
            step = self.step(inner, self.fields(inner, each, _STEP, "a step"), at_ms, given, names)
            at_ms, given = step.at_ms, step.given
            yield step

    def step(self, path: Path, data: Mapping[str, Any], at_ms: int, given: Mapping[str, Any], names: set[str]) -> Step:
        if "after" in data:
            try:
                at_ms += parse_duration(str(data["after"])).ms
            except ValueError as error:
                self.say(self.place((*path, "after")), f"after is no duration; {error}")
        events = [name for name in EVENTS if name in data]
        order = self.order(path, data)
        if order is None and not events and not {"halt", "resume", "given", "after"} & data.keys():
            self.say(self.place(path), f"nothing happens here; one of order, {', '.join(EVENTS)}, halt, resume may be")
        alone = [name for name in ("expect", "as", "times", "then") if name in data and order is None]
        if alone:
            self.say(self.place((*path, alone[0]), key=True), f"`{alone[0]}` stands without an order; it is an order's")
        if len(events) + ("halt" in data) + ("resume" in data) + (order is not None) > 1:
            self.say(self.place(path), "more than one thing happens here; each is a step of its own")
        of = self.known((*path, "of"), data.get("of"), names) if "of" in data else ""
        event = self.event((*path, events[0]), events[0], data[events[0]], names) if events else None
        name = self.text((*path, "as"), data, "")
        if name and name in names:
            self.say(self.place((*path, "as")), f'an earlier order is "{shown(name)}" already; another name is needed')
        names.add(name)
        expected = self.expected((*path, "expect"), data.get("expect", "allow")) if order is not None else None
        if expected is not None and expected.outcome == "deny" and data.get("then") is not None:
            self.say(self.place((*path, "then"), key=True), "`then` stands with an order that must be denied")
        return Step(
            at_ms,
            self.given(path, data, given, at_ms),
            frozenset(data["given"]) if isinstance(data.get("given"), Mapping) else frozenset(),
            self.place(path),
            order,
            expected,
            name,
            of,
            self.times((*path, "times"), data.get("times", 1)),
            self.then((*path, "then"), data.get("then")),
            event,
            self.halted(path, data),
        )

    def order(self, path: Path, data: Mapping[str, Any]) -> Order | None:
        if "order" not in data:
            return None
        inner: Path = (*path, "order")
        with self.noting():
            order = read_order(values.mapping(inner, data["order"], "the fields of an order are needed"), inner)
            self.words(inner, order, data.get("expect"))
            return order
        return Order("")

    def words(self, path: Path, order: Order, expect: object) -> None:
        """Note a side or a type that there is not: any denial would be taken for the one that is meant."""
        if order.action != "order.create" or "ORDER_INVALID" in str(expect):
            return
        for name, words in (("side", _SIDES), ("type", _TYPES)):
            said = getattr(order, name)
            if said not in words:
                may = alike(str(said), words)
                self.say(self.place((*path, name)), f'{name} is "{shown(str(said))}"; {may}; {_ON_PURPOSE}')

    def times(self, path: Path, said: object) -> int:
        if isinstance(said, bool) or not isinstance(said, int) or not 1 <= said <= MAX_TIMES:
            self.say(self.place(path), f"times is no number from 1 to {MAX_TIMES}; one is needed")
            return 1
        return said

    def known(self, path: Path, said: object, names: Collection[str]) -> str:
        """Return the name of an earlier step's order."""
        if not isinstance(said, str) or said not in names or not said:
            known = alike(str(said), sorted(name for name in names if name)) or "say `as: NAME` there"
            self.say(self.place(path), f'"{said}" names no order of an earlier step; {known}')
            return ""
        return said

    def event(self, path: Path, what: Became, said: object, names: Collection[str]) -> Event:
        """Read `filled: NAME`, `filled: {of: NAME, quantity: ..., price: ...}`; `last` is the last that passed."""
        if isinstance(said, str):
            return Event(what, "" if said == "last" else self.known(path, said, names), place=self.place(path))
        fields = ("of", "quantity", "price") if what == "filled" else ("of",)
        data = self.fields(path, said, fields, what)
        of = self.known((*path, "of"), data["of"], names) if data.get("of", "last") != "last" else ""
        return Event(what, of, *self.numbers(path, data), place=self.place(path))

    def numbers(self, path: Path, data: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
        with self.noting():
            quantity, price = (
                values.number((*path, name), data[name]) if name in data else None for name in ("quantity", "price")
            )
            return quantity, price
        return None, None

    def then(self, path: Path, said: object) -> Event | None:
        if said is None:
            return None
        if isinstance(said, Mapping) and list(said) == ["filled"]:
            inner: Path = (*path, "filled")
            data = self.fields(inner, said["filled"], ("quantity", "price"), "filled")
            return Event("filled", "", *self.numbers(inner, data), place=self.place(path))
        if said not in AT_ONCE:
            self.say(self.place(path), f"then is none of {', '.join(AT_ONCE)}; one of them is needed")
        return Event(cast("Became", said), place=self.place(path))

    def halted(self, path: Path, data: Mapping[str, Any]) -> Halted | None:
        name = "halt" if "halt" in data else "resume" if "resume" in data else ""
        if not name:
            return None
        inner: Path = (*path, name)
        said = data[name] if isinstance(data[name], Mapping) else {"scope": data[name]}
        fields = self.fields(inner, said, ("scope", "state", "why", "freeze") if name == "halt" else ("scope",), name)
        with self.noting():
            scope = values.text(inner, fields.get("scope", "all"))
            if not SCOPE.fullmatch(scope):
                may = "all, exchange:X, account:X/NAME, bot:X or symbol:X is needed"
                raise Wrong(inner, f'the scope of {name} is "{scope}"; {may}')
            if name == "resume":
                return Halted(scope, None)
            state = values.one_of("HALTED", "REDUCING")((*inner, "state"), fields.get("state", "HALTED"))
            why = values.text((*inner, "why"), fields.get("why", "a test"))
            freeze = values.flag((*inner, "freeze"), fields.get("freeze", False))
            return Halted(scope, cast("Any", state), why, freeze)
        return None

    # ---- what is expected

    def expected(self, path: Path, said: object) -> Expected:
        place = self.place(path) if values.named(path) in self.document.places else self.place((*path[:-1], "order"))
        if said == "allow":
            return Expected("allow", place=place)
        if said in ("deny", {"deny": "any"}):
            return Expected("deny", (), included=True, place=place)
        if isinstance(said, Mapping) and list(said) == ["warn"]:
            return Expected("allow", self.codes((*path, "warn"), said["warn"], empty=True), place=place)
        if isinstance(said, Mapping) and list(said) == ["deny"]:
            inner, codes = (*path, "deny"), said["deny"]
            included = isinstance(codes, Mapping) and list(codes) == ["includes"]
            if included:
                inner, codes = (*inner, "includes"), codes["includes"]
            return Expected("deny", self.codes(inner, codes), included, place)
        self.say(place, "expect is not understood; allow, deny, {deny: [CODE, ..]} or {warn: [CODE, ..]} is needed")
        return Expected("allow", place=place)

    def codes(self, path: Path, said: object, *, empty: bool = False) -> tuple[tuple[str, str], ...]:
        if isinstance(said, str):
            return (self.code(path, said),)
        if not isinstance(said, list) or not (said or empty):
            self.say(self.place(path), f"{path[-1]} is no list of codes; {{deny: [RISK_ORDER_NOTIONAL]}} is one")
            return ()
        return tuple(sorted(self.code((*path, index), each) for index, each in enumerate(said)))

    def code(self, path: Path, said: object) -> tuple[str, str]:
        """Read a code, or `{code: ..., check: ...}`."""
        data = {"code": said} if isinstance(said, str) else self.fields(path, said, ("code", "check"), "a code")
        code, check = str(data.get("code", "")), str(data.get("check", ""))
        if code not in REASONS:
            self.say(self.place(path), f'"{_said(code)}" is no reason code; {alike(code, tuple(REASONS)) or CODES}')
        if check and check not in self.checks and check.partition(".")[0] not in self.checks:
            self.say(
                self.place((*path, "check")), f'"{check}" is no check; {alike(check, sorted(self.checks)) or CHECKS}'
            )
        return code, check


def _said(code: str) -> str:
    """Return what stands in the place of a code, as a message may show it."""
    return code if _CODE.fullmatch(code) else shown(code)


CODES: Final = "`policykit explain CODE` and docs/checks.md show those that are"
CHECKS: Final = "docs/checks.md shows those that are"
