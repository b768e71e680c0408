"""End a key by another key: what an API allows of it, on any exchange, and the proof that the old key is dead.

way = revocation("bybit", sub_account=True)               # by API, or the steps in the web page; nothing is sent
revoke("bybit", master_secrets, old_key_id, account="")   # the main account's key ends a sub-account's
state(exchange_id, old_secrets).refused                   # the old key asks for its own report and is refused

Nothing but that one call, and reads, leaves the client. Without a documented call it is done by hand; none is guessed.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Final, Literal, NamedTuple

from policykit import traits
from policykit.clock import Clock, SystemClock
from policykit.errors import ExchangeUnavailable
from policykit.exchanges import load
from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import Answer, CallFailed, Failure, Read, run
from policykit.exchanges.calls import listed, name_of
from policykit.exchanges.client import make_client
from policykit.exchanges.key_list import read_through
from policykit.redact import Secret, quiet
from policykit.traits.base import Revocation


class _Ends(NamedTuple):
    """How a call that ends a key is made: ccxt's method, and what its params are called.

    `account`: of what names the sub-account, `passphrase` of the key's own. `args` stand before the params.
    """

    method: str
    key: str
    account: str = ""
    passphrase: str = ""
    args: tuple[Any, ...] = ()


#: ccxt 4.5.90's methods (it lacks Binance's), and the params as the documents named in the traits call them.
_BY_MASTER: Final[Mapping[str, _Ends]] = {
    "binance": _Ends("request", "subAccountApiKey", "email", args=("sub-account/subAccountApi", ["sapi"], "DELETE")),
    "bingx": _Ends("subAccountV1PrivatePostApiKeyDel", "apiKey", "subUid"),
    "bitget": _Ends("privateUtaPostV3UserDeleteSubApi", "apiKey"),
    "bybit": _Ends("privatePostV5UserDeleteSubApi", "apikey"),
    "gate": _Ends("privateSubAccountsDeleteSubAccountsUserIdKeysKey", "key", "user_id"),
    "htx": _Ends("v2PrivatePostSubUserApiKeyDeletion", "accessKey", "subUid"),
    "kucoin": _Ends("privateDeleteSubApiKey", "apiKey", "subName", "passphrase"),
    "mexc": _Ends("spotPrivateDeleteSubAccountApiKey", "apiKey", "subAccount"),
    "okx": _Ends("privatePostUsersSubaccountDeleteApikey", "apiKey", "subAcct"),
}
_OWN: Final[Mapping[str, str]] = {"bybit": "privatePostV5UserDeleteApi"}


class Way(NamedTuple):
    """How a key is revoked. `by`: a call that the main account's, another or the key itself makes, or a person.

    `call` is what is sent, `account_is` what has to be named beside the key, `needs` the scopes of which the calling
    key must have one, `notes` what else the documents ask for. `steps` are the person's, always there: calls can fail.
    `sure` tells whether the steps stand in a document; otherwise the page may look different.
    """

    by: Literal["master", "other", "own", "hand"]
    call: str
    account_is: str
    needs: tuple[str, ...]
    notes: tuple[str, ...]
    steps: tuple[str, ...]
    source: str
    sure: bool


class KeyState(NamedTuple):
    """What an exchange says of a key now. `refused`: True, False, or None: it could not be asked."""

    refused: bool | None
    code: str
    words: str


def revocation(exchange_id: str, *, sub_account: bool | None = None, scopes: tuple[str, ...] = ()) -> Way:
    """Return how a key is revoked; nothing is sent.

    `sub_account`: whether it is of one, None when that is not known; `scopes`: what the key itself may do.
    """
    facts = traits.load(exchange_id)
    known = (facts.revocation if facts is not None else None) or Revocation()
    steps = known.steps or ((facts.key_page,) if facts is not None and facts.key_page else ())
    steps = steps or (f"{exchange_id}: open the page of the API keys and delete the key; no more is known",)
    sure = bool(known.steps_source)
    common = {"notes": known.notes, "steps": steps, "source": known.source, "sure": sure}
    name = _canonical(exchange_id)
    if known.by_master and name in _BY_MASTER and sub_account is not False:
        return Way("master", known.by_master, known.account_is, known.master_needs, **common)  # type: ignore[arg-type]
    if known.by_other:
        return Way("other", known.by_other, "", known.own_needs, **common)  # type: ignore[arg-type]
    if known.own and name in _OWN and set(known.own_needs) & set(scopes):
        return Way("own", known.own, "", known.own_needs, **common)  # type: ignore[arg-type]
    return Way("hand", "", "", (), (), steps, known.source, sure)


def revoke(
    exchange_id: str,
    caller: Mapping[str, Secret],
    key_id: Secret,
    *,
    account: str = "",
    passphrase: Secret | None = None,
    endpoint: str | None = None,
    sandbox: bool = False,
    clock: Clock | None = None,
) -> None:
    """End a key with the main account's key, on Deribit with another key of the account, by the one documented call.

    `caller` is what that key's secret source gave; `account` names the sub-account where the call asks for it.
    Raise ExchangeUnavailable where there is no such call, ValueError when something it needs is missing, CallFailed
    when the exchange refuses or does not answer: then nothing is proved, and `state` has to tell.
    """
    way = revocation(exchange_id, sub_account=True)
    name = _canonical(exchange_id)
    if way.by not in ("master", "other"):
        words = f"{exchange_id} documents no call by which another key ends one; {' > '.join(way.steps)}"
        raise ExchangeUnavailable(words, "NOT_SUPPORTED")
    if way.by == "other":
        _drive(exchange_id, caller, way.call, _remove_listed(key_id), endpoint, sandbox, clock)
        return
    ends = _BY_MASTER[name]
    params: dict[str, Any] = {ends.key: key_id.reveal()}
    if ends.account:
        if not account:
            raise ValueError(f"{exchange_id}: {way.account_is} is needed to end the key; say it with the account")
        params[ends.account] = account
    if ends.passphrase:
        if passphrase is None:
            raise ValueError(f"{exchange_id}: the key's own passphrase is needed to end it; its secret source has it")
        params[ends.passphrase] = passphrase.reveal()
    _drive(exchange_id, caller, way.call, _once(Read(ends.method, params, ends.args)), endpoint, sandbox, clock)


def revoke_own(
    exchange_id: str,
    own: Mapping[str, Secret],
    *,
    endpoint: str | None = None,
    sandbox: bool = False,
    clock: Clock | None = None,
) -> None:
    """Let a key end itself, where the exchange lets it. Raise as `revoke` does."""
    facts = traits.load(exchange_id)
    method = _OWN.get(_canonical(exchange_id))
    if facts is None or facts.revocation is None or method is None:
        raise ExchangeUnavailable(f"{exchange_id} documents no call by which a key ends itself", "NOT_SUPPORTED")
    _drive(exchange_id, own, facts.revocation.own, _once(Read(method)), endpoint, sandbox, clock)


def state(
    exchange_id: str,
    credentials: Mapping[str, Secret],
    *,
    endpoint: str | None = None,
    sandbox: bool = False,
    clock: Clock | None = None,
) -> KeyState:
    """Ask an exchange with a key for that key's own report: a refusal of the key is the proof that it is dead.

    A refusal that may be of the address or a permission proves it only where the key was answered before, from here.
    """
    clock = clock or SystemClock()
    try:
        client = make_client(exchange_id, credentials, endpoint=endpoint, sandbox=sandbox, clock=clock)
        adapter: Adapter = client.policykit_adapter
        run(adapter, client, adapter.key_report(), clock)
    except CallFailed as failed:
        return KeyState(True if failed.code == "KEY_REJECTED" else None, failed.code, str(failed))
    except ExchangeUnavailable as error:
        return KeyState(None, error.code, str(error))
    return KeyState(False, "", f"{exchange_id} answered: the key is alive")


def _canonical(exchange_id: str) -> str:
    """Return whose calls an id's keys are ended by: Binance's three ids are one account."""
    return "binance" if exchange_id in ("binanceusdm", "binancecoinm") else exchange_id


def _once(read: Read) -> Generator[Read, Answer, None]:
    yield read


def _remove_listed(key_id: Secret) -> Generator[Read, Answer, None]:
    """Find the number by which Deribit calls a key, and remove it."""
    answer = yield Read("policykit_ids")
    number = (answer.data or {}).get(key_id.reveal())
    if number is None:
        raise CallFailed(
            Failure(
                "no",
                "NOT_SUPPORTED",
                "deribit: the list of keys has no such key, or asks for a second factor; do it in the web page",
            )
        )
    yield Read("privateGetRemoveApiKey", {"id": number})


def _ids(data: Any) -> dict[str, Any]:
    """Return the number of each key of Deribit's list by its public id; the secrets in it stay in the client."""
    rows = data.get("result") if isinstance(data, Mapping) else None
    return {str(r["client_id"]): r.get("id") for r in rows or () if isinstance(r, Mapping) and "client_id" in r}


def _drive(
    exchange_id: str,
    credentials: Mapping[str, Secret],
    call: str,
    steps: Generator[Read, Answer, None],
    endpoint: str | None,
    sandbox: bool,
    clock: Clock | None,
) -> None:
    clock = clock or SystemClock()
    allowed = frozenset((_open(call),))
    client = make_client(
        exchange_id,
        credentials,
        endpoint=endpoint,
        sandbox=sandbox,
        clock=clock,
        beyond=lambda method, url, body: listed(name_of(method, url), allowed),
    )
    adapter = load(exchange_id)
    assert adapter is not None
    if exchange_id == "deribit":
        read_through(client, "policykit_ids", "privateGetListApiKeys", _ids)
    if exchange_id == "bingx":  # ccxt 4.5.90 adds the time, a number, to text when it signs such a call
        client.custom_encode = lambda params: "&".join(f"{name}={params[name]}" for name in sorted(params))
    with quiet():  # KuCoin wants key and passphrase in the URL
        run(adapter, client, steps, clock)


def _open(call: str) -> str:
    """Return a documented call with `*` where it names an id: `DELETE /sub_accounts/*/keys/*`."""
    return "/".join("*" if part.startswith("{") else part for part in call.split("/"))
