"""A candidate policy on trial beside the active one: start it, see how it would have decided, put it in its place.

What judges stands in the guard (guard/shadow.py, guard/beside.py); this is what leads a person through it.
"""

from __future__ import annotations
