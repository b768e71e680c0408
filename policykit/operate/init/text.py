"""Write a draft as the files that `policykit init` makes."""

from __future__ import annotations

from typing import Final

from policykit.operate.init.draft import CHECK, Draft, Said

#: Where comments behind values begin.
COLUMN: Final = 56
#: How much of an allowance is used, and kept for cancels and exits, where the draft does not say (G23, G25).
SHARES: Final = "use_at_most: 80%, keep_for_exits: 10%"

#: How long a stage lasts at least (G41).
DAYS: Final = {"sandbox": 7, "paper": 14, "micro-live": 7, "small-live": 14, "full-live": 30}

GITHUB: Final = """\
# Lints and tests the policies in every pull request, and once a week: keys grow old, waivers expire without a commit.
name: policykit
on:
  pull_request:
  push:
    branches: [main]
  schedule:
    - cron: "0 6 * * 1"
permissions:
  contents: read
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - run: pip install policykit-trading
      - run: policykit lint policies --format github
      - run: policykit test policies
"""

GITLAB: Final = """\
# Lints and tests the policies in every merge request. In .gitlab-ci.yml:  include: {local: .gitlab/policykit.yml}
# Give it a weekly pipeline schedule as well: keys grow old and waivers expire without a commit.
policykit:
  image: python:3.13-slim
  script:
    - pip install --quiet policykit-trading
    - policykit lint policies --format gitlab --output gl-code-quality-report.json
    - policykit test policies --format junit --output policy-tests.xml
  artifacts:
    when: always
    reports:
      codequality: gl-code-quality-report.json
      junit: policy-tests.xml
"""


def policy(draft: Draft) -> str:
    """Return the policy's text."""
    parts = (_head(draft), _account(draft), _keys(draft), _rate(draft), _risk(draft), _rest(draft))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _line(text: str, why: str = "") -> str:
    return f"{text.ljust(COLUMN)}  # {why}" if why else text


def _value(key: str, said: Said, wrap: str = "{}") -> str:
    return _line(f"{key}: {wrap.format(said.value)}", said.why)


def _head(draft: Draft) -> list[str]:
    made = f", {draft.source}" if draft.source else ""
    return [
        f"# A starter policy for {draft.exchange}, made by `policykit init` on {draft.today}{made}.",
        f"# `{CHECK}` marks what was guessed: look at it, put it right, take the mark away. Figures without a mark are",
        "# the guide's (`policykit explain G33` says which rules ask for one); stricter is always fine.",
        "# `policykit lint` says what is still missing: what only you can know is left out here.",
        "policykit: 1",
        f"name: {draft.name}",
        _line(f"owner: {draft.owner}", f"{CHECK} who answers for it, a person or a team"),
    ]


def _account(draft: Draft) -> list[str]:
    mode = _line("  position_mode: one_way", f"{CHECK} hedge, if the account is set so")
    return [
        f"exchange: {draft.exchange}",
        "account:",
        _value("  name", draft.account),
        _value("  currency", draft.currency),
        *([mode] if ":" in draft.symbols.value else []),
        _line("  egress: host-1", f"{CHECK} a name for the address; bots behind it share its rate budgets (G25)"),
        _line("  max_age: 10s", "older equity and positions allow no increase"),
        _value("environment", draft.environment),
        _line("store: {share: host}", "all bots of this host count together"),
    ]


def _keys(draft: Draft) -> list[str]:
    variables = " and ".join(f"{draft.prefix}_{name}" for name in draft.credentials) or f"{draft.prefix}_..."
    return [
        "keys:",
        f"  {draft.name}-bot:",
        _value("    purpose", draft.purpose),
        f"    # Read from {variables}.",
        "    # Better: vault://mount/path, aws-sm://name, azure-kv://vault/name or keyring://service/user (G14).",
        f"    secret: env://{draft.prefix}",
        _value("    scopes", draft.scopes),
        "    # The static address of the host that trades, as at the exchange; take the marks away (G09, G12):",
        "    # ip_allowlist:",
        '    #   - {address: ADDRESS, why: "WHAT IT IS"}',
        _line("    rotation: {every: 90d, warn_before: 14d, delete_old_within: 24h}", "G19, G20"),
        _line(f"    holders: [{draft.owner}]", f"{CHECK} who can read the secret (G19)"),
    ]


def _rate(draft: Draft) -> list[str]:
    lines = [_line("clock: {max_skew: 1s, request_validity: 5s}", "G03"), "", "rate_budgets:"]
    for budget in draft.budgets:
        lines += [_line(f"  {budget.name}:", budget.why), f"    {{{budget.value}, {SHARES}}}"]
    return lines


def _risk(draft: Draft) -> list[str]:
    return [
        "risk:",
        _value("  symbols", draft.symbols),
        _value("  order_types", draft.order_types),
        _value("  max_order_notional", draft.max_order),
        _value("  max_position_notional", draft.max_position),
        *_leverage(draft),
        _value("  max_open_orders", draft.max_open_orders),
        _value("  max_orders", draft.max_orders, "{{limit: {}, per: 1m}}"),
        _value("  price_collar", draft.collar, "{{max_deviation: {}, reference: mark, max_age: 5s}}"),
        _value("  daily_loss", draft.daily_loss, "{{limit: {}, on_breach: reduce_only}}"),
    ]


def _leverage(draft: Draft) -> list[str]:
    if draft.max_leverage is not None:
        return [_value("  max_leverage", draft.max_leverage)]
    if ":" not in draft.symbols.value:
        return []
    return [
        "  # max_leverage: 2  # check: what is set at the exchange; more, or unknown, denies increases (G01)",
    ]


def _rest(draft: Draft) -> list[str]:
    owner, today = draft.owner, draft.today
    return [
        "retry:",
        _value("  orders", draft.resend),
        _line("  data: {wait_initial: 500ms, factor: 2, wait_max: 30s, jitter: full, attempts: 4}", "G27"),
        "",
        _line(f"kill_switch: {{cancel: entries, wait: 30s, rearm: {{by: [{owner}]}}, drill_every: 90d}}", "G37"),
        _line("reconciliation: {on_start: required}", "G30"),
        "stage:",
        _value("  current", draft.stage),
        f"  since: {today}",
        *([_line("  evidence: external", draft.evidence)] if draft.evidence else []),
        _line(
            f"  next_needs: {{days: {DAYS[draft.stage.value]}, denials_reviewed: true, approver: {owner}}}",
            "what it takes to leave it (G41)",
        ),
        _line("withdrawals: {allowlist: required, addresses: []}", f"{CHECK} switch it on at the exchange (G42, G44)"),
        "# Look first, then say so (G43):",
        f"# account_security: {{second_factor: hardware_key, by: {owner}, at: {today}}}",
        _line(
            f"incident: {{contacts: [{owner}]}}", f"{CHECK} who is called; then runbook: the page that they open (G42)"
        ),
    ]
