"""Recognise the files in which bots keep settings, by their names or by how they begin."""

from __future__ import annotations

import codecs
import re

from policykit.rules.config.base import Kind

_POLICY = re.compile(rb"^[\"']?policykit[\"']?[ \t]*:", re.MULTILINE)
#: The same between braces, where another tool's file may have the word.
_FLOW = re.compile(rb"[{,]\s*[\"']?policykit[\"']?\s*:\s*[0-9]")
#: A policy's own tests (`policykit test`); in braces, too.
_TEST = re.compile(rb"^[\"']?policykit_test[\"']?[ \t]*:", re.MULTILINE)
_TEST_FLOW = re.compile(rb"[{,]\s*[\"']?policykit_test[\"']?\s*:")
#: What stands before the first key: blank lines, comments, the mark of a document.
_BEFORE = re.compile(rb"(?:[ \t]*+(?:---[ \t]*+)?(?:[#%][^\n]*+)?\n)*+")
#: Sections that only a policy has, and how many of them make a policy of a file without the key `policykit`.
_SECTIONS = re.compile(
    rb"^(rate_budgets|risk|retry|kill_switch|dead_man_switch|reconciliation|withdrawals|account_security|waivers|waivable"
    rb"|stage|incident)[ \t]*:",
    re.MULTILINE,
)
_ENOUGH = 3
#: What other tools have, too, and that together only a policy has.
_KEYS = re.compile(rb"^(keys|exchange)[ \t]*:", re.MULTILINE)
_SCOPES = re.compile(rb"[ {,]scopes[ \t]*:")
_COMPOSE = re.compile(r"(?:docker-)?compose[\w.-]*\.ya?ml\Z")
#: Names whose content decides, and how such a file is read.
_FORMATS: dict[str, Kind] = {
    ".json": "json", ".json5": "json", ".jsonc": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml",
    ".ini": "ini", ".cfg": "ini", ".conf": "ini", ".properties": "ini",
}  # fmt: skip
#: Settings of a bot: a name that keeps a secret, and something that tells of an exchange.
_SECRET_KEY = re.compile(
    rb"(?i)(?:secret|pass_?phrase|private_?key|api_?key|mnemonic|[\"']?password)[\w-]{0,20}[\"']?[ \t]*[:=]"
)
_EXCHANGE = re.compile(
    rb"(?i)exchange|ccxt|binance|bybit|okx|kraken|coinbase|kucoin|bitget|bitfinex|bitstamp|gate_?io|gateio|deribit|mexc"
    rb"|huobi|htx|bitmex|blofin|hyperliquid|phemex|cryptocom|gemini|poloniex|bingx|upbit|dydx|alpaca|trading|strategy"
)
_FREQTRADE = re.compile(rb"[\"']exchange[\"'][ \t]*:")
_FREQTRADE_OWN = re.compile(
    rb"[\"'](?:stake_currency|stake_amount|dry_run|max_open_trades|pair_whitelist|ccxt_config|ccxt_async_config"
    rb"|api_server|telegram|pairlists|schema\.freqtrade\.io)"
)
_HUMMINGBOT = re.compile(rb"(?m)^(?:connector|instance_id|strategy|template_version)[ \t]*:")


def kind_by_name(file: str) -> Kind:
    """Tell what a file is when its name alone is enough: `.env`, a compose file, a systemd unit; else nothing."""
    folder, _, name = file.replace("\\", "/").lower().rpartition("/")
    if name == ".env" or name.startswith(".env.") or name.endswith(".env"):
        return "dotenv"
    if _COMPOSE.match(name):
        return "compose"
    unit = name.endswith(".service") or (name.endswith(".conf") and folder.endswith(".service.d"))
    return "systemd" if unit else ""


def format_of(file: str) -> Kind:
    """Return how a file is read whose content must tell whether it holds a bot's settings; nothing for any other."""
    _, dot, ending = file.rpartition(".")
    return _FORMATS.get(f"{dot}{ending}".lower(), "")


def kind_by_content(file: str, head: bytes) -> Kind:
    """Tell by the beginning of a file whether it holds a bot's settings, and whose; nothing when it does not."""
    form = format_of(file)
    if form == "json" and _FREQTRADE.search(head) and _FREQTRADE_OWN.search(head):
        return "freqtrade"
    if not form or not _SECRET_KEY.search(head) or not _EXCHANGE.search(head):
        return ""
    if form == "json" and _FREQTRADE.search(head):
        return "freqtrade"
    return "hummingbot" if form == "yaml" and _HUMMINGBOT.search(head) else form


def is_policy(head: bytes) -> bool:
    """Tell a policy by the beginning of a YAML file; one that lost its key `policykit` must not be passed over."""
    text = _outermost(head)
    if _POLICY.search(text) or (text.startswith((b"{", b"--- {")) and _FLOW.search(text)):
        return True
    return len(set(_SECTIONS.findall(text))) >= _ENOUGH or (
        len(set(_KEYS.findall(text))) > 1 and _SCOPES.search(text) is not None
    )


def is_test(head: bytes) -> bool:
    """Tell a file of a policy's tests by the beginning of a YAML file."""
    text = _outermost(head)
    return bool(_TEST.search(text) or (text.startswith((b"{", b"--- {")) and _TEST_FLOW.search(text)))


def _outermost(head: bytes) -> bytes:
    """Return YAML from its first key on, as UTF-8, so that the outermost keys begin their lines."""
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        head = head.decode("utf-16", "replace").encode()
    head = head.removeprefix(codecs.BOM_UTF8).replace(b"\r", b"\n")
    before = _BEFORE.match(head)
    text = head[before.end() :] if before else head
    indent = text[: len(text) - len(text.lstrip(b" "))]
    return text[len(indent) :].replace(b"\n" + indent, b"\n") if indent else text


def may_hold_secrets(file: str) -> bool:
    """Tell by its name whether a past version of a file is worth reading: source, notebooks, settings, policies."""
    return file.endswith((".py", ".ipynb")) or bool(kind_by_name(file) or format_of(file))
