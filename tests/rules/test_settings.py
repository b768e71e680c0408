"""Readers of settings: every value at its place, tolerant of what bots write, bounded, and quoting nothing."""

from __future__ import annotations

import json

import pytest

from policykit.rules.config import MAX_BYTES, Config, read, read_version
from policykit.rules.config.base import MAX_DEPTH, MAX_SETTINGS, MAX_WORDS
from policykit.rules.config.kinds import kind_by_content, kind_by_name, may_hold_secrets
from policykit.rules.config.leaks import leaks
from policykit.rules.credentials import credential, encrypted, keeps, known, placeholder, random_run
from tests.canary import canaries

SECRET = canaries(seed=3)[0]
COMPOSE = """\
a: [b, 'C=d', "E=f", G=h]
i: &x
  j: k
l: *x
m: {<<: *x, ? [n] : o}
p: !secret q
r: !!str s
--- t
"""
HEX = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"


def _read(text: str, file: str) -> list[str]:
    return [
        f"{s.place.line}:{s.place.column}-{s.place.end_column} {'/'.join(s.path)}={s.value}"
        for s in read(text.encode(), file).settings
    ]


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (
            ".env",
            "A=1\n\n# B=2\nexport C='x y' # no\nD=e # f\r\nE\n=G\n H : i",
            ["1:3-4 A=1", "4:10-15 C=x y", "5:3-4 D=e", "8:6-7 H=i"],
        ),
        (
            ".env.local",
            '\ufeffA="b\\"c"\nFREQTRADE__EXCHANGE__KEY=k',
            ['1:3-9 A=b\\"c', "2:26-27 FREQTRADE/EXCHANGE/KEY=k"],
        ),
        ("a.env", 'A="-----BEGIN X\nb\n-----"\nC=d', ["1:3-7 A=-----BEGIN X\nb\n-----", "4:3-4 C=d"]),
        ("a.toml", "[a.b]\nc = \"d\"\n[[e]]\n'f' = 'g'\nh = ''", ["2:5-8 a/b/c=d", "4:7-10 e/f=g", "5:5-7 e/h="]),
        ("a.ini", "[x]\ny: z ; w\n", ["2:4-5 x/y=z"]),
        (
            "a.service",
            "[Service]\nEnvironment=A=b 'C=d e' \"F=g\" H\nEnvironment=\\\n  I=j\nSetCredential=k:l\nExecStart=m=n\n",
            ["2:15-16 A=b", "2:20-23 C=d e", "2:28-29 F=g", "4:5-6 I=j", "5:17-18 k=l"],
        ),
        (
            "a.json",
            '{"a": [1, {"b": "c\\n\\u00e9"}], /* "x": 1 */ "d": {}, # e\n"f": tru, // g\n"\\ud800": "\\x",}',
            ["1:8-9 a/0=1", "1:17-28 a/1/b=c\n\u00e9", "2:6-9 f=tru", "3:11-15 \ud800=\\x"],
        ),
        ("a.json", '"alone"', ["1:1-8 =alone"]),
        (
            "compose.yaml",
            COMPOSE,
            [
                "1:5-6 a/0=b",
                "1:11-12 a/C=d",
                "1:18-19 a/E=f",
                "1:24-25 a/G=h",
                "3:6-7 i/j=k",
                "5:16-17 m/1/0=n",
                "5:21-22 m/=o",
                "7:4-11 r=s",
                "8:5-6 =t",
            ],
        ),
    ],
)
def test_values_stand_where_they_stand(file: str, text: str, expected: list[str]) -> None:
    """Each format gives its values, decoded, with the path and the exact span, quotes included."""
    assert _read(text, file) == expected


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("a.json", '{"a": 1', "this is not JSON: a bracket is not closed"),
        ("a.json", "{]", "this is not JSON: a bracket that was not opened"),
        ("a.json", "}", "this is not JSON: a bracket that was not opened"),
        ("a.json", "{{", "this is not JSON: a key is not text"),
        ("a.json", '{\n"a', "this is not JSON (line 2)"),
        ("a.json", "[" * (MAX_DEPTH + 1), f"it is nested over {MAX_DEPTH} deep"),
        ("a.json", "[" + "1," * (MAX_SETTINGS + 1) + "]", f"it has over {MAX_SETTINGS} values"),
        ("a.json", "{" + ":" * MAX_WORDS, f"it has over {MAX_WORDS} words"),
        ("compose.yml", "a: [\n", "this is not YAML (line 2)"),
        ("compose.yml", "\x00", "this is not YAML"),
        ("compose.yml", "[" * 100_000, f"it is nested over {MAX_DEPTH} deep"),
        ("compose.yml", "[" + "1," * (MAX_SETTINGS + 1) + "]", f"it has over {MAX_SETTINGS} values"),
        (".env", "A=b\n" * (MAX_SETTINGS + 1), f"it has over {MAX_SETTINGS} values"),
        (".env", "#" * (MAX_BYTES + 1), "a file of over 256 KiB is not read"),
    ],
)
def test_what_cannot_be_read_gives_its_reason(file: str, text: str, reason: str) -> None:
    """A broken, deep or long file comes back empty with a reason that quotes nothing of it."""
    config = read(text.encode(), file)
    assert (config.unreadable, config.settings) == (reason, ())
    assert read_version(text.encode(), file).settings == ()


def test_text_that_is_no_text() -> None:
    """Bytes that are not UTF-8 are a reason; in a past version they are replaced, so that the rest is read."""
    raw = f"A=\xff\nOKX_API_SECRET={SECRET}\n".encode("latin-1")
    assert read(raw, ".env") == Config(".env", "dotenv", unreadable="it is not UTF-8")
    assert [leak.setting.name for leak in leaks(read_version(raw, ".env"))] == ["OKX_API_SECRET"]


def test_a_name_that_could_be_a_secret_is_not_shown() -> None:
    """A path shows no part that looks like a pasted secret, and no repr shows a value."""
    config = read(f'{{"{SECRET}": {{"api_secret": "{SECRET[::-1]}"}}}}'.encode(), "a.json")
    assert config.settings[0].place.path == "....api_secret"
    assert SECRET[::-1] not in repr(config)


def test_source_is_read_without_parsing() -> None:
    """Names and texts are found in any language and in broken source; other texts only by their format."""
    text = (
        'print "python 2"\nsecret = "aaaaaaaa"\nx = {\'api_secret\': b\'bbbbbbbb\', "n": 1}\nc(secret="dddd-dddd")\n'
        'os.environ["E"] = \'eeeeeeee\'\nos.getenv("F", "ffffffff")\nf(g, "gggggggg")\nh: str = "hhhhhhhh"\n'
        'send("123456789:EXAMPLEexample0123456789EXAMPLEex-_")\nsend("ghx_nothing")\n("https://example.org/aaaaaaaaaaaaaaaaaaaaaaaaaaaa")\n'
    )
    found = read_version(text.encode(), "a.py").settings
    assert [f"{s.place.line}:{s.place.column} {s.name}={s.value}" for s in found] == [
        "2:10 secret=aaaaaaaa",
        "3:21 api_secret=bbbbbbbb",
        "4:10 secret=dddd-dddd",
        "5:19 E=eeeeeeee",
        "6:16 F=ffffffff",
        "8:10 h=hhhhhhhh",
        "9:6 text=123456789:EXAMPLEexample0123456789EXAMPLEex-_",
    ]


def test_a_notebook_s_code_and_output_are_read() -> None:
    """What a cell says and what it printed count; the place is the line of the notebook."""
    cell = {
        "source": [f'secret = "{SECRET}"\n'],
        "outputs": [{"text": [f"{{'apiSecret': '{SECRET}'}}\n"], "n": 1}],
        "x": "short",
    }
    config = read_version(json.dumps({"cells": [cell]}, indent=1).encode(), "a.ipynb")
    assert [f"{s.place.line}:{s.place.column} {s.place.path}" for s in config.settings] == [
        "5:5 secret",
        "10:7 apiSecret",
    ]


def test_past_versions_are_recognised() -> None:
    """Of the past only source, notebooks, settings and policies are worth reading; what is none of them has nothing."""
    _ours = ["a.py", "a.ipynb", ".env", "a.yml", "a.service"]
    assert [name for name in (*_ours, "a.txt", "a", "README.md") if may_hold_secrets(name)] == _ours
    assert read_version(b"policykit: 1\nx: y", "a.yaml").kind == "policy"
    assert read_version(b"x: y", "a.yaml") == Config("a.yaml", "")
    assert read_version(b"{", "a.ipynb") == Config("a.ipynb", "python")


@pytest.mark.parametrize(
    ("file", "text", "kind"),
    [
        ("x/.env", "", "dotenv"),
        (".env.prod", "", "dotenv"),
        ("a.env", "", "dotenv"),
        ("environment", "", ""),
        ("docker-compose.override.yml", "", "compose"),
        ("compose.yaml", "", "compose"),
        ("decompose.yml", "", ""),
        ("a.service", "", "systemd"),
        ("a.service.d/b.conf", "", "systemd"),
        ("b.conf", "", ""),
        ("a.json", '{"exchange": {}, "dry_run": true}', "freqtrade"),
        ("a.json", '{"exchange": {"secret": ""}}', "freqtrade"),
        ("a.json", '{"exchange": 1}', ""),
        ("a.json", '{"okx": {"secret": ""}}', "json"),
        ("a.json", '{"private_key": "npm"}', ""),
        ("a.yml", "connector: okx\napi_secret: x", "hummingbot"),
        ("a.yml", "okx:\n  api_secret: x", "yaml"),
        ("a.toml", "[okx]\nsecret = 1", "toml"),
        ("a.cfg", "[okx]\nsecret = 1", "ini"),
        ("a.txt", "okx secret = 1", ""),
    ],
)
def test_files_are_recognised(file: str, text: str, kind: str) -> None:
    """A file is a bot's settings by its name, or by what it speaks of; other tools' files are not."""
    assert (kind_by_name(file) or kind_by_content(file, text.encode())) == kind


def _leaks(text: str, file: str) -> list[str]:
    sure = {True: "certain", False: "likely"}
    return [
        f"{sure[leak.certain]} {leak.keeps} {leak.setting.name}: {leak.what}{' of an exchange' * leak.exchange}"
        for leak in leaks(read(text.encode(), file))
    ]


def test_leaks_know_what_stands_beside() -> None:
    """A `key` and a short `password` are credentials beside a secret; a server that is off has none."""
    beside = f'"key": "{SECRET}", "password": "Passw0rd9"'
    server = f'"api_server": {{"enabled": %s, "jwt_secret_key": "{SECRET}", "password": "Passw0rd9"}}'
    assert _leaks(f'{{"exchange": {{{beside}}}}}', "a.json") == []
    assert _leaks(f'{{"dry_run": true, "exchange": {{"secret": "", {beside}}}}}', "a.json") == [
        "certain key key: an API key",
        "certain secret password: a passphrase of an exchange",
    ]
    assert _leaks(f'{{"exchange": {{}}, {server % "false"}}}', "a.json") == []
    assert _leaks(f'{{"exchange": {{}}, {server % "true"}}}', "a.json") == [
        "certain secret jwt_secret_key: a secret",
        "certain secret password: a secret",
    ]
    assert _leaks("A=AKIAABCDEFGHIJKLMNOP\nB=redis://u:Passw0rd9@h\n", ".env") == [
        "certain key A: an AWS access key",
        "certain secret B: a password in a URL",
    ]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("apiSecret", "secret"),
        ("MM_API_SECRET", "secret"),
        ("secret-key", "secret"),
        ("walletPrivateKey", "secret"),
        ("BINANCE_SECRET_2", "secret"),
        ("okx_passphrase_live", "secret"),
        ("telegram_token", "secret"),
        ("password", "secret"),
        ("seedPhrase", "secret"),
        ("APIKEY", "key"),
        ("binance_api_key", "key"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("POSTGRES_PASSWORD_FILE", ""),
        ("secret_name", ""),
        ("USDC_TOKEN", ""),
        ("max_tokens", ""),
        ("secretary", ""),
        ("api_key_header", ""),
        ("keyboard", ""),
        ("key", ""),
        ("api_secret" * 30, ""),
        ("", ""),
    ],
)
def test_names_tell_what_they_keep(name: str, kept: str) -> None:
    """A name keeps a secret, the id of a key, or neither, in any spelling."""
    assert keeps(name) == kept


@pytest.mark.parametrize(
    "value",
    [
        "YOUR_API_SECRET_0123456789",
        "your-secret-key-goes-here-1",
        "<api-secret-0123456789>",
        "${BINANCE_API_SECRET_1}",
        "$BINANCE_API_SECRET_1",
        "%BINANCE_SECRET_1%",
        "{{ secrets.api_secret_1 }}",
        "vault://kv/trading/mm-exec-0001",
        "env://MM_API_SECRET_0001",
        "changeme-changeme-1",
        "REPLACE_ME_0123456789",
        "xxxxxxxxxxxxxxxx1",
        "aaaaaaaaaaaaaaaaaaaa",
        "0123456789abcdef0123456789abcdef",
        "1234567890abcdefghij",
        "somethingRandom12345",
        "SuperSecurePassword1",
        "insert-key-here-123",
        "AKIAIOSFODNN7EXAMPLEKEY",
    ],
)
def test_stand_ins_are_no_credentials(value: str) -> None:
    """What examples and templates have in the place of a secret is none."""
    assert placeholder(value)
    assert not credential(value)


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        HEX,
        f"0x{HEX}{HEX}",
        f"{HEX}==",
        f"sk-{HEX}",
        'Abc-12"3456-xyz!$',
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
        f"-----BEGIN PRIVATE KEY-----\n{HEX}{HEX}\n-----END PRIVATE KEY-----",
    ],
)
def test_credentials_are_known_by_their_look(value: str) -> None:
    """Random letters and digits, keys in PEM and seed phrases are credentials."""
    assert credential(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "short1",
        "onlylettersonlyletters",
        "9876543210987654321098",
        "https://example.org/path1",
        "two words and 3 more ones",
        "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
        "gAAAAABaaaaaaaaaaaaaaaaaaaa1",
        "ENC[AES256_GCM,data:1,iv:2]",
        "encrypted:BDx1y2z3a4b5c6d7",
        f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{HEX}{HEX}\n-----END",
        "1a" * 9_000,
    ],
)
def test_other_values_are_not(value: str) -> None:
    """Short texts, words, numbers, addresses of hosts and of contracts, and cipher text are no credentials."""
    assert not credential(value)


def test_cipher_text_of_hummingbot_is_safe_and_nothing_like_it_is() -> None:
    """Only the hexadecimal form of a whole key file counts as encrypted."""
    whole = {"crypto": {"ciphertext": "a1", "kdf": "pbkdf2"}, "version": 3}
    values = [
        json.dumps(data).encode().hex() for data in (whole, {"crypto": {"kdf": ""}}, {"crypto": 1}, {"a": "secret1"})
    ]
    assert [encrypted(value) for value in (*values, "7b" + HEX, "7bxyz", HEX)] == [
        True,
        False,
        False,
        False,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("123456789:AAaaBBbbCCccDDddEEeeFFffGGggHHhhIIi", "Telegram bot token"),
        ("xoxb-1234567890-abcdefghijkl", "Slack token"),
        (f"ghp_{SECRET}abcd", "GitHub token"),
        ("hvs.CAESIJ1a2b3c4d5e6f7g8h9i0j", "Vault token"),
        ("AKIAABCDEFGHIJKLMNOP", "AWS access key"),
        (f"https://discord.com/api/webhooks/123456789012345678/{SECRET}{SECRET}", "Discord webhook"),
        (f"https://hooks.slack.com/services/T0123456/B0123456/{SECRET}", "Slack webhook"),
        ("postgres://bot:Passw0rd9@db:5432/x", "password in a URL"),
        ("postgres://bot:password@db:5432/x", ""),
        ("postgres://bot:${DB_PASS1}@db:5432/x", ""),
        ("123456789:your-token-your-token-your-token-1", ""),
        ("short", ""),
    ],
)
def test_formats_that_are_secrets_under_any_name(value: str, what: str) -> None:
    """Tokens of known formats are named; placeholders inside of them are seen."""
    assert known(value) == what


def test_runs_that_reports_star() -> None:
    """A run of letters and digits is starred unless it is words, words with numbers, or a name with a number."""
    shown = ["createOrder123", "risk-2026-max", "keys-mm", "1234567890123456"]
    assert [run for run in (SECRET, *shown, HEX, "abc123def") if random_run(run)] == [SECRET, HEX, "abc123def"]
