"""Make the tables of a package anew from its journals: a row says what the journal says, and none is left out.

`alone` holds that each cited row is there; whoever writes a package and its manifest anew can still change what stands
beside the citation, leave a row out, or add one that cites nothing. That is seen here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import datetime

from policykit.operate.evidence import of_journal, of_policies
from policykit.operate.evidence.of_policies import Sources
from policykit.operate.evidence.package import limited
from policykit.operate.evidence.reading import read
from policykit.redact import texts
from policykit.store.reader import JournalReader


def problems(files: Mapping[str, bytes], journals: Sequence[str]) -> list[str] | None:
    """Tell which tables say something else than the journals; None: a journal was pruned since, nothing is comparable.

    What is from policies and snapshots (keys, waivers, vendors) stands in no journal. Raise ValueError, KeyError,
    TypeError.
    """
    said = json.loads(files["journal/anchor.json"])
    since_ms, until_ms = (round(datetime.fromisoformat(said[name]).timestamp() * 1000) for name in ("since", "until"))
    with ExitStack() as opened:
        readers = [opened.enter_context(closing(JournalReader(path))) for path in journals]
        for reader, span in zip(readers, said["journals"], strict=True):
            base = reader.base()
            if (base.seq if base.row else 0) != span["pruned_through"]:
                return None
        told = read(readers, since_ms, until_ms, [int(span["last"]) for span in said["journals"]])
    sources = Sources((), (), told)
    made = [of_journal.listed(one, sources) for one in of_journal.LISTED]
    made += [of_policies.in_force(sources), *(count(sources) for count in of_journal.COUNTED)]
    wrong = []
    for whole, _ in made:
        table = limited(whole)[0]
        name = f"data/{table.name}.json"
        if json.loads(files[name])["rows"] != json.loads(json.dumps(texts(list(table.rows)))):
            wrong.append(f"{name}: says something else than the journal")
    return wrong
