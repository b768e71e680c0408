"""Reading key reports: tolerant in form, strict in meaning.

Exchanges write the same thing in many ways, and change them: `createdTime` and `created_time`; no restriction as
`["*"]`, `""`, `[]`, `[""]`, `"0.0.0.0/0"` or `false`; times in ms, s, ISO and text, with 0, -1 or 1970 for none. What
is not understood is unknown, with the reason: never a crash, and never "denied".

    form = KeyForm("okx", ENDPOINT, Fields(answer.data["data"][0]), answer.sent_ms)
    form.permissions("perm", {"read_only": ("read",), "trade": ("trade.spot", ...), "withdraw": ("withdraw",)})
    form.addresses("ip")
    return form.report("perm")

What is not read at all stays unknown: "okx does not report it".
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from policykit.clock import iso
from policykit.exchanges.base import CallFailed, Failure
from policykit.snapshot import SCOPES, Granted, KeyReport

#: Times before there were exchanges, or after this century, are no times: 2009-01-03 and 2100-01-01, UTC ms.
EARLIEST_MS: Final = 1_230_940_800_000
LATEST_MS: Final = 4_102_444_800_000
#: How many fields, names or addresses of one answer are looked at.
MAX_FIELDS: Final = 500
#: The longest label that is kept, in characters.
MAX_LABEL: Final = 100

_YES: Final = (True, 1, "true", "1")
_NO: Final = (False, 0, "false", "0")
#: What stands for "from everywhere" in an allowlist.
_EVERYWHERE: Final = frozenset(("*", "0.0.0.0", "0.0.0.0/0", "::/0", "::", "all", "any"))  # noqa: S104  # nosec B104
#: All of IPv4 as IPv6 writes it.
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/ -]{1,64}\Z")
#: Fields that are named as what grants something: unknown ones are reported even when they say no more than a word.
_PERMISSION_LIKE: Final = re.compile(
    r"(?i)enable|permi|allow|\bcan[A-Z_]|can_|scope|grant|trad(e|ing)|transfer|withdraw|write|admin"
)
_NOT_PERMISSION: Final = re.compile(r"(?i)(time|date|at|day|days|id|count|level|type|version|status)\Z")
#: What an answer may hold that must never go on.
_NEVER_RAW: Final = re.compile(r"(?i)secret|pass|private|signature|token|nonce|iban|mail|phone|key\Z|key_?id\Z")


def flag(value: object) -> bool | None:
    """Read a yes or a no in any of the forms servers write it in; None for everything else."""
    plain = value.strip().lower() if isinstance(value, str) else value
    if isinstance(plain, float) or plain is None or isinstance(plain, list | dict):
        return None
    if plain in _YES:
        return True
    return False if plain in _NO else None


def moment(value: object) -> str | None:
    """Read a time: ms or s since 1970 as number or text, or ISO text; None for 0, -1, 1970 and everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip()
    if re.fullmatch(r"[0-9]{9,17}(\.[0-9]{1,9})?", text):
        number = float(text)
        for per_ms in (1, 1000, 0.001):  # ms, s, microseconds: no two readings of one number are in range
            if EARLIEST_MS <= number * per_ms < LATEST_MS:
                return iso(int(number * per_ms))
        return None
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) or len(text) > 40:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at_ms = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    return iso(at_ms) if EARLIEST_MS <= at_ms < LATEST_MS else None


def no_moment(value: object) -> bool:
    """Tell whether a value is how exchanges write "there is none": empty, 0, -1, or the year 1970."""
    if isinstance(value, str):
        text = value.strip()
        return text in ("", "0", "-1") or text.startswith(("1970-01-01", "0001-01-01"))
    return not isinstance(value, bool) and isinstance(value, int | float) and value in (0, -1)


def addresses_of(value: object) -> tuple[Literal["yes", "no", "unknown"], list[str] | None]:
    """Read an allowlist: whether there is one, and its addresses and networks; those it hides (`203.**.1`) are None.

    A list that allows everything beside an address allows everything.
    """
    if value is False:
        return "no", []
    if isinstance(value, str):
        value = [part for part in re.split(r"[,;\s]+", value.strip()) if part]
    if not isinstance(value, list | tuple) or len(value) > MAX_FIELDS:
        return "unknown", None
    found: list[str] = []
    networks: list[_Network] = []
    hidden = False
    for one in value:
        if not isinstance(one, str):
            return "unknown", None
        text = one.strip()
        if not text:
            continue
        if text.lower() in _EVERYWHERE:
            return "no", []
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            part = _part_of(text)
            if part != "some":
                return ("no", []) if part == "all" else ("unknown", None)
            hidden = True  # masked, or a span: there is a restriction, but not one that can be compared
            continue
        networks.append(network)
        found.append(str(network.network_address) if network.num_addresses == 1 else str(network))
    if _everything(networks) or not (found or hidden):
        return "no", []
    return "yes", None if hidden else found


def _everything(networks: Sequence[_Network]) -> bool:
    """Tell whether networks together are all of IPv4 or all of IPv6; two halves are a whole."""
    v4 = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv4Network))
    v6 = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv6Network))
    return any(one.prefixlen == 0 for one in v4) or any(_MAPPED.subnet_of(one) for one in v6)


def _part_of(text: str) -> Literal["some", "all", "unknown"]:
    """Tell whether a masked address (`203.**.1`) or a span (`10.0.0.1-9`) leaves any address out.

    What is neither (`-`, `0`, `0/0`, `000.000.000.000`) may be how somebody writes "none": it proves no restriction.
    """
    first, _, last = text.partition("-")
    try:
        start, end = ipaddress.ip_address(first.strip()), _end_of(last.strip())
    except ValueError:
        if "*" not in text or not re.fullmatch(r"[0-9A-Fa-f.:*]{1,64}", text):
            return "unknown"
        told = re.findall(r"[0-9A-Fa-f]+", text)
        return "all" if not told else ("some" if told[0].strip("0") else "unknown")
    return "all" if int(start) == 0 and end in (2**32 - 1, 2**128 - 1) else "some"


def _end_of(text: str) -> int:
    """Return the last address of a span as a number, or what is told of it (`9` of 10.0.0.1-9). Raise ValueError."""
    return int(text) if re.fullmatch(r"[0-9]{1,3}", text) else int(ipaddress.ip_address(text))


def as_text(value: object) -> str:
    """Return text or a number as text; empty for anything else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def plain_name(name: object) -> str:
    """Return a field's or permission's name when it can be shown, else words that say that it cannot."""
    text = str(name) if isinstance(name, str | int) else ""
    return text if _PLAIN.match(text) else "a name that is not plain text"


def hashed(identity: object) -> str | None:
    """Name a key or an account without showing it: the first 12 hex digits of its SHA-256; None for no text."""
    if isinstance(identity, bool) or not isinstance(identity, str | int) or str(identity).strip() in ("", "0"):
        return None
    return "sha256:" + hashlib.sha256(str(identity).strip().encode()).hexdigest()[:12]


class Fields:
    """A mapping read by name whatever its spelling: `createdTime`, `created_time` and `CreatedTime` are one field."""

    def __init__(self, data: object) -> None:
        """Take an answer; anything but a mapping has no fields."""
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        self._names: dict[str, str] = {}
        #: Fields that stand there in two spellings and do not agree: neither is believed.
        self._at_odds: set[str] = set()
        for name in list(self.data)[:MAX_FIELDS]:
            first = self._names.setdefault(_folded(name), name)
            if self.data[first] != self.data[name]:
                self._at_odds.add(_folded(name))

    def __contains__(self, name: str) -> bool:
        return _folded(name) in self._names

    def __bool__(self) -> bool:
        return bool(self._names)

    def get(self, name: str) -> Any:
        """Return a field's value; None when it is not there, or there twice and not the same."""
        real = self._names.get(_folded(name))
        return None if real is None or _folded(name) in self._at_odds else self.data[real]

    def at_odds(self, name: str) -> bool:
        """Tell whether a field stands there in two spellings that do not agree."""
        return _folded(name) in self._at_odds

    def inner(self, name: str) -> Fields:
        """Return a mapping inside; one without fields when there is none."""
        return Fields(self.get(name))

    def names(self) -> list[str]:
        """Return the names as the answer spells them."""
        return list(self._names.values())


def _folded(name: object) -> str:
    return re.sub(r"[_\-\s]", "", str(name)).lower()


#: What a report says of a key; each is unknown until it is read.
_REPORTED: Final = (
    *(f"permissions.{scope}" for scope in SCOPES),
    "ip_allowlist.restricted",
    "label",
    "created_at",
    "expires_at",
    "last_used_at",
)


class KeyForm:
    """A key report being filled in. Everything begins unknown; only what is read strictly becomes known."""

    def __init__(self, exchange: str, endpoint: str, fields: Fields, at_ms: int) -> None:
        """Take the ccxt id, `GET /path`, the answer's fields, and when the request was sent (UTC ms)."""
        self.exchange = exchange
        self.fields = fields
        self._known: set[str] = set()
        self._unrecognised: list[str] = []
        self._report = KeyReport("", "", dict.fromkeys(SCOPES, "unknown"), endpoint=endpoint, at=iso(at_ms))
        self._doubted: set[str] = set()
        self._words: set[str] = set()
        self._why = dict.fromkeys(_REPORTED, f"{exchange} does not report it")

    # -- permissions --------------------------------------------------------------------------------------------

    def scope(self, scope: str, value: bool | None, why: str = "") -> None:
        """State a scope: granted, denied, or None for unknown with the reason."""
        granted: Granted = "unknown" if value is None else ("granted" if value else "denied")
        self._report.permissions[scope] = granted
        if value is None:
            self._why[f"permissions.{scope}"] = why or f"{self.exchange} does not report it"
        else:
            self._why.pop(f"permissions.{scope}", None)

    def said(self, scope: str) -> Granted:
        """Return what is read of a scope so far."""
        return self._report.permissions[scope]

    def flags(self, scope: str, names: Sequence[str], *, how: Literal["all", "any"] = "all") -> None:
        """Read a scope from yes/no fields: `any` is granted by one yes, `all` denied by one no.

        A denial needs every field that it rests on.
        """
        self._known |= {_folded(name) for name in names}
        values = [flag(self.fields.get(name)) for name in names]
        unread = [name for name, value in zip(names, values, strict=True) if value is None]
        if how == "any" and any(value is True for value in values):
            self.scope(scope, True)
        elif unread:
            self.scope(scope, None, self.why(unread))
        else:
            self.scope(scope, all(values) if how == "all" else any(values))

    def permissions(self, field: str, known: Mapping[str, Iterable[str]], *, given: object = None) -> None:
        """Read a list (or comma text) of permission names; each known one grants its scopes, maybe none.

        A scope that some known name grants, and none that was given, is denied - unless a name is not known: that one
        might grant anything, so what is not granted stays unknown. Names are compared without regard to case.
        `given` is the list when it is no field of its own; a second call adds to what the first one granted.
        """
        self._known.add(_folded(field))
        said = self.fields.get(field) if given is None else given
        covered = {scope for scopes in known.values() for scope in scopes}
        listed = _names(said)
        if listed is None or (not listed and given is None):  # a key without any permission could not have asked
            needed = "a list of permissions" if listed is None else "a list that names a permission"
            self._doubt(covered, self.why([field], needed))
            return
        folded = {_folded(name): tuple(scopes) for name, scopes in known.items()}
        self._words |= set(folded)
        strange = [plain_name(name) for name in listed if _folded(name) not in folded]
        self._unrecognised += strange
        for scope in {scope for name in listed for scope in folded.get(_folded(name), ())}:
            self.scope(scope, True)
        if strange:
            self._doubt(covered, f"{', '.join(strange)} is not understood and may grant it")
        for scope in covered - self._doubted:
            if self._report.permissions[scope] != "granted":
                self.scope(scope, False)

    def strange(self, *names: object) -> None:
        """Report permission names that are not understood (G08) and stand where no scope of ours does."""
        self._unrecognised += [plain_name(name) for name in names]

    def _doubt(self, scopes: Iterable[str], why: str) -> None:
        """Leave scopes that are not granted unknown, whatever a later list leaves out."""
        for scope in scopes:
            if self._report.permissions[scope] != "granted":
                self._doubted.add(scope)
                self.scope(scope, None, why)

    # -- the rest -----------------------------------------------------------------------------------------------

    def addresses(self, field: str, *, missing: Literal["unknown", "no"] = "unknown") -> None:
        """Read the allowlist; `missing`: what it means, by the exchange's documents, that the field is not there."""
        self._known.add(_folded(field))
        restricted, addresses = addresses_of(self.fields.get(field))
        if field not in self.fields and missing == "no":
            restricted, addresses = "no", []
        self._restrict(restricted, addresses)
        if restricted == "unknown":
            self._why["ip_allowlist.restricted"] = self.why([field], "an allowlist")
        elif addresses is None:
            self._why["ip_allowlist.addresses"] = f"{self.exchange} hides parts of the addresses"

    def _restrict(self, restricted: Literal["yes", "no", "unknown"], addresses: list[str] | None) -> None:
        self._report.restricted, self._report.addresses = restricted, addresses
        if restricted != "unknown":
            self._why.pop("ip_allowlist.restricted", None)

    def restricted_only(self, field: str) -> None:
        """Read a yes/no that tells only whether there is an allowlist."""
        self._known.add(_folded(field))
        said = flag(self.fields.get(field))
        self._restrict("unknown" if said is None else ("yes" if said else "no"), None)
        if said is None:
            self._why["ip_allowlist.restricted"] = self.why([field])
        if said is not False:
            self._why["ip_allowlist.addresses"] = f"{self.exchange} reports only whether a restriction is set"

    def time(self, name: str, field: str, *, may_be_none: bool = False) -> None:
        """Read `created_at`, `expires_at` or `last_used_at`; `may_be_none`: 0, -1, 1970 or an empty text is "never"."""
        self._known.add(_folded(field))
        value = self.fields.get(field)
        read = moment(value)
        setattr(self._report, name, read)
        if read is not None or (may_be_none and field in self.fields and no_moment(value)):
            self._why.pop(name, None)
        else:
            self._why[name] = self.why([field], "a plausible time")

    def label(self, field: str) -> None:
        """Keep the name a person gave the key, when it is plain text."""
        self._known.add(_folded(field))
        value = self.fields.get(field)
        if isinstance(value, str) and value.strip() and value.isprintable():
            self._report.label = value.strip()[:MAX_LABEL]
            self._why.pop("label", None)

    def account(self, field: str, *, sub_account: bool | None = None) -> None:
        """Keep whose key it is, hashed, and whether that is a sub-account (None: not told)."""
        self._known.add(_folded(field))
        self._report.account_id = hashed(self.fields.get(field))
        if sub_account is not None:
            self._report.sub_account = "yes" if sub_account else "no"

    def third_party(self, value: bool | None) -> None:
        """State whether the key is bound to somebody's application."""
        self._report.third_party = "unknown" if value is None else ("yes" if value else "no")

    def other_key(self, identity: object, label: object = None) -> None:
        """Note another key of the account that the answer names; only a hash of its id goes on."""
        name = hashed(identity)
        if name is not None and len(self._report.others) < MAX_FIELDS:
            shown = label.strip()[:MAX_LABEL] if isinstance(label, str) and label.isprintable() else ""
            self._report.others.append({"id": name, "label": shown})

    def unknown(self, name: str, why: str) -> None:
        """State why something is unknown."""
        self._why[name] = why

    def ignore(self, *fields: str) -> None:
        """Name fields that are known to grant nothing."""
        self._known |= {_folded(name) for name in fields}

    def why(self, names: Sequence[str], needed: str = "a yes or a no") -> str:
        """Say what is wrong with fields: not there, or not what is needed."""
        missing = [name for name in names if name not in self.fields]
        if missing:
            return f"{', '.join(missing)} was not in the answer"
        return f"{', '.join(names)} was not {needed}"

    def report(self, *raw: str) -> KeyReport:
        """Return the report. `raw` names fields to keep as evidence: yes, no, whole numbers, known permission names.

        Raise CallFailed (BAD_ANSWER) for an answer without a single field of a key report: something else answered.
        """
        report = self._report
        self._known |= {_folded(name) for name in raw}
        if not any(_folded(name) in self._known for name in self.fields.names()):
            words = f"{self.exchange}: the answer is not a key report; check the endpoint"
            raise CallFailed(Failure("unknown", "BAD_ANSWER", words))
        report.raw = {name: kept for name in raw if (kept := self._kept(name)) is not None}
        report.unrecognised = sorted({*self._unrecognised, *self._strange_fields()})
        report.unknown = self._why
        return report

    def _kept(self, name: str) -> object:
        """Return what may travel as evidence: yes, no, whole numbers, and permission names that are known."""
        value = self.fields.get(name)
        if isinstance(value, bool | int):
            return None if _NEVER_RAW.search(name) else value
        words = _names(value) or []
        return [word for word in words if _folded(word) in self._words] or None

    def _strange_fields(self) -> list[str]:
        """Name fields that nobody asked for and that may grant something: true, filled, or named like a permission."""
        found: list[str] = []
        for name in self.fields.names():
            value = self.fields.get(name)
            if _folded(name) not in self._known and self.fields.at_odds(name):
                found.append(plain_name(name))
            if _folded(name) in self._known or flag(value) is False or value in (None, "", [], {}):
                continue
            named = _PERMISSION_LIKE.search(name) and not _NOT_PERMISSION.search(name)
            if flag(value) is True or isinstance(value, list | dict) or named:
                found.append(plain_name(name))
        return found


def _names(value: object) -> list[str] | None:
    """Read a list of names, or names with commas or blanks between them; None for everything else."""
    if isinstance(value, str):
        value = [part for part in re.split(r"[,;\s]+", value.strip()) if part]
    if not isinstance(value, list | tuple) or len(value) > MAX_FIELDS or not all(isinstance(one, str) for one in value):
        return None
    return [one.strip() for one in value if one.strip()]
