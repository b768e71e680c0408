"""The life of keys, and secrets in policies: the edges of ages, windows and looks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from policykit.testing.rules.examples import written
from tests.rules.asking import KEY, SECRET, findings_of, lines_of


@pytest.mark.parametrize(
    ("runbook", "how"),
    [
        (f"the old one was {SECRET}", "open likely"),
        ("https://bot:hunter22@vault.example.com/x", "open certain"),
        ("-----BEGIN RSA PRIVATE KEY-----MIIEpAIBAAKCAQEA3q7Zt2LxW9vRk4Hd8Bn3Ys6Pf1Jc5Mg0", "open certain"),
        ("call with AKIAQ7ZT2LXWVRKHDBNY first", "open certain"),
        ("api_secret: q7Zt2LxW9vRk4Hd8Bn3Y", "open certain"),
        ("apiKey='q7Zt2LxW9vRk4Hd8Bn3Y'", "open certain"),
    ],
)
def test_secret_in_a_line_of_text(runbook: str, how: str) -> None:
    """A credential in free text is found by its form, its name or its look, and never shown."""
    found = findings_of("PK306", f'incident: {{contacts: [a], runbook: "{runbook}"}}\n')
    assert [written(f).split(" policy")[0] for f in found] == [how]
    shown = repr(found)
    assert not any(part in shown for part in (SECRET[:12], "hunter22", "MIIEpA", "AKIAQ7", "q7Zt2LxW"))


@pytest.mark.parametrize(
    "runbook",
    [
        "https://docs.example.com/d/1q7Zt2LxW9vRk4Hd8Bn3Ys6Pf1Jc5Mg0TaVeUo2Ki/edit",
        "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "SubAccountForMarketMakingDesk2InFrankfurtAndLondon",
        "secret: vault://kv/trading/mm-exec",
        "password=YOUR_PASSWORD_2026_GOES_HERE",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:trading/mm-exec-AbCdEf",
        "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
        "rotate the key: see token handbook, chapter 12",
    ],
)
def test_what_only_looks_like_a_secret(runbook: str) -> None:
    """Links, hashes, ids, references, placeholders, addresses and words are no secrets."""
    assert lines_of("PK306", f'incident: {{contacts: [a], runbook: "{runbook}"}}\n') == []


def test_a_name_that_is_a_secret_is_not_shown() -> None:
    """A key, a vendor or a budget named by a credential is found, and neither message nor path holds it."""
    for section, fields in (("keys", "purpose: execution"), ("vendors", "keys: []")):
        (found,) = findings_of("PK306", f"{section}:\n  {SECRET}: {{{fields}}}\n")
        assert written(found) == f"open likely policy.yaml:2:3 a name in `{section}` looks like a secret"
        assert SECRET not in repr(found)


def _likely(text: str) -> bool:
    return bool(lines_of("PK306", f'incident: {{contacts: [a], runbook: "{text}"}}\n'))


def test_how_long_and_how_mixed_a_secret_is() -> None:
    """A run of 32 with 3 digits that changes its kind in 45 of 100 places is one; one step less of any is none."""
    mixed = "aB1cD2eF3gHiJkLmNoPqRsTuVwXyZaBc"
    assert [len(mixed), _likely(mixed), _likely(mixed[:-1])] == [32, True, False]
    assert not _likely(mixed.replace("3", "x"))
    # Of 41 characters 40 follow another: 18 changes are 45 of 100; of 50, 22 are a little less.
    for length, changes, found in ((41, 18, True), (41, 17, False), (50, 22, False), (50, 23, True)):
        word = _word(length, changes)
        kinds = ["u" if c.isupper() else "d" if c.isdigit() else "l" for c in word]
        assert (len(word), sum(a != b for a, b in pairwise(kinds)), _likely(word)) == (length, changes, found)


def _word(length: int, changes: int) -> str:
    """Return a word of three digits and small letters (five changes), with as many capitals as the other ones take."""
    within, last = divmod(changes - 5, 2)
    letters = "wxnecrvtbyumikolpazsxdcfvgbhnjmklqzwe"
    mixed = "".join(f"{letter.upper()}{letter}" for letter in letters[:within])
    word = f"7q3m9z{mixed}{letters}"
    return word[: length - last] + "Q" * last


def test_shortest_text_that_is_looked_at() -> None:
    """Twelve characters are enough for a password in a URL; what stands behind a link is looked at as well."""
    assert lines_of("PK306", 'incident: {contacts: [a], runbook: "x://aa:bb@cc"}\n') != []
    assert _likely(f"https://wiki.example.com/x {SECRET}")


@pytest.mark.parametrize(
    ("code", "first", "second"),
    [
        ("PK303", "", "rotation: {every: 90d}"),
        ("PK304", "rotation: {delete_old_within: 24h}", "rotation: {every: 90d}"),
        ("PK307", "", "secret: env://a-b"),
    ],
)
def test_each_key_is_looked_at(code: str, first: str, second: str) -> None:
    """A key of which there is nothing to say hides none behind it."""
    text = "keys:\n" + "".join(
        f"  {name}:\n    purpose: execution\n    {row}\n" for name, row in (("a", first), ("b", second))
    )
    assert [f.primary.path.split(".")[1] for f in findings_of(code, text)] == ["b"]


def test_a_slip_of_a_day_hides_no_old_key() -> None:
    """Behind a key that is declared to be made tomorrow, one that is old is found."""
    row = "  {}: {{purpose: execution, declared: {{created: {}, by: me, at: 2026-11-20}}}}\n"
    found = findings_of("PK302", "keys:\n" + row.format("a", "2027-01-01") + row.format("b", "2026-07-04"))
    assert [f.label for f in found] == ["a slip", "as declared"]


def test_labels_of_life() -> None:
    """What is missing and what is empty, what was seen and what was said, are told apart under the span."""
    assert [findings_of("PK305", KEY + more)[0].label for more in ("", "    holders: []\n")] == [
        "no `holders`",
        "empty",
    ]
    old = KEY.replace("k:", "mm-exec:") + "    rotation: {every: 90d}\n"
    (seen,) = findings_of("PK302", old, '{"keys": [{"name": "mm-exec", "created_at": "2026-07-04T10:00:00Z"}]}')
    (said,) = findings_of("PK302", old + "    declared: {created: 2026-07-04, by: me, at: 2026-11-20}\n")
    assert (seen.label, said.label) == ("50 days overdue", "as declared")
    (found,) = findings_of("PK303", KEY + "    rotation: {delete_old_within: 25h}\n")
    assert found.fix is not None
    assert found.fix.safe


@pytest.mark.parametrize(("made", "count"), [("2026-08-23T10:00:00.000Z", 0), ("2026-08-23T09:59:59.999Z", 1)])
def test_key_at_the_edge_of_its_age(made: str, count: int) -> None:
    """Ninety days to the millisecond are within the interval."""
    text = "keys:\n  mm-exec: {purpose: execution, rotation: {every: 90d}}\n"
    assert len(lines_of("PK302", text, f'{{"keys": [{{"name": "mm-exec", "created_at": "{made}"}}]}}')) == count


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ("2026-12-05T10:00:00.001Z", None),
        ("2026-12-05T10:00:00.000Z", ("ends at the exchange in 14 days", "time to rotate")),
        ("2026-11-21T10:00:00.001Z", ("ends at the exchange in 0 days", "time to rotate")),
        ("2026-11-21T10:00:00.000Z", ("ended at the exchange 0 days ago", "too late")),
    ],
)
def test_key_that_ends_to_the_millisecond(ends: str, said: tuple[str, str] | None) -> None:
    """The window and the end itself are the last moments of each answer; a key without end hides none."""
    text = "keys:\n  a: {purpose: execution}\n  b: {purpose: execution}\n"
    live = f'{{"keys": [{{"name": "a"}}, {{"name": "b", "expires_at": "{ends}"}}]}}'
    found = [(f.message.removeprefix("key `b` "), f.label) for f in findings_of("PK308", text, live)]
    assert found == ([said] if said else [])


def test_ninety_days_are_the_guides_own() -> None:
    """An interval of exactly 90 days is no finding, a day more is one."""
    texts = [KEY + f"    rotation: {{every: {days}d}}\n" for days in (90, 91)]
    assert [len(lines_of("PK301", text)) for text in texts] == [0, 1]


@pytest.mark.parametrize(("raw", "path"), [('"createTime": 1', "createTime"), ("", "created_at")])
def test_evidence_of_age_is_the_exchanges_own_field(raw: str, path: str) -> None:
    """A key's age is quoted from the field that the exchange has it in, where the snapshot kept it."""
    live = f'{{"keys": [{{"name": "mm-exec", "created_at": "2026-07-04T10:00:00Z", "raw": {{{raw}}}}}]}}'
    (found,) = findings_of("PK302", "name: mm\n", live)
    assert found.observed is not None
    assert found.observed.path == path
