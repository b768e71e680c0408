"""What `policykit run` makes of the clients of a program, inside one process."""

from __future__ import annotations

import asyncio
import atexit
import copy
import importlib
import importlib.util
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import ccxt
import ccxt.pro
import pytest

from policykit.clock import SystemClock
from policykit.errors import PolicykitError
from policykit.guard import run
from policykit.store import open_store
from policykit.testing import Sim, point
from tests.guard.world import World, policy_text

#: `import ccxt.base.exchange` would give the package's attribute, which another test may have deferred.
ccxt_base = importlib.import_module("ccxt.base.exchange")
SMALL = ("BTC/USDT", "limit", "buy", 0.01, 50_000)
LARGE = ("BTC/USDT", "limit", "buy", 0.1, 50_000)
SANDBOX = policy_text().replace("environment: live", "environment: sandbox")


@pytest.fixture
def program(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """Give a starter that makes this process one under `policykit run`; it is an ordinary one again afterwards."""
    process = run._Process()
    base = ccxt_base.BaseExchange
    original = base.__init__

    def begin(text: str = SANDBOX, **env: str) -> World:
        world = start(clock=SystemClock(), text=text)
        endpoint = {run.ENDPOINT: world.sim.url}
        for name, value in {
            "POLICYKIT_POLICY": str(world.policy),
            "POLICYKIT_STORE": world.store,
            **endpoint,
            **env,
        }.items():
            monkeypatch.setenv(name, value)
        run.install(ccxt_base)
        return world

    monkeypatch.setattr(run, "PROCESS", process)
    yield begin
    base.__init__ = original
    atexit.unregister(process.stop)
    if process.gate is not None and process.running:
        process.stop(process.gate.guard, os.getpid())


def settings(world: World, **more: Any) -> dict[str, Any]:
    """Return what a bot gives its client."""
    return {"apiKey": world.sim.key, "secret": world.sim.secret, "enableRateLimit": False, **more}


def denied(client: Any) -> str:
    """Return the code that a client's large order is denied with."""
    with pytest.raises(ccxt.InvalidOrder) as error:
        client.create_order(*LARGE)
    return str(error.value.decision.reasons[0].code)


def test_own_classes_copies_and_pickles_are_protected(program: Callable[..., World]) -> None:
    """However a client comes into being it is behind the guard, and still what it was."""
    world = program()

    class Own(ccxt.binance):
        def create_order(self, *args: Any, **kwargs: Any) -> Any:
            return super().create_order(*args, **kwargs)

    client = ccxt.binance(settings(world))
    made = [Own(settings(world)), copy.deepcopy(client), copy.copy(client), pickle.loads(pickle.dumps(client))]
    made += [type(client)(settings(world)), copy.deepcopy(type(client)(settings(world))), client]
    for one in made:
        assert isinstance(one, ccxt.binance)
        assert denied(one) == "RISK_ORDER_NOTIONAL"
    assert client.create_order(*SMALL)["status"] == "open"
    assert len(world.sent) == 1


def test_a_bot_s_own_request_validity_is_replaced(program: Callable[..., World]) -> None:
    """The program is not changed: what it would sign for a minute is signed for as long as the policy says."""
    world = program()
    client = ccxt.binance(settings(world, options={"recvWindow": 60_000}))
    assert client.create_order(*SMALL)["status"] == "open"
    client.options["recvWindow"] = 60_000
    assert client.create_order(*SMALL)["status"] == "open"


def test_shadow_lets_everything_through_and_records_it(program: Callable[..., World]) -> None:
    """POLICYKIT_MODE=shadow: the same program, nothing refused, another exchange's keys left alone."""
    world = program(POLICYKIT_MODE="shadow")
    assert ccxt.binance(settings(world)).create_order(*LARGE)["status"] == "open"
    other = ccxt.kraken({"apiKey": "k", "secret": "c2VjcmV0"})
    assert other.apiKey == "k"
    assert other.check_required_credentials() is True
    rows = [row.body["decision"] for row in open_store(world.store).rows(0, 100_000) if row.kind == "decision"]
    assert [(row["outcome"], row["reasons"][0]["code"]) for row in rows] == [
        ("deny", "RISK_ORDER_NOTIONAL"),
        ("deny", "RAW_CALL_REFUSED"),
    ]


def test_I15_on_paper_no_client_of_another_exchange_sends_in_shadow_either(program: Callable[..., World]) -> None:
    """`POLICYKIT_MODE=shadow` refuses nothing, but of paper it is said that nothing leaves, whoever sends it."""
    program(SANDBOX + "stage: {current: paper, paper_balances: 1000 USDT}\n", POLICYKIT_MODE="shadow")
    with Sim(dialect="kraken") as kraken:
        client = kraken.client()
        with pytest.raises(ccxt.PermissionDenied, match="a private call of kraken"):
            client.create_order("BTC/USDT", "limit", "buy", 0.01, 20_000)
        assert not kraken.venue.orders


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda client: type(client)({"enableRateLimit": False}), lambda client: client]
)
def test_a_client_of_another_exchange_may_only_read_what_is_public(
    program: Callable[..., World], copied: Callable[[Any], Any]
) -> None:
    """It has no credentials, whatever the program gives it; what it may not do is said in words."""
    world = program()
    client = copied(ccxt.kraken({"apiKey": "k", "secret": "c2VjcmV0", "enableRateLimit": False}))
    client.secret = "c2VjcmV0"
    assert (client.apiKey, client.secret, client.check_required_credentials(False)) == ("", "", False)
    with Sim(dialect="kraken") as kraken:
        assert point(client, kraken.url).fetch_time() > 0
    with pytest.raises(ccxt.PermissionDenied) as error:
        client.private_post_balance()
    assert str(error.value).splitlines()[0] == (
        "key.admin denied: a private call of kraken; the policy is for binance, so kraken may only read what is "
        "public; run the part that trades there under a policy of its own"
    )
    assert world.sent == []


def test_under_an_endpoint_nothing_goes_elsewhere(program: Callable[..., World]) -> None:
    """A program that turns to the sandbox stays where it was sent, and has no websockets."""
    world = program()
    client = ccxt.binance(settings(world))
    client.set_sandbox_mode(True)
    assert client.create_order(*SMALL)["status"] == "open"

    async def listen() -> None:
        pro = ccxt.pro.binance(settings(world))
        with pytest.raises(ccxt.NotSupported, match="an endpoint has no websockets; use REST"):
            await pro.watch_ticker("BTC/USDT")
        await pro.close()

    asyncio.run(listen())


def test_a_sandbox_policy_lets_no_client_out_to_the_live_exchange(
    program: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hosts are looked at with the first request and whenever they change, since bots turn to the sandbox late."""
    monkeypatch.setattr(
        run._Process, "maintain", lambda self, **how: None
    )  # no loop: it would look for the real sandbox
    program(**{run.ENDPOINT: ""})
    client = ccxt.binance()
    with pytest.raises(ccxt.PermissionDenied, match="environment is sandbox and the client talks to api"):
        client.fetch_time()
    closed = "http://127.0.0.1:9"
    client.urls["api"] = dict.fromkeys(client.urls["api"], f"{closed}/api/v3")
    with pytest.raises(ccxt.NetworkError):
        client.fetch_time()


def test_a_forked_process_has_a_guard_of_its_own(program: Callable[..., World]) -> None:
    """A store's connection and a thread do not fork: the child's first look makes new ones, and starts its loop."""
    world = program()
    client = ccxt.binance(settings(world))
    before = client.policykit_gate
    run.PROCESS.forked()
    assert client.policykit_gate is not before
    assert run.PROCESS.running
    assert denied(client)
    before.guard.__exit__()


# ---- before the program


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("python3", "-I", "bot.py"), "-I"),
        (("python3", "-uE", "-c", "x"), "-uE"),
        (("python3", "-X", "dev", "-S", "bot.py"), "-S"),
        (("python3", "-Xdev", "--help", "-Wignore", "bot.py", "-S"), None),
        (("python3", "-c", "x", "-I"), None),
        (("python3", "bot.py", "-I"), None),
        (("python3", "-mpip", "-I"), None),
        (("env", "python3", "-E", "bot.py"), "-E"),
        (("true", "-I"), None),
        (("python3",), None),
    ],
)
def test_a_python_that_would_not_run_the_hook_is_refused(command: tuple[str, ...], option: str | None) -> None:
    """-I, -E and -S keep PYTHONPATH or start-up hooks out, so nothing would be protected."""
    if option is None:
        assert os.access(run.program(command), os.X_OK)
        return
    with pytest.raises(PolicykitError) as error:
        run.program(command)
    said = f"{command[0]}: Python runs with {option}, which keeps policykit out of it; start it without"
    assert str(error.value) == said


def test_a_script_that_would_not_run_the_hook_is_refused(tmp_path: Path) -> None:
    """The first line of a script can keep the hook out as well."""
    script = tmp_path / "bot"
    script.write_text("#!/usr/bin/python3 -I\nimport ccxt\n", encoding="utf-8")
    script.chmod(0o755)
    with pytest.raises(PolicykitError, match="Python runs with -I"):
        run.program((str(script),))
    with pytest.raises(PolicykitError, match="no-such-program: no such program; give its path"):
        run.program(("no-such-program",))


def test_the_environment_of_a_program(tmp_path: Path) -> None:
    """The hook goes before what PYTHONPATH had, once, however often a program runs another under policykit."""
    policy = tmp_path / "mm.yaml"
    policy.write_text(SANDBOX, encoding="utf-8")
    inherited = {"PYTHONPATH": "lib:more", "HOME": "/home/bot"}
    once = run.environment(str(policy), None, "http://127.0.0.1:8080/", inherited)
    assert once == {
        "PYTHONPATH": f"{run.SITE}:lib:more",
        "HOME": "/home/bot",
        "POLICYKIT_POLICY": str(policy),
        run.KEY: "mm-exec",
        run.ENDPOINT: "http://127.0.0.1:8080",
    }
    assert run.environment(str(policy), "mm-exec", None, once) == once
    with pytest.raises(ValueError, match="plain http off this machine"):
        run.environment(str(policy), None, "http://exchange.example", {})
    policy.write_text(SANDBOX.replace("exchange: binance", "exchange: bitmex"), encoding="utf-8")
    with pytest.raises(PolicykitError, match='exchange is "bitmex"; an exchange with an adapter is needed: binance'):
        run.environment(str(policy), None, None, {})


# ---- the start-up hook


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the hook under another name, so that it does not start."""
    spec = importlib.util.spec_from_file_location("hook", run.SITE / "sitecustomize.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", [*sys.path, module.HERE])
    return module


def test_the_hook_protects_the_module_that_others_find(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds ccxt's base module as Python does, executes it, and then installs the guard; no other module."""
    seen: list[ModuleType] = []
    monkeypatch.setattr(run, "install", seen.append)
    spec = hook.Hook().find_spec(hook.BASE, ccxt.__path__ and [str(Path(ccxt_base.__file__).parent)])
    assert spec.loader.get_filename(hook.BASE) == ccxt_base.__file__
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert seen == [module]
    assert hook.Hook().find_spec("ccxt.base.errors") is None
    monkeypatch.setattr(sys, "meta_path", [])
    assert hook.Hook().find_spec(hook.BASE) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PolicykitError("no policy"), "no policy"),
        (ModuleNotFoundError("No module named 'x'", name="x"), "ModuleNotFoundError: No module named 'x'"),
        (ModuleNotFoundError("", name="policykit"), f"{sys.executable} has no policykit; install it there"),
        (ValueError(), "ValueError"),
    ],
)
def test_what_cannot_be_installed_ends_the_program(
    hook: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    words: str,
) -> None:
    """Code 2, and the reason in words."""

    def fail(module: ModuleType) -> None:
        raise error

    monkeypatch.setattr(run, "install", fail)
    with pytest.raises(SystemExit) as ended:
        hook.Loader(_Nothing()).exec_module(ModuleType("x"))
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"policykit run: {words}")


class _Nothing:
    def exec_module(self, module: ModuleType) -> None:
        """Execute nothing."""


def test_the_hook_starts_and_lets_the_machine_s_own_run(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It goes first among the finders and out of the path; a `sitecustomize` behind it runs under its own name."""
    monkeypatch.delitem(sys.modules, hook.BASE)
    hook.start()
    assert type(sys.meta_path[0]).__name__ == "Hook"
    assert hook.HERE not in sys.path
    (tmp_path / "sitecustomize.py").write_text("WHOSE = 'the machine'", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [hook.HERE, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "sitecustomize", raising=False)
    hook.chain()
    assert sys.modules["sitecustomize"].WHOSE == "the machine"
    monkeypatch.setattr(sys, "path", [hook.HERE])
    hook.chain()


def test_a_ccxt_that_came_before_the_hook_ends_the_program(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clients made before could not be protected any more."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    hook.start()
    assert ended == [2]
    assert "ccxt was imported before the policy; take it out of .pth files" in capsys.readouterr().err
