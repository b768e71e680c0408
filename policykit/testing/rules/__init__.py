"""For rules of other packages: the examples in a rule's docstring are its tests, as they are for ours.

    from policykit.testing.rules import examples_hold
    import acme_rules.ticket

    def test_ticket():
        examples_hold(acme_rules.ticket)

An example is a part of a policy (```yaml), a snapshot (```json), Python (```python) or settings (```settings NAME);
what is not said is taken from `policy.yaml` and `snapshot.json` beside this file. Under a bad one stands,
as ```finding, what the rule must find: status, confidence, place, message.
"""

from __future__ import annotations

from types import ModuleType

from policykit.rules import Entry
from policykit.testing.rules.examples import HEADINGS, examples, fences, run, sections, written

__all__ = ["examples_hold"]


def examples_hold(module: ModuleType) -> None:
    """Run every example of a rule's docstring; AssertionError for the first that does not hold, and for a docstring
    without the five headings, a bad and a good example, or with a broken fence.
    """
    entry = Entry(module.RULE, module.check, module.__doc__ or "")
    code = entry.rule.code
    if list(sections(entry.doc)) != HEADINGS:
        raise AssertionError(f"{code}: the docstring's headings are {', '.join(HEADINGS)}, in this order")
    opened, closed = fences(entry.doc)
    if opened != closed:
        raise AssertionError(f"{code}: {opened} fences are opened and {closed} closed")
    for heading in ("Bad", "Good"):
        found = examples(entry.doc, heading)
        if not found:
            raise AssertionError(f"{code}: no example under {heading}")
        for example in found:
            if (heading == "Bad") is not bool(example.findings):
                raise AssertionError(f"{code}: an example under {heading} with {len(example.findings)} findings")
            finds, expected = [written(finding) for finding in run(entry, example)], list(example.findings)
            if finds != expected:
                raise AssertionError(f"{code}: {example.text}\nfinds {finds}\nnot   {expected}")
