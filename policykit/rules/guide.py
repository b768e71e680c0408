"""The requirements of the guide: number, our own short title, and where each bites. The text itself is GUIDE.md's."""

from __future__ import annotations

from typing import Final, NamedTuple

#: Where a requirement bites: S static lint, L live lint, R run time, C lint of the bot's own source and settings,
#: O an operator's command.
COLUMNS: Final[dict[str, str]] = {"S": "static", "L": "live", "R": "run_time", "C": "source", "O": "operator"}


class Requirement(NamedTuple):
    """One requirement. `where` holds letters of COLUMNS."""

    number: str
    title: str
    where: str


GUIDE: Final[tuple[Requirement, ...]] = (
    Requirement("G01", "what a leaked key can do is bounded, and can be shown", "SLRO"),
    Requirement("G02", "secrets appear nowhere", "SCR"),
    Requirement("G03", "the clock is in step", "SLR"),
    Requirement("G04", "no withdraw permission", "SLRC"),
    Requirement("G05", "no internal transfer", "SLRC"),
    Requirement("G06", "four risk classes of permissions", "SL"),
    Requirement("G07", "one key, one purpose, no more than that needs", "SL"),
    Requirement("G08", "a permission name that is not understood is reported", "L"),
    Requirement("G09", "keys are bound to addresses", "SL"),
    Requirement("G10", "single static addresses, no ranges", "SL"),
    Requirement("G11", "the address is proved from the host that trades", "OR"),
    Requirement("G12", "each address says what it is", "S"),
    Requirement("G13", "no dynamic or left-over address; list and policy agree", "SL"),
    Requirement("G14", "secrets live in a secrets manager or a locked-down environment", "SR"),
    Requirement("G15", "no secret in repositories, files or chats", "SC"),
    Requirement("G16", "least permissions and addresses from the first minute", "L"),
    Requirement("G17", "into the secrets manager first", "O"),
    Requirement("G18", "secrets are loaded at run time, never hard-coded", "CR"),
    Requirement("G19", "rotated every 90 days, and after any exposure", "SLR"),
    Requirement("G20", "an old key lives a day at most", "SLO"),
    Requirement("G21", "nothing secret is logged", "RC"),
    Requirement("G22", "requests count by their weight", "SR"),
    Requirement("G23", "a 429 or a ban is obeyed", "R"),
    Requirement("G24", "each kind of allowance counts by itself", "SLR"),
    Requirement("G25", "throttled before the limit", "R"),
    Requirement("G26", "an unanswered order is looked up before anything else", "SRC"),
    Requirement("G27", "data is asked again with back-off and jitter, five times at most", "SRC"),
    Requirement("G28", "every order has a client order id", "SRC"),
    Requirement("G29", "every attempt is recorded", "R"),
    Requirement("G30", "intended and actual positions are compared", "SRO"),
    Requirement("G31", "filled and remaining quantity decide after a time-out", "R"),
    Requirement("G32", "no blind order retry after a 429", "RC"),
    Requirement("G33", "a cap on one order", "SLR"),
    Requirement("G34", "a cap on orders a minute", "SR"),
    Requirement("G35", "a cap on each position", "SLR"),
    Requirement("G36", "a daily loss limit", "SLR"),
    Requirement("G37", "one switch stops all trading", "SRO"),
    Requirement("G38", "a false time-out cannot double a position", "R"),
    Requirement("G39", "reconnects back off", "SRC"),
    Requirement("G40", "partial fills do not loop", "SR"),
    Requirement("G41", "full size is reached in stages", "SLRO"),
    Requirement("G42", "the first five minutes of an incident", "OL"),
    Requirement("G43", "the next sixty minutes", "OL"),
    Requirement("G44", "what follows an incident", "O"),
    Requirement("G45", "minutes are measured", "O"),
    Requirement("G46", "six questions for a vendor", "SO"),
    Requirement("G47", "what disqualifies a vendor", "S"),
)

#: Run-time machinery that no field of the model switches on: what holds the requirement whatever a policy says.
ALWAYS: Final[dict[str, tuple[str, ...]]] = {
    "G02": ("redaction",),
    "G04": ("gate: withdraw calls are refused",),
    "G05": ("gate: transfer calls are refused",),
    "G14": ("secrets: read from the environment or a manager, never from the policy",),
    "G18": ("secrets: read at the start",),
    "G19": ("signer: running clients go over to a key's successor",),
    "G21": ("redaction",),
    "G23": ("check:rate.ban",),
    "G25": ("check:rate_budgets",),
    "G28": ("protected client: every order gets an id",),
    "G29": ("journal",),
    "G31": ("order's life: look-ups",),
    "G32": ("order's life: no re-send before the fence",),
    "G38": ("order's life: unknown keeps its reservation",),
}
#: Commands that serve a requirement.
COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "G01": ("blast",),
    "G11": ("doctor",),
    "G17": ("keys", "rotate"),
    "G19": ("keys", "rotate"),
    "G20": ("rotate",),
    "G30": ("orders", "reconcile"),
    "G37": ("kill", "resume", "status", "drill"),
    "G41": ("stage", "fills", "review"),
    "G42": ("incident", "kill", "snapshot"),
    "G43": ("incident", "journal", "snapshot"),
    "G44": ("incident", "rotate", "vendor"),
    "G45": ("incident",),
    "G46": ("vendor",),
    "G47": ("vendor",),
}
