"""How answers drift from what is documented: the same meaning in another form, as real exchanges change it.

    SimServer(dialect="kraken", drift=Drift(names="snake_case", everywhere=[""], never=-1, times="iso"))

Each switch is one that was seen at a real exchange (`shared/exchanges.json`): names in another case, "no restriction"
written as `["*"]`, `""`, `[]`, `[""]`, `"0.0.0.0/0"`, `false` or left out, times in ms, s, ISO or text with 0, -1 or
1970 for none, a permission that nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from policykit.clock import iso

Times = Literal["documented", "ms", "s", "iso", "ms_text", "s_text"]
Names = Literal["documented", "snake_case", "camelCase"]


class _Absent:
    """What stands for a field that an answer leaves out."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
DOCUMENTED: Final = "documented"


@dataclass(frozen=True, slots=True)
class Drift:
    """The switches; each is off ("documented") unless set. `everywhere` and `never` are JSON values, or ABSENT."""

    names: Names = "documented"
    everywhere: Any = DOCUMENTED
    never: Any = DOCUMENTED
    times: Times = "documented"
    #: Permission names that are added to what a key has.
    strange: tuple[str, ...] = ()

    def addresses(self, addresses: Sequence[str], written: Any, nothing: Any) -> Any:
        """Return an allowlist: as `written` when there is one, else how "from everywhere" is written now."""
        if addresses:
            return written
        return nothing if self.everywhere == DOCUMENTED else self.everywhere

    def time(self, at_ms: int | None, written: Times, nothing: Any = ABSENT) -> Any:
        """Return a moment in the form `written`, or the one it has drifted to; `nothing` is how none is written."""
        if at_ms is None:
            return nothing if self.never == DOCUMENTED else self.never
        form = written if self.times == "documented" else self.times
        seconds = at_ms // 1000
        return {"ms": at_ms, "s": seconds, "iso": iso(at_ms), "ms_text": str(at_ms), "s_text": str(seconds)}[form]

    def body(self, data: Any) -> Any:
        """Return an answer without absent fields, its names in the case that they have drifted to."""
        if isinstance(data, Mapping):
            return {self._name(name): self.body(value) for name, value in data.items() if value is not ABSENT}
        if isinstance(data, list | tuple):
            return [self.body(value) for value in data if value is not ABSENT]
        return data

    def _name(self, name: Any) -> Any:
        if not isinstance(name, str) or self.names == "documented":
            return name
        if self.names == "snake_case":
            return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
        head, *rest = name.split("_")
        return head + "".join(part[:1].upper() + part[1:] for part in rest)
