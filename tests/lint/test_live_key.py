"""`policykit lint --key`: one key and no policy; the page, the findings, the exit codes, every format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.exchanges import known
from policykit.lint.report import formats
from policykit.sim import SimServer
from policykit.sim.keys import SimKey
from tests.canary import assert_clean

Use = Callable[[SimKey], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Return what puts a key where `env://MM` reads it."""

    def put(key: SimKey) -> None:
        for field, text in key.credentials().items():
            monkeypatch.setenv(f"MM_{field.upper()}", text)

    return put


@pytest.fixture
def bybit() -> Iterator[SimServer]:
    """A simulated Bybit."""
    with SimServer(dialect="bybit") as sim:
        yield sim


@pytest.fixture
def key(bybit: SimServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return `key("--format", "json")`: the exit code of the command on `env://MM` at the simulated Bybit."""
    monkeypatch.chdir(tmp_path)
    return lambda *more: main(["lint", "--key", "env://MM", "--exchange", "bybit", "--endpoint", bybit.url, *more])


def test_the_page_says_what_a_key_can_do(
    bybit: SimServer, use: Use, key: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """What it can and cannot, from where, how old, which boxes to untick; then the findings; the cost before."""
    leaky = bybit.grant_key(200, grants=("read", "trade.spot", "withdraw", "transfer"))
    use(leaky)
    assert key() == 1
    out, err = capsys.readouterr()
    assert err == "live: bybit, 1 key, 2 calls, 2 requests (600 in 5 s may be), no order endpoint\n\n"
    made = (datetime.now(UTC) - timedelta(days=200)).date()
    head, _, rest = out.partition("\n\n")
    assert head.startswith("env://MM at bybit (GET /v5/user/query-api, 20")
    page, _, findings = rest.partition("\n\n")
    assert page == (
        "  can       read, trade.spot, trade.margin, transfer, withdraw\n"
        "  cannot    trade.derivatives, trade.options, trade.other\n"
        "  not told  key_admin: bybit does not report it\n"
        "  from      any address\n"
        f"  age       made {made}, 200 days ago; ends: never; last used: not told\n"
        "  page      Bybit > Account & Security > API Management > Edit\n"
        '  untick    "Assets > Wallet > Withdrawal" (withdraw): no bot needs it\n'
        '            "Assets > Wallet > Account Transfer and Subaccount Transfer" (transfer): no bot needs it\n'
        '            "Unified Trading > Spot > Trade" (trade.spot, trade.margin), unless this bot does it\n'
        "  set       the addresses that the bot runs from"
    )
    assert "critical[PK101 withdraw-scope]: key `key` can withdraw" in findings
    assert "  --> (built-in baseline):10:13" in findings
    assert_clean(out + err, [leaky.key, leaky.secret])


def test_a_careful_key_is_clean(
    bybit: SimServer, use: Use, key: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Read and trade, bound to an address, young: nothing to fix above low, exit 0."""
    use(bybit.grant_key(5, addresses=("203.0.113.7",)))
    assert key() == 0
    out = capsys.readouterr().out
    assert "  from      only 203.0.113.7\n" in out
    assert "untick" in out
    assert "[PK201" not in out


#: Words of which somebody who has no policy can make nothing.
_OF_A_POLICY = re.compile(r"\bpolic(y|ies)\b|declared|`scopes`|`account|waive|`ip_allow")


@pytest.mark.parametrize("exchange", known())
def test_it_speaks_of_no_policy_and_the_worst_comes_first(
    exchange: str, use: Use, capsys: pytest.CaptureFixture[str]
) -> None:
    """On every exchange, for a key that can do all and for an old one that only reads."""
    with SimServer(dialect=exchange) as sim:
        for age, grants in ((800, ("read", "trade.spot", "transfer", "withdraw")), (200, ("read",))):
            use(sim.grant_key(age, grants=grants))
            call = ["lint", "--key", "env://MM", "--exchange", exchange, "--endpoint", sim.url, "--now", _tomorrow()]
            main(call)
            out = capsys.readouterr().out
            assert [line for line in out.splitlines() if _OF_A_POLICY.search(line.replace("policykit", ""))] == []
            assert re.search(r"^1 key, 1 exchange: ", out, re.MULTILINE)
            words = re.findall(r"^(critical|high|medium|low|unknown)\[PK", out, re.MULTILINE)
            assert words == sorted(words, key=("critical", "high", "medium", "low", "unknown").index)


def _tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")


@pytest.mark.parametrize("form", formats())
def test_every_format_writes_it(
    bybit: SimServer, use: Use, key: Callable[..., int], capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """Each format ends with lint's code and names the built-in policy; only the text has the page."""
    use(bybit.grant_key(5, grants=("read", "withdraw"), addresses=("203.0.113.7",)))
    assert key("--format", form, "--select", "PK101") == 1
    out = capsys.readouterr().out
    assert "built-in" in out
    assert "PK101" in out
    assert ("  can       " in out) is (form == "text")
    if form == "json":
        (found,) = json.loads(out)["findings"]
        assert found["primary"]["file"] == "(built-in baseline)"
        assert (found["status"], found["observed"]["endpoint"]) == ("open", "GET /v5/user/query-api")
        page = "Bybit > Account & Security > API Management > Edit"
        assert found["next"] == f'{page} > untick "Assets > Wallet > Withdrawal"'


def test_a_key_that_is_refused_is_unknown_and_ends_with_3(
    bybit: SimServer, use: Use, key: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is known of it, and the line has code and next step."""
    use(bybit.grant_key(refused="revoked"))
    assert key() == 3
    out, err = capsys.readouterr()
    assert out.startswith("env://MM at bybit: the key was not read, so nothing is known of it\n\nunknown[PK108")
    assert err.splitlines()[-1] == (
        "policykit: key `key` could not be read: KEY_REJECTED: bybit: no such key; check the key, and whether it is of"
        " this host (10003);"
        " next: check key, secret and allowlist, and whether the key lives and is of this environment"
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (("--key", "env://MM"), "--key and --exchange go together: --key env://PREFIX --exchange binance"),
        (("--exchange", "bybit"), "--key and --exchange go together"),
        (("--key", "nonsense", "--exchange", "bybit"), "--key: this is no reference to a secret; one is needed (env:/"),
        (("--key", "env://MM", "--exchange", "zzz"), "--exchange: zzz is not read by this version; one of binance, "),
        (("--key", "env://MM", "--exchange", "bybit", "--live"), "--live is given with --key, which needs no policy"),
        (("mm.yaml", "--key", "env://MM", "--exchange", "bybit"), "mm.yaml is given with --key, which needs no policy"),
        (("--key", "env://MM", "--exchange", "bybit", "--endpoint", "http://192.0.2.1"), "plain http off this machine"),
    ],
)
def test_a_wrong_call_ends_with_2(call: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What does not go together, and what is none."""
    assert main(["lint", *call]) == 2
    assert message in capsys.readouterr().err
