"""`policykit sim`: simulated exchanges that run until they are told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from policykit.errors import PolicyError
from policykit.sim import Fault, SimServer
from policykit.sim.faults import DEMO, read_fault
from policykit.source import read_file
from policykit.testing.sim_keys import MAIN, KeySpec, make, show
from policykit.units import Duration, parse_duration, parse_percent

#: The name of the built-in faults, for `--faults demo`.
BUILT_IN = "demo"
#: What stock ccxt trades on a dialect.
_TRADED = {"binance": "spot and USD-M", "binanceusdm": "USD-M", "bybit": "spot"}
_SECONDS = ("seconds", "wire", "delay", "processing", "after")
_SHARES = ("ratio", "share")


def read_faults(path: str) -> tuple[Fault, ...]:
    """Read a file of faults: a list of rules as in `sim.faults`, with `12%` for shares and `2s` for times.

    Raise PolicyError for a file that is not strict YAML, ValueError for a rule that cannot be.
    """
    if path == BUILT_IN:
        return tuple(read_fault(rule) for rule in DEMO)
    document = read_file(Path(path))
    if document.findings:
        raise PolicyError(tuple(document.findings))
    rules = document.data
    if isinstance(rules, dict) and set(rules) == {"faults"}:
        rules = rules["faults"]
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError(f"{path}: a list of faults is needed, each with `at` and `do`")
    read = []
    for number, rule in enumerate(rules, 1):
        try:
            read.append(read_fault(_plain(rule)))
        except ValueError as error:
            raise ValueError(f"{path}: rule {number}: {error}") from None
    return tuple(read)


def _plain(rule: Mapping[str, Any]) -> dict[str, Any]:
    plain = dict(rule)
    for name in _SECONDS:
        if isinstance(plain.get(name), str) and plain[name].endswith(("s", "m", "h")):
            plain[name] = parse_duration(plain[name]).ms / 1000
    for name in _SHARES:
        if isinstance(plain.get(name), str) and plain[name].endswith("%"):
            plain[name] = float(parse_percent(plain[name]).fraction)
    return plain


def serve(
    sims: Sequence[SimServer],
    run_for: Duration | None,
    say: Callable[[str], None],
    keys: Sequence[KeySpec] = (),
) -> None:
    """Start, print how to reach each, and stop after `run_for` or at Ctrl-C; print what happened.

    Raise ValueError for a key of a dialect that is not served.
    """
    served = {sim.dialect for sim in sims}
    for spec in keys:
        if spec.dialect and spec.dialect not in served:
            raise ValueError(f"key {spec.prefix}: {spec.dialect} is not served; --dialect {spec.dialect} serves it")
    with ExitStack() as running:
        for sim in sims:
            running.enter_context(sim)
            what = _TRADED.get(sim.dialect, "reads only")
            say(f"policykit sim: {sim.dialect} {what} at {sim.url}, seed {sim.seed}; stop with Ctrl-C")
        say("# keys made for this run; they open nothing else")
        for sim in sims:
            _show_keys(sim, keys, len(sims) > 1, say)
        origins = " ".join(f"--endpoint {sim.dialect}={sim.url}" for sim in sims)
        say(f"# then: policykit lint --live {origins if len(sims) > 1 else f'--endpoint {sims[0].url}'} POLICY")
        if sims[0].dialect in _TRADED:
            say(f"# or in a bot: policykit.testing.point(client, {sims[0].url!r})")
        for sim in sims:
            if sim.streams.example is not None:
                say(f"# websockets, {sim.dialect}: {sim.ws_url}{sim.streams.example}")
        try:
            _wait(None if run_for is None else run_for.ms / 1000)
        except KeyboardInterrupt:
            say("")
    for sim in sims:
        counts = sim.truth.summary()
        worst = counts["worst_minute"]
        name = f"{sim.dialect}: " if len(sims) > 1 else ""
        say(f"{name}{counts['executed']} orders executed, {counts['duplicates']} of them alike, {counts['bans']} bans,")
        say(f"{worst['weight']} weight in the worst minute, {counts['connections_cut']} connections cut")
        if tried := counts["connects"]["tried"]:
            most = sim.truth.most_connects()
            say(f"{tried} websockets tried, {most} in the worst five minutes, {counts['connects']['opened']} opened")


def _show_keys(sim: SimServer, keys: Sequence[KeySpec], several: bool, say: Callable[[str], None]) -> None:
    """Print the run's own key, and those that were asked for of this dialect."""
    show(f"{sim.dialect.upper()}_{MAIN}" if several else MAIN, sim.main_key, say)
    for spec in keys:
        if spec.dialect in ("", sim.dialect):
            prefix = f"{sim.dialect.upper()}_{spec.prefix}" if several and not spec.dialect else spec.prefix
            show(prefix, make(sim, spec), say)


def _wait(seconds: float | None) -> None:
    threading.Event().wait(seconds)
