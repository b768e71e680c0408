"""Which tables an auditor of SOC 2, ISO/IEC 27001 or RTS 6 looks at for which clause.

Sources, titles read on 2026-11-22:
- SOC 2: AICPA, TSP Section 100, "2017 Trust Services Criteria (With Revised Points of Focus - 2022)".
- ISO/IEC 27001:2022, Annex A (normative), titles of the controls.
- RTS 6: Commission Delegated Regulation (EU) 2017/589 of 19 July 2016, titles of the articles (EUR-Lex 32017R0589).
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Clause(NamedTuple):
    """One clause: what it is about, in our words or by its title; the tables to look at; what they do not show."""

    standard: str
    clause: str
    about: str
    tables: tuple[str, ...]
    beyond: str


SOURCES: Final = {
    "SOC 2": "AICPA, TSP Section 100, 2017 Trust Services Criteria (with revised points of focus, 2022)",
    "ISO 27001": "ISO/IEC 27001:2022, Annex A",
    "RTS 6": "Commission Delegated Regulation (EU) 2017/589 of 19 July 2016 (EUR-Lex 32017R0589)",
}

_SOC, _ISO, _RTS = SOURCES

CLAUSES: Final = (
    Clause(_SOC, "CC4.1", "whether controls are present and work is evaluated", ("reviews", "drills", "keys"), ""),
    Clause(_SOC, "CC6.1", "logical access is restricted", ("keys", "policies"), "access to hosts and secrets managers"),
    Clause(
        _SOC, "CC6.2", "credentials are registered, authorised, and removed", ("keys", "rotations"), "staff records"
    ),
    Clause(_SOC, "CC6.3", "least privilege and segregation of duties", ("keys", "approvals", "waivers"), ""),
    Clause(_SOC, "CC6.6", "protection against threats from outside", ("keys",), "networks of the hosts"),
    Clause(_SOC, "CC7.2", "anomalies are monitored", ("halts", "reconciliations", "messages"), "hosts and networks"),
    Clause(_SOC, "CC7.3", "security events are evaluated", ("incidents", "exposed", "reviews"), ""),
    Clause(_SOC, "CC7.4", "incidents are responded to", ("incidents", "drills", "halts"), "communication with clients"),
    Clause(_SOC, "CC7.5", "recovery from incidents", ("incidents", "rotations", "resolved"), "restoring of hosts"),
    Clause(
        _SOC,
        "CC8.1",
        "changes are authorised, tested, approved",
        ("approvals", "candidates", "stages", "refused"),
        "code changes",
    ),
    Clause(_SOC, "CC9.2", "risk of vendors is managed", ("vendors", "reviews"), "contracts"),
    Clause(_ISO, "A.5.3", "Segregation of duties", ("approvals", "stages"), ""),
    Clause(_ISO, "A.5.15", "Access control", ("keys", "policies"), "access to hosts"),
    Clause(_ISO, "A.5.17", "Authentication information", ("keys", "rotations", "exposed"), "passwords of persons"),
    Clause(_ISO, "A.5.18", "Access rights", ("keys", "rotations"), "staff records"),
    Clause(_ISO, "A.5.19", "Information security in supplier relationships", ("vendors",), "contracts"),
    Clause(_ISO, "A.5.22", "Monitoring, review and change management of supplier services", ("vendors", "reviews"), ""),
    Clause(
        _ISO,
        "A.5.24",
        "Information security incident management planning and preparation",
        ("drills",),
        "the plan itself: docs/runbook.md, contacts in `policies/`",
    ),
    Clause(_ISO, "A.5.26", "Response to information security incidents", ("incidents", "halts"), ""),
    Clause(_ISO, "A.5.27", "Learning from information security incidents", ("incidents", "reviews"), "what was learnt"),
    Clause(_ISO, "A.5.28", "Collection of evidence", ("incidents",), "evidence of hosts; the anchor below"),
    Clause(_ISO, "A.5.33", "Protection of records", ("pruned",), "backups; the anchor below"),
    Clause(_ISO, "A.8.9", "Configuration management", ("policies", "refused", "waivers"), ""),
    Clause(_ISO, "A.8.15", "Logging", ("decisions", "pruned"), "the log itself: the journal"),
    Clause(_ISO, "A.8.16", "Monitoring activities", ("messages", "reconciliations", "halts"), ""),
    Clause(_ISO, "A.8.31", "Separation of development, test and production environments", ("stages", "policies"), ""),
    Clause(_ISO, "A.8.32", "Change management", ("approvals", "policies", "refused"), "code changes"),
    Clause(_RTS, "Art. 4", "IT outsourcing and procurement", ("vendors",), "contracts"),
    Clause(_RTS, "Art. 5", "General methodology (of testing)", ("stages", "policies"), "tests of the strategy's code"),
    Clause(_RTS, "Art. 7", "Testing environments", ("stages", "candidates"), ""),
    Clause(_RTS, "Art. 8", "Controlled deployment of algorithms", ("stages", "approvals", "policies"), ""),
    Clause(_RTS, "Art. 9", "Annual self-assessment and validation", ("reviews",), "the assessment itself"),
    Clause(_RTS, "Art. 11", "Management of material changes", ("approvals", "policies", "refused"), "code changes"),
    Clause(_RTS, "Art. 12", "Kill functionality", ("drills", "halts"), "venues where no key of these policies trades"),
    Clause(_RTS, "Art. 15", "Pre-trade controls on order entry", ("decisions", "policies"), ""),
    Clause(_RTS, "Art. 16", "Real-time monitoring", ("messages", "halts"), "who watched, and when"),
    Clause(_RTS, "Art. 17", "Post-trade controls", ("reconciliations", "resolved"), "limits of credit"),
    Clause(_RTS, "Art. 18", "Security and limits to access", ("keys", "rotations", "incidents"), "penetration tests"),
)
