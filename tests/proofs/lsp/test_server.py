"""The server as an editor meets it: a real client over standard input and output, each feature once."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from lsprotocol import types as lsp
from pytest_lsp import LanguageClient, make_test_lsp_client

from policykit.proofs.lsp.text import Text
from policykit.source.edits import Change, apply
from tests.proofs.lsp.desks import CHILD, PARENT, TOP

COMMAND = [sys.executable, "-m", "policykit.cli", "lsp", "--stdio"]
SHARED = pytest.mark.asyncio(loop_scope="module")
RICH = lsp.ClientCapabilities(
    text_document=lsp.TextDocumentClientCapabilities(
        completion=lsp.CompletionClientCapabilities(
            completion_item=lsp.ClientCompletionItemOptions(
                snippet_support=True, documentation_format=[lsp.MarkupKind.Markdown]
            )
        ),
        code_action=lsp.CodeActionClientCapabilities(
            resolve_support=lsp.ClientCodeActionResolveOptions(properties=["edit"])
        ),
        hover=lsp.HoverClientCapabilities(content_format=[lsp.MarkupKind.Markdown]),
    ),
    window=lsp.WindowClientCapabilities(show_document=lsp.ShowDocumentClientCapabilities(support=True)),
    workspace=lsp.WorkspaceClientCapabilities(
        workspace_edit=lsp.WorkspaceEditClientCapabilities(document_changes=True)
    ),
)


class Editor:
    """One editor with its server, and what it was told, in order."""

    def __init__(self, client: LanguageClient, folder: Path) -> None:
        self.client = client
        self.folder = folder
        self.versions: dict[str, int] = {}
        self.published: list[tuple[str, int | None, list[lsp.Diagnostic]]] = []
        self.told: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()

    @classmethod
    async def start(cls, folder: Path, capabilities: lsp.ClientCapabilities, **options: Any) -> Editor:
        """Start a server and say hello to it."""
        (folder / "base.yaml").write_text(PARENT, encoding="utf-8")
        client = make_test_lsp_client()
        self = cls(client, folder)
        # Every word of the server is kept: two may come between two looks.
        client.protocol.fm.features[lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS] = self.told.put_nowait
        await client.start_io(*COMMAND)
        params = lsp.InitializeParams(capabilities=capabilities, root_uri=folder.as_uri(), **options)
        self.hello = await client.initialize_session(params)
        return self

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def open(self, name: str, text: str) -> None:
        self.versions[name] = 1
        item = lsp.TextDocumentItem(self.uri(name), "yaml", 1, text)
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))

    def change(self, name: str, text: str) -> int:
        self.versions[name] += 1
        document = lsp.VersionedTextDocumentIdentifier(version=self.versions[name], uri=self.uri(name))
        whole = lsp.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [whole]))
        return self.versions[name]

    def close(self, name: str) -> None:
        document = lsp.TextDocumentIdentifier(self.uri(name))
        self.client.text_document_did_close(lsp.DidCloseTextDocumentParams(document))

    async def marks(self, name: str, version: int | None = 1) -> list[lsp.Diagnostic]:
        """Return the marks of a version of a file, once they are there."""
        while True:
            told = await asyncio.wait_for(self.told.get(), 60)
            self.published.append((told.uri, told.version, list(told.diagnostics)))
            if told.uri == self.uri(name) and told.version == version:
                return list(told.diagnostics)

    def at(self, name: str, text: str, word: str, encoding: Any = "utf-16") -> dict[str, Any]:
        position = lsp.Position(*Text(text).position(text.index(word) + 1, encoding))
        return {"text_document": lsp.TextDocumentIdentifier(self.uri(name)), "position": position}

    async def actions(self, name: str, found: lsp.Range) -> list[lsp.CodeAction]:
        document = lsp.TextDocumentIdentifier(self.uri(name))
        params = lsp.CodeActionParams(document, found, lsp.CodeActionContext([]))
        listed = await self.client.text_document_code_action_async(params)
        return [action for action in listed or [] if isinstance(action, lsp.CodeAction)]


def applied(text: str, edits: Any, encoding: Any = "utf-16") -> str:
    """Make an editor's edits of a text."""
    made = Text(text)

    def offset(at: lsp.Position) -> int:
        return made.offset(at.line, at.character, encoding)

    return apply(text, [Change(offset(e.range.start), offset(e.range.end), e.new_text) for e in edits])


Start = Callable[..., Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    """One server for all that is asked of one: each test has a folder of its own."""
    editor = await Editor.start(tmp_path_factory.mktemp("editor"), RICH)
    yield editor
    await editor.client.shutdown_session()
    await editor.client.stop()


@pytest.fixture
def editor(served: Editor, request: pytest.FixtureRequest) -> Iterator[Editor]:
    """The same editor in a new folder, with nothing open."""
    folder, served.folder = served.folder, served.folder / request.node.name
    served.folder.mkdir()
    (served.folder / "base.yaml").write_text(PARENT, encoding="utf-8")
    served.versions, served.published = {}, []
    yield served
    for name in served.versions:
        served.close(name)
    served.folder = folder


@pytest_asyncio.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start editors, and end those that are still there."""
    editors: list[Editor] = []

    async def begin(capabilities: lsp.ClientCapabilities = RICH, **options: Any) -> Editor:
        editors.append(await Editor.start(tmp_path, capabilities, **options))
        return editors[-1]

    yield begin
    for editor in editors:
        if editor.client._server is not None and editor.client._server.returncode is None:
            await editor.client.shutdown_session()
        await editor.client.stop()


@SHARED
async def test_findings_and_a_fix(editor: Editor) -> None:
    """A finding comes as the file is opened; its fix takes it away; the marks go with the file."""
    editor.open("mm.yaml", CHILD)
    marks = await editor.marks("mm.yaml")
    (cap,) = [mark for mark in marks if mark.code == "PK603"]
    assert (cap.range.start, cap.range.end) == (lsp.Position(13, 22), lsp.Position(13, 34))
    assert (cap.source, cap.severity) == ("policykit", lsp.DiagnosticSeverity.Warning)
    listed = await editor.actions("mm.yaml", cap.range)
    assert [action.title for action in listed] == [
        "PK603: lower the cap",
        "policykit: fix all that is safe in this file",
        "PK603: waive this finding (owner, reason and date to fill in)",
    ]
    assert [action.is_preferred for action in listed] == [True, None, None]
    assert listed[0].edit is None
    done = await editor.client.code_action_resolve_async(listed[0])
    assert done.edit is not None
    assert done.edit.document_changes is not None
    (change,) = done.edit.document_changes
    assert isinstance(change, lsp.TextDocumentEdit)
    assert (change.text_document.uri, change.text_document.version) == (editor.uri("mm.yaml"), 1)
    text = applied(CHILD, change.edits)
    assert text == CHILD.replace("4% of equity", "2% of equity")
    version = editor.change("mm.yaml", text)
    after = await editor.marks("mm.yaml", version)
    assert [mark.code for mark in after] == [mark.code for mark in marks if mark.code != "PK603"]
    stale = await editor.client.code_action_resolve_async(listed[0])
    assert stale.disabled is not None
    assert stale.disabled.reason == "the text has changed meanwhile"
    editor.close("mm.yaml")
    assert await editor.marks("mm.yaml", None) == []


async def test_the_words_of_a_rule_are_shown(start: Start) -> None:
    """Where the editor can show a document a rule is explained in one; it goes with the server, which ends with 0."""
    editor = await start(process_id=os.getpid())
    editor.open("mm.yaml", CHILD)
    marks = await editor.marks("mm.yaml")
    document = lsp.TextDocumentIdentifier(editor.uri("mm.yaml"))
    listed = await editor.client.text_document_code_action_async(
        lsp.CodeActionParams(document, marks[0].range, lsp.CodeActionContext([]))
    )
    explain = next(one for one in listed or [] if isinstance(one, lsp.Command))
    assert explain.title.startswith(f"explain {marks[0].code} ")
    params = lsp.ExecuteCommandParams(explain.command, explain.arguments)
    answer = await editor.client.workspace_execute_command_async(params)
    assert str(answer).startswith(f"{marks[0].code} ")
    page = Path(editor.client.shown_documents[0].uri.removeprefix("file://"))
    assert page.read_text(encoding="utf-8") == answer  # noqa: ASYNC240  # a small file of this machine
    server = editor.client._server
    assert server is not None
    await editor.client.shutdown_session()
    assert await asyncio.wait_for(server.wait(), 60) == 0
    assert not page.exists()  # noqa: ASYNC240  # as above


@SHARED
async def test_hover_completion_definition_outline(editor: Editor) -> None:
    """What is asked of a place is answered for the text as it is open, of the extended file too."""
    client = editor.client
    editor.open("mm.yaml", CHILD)
    hover = await client.text_document_hover_async(lsp.HoverParams(**editor.at("mm.yaml", CHILD, "max_order_notional")))
    assert isinstance(hover.contents, lsp.MarkupContent)
    assert "- in force: `4% of equity` (line 14)" in hover.contents.value
    assert hover.range == lsp.Range(lsp.Position(13, 2), lsp.Position(13, 20))
    editor.open("base.yaml", f"# unsaved\n{PARENT}")
    found = await client.text_document_definition_async(
        lsp.DefinitionParams(**editor.at("mm.yaml", CHILD, "max_order_notional"))
    )
    assert found == [lsp.Location(editor.uri("base.yaml"), lsp.Range(lsp.Position(5, 2), lsp.Position(5, 20)))]
    typed = CHILD.replace("  max_order_notional: 4% of equity  # 📈 the cap\n", "  max_ord\n")
    editor.change("mm.yaml", typed)
    items = await client.text_document_completion_async(
        lsp.CompletionParams(**editor.at("mm.yaml", typed.replace("max_ord", "max_or_"), "r_\n"))
    )
    (item,) = [one for one in items if one.label == "max_order_notional"]
    assert item.text_edit == lsp.TextEdit(lsp.Range(lsp.Position(13, 2), lsp.Position(13, 9)), "max_order_notional: $1")
    assert item.insert_text_format == lsp.InsertTextFormat.Snippet
    outline = await client.text_document_document_symbol_async(
        lsp.DocumentSymbolParams(lsp.TextDocumentIdentifier(editor.uri("base.yaml")))
    )
    assert [symbol.name for symbol in outline] == ["policykit", "name", "waivable", "risk"]


@SHARED
async def test_an_open_parent_counts(editor: Editor) -> None:
    """A change of an open policy is seen in the open policies that extend it, saved or not."""
    editor.open("mm.yaml", CHILD)
    assert "PK021" not in [mark.code for mark in await editor.marks("mm.yaml")]
    editor.open("base.yaml", PARENT)
    await editor.marks("base.yaml")
    editor.change("base.yaml", PARENT.replace("5% of", "1% of"))
    marks = await editor.marks("mm.yaml")
    while "PK021" not in [mark.code for mark in marks]:
        marks = await editor.marks("mm.yaml")
    (mark,) = [mark for mark in marks if mark.code == "PK021"]
    assert mark.related_information is not None
    assert mark.related_information[0].location.uri == editor.uri("base.yaml")


@SHARED
async def test_marks_are_never_out_of_order(editor: Editor) -> None:
    """Of many changes in a row the last one is judged, the versions only rise, and most are never judged."""
    editor.open("mm.yaml", CHILD)
    await editor.marks("mm.yaml")
    for share in range(3, 43):
        last = editor.change("mm.yaml", CHILD.replace("4% of", f"{share}% of"))
    marks = await editor.marks("mm.yaml", last)
    assert [mark.code for mark in marks] == ["PK021"]
    assert "42% of equity" in marks[0].message
    versions = [version or 0 for uri, version, _ in editor.published if uri == editor.uri("mm.yaml")]
    assert versions == sorted(set(versions))
    assert len(versions) < 40


async def test_other_units(start: Start) -> None:
    """An editor that counts bytes is answered in them."""
    general = lsp.GeneralClientCapabilities(position_encodings=[lsp.PositionEncodingKind.Utf8])
    editor = await start(lsp.ClientCapabilities(general=general))
    assert editor.hello.capabilities.position_encoding == lsp.PositionEncodingKind.Utf8
    text = CHILD.replace("exchange: binance", 'exchange: "📈 x"')
    editor.open("mm.yaml", text)
    marks = await editor.marks("mm.yaml")
    (mark,) = [mark for mark in marks if "exchange is" in mark.message]
    assert mark.range.end.character == 18


async def test_edits_at_once(start: Start) -> None:
    """An editor that cannot ask twice gets the edits with the actions, as plain changes."""
    editor = await start(lsp.ClientCapabilities())
    editor.open("mm.yaml", CHILD)
    (cap,) = [mark for mark in await editor.marks("mm.yaml") if mark.code == "PK603"]
    listed = await editor.actions("mm.yaml", cap.range)
    made = [action.edit.changes for action in listed if action.edit is not None]
    assert len(made) == len(listed) == 3
    assert applied(CHILD, made[0][editor.uri("mm.yaml")]) == CHILD.replace("4% of equity", "2% of equity")


@SHARED
async def test_other_documents_are_left_alone(editor: Editor) -> None:
    """YAML of another kind has no marks and no hover; one that becomes a policy has both."""
    text = "services: {web: {image: nginx}}\n"
    editor.open("compose.yaml", text)
    asked = lsp.HoverParams(**editor.at("compose.yaml", text, "web"))
    assert await editor.client.text_document_hover_async(asked) is None
    document = lsp.TextDocumentIdentifier(editor.uri("compose.yaml"))
    assert await editor.client.text_document_completion_async(lsp.CompletionParams(document, lsp.Position(0, 0))) == []
    version = editor.change("compose.yaml", "policykit: 1\n")
    assert [mark.code for mark in await editor.marks("compose.yaml", version)] == ["PK012"]


@SHARED
async def test_an_error_is_an_answer(editor: Editor) -> None:
    """A request that goes wrong is answered in one line, and the next one is served."""
    from pygls.exceptions import JsonRpcException

    unknown = lsp.ExecuteCommandParams("policykit.explain", ["../../etc/passwd"])
    with pytest.raises(JsonRpcException) as caught:
        await editor.client.workspace_execute_command_async(unknown)
    assert str(caught.value) == "policykit lsp: the code of a rule is needed (PK603)"
    editor.open("mm.yaml", "policykit: 1\n" * 1_000_000)
    assert [mark.code for mark in await editor.marks("mm.yaml")] == ["PK001"]
    version = editor.change("mm.yaml", CHILD)
    assert "PK603" in [mark.code for mark in await editor.marks("mm.yaml", version)]


async def test_a_snapshot_is_named(start: Start) -> None:
    """A snapshot that the editor's settings name is linted with; taken out of them it is not."""
    editor = await start(initialization_options={"snapshots": ["gone.json"]})
    editor.open("mm.yaml", CHILD)
    assert "PK108" in [mark.code for mark in await editor.marks("mm.yaml")]
    settings = {"policykit": {"snapshots": []}}
    editor.client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams(settings))
    while "PK108" in [mark.code for mark in await editor.marks("mm.yaml")]:
        pass


async def test_it_ends_with_the_editor(start: Start) -> None:
    """When the editor's process is gone it ends, though its input stays open."""
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # noqa: ASYNC220  # it waits for its end
    editor = await start(process_id=other.pid)
    server = editor.client._server
    assert server is not None
    assert server.returncode is None
    other.communicate()
    assert await asyncio.wait_for(server.wait(), 60) == 0


def message(text: str) -> bytes:
    """Return one message of the protocol."""
    body = text.encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def run(sent: bytes) -> subprocess.CompletedProcess[bytes]:
    """Send bytes to a server, and close its input."""
    return subprocess.run(COMMAND, input=sent, capture_output=True, timeout=60, cwd=TOP, check=False)


INITIALIZE = (
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{},"processId":null,"rootUri":null}}'
)


def test_it_ends_with_its_input() -> None:
    """At the end of its input it ends with 0; bytes that are no message ended nothing, and are repeated nowhere."""
    ended = run(message("{secret-rubbish") + message(INITIALIZE) + b"\0\xff" * 100 + b"\n")
    assert ended.returncode == 0
    assert ended.stdout.startswith(b"Content-Length: ")
    assert ended.stderr == b""
    assert b'"capabilities"' in ended.stdout
    assert b"secret-rubbish" not in ended.stdout


def answers(ended: subprocess.CompletedProcess[bytes]) -> dict[int, Any]:
    """Return the error code of each request that was answered, by its id; None: it was answered with a result."""
    bodies = [
        json.loads(text) for text in re.findall(rb"\r\n\r\n(\{.*?\})(?=Content-Length|$)", ended.stdout, re.DOTALL)
    ]
    return {one["id"]: one.get("error", {}).get("code") for one in bodies if "id" in one}


HOVER = (
    '{"jsonrpc":"2.0","id":%d,"method":"textDocument/hover",'
    '"params":{"textDocument":{"uri":"file:///mm.yaml"},"position":{"line":0,"character":%d}}}'
)


def test_every_request_is_answered_by_its_id() -> None:
    """Before `initialize` and after `shutdown` with the protocol's errors, and so is one that cannot be read."""
    ended = run(
        message(HOVER % (7, 0))
        + message(INITIALIZE)
        + message(HOVER % (8, -1))
        + message(HOVER % (9, 0))
        + message('{"jsonrpc":"2.0","id":10,"method":"shutdown"}')
        + message(HOVER % (11, 0))
        + message('{"jsonrpc":"2.0","method":"exit"}')
    )
    assert answers(ended) == {7: -32002, 1: None, 8: -32602, 9: None, 10: None, 11: -32600}
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("length", ["99999999999", "9" * 900])
def test_a_message_without_bound_ends_it_in_one_line(length: str) -> None:
    """What is announced is not made room for: one line says how much is read."""
    ended = run(message(INITIALIZE) + f"Content-Length: {length}\r\n\r\n{{}}".encode())
    assert ended.returncode == 1
    assert ended.stderr.decode() == (
        f"policykit lsp: a message of {int(length):,} bytes; 67,108,864 are read at most\n"
    )


def test_it_ends_though_the_editor_was_gone_before_it_was_read() -> None:
    """A real editor that is killed while its server starts, with the input still open elsewhere."""
    code = (
        "import os\n"
        "from policykit.proofs.lsp.server import serve\n"
        "print(os.getpid(), flush=True)\n"
        "raise SystemExit(serve(parent=os.getppid()))\n"
    )
    start = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {code!r}], stdin=int(sys.argv[1]))"
    read, write = os.pipe()
    editor = subprocess.Popen(
        [sys.executable, "-c", start, str(read)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[read],
        cwd=TOP,
    )
    assert editor.stdout is not None
    assert editor.stderr is not None
    server = os.pidfd_open(int(editor.stdout.readline()))
    os.close(read)
    editor.kill()
    editor.wait()
    os.write(write, message(INITIALIZE.replace('"processId":null', f'"processId":{editor.pid}')))
    ended, _, _ = select.select([server], [], [], 60)
    if not ended:
        signal.pidfd_send_signal(server, signal.SIGKILL)
    said = editor.stderr.read()
    editor.stdout.close()
    editor.stderr.close()
    os.close(write)
    os.close(server)
    assert (bool(ended), said) == (True, b"")


def test_nothing_else_is_printed(tmp_path: Path) -> None:
    """Whatever prints while it runs prints beside the protocol; `exit` without `shutdown` ends it with 1."""
    code = (
        "import os, policykit.proofs.lsp.server as s\n"
        "begin = s.PolicyServer.begin\n"
        "def loud(self, params):\n    print('loud'); os.write(1, b'louder'); return begin(self, params)\n"
        "s.PolicyServer.begin = loud\n"
        "raise SystemExit(s.serve())\n"
    )
    sent = message(INITIALIZE) + message('{"jsonrpc":"2.0","method":"exit"}')
    ended = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stdout.startswith(b"Content-Length: ")
    assert b"loud" not in ended.stdout
    assert b"louder" in ended.stderr


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pygls one line says what to install."""
    import importlib.util

    from click.testing import CliRunner

    from policykit.cli.lsp import command

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "pygls" else find(name, *rest))
    ended = CliRunner().invoke(command, [])
    assert ended.exit_code == 1
    assert ended.output == (
        "Error: pygls is not installed; the language server needs it: pip install 'policykit-trading[lsp]'\n"
    )
