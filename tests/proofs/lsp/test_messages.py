"""The same server, message by message in this process: every kind of message has its answer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from policykit.proofs.lsp.server import PolicyServer, _within
from policykit.sim import SimClock
from tests.proofs.lsp.desks import CHILD, PARENT


class Wire:
    """What the server writes, message by message."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        self.said.append(json.loads(data.partition(b"\r\n\r\n")[2]))

    def close(self) -> None:
        return None


def send(server: PolicyServer, method: str, params: Any, *, asks: bool = True) -> None:
    """Hand one message to the server."""
    message = {"jsonrpc": "2.0", "method": method, "params": params, **({"id": method} if asks else {})}
    structured = json.loads(json.dumps(message), object_hook=server.protocol.structure_message)
    server.protocol.handle_message(structured)


async def test_every_message_has_its_answer(tmp_path: Path) -> None:
    """One session with an editor that takes nothing but plain text and edits at once."""
    (tmp_path / "base.yaml").write_text(PARENT)
    uri, wire = (tmp_path / "mm.yaml").as_uri(), Wire()
    server = PolicyServer(SimClock(), os.getppid())
    server.protocol.set_writer(wire)

    def answer(method: str, params: Any) -> Any:
        send(server, method, params)
        (said,) = [one for one in wire.said if one.get("id") == method and "method" not in one]
        wire.said.clear()
        return said.get("result", said.get("error"))

    show = {"window": {"showDocument": {"support": True}}}
    options = {"capabilities": show, "processId": None, "rootUri": tmp_path.as_uri(), "initializationOptions": {}}
    assert answer("initialize", options)["capabilities"]["positionEncoding"] == "utf-16"
    document = {"uri": uri, "languageId": "yaml", "version": 1, "text": CHILD}
    send(server, "textDocument/didOpen", {"textDocument": document}, asks=False)
    server.judge_due()
    (told,) = [one["params"] for one in wire.said if one["method"] == "textDocument/publishDiagnostics"]
    assert "PK603" in [mark["code"] for mark in told["diagnostics"]]
    here = {"textDocument": {"uri": uri}, "position": {"line": 13, "character": 4}}
    hover = answer("textDocument/hover", here)
    assert hover["contents"]["kind"] == "plaintext"
    assert hover["contents"]["value"].startswith("risk.max_order_notional (cap;")
    assert answer("textDocument/definition", here)[0]["uri"] == (tmp_path / "base.yaml").as_uri()
    assert answer("textDocument/completion", here)
    assert answer("textDocument/documentSymbol", {"textDocument": {"uri": uri}})[0]["name"] == "policykit"
    cap = {"start": {"line": 13, "character": 22}, "end": {"line": 13, "character": 23}}
    asked = {"textDocument": {"uri": uri}, "range": cap, "context": {"diagnostics": [], "only": ["quickfix"]}}
    actions = answer("textDocument/codeAction", asked)
    assert actions[0]["edit"]["changes"][uri][0]["newText"] == "2"
    assert actions[-1]["command"] == "policykit.explain"
    shown = {"command": "policykit.explain", "arguments": ["PK603"]}
    send(server, "workspace/executeCommand", shown)
    assert [one for one in wire.said if one.get("method") == "window/showDocument"]
    wire.said.clear()
    assert "please report it" not in str(answer("workspace/executeCommand", {**shown, "arguments": ["x y"]}))
    change = {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": "policykit: 1\n"}]}
    send(server, "textDocument/didChange", change, asks=False)
    send(server, "textDocument/didSave", {"textDocument": {"uri": uri}}, asks=False)
    send(server, "workspace/didChangeWatchedFiles", {"changes": []}, asks=False)
    send(server, "workspace/didChangeConfiguration", {"settings": {"policykit": {"snapshots": ["x"]}}}, asks=False)
    assert "changed meanwhile" in answer("codeAction/resolve", actions[0])["disabled"]["reason"]
    send(server, "textDocument/didClose", {"textDocument": {"uri": uri}}, asks=False)
    assert wire.said[-1]["params"]["diagnostics"] == []
    assert answer("textDocument/hover", here) is None
    server.desk.put = None  # type: ignore[assignment,method-assign]
    send(server, "textDocument/didOpen", {"textDocument": document}, asks=False)
    assert wire.said[-1]["method"] == "window/logMessage"
    answer("shutdown", None)
    assert server.leave() == 0


def test_kinds_of_actions() -> None:
    """`source.fixAll` is of `source`, and not of `source.fix`."""
    assert _within("source.fixAll", "source")
    assert not _within("source.fixAll", "source.fix")
