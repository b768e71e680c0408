"""The forms of the rows of what operators do: drills, keys, stages, reviews, incidents, approvals."""

from __future__ import annotations

from typing import Any, Final

from policykit.model.journal_forms import ANY, MAP, MOMENT, TEXT, TEXTS, WHOLE, YES, form

#: Who did it: the name that was told, and what the machine knows of the one who told it (operate/person.py).
CLAIM: Final = form(
    {"name": TEXT, "proof": {"enum": ["claimed", "signed"]}, "os_user": TEXT, "host": TEXT},
    **dict.fromkeys(("login", "tty", "key"), TEXT),
)
#: What an operator did, and to what; what else a row says is its kind's own.
_OPERATION: Final = {**form({"account": TEXT, "name": TEXT}, claim=CLAIM), "additionalProperties": ANY}

#: A step of an incident (`name` is INCIDENT/STEP), or its head (`name` is the incident, with its `accounts`).
_INCIDENT: Final = form(
    {"account": TEXT, "name": TEXT},
    claim=CLAIM,
    state={"enum": ["open", "closed", "done", "skipped", "failed", "unknown", "waiting", "alarm"]},
    **dict.fromkeys(("incident", "step", "words", "by", "why", "owner", "proof", "key", "alive_from", "since"), TEXT),
    **dict.fromkeys(("started_ms", "detected_ms", "since_ms", "closed_ms", "dead_ms", "alive_ms"), MOMENT),
    **dict.fromkeys(("took_ms", "ended_ms", "cancelled", "left", "foreign"), WHOLE),
    **dict.fromkeys(("freeze", "keep_exits", "drill"), YES),
    **dict.fromkeys(("lines", "endpoints", "known_addresses"), TEXTS),
    **dict.fromkeys(("closed_by", "closed_why", "sub_account"), TEXT),
    accounts={"type": "array", "items": MAP},
    families=MAP,
)

#: A signature with what was signed; or, under the name `signers`, who may sign (`asks`; null: nobody has to).
_APPROVAL: Final = form(
    {"account": TEXT, "name": TEXT},
    **dict.fromkeys(("text", "signature", "by", "why", "key", "policy", "digest"), TEXT),
    claim=CLAIM,
    asks={"type": ["object", "null"]},
)

#: A move between stages: `seen` has what was counted of each stage in the rows up to `read`.
_STAGE: Final = form(
    {"account": TEXT, "name": TEXT},
    move={"enum": ["promote", "external", "demote"]},
    **dict.fromkeys(("stage", "was", "by", "why", "version"), TEXT),
    claim=CLAIM,
    read=WHOLE,
    **dict.fromkeys(("evidence", "seen", "versions"), MAP),
)

#: A candidate beside a policy (`name`): `run` is its start, `policy` what it says, `against` what was in force then.
_SHADOW: Final = form(
    {"account": TEXT, "name": TEXT},
    state={"enum": ["running", "stopped", "promoted"]},
    **dict.fromkeys(("run", "version", "digest", "file", "host", "against", "by", "why"), TEXT),
    **dict.fromkeys(("started_ms", "until_ms", "ended_ms"), MOMENT),
    policy=MAP,
    claim=CLAIM,
)

#: As `journal_contract.KINDS`.
OPERATIONS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "drill": ("a drill was held", _OPERATION),
    "exposed": ("a key may be in other hands: it is overdue at once; or that was taken back (`withdrawn`)", _OPERATION),
    "rotation": ("how far a key's successor has come", _OPERATION),
    "stage": (
        "a policy was granted a stage, or taken back to one: by whom, on what evidence; what was counted so far",
        _STAGE,
    ),
    "review": ("a person looked at something", _OPERATION),
    "incident": ("how far a step of an incident is, or the incident itself", _INCIDENT),
    "paper": (
        "a paper account, as it is after an order: nothing of this happened at an exchange",
        form({"account": TEXT, "name": TEXT}, n=WHOLE, book=MAP, order=MAP),
    ),
    "shadow": ("a candidate policy was started beside the active one, stopped, or put in its place", _SHADOW),
    "approval": ("a person signed something; under the name `signers`, who may sign for an account", _APPROVAL),
}
