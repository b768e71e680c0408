"""What policies say and exchanges answered: keys with their proof, waivers, vendors, the policies themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from policykit.clock import iso
from policykit.model import Key
from policykit.model.types import date_ms
from policykit.operate.evidence.package import Table, Unknown
from policykit.operate.evidence.reading import Line, Told
from policykit.policy import EffectivePolicy
from policykit.policy.canonical import dump
from policykit.policy.effective import expired
from policykit.snapshot import KeyReport, Snapshot, belonging, merge

DAY_MS: Final = 86_400_000
Made = tuple[Table, list[Unknown]]


class Sources(NamedTuple):
    """Where a package comes from: policies, snapshots, the journals as they were read."""

    policies: tuple[EffectivePolicy, ...]
    snapshots: tuple[Snapshot, ...]
    told: Told


def keys(sources: Sources) -> Made:
    """Return each key with what its policy allows, what its exchange said of it, and since when that is known."""
    rows, unknown = [], []
    for policy in sources.policies:
        observed = _observed(policy, sources)
        lint = _last(sources.told, "lint", account=policy.account_key, policy=policy.name)
        for name, key in (policy.model.keys or {}).items():
            row, missing = _key(policy, name, key, observed.get(name), lint, sources.told)
            rows.append(row)
            unknown += [Unknown("keys", f"{policy.name}/{name}: {what}", ask) for what, ask in missing]
    return Table("keys", "Keys and what they may do", _KEYS_SAY, _KEYS, tuple(rows)), unknown


_KEYS: Final = (
    *("policy", "account", "key", "environment", "purpose", "scopes", "addresses", "holders", "secret_in"),
    *("rotation_every", "made_at", "age_days", "observed", "lint", "address_proof"),
)
_KEYS_SAY: Final = (
    "One row is one key that a policy names. `scopes` and `addresses` are what the policy allows; `observed` is what "
    "the exchange itself said (from a snapshot), `lint` what `policykit lint --live` found wrong (severity, rule, how "
    "often), each with its time; `address_proof` is when and from which host the key was tried. No secret, and no "
    "place of one, is in this package: `secret_in` names the kind of store."
)


def _key(
    policy: EffectivePolicy, name: str, key: Key, report: KeyReport | None, lint: Line | None, told: Told
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    missing: list[tuple[str, str]] = []
    made_ms = _made(name, key, report, lint)
    proof = _last(told, "address.proof", account=policy.account_key, key=name)
    if report is None:
        words = "what the exchange says that it may do was not observed in the period"
        missing.append((words, "give the package `policykit snapshot` files of the period with --state"))
    else:
        missing += [(f"{field}: {why}", "the exchange cannot tell; look in its page") for field, why in _untold(report)]
    if lint is None or lint.at_ms < told.since_ms:
        missing.append(("`policykit lint --live` did not look at it in the period", "run it where the key lives"))
    if made_ms is None:
        missing.append(("when it was made is not known, so neither is its age", "`declared.created` in the policy"))
    if key.address_proof is not None and proof is None:
        missing.append(("no proof from the address of its host", "policykit doctor, on the host that trades"))
    model = policy.model
    row = {
        "policy": policy.name,
        "account": policy.account_key,
        "key": name,
        "environment": model.environment,
        "purpose": key.purpose,
        "scopes": list(key.scopes or ()),
        "addresses": [{"address": one.address, "why": one.why} for one in key.ip_allowlist or ()],
        "holders": list(key.holders or ()),
        "secret_in": key.secret.partition(":")[0] if key.secret else None,
        "rotation_every": str(key.rotation.every) if key.rotation and key.rotation.every else None,
        "made_at": None if made_ms is None else iso(made_ms),
        "age_days": None if made_ms is None else (told.until_ms - made_ms) // DAY_MS,
        "observed": None if report is None else _report(report),
        "lint": None if lint is None else {**lint.source, "findings": lint.body.get("findings", [])},
        "address_proof": None if proof is None else {**proof.source, "host": proof.body.get("host")},
    }
    return row, missing


def _report(report: KeyReport) -> dict[str, Any]:
    return {
        "at": report.at,
        "endpoint": report.endpoint,
        "may": sorted(scope for scope, said in report.permissions.items() if said == "granted"),
        "may_not": sorted(scope for scope, said in report.permissions.items() if said == "denied"),
        "bound_to_addresses": report.restricted,
        "last_used_at": report.last_used_at,
    }


def _untold(report: KeyReport) -> list[tuple[str, str]]:
    """Return what the exchange did not say of a key, each with why."""
    found = dict(sorted(report.unknown.items()))
    for scope, said in sorted(report.permissions.items()):
        if said == "unknown":
            found.setdefault(f"permissions.{scope}", "the exchange does not say whether it has it")
    if report.restricted == "unknown":
        found.setdefault("ip_allowlist.restricted", "the exchange does not say whether it is bound to addresses")
    return list(found.items())


def _made(name: str, key: Key, report: KeyReport | None, lint: Line | None) -> int | None:
    """Return when a key was made: as the exchange said to a snapshot or to lint, else as a person declared it."""
    if report is not None and report.created_at:
        return date_ms(report.created_at)
    if lint is not None and name in lint.body.get("keys", {}):
        return int(lint.body["keys"][name])
    return date_ms(key.declared.created) if key.declared and key.declared.created else None


def _observed(policy: EffectivePolicy, sources: Sources) -> dict[str, KeyReport]:
    """Return the newest report on each key from snapshots that were taken in the period."""
    since, until = sources.told.since_ms, sources.told.until_ms
    taken = [one for one in sources.snapshots if since <= (date_ms(one.taken_at) or -1) < until]
    account = policy.model.account.name
    fitting = belonging(taken, policy.model.exchange, account, policy.name)
    return {key.name: key for key in merge(fitting).keys} if fitting else {}


def _last(told: Told, kind: str, **body: str) -> Line | None:
    """Return the newest row of a kind whose data says all that."""
    found = (line for line in reversed(told.of(kind)) if all(line.body.get(n) == said for n, said in body.items()))
    return next(found, None)


def waivers(sources: Sources) -> Made:
    """Return every waiver of the policies, in force or expired at the period's end."""
    rows = tuple(
        {
            "policy": policy.name,
            **{name: getattr(waiver, name) for name in ("rule", "at", "owner", "ticket", "reason", "expires")},
            "in_force_at_end": not expired(waiver, sources.told.until_ms),
        }
        for policy in sources.policies
        for waiver in policy.model.waivers
    )
    says = "One row is one finding that a named person accepted, with the reason and the day on which that ends."
    columns = ("policy", "rule", "at", "owner", "ticket", "reason", "expires", "in_force_at_end")
    return Table("waivers", "Accepted findings", says, columns, rows), []


def vendors(sources: Sources) -> Made:
    """Return each third party that holds a key: what it answered, and when it was last asked."""
    rows, unknown = [], []
    for policy in sources.policies:
        for name, vendor in (policy.model.vendors or {}).items():
            review = _last(sources.told, "review", name=f"vendor:{name}")
            rows.append(
                {
                    "policy": policy.name,
                    "vendor": name,
                    "says": dump(vendor),
                    "review": None if review is None else _review(review),
                }
            )
            what = _unreviewed(review)
            if what:
                words = f"{policy.name}/{name}: {what}"
                unknown.append(Unknown("vendors", words, f"policykit vendor review {name}"))
    says = "One row is a third party that holds a key: its answers as the policy has them, and its newest review."
    return Table("vendors", "Third parties", says, ("policy", "vendor", "says", "review"), tuple(rows)), unknown


def _review(review: Line) -> dict[str, Any]:
    return {**review.source, "by": review.body.get("by"), "result": review.body.get("result")}


def _unreviewed(review: Line | None) -> str:
    """Say what keeps a review of a vendor from being a proof; empty: nothing. Whether it is due again lint says."""
    if review is None:
        return "the journal has no review of it"
    result = review.body.get("result")
    return "" if result == "passed" else f"its newest review says {result or 'no result'}"


def in_force(sources: Sources) -> Made:
    """Return which versions of policies guards ran, from when to when."""
    groups: dict[tuple[str, ...], list[Line]] = {}
    names = ("account", "name", "version", "stage", "mode", "environment")
    for line in sources.told.of("policy"):
        groups.setdefault(tuple(str(line.body.get(name, "")) for name in names), []).append(line)
    rows = tuple(
        {
            **dict(zip(names, group, strict=True)),
            "first_at": iso(lines[0].at_ms),
            "last_at": iso(lines[-1].at_ms),
            "starts": sum(1 for line in lines if line.at_ms >= sources.told.since_ms),
            **{name: lines[-1].source[name] for name in ("row", "hash", "file")},
        }
        for group, lines in groups.items()
    )
    return Table("policies", "Policies in force", _IN_FORCE_SAYS, _IN_FORCE, rows), _not_in_hand(sources, groups)


_IN_FORCE: Final = (
    *("account", "name", "version", "stage", "mode", "environment", "first_at", "last_at", "starts"),
    *("row", "hash", "file"),
)
_IN_FORCE_SAYS: Final = (
    "One row is one version of a policy that bots ran: when a guard first and last took it up, and how often in the "
    "period. The version is a hash over the whole policy; the texts are in `policies/`."
)


def _not_in_hand(sources: Sources, groups: dict[tuple[str, ...], list[Line]]) -> list[Unknown]:
    """Say which versions ran of which the package has no text, and which policies never ran."""
    given = {(policy.name, policy.version) for policy in sources.policies}
    ran = {(group[1], group[2]) for group, lines in groups.items() if lines[-1].at_ms >= sources.told.since_ms}
    unknown = [
        Unknown("policies", f"{name} ran as version {version}, whose text is not here", "find it in the repository")
        for name, version in sorted(ran - given)
    ]
    idle = sorted({name for name, _ in given} - {name for name, _ in ran})
    words = "no guard took it up in the period, by this journal"
    return [*unknown, *(Unknown("policies", f"{name}: {words}", "ask on which host it runs") for name in idle)]


def texts(policies: Sequence[EffectivePolicy]) -> dict[str, dict[str, Any]]:
    """Return each effective policy as JSON has it, by file name; of a secret's reference only the kind of store."""
    found: dict[str, dict[str, Any]] = {}
    for policy in policies:
        plain = _without_places(dump(policy.model))
        found[f"{policy.name}.{policy.version.removeprefix('sha256:')}.json"] = plain
    return found


def _without_places(value: Any) -> Any:
    """Return data in which a reference to a secret says only which kind of store holds it."""
    if isinstance(value, list):
        return [_without_places(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _without_places(inner) for name, inner in value.items()}
    if isinstance(plain.get("secret"), str):
        plain["secret"] = f"{plain['secret'].partition(':')[0]}:"
    return plain
