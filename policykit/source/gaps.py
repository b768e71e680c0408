"""What YAML 1.2 forbids and the C parser lets pass: comments that stand too close, lines that stand too far left.

Found with the YAML test suite (`make verify` runs it): with this every one of its invalid documents is refused.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_CLOSE_COMMENT = re.compile(r"[^\s#]#")
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")


class Fault(NamedTuple):
    """What is wrong at which character of the text, and what may be there."""

    offset: int
    what: str
    may: str


_COMMENT = ("a comment without a blank before its #", "a blank before the #, or quotes around text that holds one")
_OPEN = (
    "a quote that is still open on a line that is not indented below it",
    "the closing quote where the text ends, or more spaces before its further lines",
)
_LEFT = ("a line that is not indented with spaces below what it belongs to", "more spaces before it")


class Gaps:
    """Looks at each event of one text, in order."""

    def __init__(self, text: str) -> None:
        self.text = text
        #: Whether a comment of the text may stand too close, and up to where that was looked at.
        self.comments = _CLOSE_COMMENT.search(text) is not None
        self._read_to = 0

    def fault(self, event: Any, indent: int, flow_line: int | None) -> Fault | None:
        """Return what is wrong with an event, or between it and the one before.

        `indent`: the column of the section or list around it, -1 at the root. `flow_line`: the line on which the `[` or
        `{` around it stands, None outside of any.
        """
        start, end = event.start_mark, event.end_mark
        if self.comments:
            found = self._comment(start.index, end.index)
            if found is not None:
                return found
        style = getattr(event, "style", None)
        if style is not None and flow_line not in (None, start.line) and self._too_far_left(start.index, indent):
            return Fault(start.index, *_LEFT)
        if not style or start.line == end.line:
            return None
        return self._quoted(start.index, end.index, indent) if style in "\"'" else self._block(event)

    def _comment(self, start: int, end: int) -> Fault | None:
        at = self.text.find("#", self._read_to, start)
        self._read_to = max(self._read_to, end)
        close = at > 0 and not self.text[at - 1].isspace()
        return Fault(at, *_COMMENT) if close else None

    def _too_far_left(self, offset: int, indent: int) -> bool:
        """Tell whether what is first on its line has no more spaces before it than what it belongs to."""
        before = self.text[self.text.rfind("\n", 0, offset) + 1 : offset]
        return not before.strip() and len(before) - len(before.lstrip(" ")) <= indent

    def _quoted(self, start: int, end: int, indent: int) -> Fault | None:
        for line in self.text[start:end].split("\n")[1:]:
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                return Fault(start, *_OPEN)
        return None

    def _block(self, event: Any) -> Fault | None:
        start = event.start_mark.index
        header = _BLOCK_HEADER.match(self.text, start)
        after = header.end() if header else start
        if self.text[after : after + 1] == "#":
            return Fault(after, *_COMMENT)
        return None if event.value.strip() else Fault(start, "a text block that holds no text", "the text, indented")
