"""Open a real policy in the YAML language server, as an editor does, and look at what it offers and marks.

The server finds the schema by the policy's first line, `# yaml-language-server: $schema=...`.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from typing import Any

from npm import TOOLS, TOP, ToolsMissing, install

SERVER = TOOLS / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
POLICY = TOP / "policies" / "binance-market-maker.yaml"
SECONDS = 30
MAX_MESSAGES = 200
SETTINGS = {"yaml": {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}}


class Client:
    """The editor's half of the protocol, over the server's standard input and output."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["node", str(SERVER), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.number = 0
        self.messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        stream = self.process.stdout
        while stream is not None:
            length = 0
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            if length == 0:
                self.messages.put(None)
                return
            self.messages.put(json.loads(stream.read(length)))

    def send(self, method: str, params: Any, *, asks: bool = False) -> int:
        """Send a notification, or a request; return the number of the request."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if asks:
            self.number += 1
            message["id"] = self.number
        self._write(message)
        return self.number

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def ask(self, method: str, params: Any) -> Any:
        """Send a request and return its result; answer what the server asks meanwhile."""
        number = self.send(method, params, asks=True)
        return self._until(lambda m: m.get("id") == number and "method" not in m).get("result")

    def diagnostics(self) -> list[dict[str, Any]]:
        """Return the next marks of the server."""
        found = self._until(lambda m: m.get("method") == "textDocument/publishDiagnostics")
        return list(found["params"]["diagnostics"])

    def _until(self, wanted: Any) -> dict[str, Any]:
        for _ in range(MAX_MESSAGES):
            message = self.messages.get(timeout=SECONDS)
            if message is None:
                raise RuntimeError("the language server ended")
            if "method" in message and "id" in message:  # the server asks
                known = [SETTINGS.get(i.get("section")) for i in (message["params"] or {}).get("items", [])]
                self._write({"jsonrpc": "2.0", "id": message["id"], "result": known or None})
            elif wanted(message):
                return message
        raise RuntimeError("the language server does not answer")

    def close(self) -> None:
        """End the server."""
        self.process.kill()
        self.process.wait()


def marks(client: Client, text: str, version: int) -> list[str]:
    """Return what the server marks in a text: `LINE:COLUMN message`, counted from 1."""
    document = {"uri": POLICY.as_uri(), "version": version}
    client.send("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})
    return [
        f"{d['range']['start']['line'] + 1}:{d['range']['start']['character'] + 1} {d['message']}"
        for d in client.diagnostics()
    ]


def at(text: str, line: int, column: int) -> dict[str, Any]:
    """Return the place of a request, counted from 1."""
    return {"textDocument": {"uri": POLICY.as_uri()}, "position": {"line": line - 1, "character": column - 1}}


def look(client: Client) -> list[str]:
    """Return what is not as an editor's user expects."""
    text = POLICY.read_text(encoding="utf-8")
    lines = text.splitlines()
    risk = lines.index("risk:") + 1
    wrong: list[str] = []

    def expect(what: str, *, found: Any, right: bool) -> None:
        print(f"editor: {what}: {'yes' if right else f'NO: {found}'}")
        wrong.extend([] if right else [what])

    client.ask("initialize", {"processId": None, "rootUri": TOP.as_uri(), "capabilities": {}})
    client.send("initialized", {})
    client.send("workspace/didChangeConfiguration", {"settings": SETTINGS})
    opened = {"uri": POLICY.as_uri(), "languageId": "yaml", "version": 1, "text": text}
    client.send("textDocument/didOpen", {"textDocument": opened})
    first = client.diagnostics()
    expect("the policy as it stands has no mark", found=first, right=not first)

    taken = [line for line in lines if line.startswith("  max_o")]
    typed = "\n".join(["  " if line in taken[:1] else line for line in lines if line not in taken[1:]])
    marks(client, typed, 2)
    offered = client.ask("textDocument/completion", at(typed, lines.index(taken[0]) + 1, 3)) or {}
    labels = {item["label"] for item in (offered["items"] if isinstance(offered, dict) else offered)}
    caps = {line.strip().partition(":")[0] for line in taken}
    expect(f"what is missing under `risk:` is offered ({', '.join(sorted(caps))})", found=labels, right=caps <= labels)

    broken = text.replace("max_order_notional", "max_order_notionl", 1)
    line = next(n for n, said in enumerate(broken.splitlines(), 1) if "max_order_notionl" in said)
    found = marks(client, broken, 3)
    expect(
        f"a wrong key is marked at {line}:3",
        found=found,
        right=len(found) == 1 and found[0].startswith(f"{line}:3 ") and "max_order_notionl" in found[0],
    )
    hovered = client.ask("textDocument/hover", at(broken, risk, 2)) or {}
    expect("a field's documentation is shown", found=hovered, right=bool(hovered.get("contents")))
    return wrong


def main() -> int:
    """Look; 0 when all is as expected."""
    try:
        install()
    except ToolsMissing as error:
        print(f"editor: {error}", file=sys.stderr)
        return 1
    client = Client()
    try:
        return 1 if look(client) else 0
    finally:
        client.close()


if __name__ == "__main__":
    sys.exit(main())
