"""`waivers`: findings that are accepted, by whom, why, and until when."""

from __future__ import annotations

from typing import Annotated

from policykit.model.base import NEUTRAL, Meta, Section
from policykit.model.types import Line, Person, RuleCode


class Waiver(Section):
    """An accepted finding. It never touches a cap, nor a check on an order."""

    rule: Annotated[RuleCode, Meta("The rule whose finding is accepted.", NEUTRAL)]
    at: Annotated[Line, Meta("The dotted path that it is accepted at; what lies below is meant too.", NEUTRAL)]
    owner: Annotated[Person, Meta("Who answers for it.", NEUTRAL)]
    ticket: Annotated[Line | None, Meta("Where it was agreed.", NEUTRAL)] = None
    reason: Annotated[Line, Meta("Why it is accepted.", NEUTRAL)]
    expires: Annotated[Line, Meta("The first day on which it is no longer accepted; a bad date is expired.", NEUTRAL)]
