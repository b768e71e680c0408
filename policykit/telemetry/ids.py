"""Trace and span ids that follow from the journal: whoever makes the span of a decision, now or later, names it alike.

They are parts of a digest of the decision's id, so they are spread evenly (a sampler that goes by the trace id takes
its share of every process, which the id's own bits, a counter, would not give it), they are never drawn from `random`,
and a span that is sent twice is one span.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

#: The span of a decision, or that of its send.
Which = Literal["decide", "send"]


def ids_of(decision_id: str, which: Which = "decide") -> tuple[bytes, bytes]:
    """Return 16 bytes, the trace of a decision that no span of the caller surrounds, and 8, a span of it."""
    digest = sha256(decision_id.encode()).digest()
    return digest[:16], digest[16:24] if which == "decide" else digest[24:]
