"""Lists of an account's keys: whose key is the client's own, and what of a list may leave the client at all.

Deribit and BitMEX answer with the *secret* of every key of the account (an answer is not harmless because it was only
read). So the list is cleaned inside the client, before an adapter, a log or a record sees it: fields that
are allowed by name go on, of all others only a yes or a no; and the row of the key that signed is marked.

    read_through(client, "policykit_keys", "privateGetListApiKeys", clean)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from policykit.exchanges.forms import MAX_FIELDS, Fields, hashed

#: The field that is added to each row: whether it is the key that signed the request.
OWN: Final = "policykit_own"
#: What stands for a value that does not leave: its field's name may still be one that grants something.
WITHHELD: Final = "withheld"


def cleaned(rows: object, own: str, named: str, kept: tuple[str, ...]) -> list[dict[str, Any]] | None:
    """Return the rows of a list of keys with only the fields `kept`; None when it is no list.

    `named` is the field with a key's public id, `own` the id of the key that signed.
    """
    if not isinstance(rows, list):
        return None
    ours = hashed(own)
    found = []
    for row in rows[:MAX_FIELDS]:
        fields = Fields(row)
        one = {name: _shown(name, fields.get(name), (named, *kept)) for name in fields.names()}
        one[OWN] = ours is not None and hashed(fields.get(named)) == ours
        found.append(one)
    return found


def _shown(name: str, value: Any, kept: tuple[str, ...]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    spelling = Fields({name: None})
    return value if any(one in spelling for one in kept) else WITHHELD


def own_row(rows: object) -> tuple[Fields | None, list[Fields]]:
    """Return the row of the key that signed, None unless there is exactly one, and the rows of the others."""
    listed = [Fields(row) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    own = [row for row in listed if row.get(OWN) is True]
    return own[0] if len(own) == 1 else None, [row for row in listed if row.get(OWN) is not True]


def read_through(
    client: Any,
    name: str,
    method: str,
    clean: Callable[[Any], Any],
    fill: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> None:
    """Give a client, sync or async, the method `name`: what `method` answers, cleaned.

    `fill` adds to the params what only the client knows.
    """
    if inspect.iscoroutinefunction(type(client).fetch):

        async def asynchronous(params: dict[str, Any]) -> Any:
            return clean(await getattr(client, method)(fill(params)))

        setattr(client, name, asynchronous)
        return

    def synchronous(params: dict[str, Any]) -> Any:
        return clean(getattr(client, method)(fill(params)))

    setattr(client, name, synchronous)
