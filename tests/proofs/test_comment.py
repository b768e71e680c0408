"""What a reviewer reads: the comment and the marks of a pull request, whole."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from policykit.decision import Reason
from policykit.finding import Finding
from policykit.place import Place
from policykit.policy import load_text
from policykit.proofs.difference import (
    ABSENT,
    Difference,
    FieldChange,
    Flip,
    PolicyDifference,
    Recorded,
    Replayed,
    ReplayGroup,
)
from policykit.proofs.gate import Consent
from policykit.proofs.report import Style, write
from policykit.proofs.report.replayed import lines
from policykit.proofs.report.words import command, flipped
from tests.engine.worlds import NOW
from tests.guard.world import policy_text

ORDER = {"action": "order.create", "symbol": "BTC/USDT", "side": "buy", "type": "limit"}
ORDER |= {"quantity": "0.034", "price": "60000"}
CAP = "risk.max_order_notional"
OVER = Reason("RISK_ORDER_NOTIONAL", CAP, "too large", "2040", "1500", "USDT")
FLIP = Flip(ORDER, {"equity": "100000 USDT"}, NOW, (OVER,), ())
AT = Place("policies/mm.yaml", 31, 23, 31, 32, CAP)
LOOSER = FieldChange(CAP, "looser", "1500 USDT", "15000 USDT", AT, AT, ("check:" + CAP,), ("G33",), FLIP)
TIGHTER = FieldChange("risk.max_open_orders", "tighter", "20", "10", AT, AT._replace(line=35), guide=("G34",))
WAIT = FieldChange("kill_switch.wait", "looser", ABSENT, "60s", None, AT._replace(line=40), why="no order decides it")
POLICY = load_text(policy_text(), "policies/mm.yaml")
MM = PolicyDifference("mm", POLICY, POLICY, "different", (TIGHTER, LOOSER, WAIT))
OTHER = load_text(policy_text(), "policies/other.yaml")
SAME = PolicyDifference("other", OTHER, OTHER, "equal", proof="every value that is in force is the same")
FOUND = Recorded("01J", NOW, "binance/main", ORDER, Decimal(2040), (OVER.code,), ())
REPLAYED = Replayed(
    "journal.db",
    1_200,
    1_000,
    (ReplayGroup(CAP, OVER.code, "allow", 7, Decimal(14_280), "USDT", (FOUND,)),),
    {"reads": 12},
    NOW - 86_400_000,
    NOW,
)
DIFFERENCE = Difference("main", ".", (SAME, MM), replayed=REPLAYED)
MISSING = Consent("policies/mm.yaml", 1, ("desk-head",), (), "0 of 1 approved it")
ROWS = """\
| | field | was | now | what it does |
|---|---|---|---|---|
| **looser** | `risk.max_order_notional` G33<br>`policies/mm.yaml:31` | `1500 USDT` | `15000 USDT` | \
BTC/USDT buy limit 0.034 @ 60,000: was denied RISK\\_ORDER\\_NOTIONAL (2,040 of 1,500 USDT), now allowed |
| **looser** | `kill_switch.wait`<br>`policies/mm.yaml:40` | `nothing` | `60s` | no order decides it |
| tighter | `risk.max_open_orders` G34<br>`policies/mm.yaml:35` | `20` | `10` |  |
"""


def test_the_comment_says_first_what_a_reviewer_needs() -> None:
    """The verdict and who must agree, what recorded orders would have done, each field, and how to try it."""
    day = f"{NOW_TEXT[:10]}"
    assert write("markdown", DIFFERENCE, Style(consents=(MISSING,))) == (
        "<!-- policykit diff -->\n\n"
        "### policykit diff: 1 policy is looser, 1 not approved\n\n"
        "`main` → `.`: 2 policies: 1 different, 1 equal\n\n"
        f"**Replayed**: 1,000 recorded decisions of {BEFORE} to {day} from `journal.db`: 7 would change.\n\n"
        "- **7 denied orders would be allowed, 14,280.00 USDT: RISK\\_ORDER\\_NOTIONAL** "
        "(`risk.max_order_notional`)<br>"
        f"{NOW_TEXT} BTC/USDT buy limit 0.034 \\@ 60,000 (2,040.00 USDT), decision 01J\n".replace("\\@", "@<!-- -->")
        + "- left, 12: reads\n- each decision by itself, on the state of its own moment: "
        "what a changed one would have led to is not followed\n\n"
        "#### mm (binance/main): different: 2 looser, 1 tighter\n\n"
        "**Needs** 1 of `desk-head`: 0 of 1 approved it. An approving review by one of them, or a signature: "
        "`policykit approve policy policies/mm.yaml --by NAME --why TEXT --sign KEY -o policies/mm.approval`\n\n"
        + ROWS.replace(" @ 60", " @<!-- --> 60")
        + "\n<details><summary>1 proved equal</summary>\n\n"
        "- other (binance/main): every value that is in force is the same\n\n</details>\n\n"
        "<details><summary>decide these orders yourself</summary>\n\n"
        f"```sh\n{command(FLIP, 'policies/mm.yaml')}\n```\n\n</details>\n"
    )


NOW_TEXT = "2026-11-21T10:00:00Z"
BEFORE = "2026-11-20"


@pytest.mark.parametrize(
    ("difference", "consents", "title"),
    [
        (Difference("a", "b", (SAME,)), None, "nothing is looser"),
        (Difference("a", "b", (SAME,)), (), "nothing is looser"),
        (Difference("a", "b"), None, "no policies"),
        (DIFFERENCE, None, "1 policy is looser"),
        (DIFFERENCE, (MISSING._replace(why="", agreed=("desk-head",)),), "1 policy is looser, approved"),
        (
            Difference("a", "b", (MM,), (Finding("PK011", "unknown-key", "high", "`x` is no key", AT),)),
            None,
            "a policy does not load",
        ),
    ],
)
def test_the_title_is_the_verdict(difference: Difference, consents: tuple[Consent, ...] | None, title: str) -> None:
    """A comment that is only glanced at misleads nobody."""
    lines = write("markdown", difference, Style(consents=consents)).splitlines()
    assert lines[2] == f"### policykit diff: {title}"


def test_an_approved_one_names_who() -> None:
    """And one that is taken away, or new, says so."""
    yes = MISSING._replace(why="", agreed=("desk-head",))
    assert "**Approved** by `desk-head`.\n" in write("markdown", DIFFERENCE, Style(consents=(yes,)))
    gone = Difference("a", "b", (PolicyDifference("mm", POLICY, None, "looser"),))
    assert "#### mm (binance/main) was taken away\n" in write("markdown", gone, Style(consents=(MISSING,)))
    new = Difference("a", "b", (PolicyDifference("mm", None, POLICY, "looser"),))
    nobody = Consent("policies/mm.yaml", 1, (), (), "no `approvals:` of it says who may approve a looser policy")
    said = write("markdown", new, Style(consents=(nobody,)))
    assert "#### mm (binance/main) is new\n\n**Needs**: no `approvals:` of it says who" in said


def test_a_policy_writes_no_markup_into_the_comment() -> None:
    """What stands in a file under review mentions nobody, links nowhere, ends no cell and shows no secret."""
    evil = LOOSER._replace(
        path="keys.x",
        was="a | `b` @acme/all",
        now="token: 'ghp_16C7e42F292c6912E7710c838347Ae178B4a'",
        flip=None,
        why="<img src=x> [a](https://evil) @acme/all\n| x |",
    )
    said = write(
        "markdown", Difference("a", "b", (PolicyDifference("m|@x", POLICY, POLICY, "looser", (evil,)),)), Style()
    )
    assert "ghp_16C7" not in said
    assert "<img" not in said.replace("\\<img", "")
    assert "https://" not in said
    assert "@acme" not in said.replace("`a \\| 'b' @acme/all`", "")
    row = next(line for line in said.splitlines() if "keys.x" in line)
    assert row.replace("\\|", "").count("|") == 6


def test_a_huge_difference_fits_into_a_comment() -> None:
    """GitHub takes 65,536 characters; what is left out is counted."""
    many = tuple(PolicyDifference(f"p{index}", POLICY, POLICY, "looser", (LOOSER,) * 300) for index in range(40))
    said = write("markdown", Difference("a", "b", many), Style())
    assert len(said) < 62_000
    assert "more fields" in said


def test_marks_stand_on_the_lines_that_loosen() -> None:
    """An error where nobody agreed, a warning where somebody did; what is tighter is not marked."""
    place = "file=policies/mm.yaml,line=31,endLine=31,col=23,endColumn=32,title=looser%3A risk.max_order_notional"
    effect = "BTC/USDT buy limit 0.034 @ 60,000: was denied RISK_ORDER_NOTIONAL (2,040 of 1,500 USDT), now allowed"
    said = write("github", DIFFERENCE, Style(consents=(MISSING,))).splitlines()
    assert said[0] == f"::error {place}::mm (binance/main): risk.max_order_notional: 1500 USDT -> 15000 USDT%0A{effect}"
    assert said[1].startswith("::error file=policies/mm.yaml,line=40,")
    assert said[2] == "policykit: mm (binance/main) is different and not approved: 0 of 1 approved it"
    assert len(said) == 3
    assert write("github", DIFFERENCE, Style(consents=())).startswith(f"::warning {place}::")
    many = Difference("a", "b", (PolicyDifference("p", POLICY, POLICY, "looser", (LOOSER,) * 12),))
    lines = write("github", many, Style()).splitlines()
    assert (len(lines), lines[-1]) == (11, "policykit: 2 more: see the comment, or the page of this job")
    fault = Finding("PK011", "unknown-key", "high", "`x` is no key", AT)
    broken = write("github", Difference("a", "b", (), (fault,)), Style())
    assert broken == f"::error {place.partition('title=')[0]}title=PK011 unknown-key::`x` is no key\n"


def test_a_replay_that_is_not_whole_says_so() -> None:
    """A reviewer must not take a part of the journal for all of it."""
    part = Replayed("journal.db", 10, 5, incomplete="damaged at row 11", other=2, assumed=("equity is 1 USDT",))
    said = write("markdown", Difference("a", "b", (SAME,), replayed=part), Style())
    assert (
        "**Replayed**: 5 recorded decisions from `journal.db`: none of these would change.\n\n"
        "- **INCOMPLETE: damaged at row 11**\n"
        "- 2 were made by another version than OLD, which decided them again as well\n"
        "- assumed: equity is 1 USDT\n"
    ) in said


def test_a_replay_that_could_not_judge_never_says_that_none_would_change() -> None:
    """Trades without an equity decide no share of it: the line that is read says of how many nobody can tell."""
    blind = Replayed("t.csv", 15, 5, left={"not known: risk.max_order_notional (FACTS_MISSING)": 4}, unsure=4)
    said = write("markdown", Difference("a", "b", (SAME,), replayed=blind), Style())
    assert "none of these is known to change; 4 could not be judged by every check.\n" in said
    assert "none of these would" not in said
    none = write(
        "markdown", Difference("a", "b", (SAME,), replayed=Replayed("j.db", 52, 0, left={"others": 8})), Style()
    )
    assert "**Replayed**: 0 recorded decisions from `j.db`: it says nothing of this change.\n" in none
    shown = write("text", Difference("a", "b", (SAME,), replayed=blind), Style())
    assert "replay of t.csv: 5 decisions in 15 rows: 0 would be others; 4 could not be judged by every check\n" in shown


@pytest.mark.parametrize(
    ("facts", "reason", "beside"),
    [
        ({"positions": {"BTC": "0.3667"}}, OVER, " while 0.3667 BTC is held"),
        ({"positions": {"BTC": {"low": "-2", "high": "1", "open_buys": "9"}}}, OVER, " while -2 BTC is held"),
        ({"positions": {"BTC": "1", "ETH": "2"}}, OVER, " while 1 BTC and 1 more is held"),
        ({"positions": {"BTC": "0"}}, OVER, ""),
        ({"used": {"binance/main|open_orders": 20}}, OVER, " with 20 open orders before it"),
        ({"used": {"binance/main|orders|60000": 1}}, OVER, " with 1 order before it"),
        ({"used": {"binance/main|gross": 123456}}, OVER, ""),
        ({}, replace(OVER, check="risk.daily_loss", observed="500"), " after a loss of 500 USDT"),
    ],
)
def test_a_flip_says_what_matters_beside_the_order(facts: dict[str, object], reason: Reason, beside: str) -> None:
    """What is held, what came before, what was lost: a trifle that is denied explains nothing by itself."""
    said = flipped(Flip(ORDER, facts, NOW, (reason,), ()))
    assert said.startswith(f"BTC/USDT buy limit 0.034 @ 60,000{beside}: was denied {reason.code} (")


def test_one_is_said_in_the_singular() -> None:
    """One decision of one row that changes is no plural; none and many are."""
    flip = ReplayGroup(CAP, OVER.code, "allow", 1, Decimal(2040), "USDT", (FOUND,))
    shown = list(lines(Replayed("j.db", 1, 1, (flip,), other=1)))
    assert shown[0] == "replay of j.db: 1 decision in 1 row: 1 would be another"
    assert "  1 was made by another version than OLD, which decided it again as well" in shown
    assert next(lines(Replayed("j.db", 2_000, 2))) == "replay of j.db: 2 decisions in 2,000 rows: 0 would be others"
    assert "  2 were made by another version than OLD, which decided them again as well" in lines(
        Replayed("j.db", 2, 2, other=2)
    )
