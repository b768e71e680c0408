"""The language server: the core over standard input and output, one message after the other, in one thread.

Every text comes whole, so what is judged is what is seen. A change is judged a tenth of a second later, once for all
that came until then; answers and marks are always of the newest text, so none can overtake another.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

from lsprotocol import types as lsp
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException, JsonRpcInternalError, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

import policykit
from policykit.clock import Clock, SystemClock
from policykit.lint.explain import explain
from policykit.proofs.lsp.actions import Action, actions, edits
from policykit.proofs.lsp.completion import complete
from policykit.proofs.lsp.desk import TESTS, Desk
from policykit.proofs.lsp.diagnostics import marks, test_marks
from policykit.proofs.lsp.hover import hover
from policykit.proofs.lsp.places import definition, symbols
from policykit.proofs.lsp.protocol import Bounded, Protocol, TooLong
from policykit.proofs.lsp.wire import SOURCE, Wire, file_of, markup
from policykit.source.codes import CODES

#: How long after a change its text is judged: what follows meanwhile is judged with it.
DELAY_S: Final = 0.1
#: How often the editor's process is looked for where the system does not tell of its end.
WATCH_S: Final = 2.0
EXPLAIN: Final = "policykit.explain"
_TRIGGERS: Final = (" ", ":", "[", "{", ",", "-")
_KINDS: Final = {
    "fix": lsp.CodeActionKind.QuickFix,
    "unsafe": lsp.CodeActionKind.QuickFix,
    "waive": lsp.CodeActionKind.QuickFix,
    "explain": lsp.CodeActionKind.QuickFix,
    "fix-all": lsp.CodeActionKind.SourceFixAll,
}


def answered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn whatever goes wrong in a request into an error answer: one line, nothing of the text; the server goes on."""

    @wraps(function)
    def answer(*args: Any) -> Any:
        try:
            return function(*args)
        except JsonRpcException:
            raise
        except Exception as error:  # noqa: BLE001  # the edge of the server: an editor must not lose it
            name = function.__name__.replace("_", " ")
            raise JsonRpcInternalError(
                f"policykit lsp: {name} was not answered ({type(error).__name__}); please report it"
            ) from None

    return answer


class PolicyServer(LanguageServer):
    """One editor's server."""

    def __init__(self, clock: Clock, parent: int) -> None:
        super().__init__(
            "policykit",
            policykit.__version__,
            text_document_sync_kind=lsp.TextDocumentSyncKind.Full,
            protocol_cls=Protocol,
        )
        #: Who started this process: most often the editor.
        self.parent = parent
        self.desk = Desk(clock.now_ms)
        self.wire = Wire(self.desk)
        #: Files that are to be judged, and whether that is under way.
        self.due: dict[str, None] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.folder: str | None = None
        self.exited = False
        self.watch: asyncio.Task[None] | None = None
        for method, function, options in (
            (lsp.INITIALIZE, self.begin, None),
            (lsp.EXIT, self.ends, None),
            (lsp.TEXT_DOCUMENT_DID_OPEN, self.opened, None),
            (lsp.TEXT_DOCUMENT_DID_CHANGE, self.changed, None),
            (lsp.TEXT_DOCUMENT_DID_SAVE, self.saved, None),
            (lsp.TEXT_DOCUMENT_DID_CLOSE, self.closed, None),
            (lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, self.elsewhere, None),
            (lsp.WORKSPACE_DID_CHANGE_CONFIGURATION, self.configured, None),
            (lsp.TEXT_DOCUMENT_HOVER, self.hover, None),
            (lsp.TEXT_DOCUMENT_COMPLETION, self.completion, lsp.CompletionOptions(trigger_characters=_TRIGGERS)),
            (lsp.TEXT_DOCUMENT_DEFINITION, self.definition, None),
            (lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL, self.document_symbol, None),
            (
                lsp.TEXT_DOCUMENT_CODE_ACTION,
                self.code_action,
                lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix, _KINDS["fix-all"]], resolve_provider=True),
            ),
            (lsp.CODE_ACTION_RESOLVE, self.code_action_resolve, None),
        ):
            self.feature(method, options)(answered(function))
        self.command(EXPLAIN)(answered(self.explain))

    # -- the editor ---------------------------------------------------------------------------------------------

    def can(self, capability: str) -> bool:
        """Tell whether the editor can do something."""
        return bool(get_capability(self.client_capabilities, capability))

    def rich(self, capability: str) -> bool:
        """Tell whether the editor shows Markdown there."""
        return lsp.MarkupKind.Markdown in (get_capability(self.client_capabilities, capability, None) or ())

    def begin(self, params: lsp.InitializeParams) -> None:
        """Take what the editor says of itself: how it counts, where snapshots are, its process."""
        encoding = str(getattr(self.workspace.position_encoding, "value", self.workspace.position_encoding))
        self.wire.encoding = encoding if encoding in ("utf-8", "utf-32") else "utf-16"  # type: ignore[assignment]
        self.settings(params.initialization_options)
        if params.process_id is not None:
            self.watch = asyncio.ensure_future(_until_gone(params.process_id, self.parent, self.leave))

    def ends(self, _: Any) -> None:
        """Note that the editor said so, and did not just go."""
        self.exited = True

    def settings(self, said: Any) -> None:
        """Take settings: `{"snapshots": ["live/mm.snapshot.json"]}`, relative to the folder that is open."""
        if isinstance(said, dict) and isinstance(said.get(SOURCE), dict):
            said = said[SOURCE]
        named = said.get("snapshots") if isinstance(said, dict) else None
        top = self.workspace.root_path or os.getcwd()
        files = [os.path.join(top, name) for name in named if isinstance(name, str)] if isinstance(named, list) else []
        if isinstance(named, list):
            self.desk.snapshots = tuple(files)
            self.desk.forget()

    def configured(self, params: lsp.DidChangeConfigurationParams) -> None:
        """Take settings that have changed."""
        self.settings(params.settings)
        self.judge(*(one.file for one in self.desk.open.values()))

    # -- texts --------------------------------------------------------------------------------------------------

    def opened(self, params: lsp.DidOpenTextDocumentParams) -> None:
        """Judge what was opened, and what extends it."""
        self.take(params.text_document.uri, params.text_document.text, params.text_document.version)

    def changed(self, params: lsp.DidChangeTextDocumentParams) -> None:
        """Judge what was changed, soon, and what extends it."""
        document = self.workspace.get_text_document(params.text_document.uri)
        self.take(params.text_document.uri, document.source, params.text_document.version)

    def take(self, uri: str, text: str, version: int | None) -> None:
        file = file_of(uri)
        taken = self.desk.put(file, text, version)
        self.wire.uris[taken.real] = uri
        self.judge(file, *(one.file for one in self.desk.users(file)))

    def saved(self, _: lsp.DidSaveTextDocumentParams) -> None:
        """Judge all that is open: it may read the file that was written."""
        self.elsewhere(None)

    def elsewhere(self, _: lsp.DidChangeWatchedFilesParams | None) -> None:
        """Judge all that is open, since files on the disk have changed."""
        self.desk.forget()
        self.judge(*(one.file for one in self.desk.open.values()))

    def closed(self, params: lsp.DidCloseTextDocumentParams) -> None:
        """Take the marks of a closed text away, and judge what extends it: the file counts again."""
        file = file_of(params.text_document.uri)
        users = [one.file for one in self.desk.users(file)]
        self.desk.drop(file)
        self.due.pop(os.path.realpath(file), None)
        self.publish(params.text_document.uri, None, [])
        self.wire.uris.pop(os.path.realpath(file), None)
        self.judge(*users)

    # -- marks --------------------------------------------------------------------------------------------------

    def judge(self, *files: str) -> None:
        """Judge files soon; whatever changes until then is judged with them."""
        self.due |= dict.fromkeys(map(os.path.realpath, files))
        if self.timer is None and self.due:
            self.timer = asyncio.get_running_loop().call_later(DELAY_S, self.judge_due)

    def judge_due(self) -> None:
        """Judge one file, then let messages pass before the next."""
        self.timer = None
        real = next(iter(self.due), None)
        if real is None:
            return
        del self.due[real]
        one = self.desk.open.get(real)
        if one is not None and (one.policy or one.tests):
            self.publish(self.wire.uri(one.file), one.version, self.marks(one.file))
        if self.due:
            self.timer = asyncio.get_running_loop().call_later(0, self.judge_due)

    def marks(self, file: str) -> list[lsp.Diagnostic]:
        """Return the marks of a file. A file that cannot be judged has not passed."""
        try:
            found = test_marks(self.desk, file) if file.endswith(TESTS) else marks(self.desk, file)
            return [self.wire.diagnostic(file, mark) for mark in found]
        except Exception as error:  # noqa: BLE001  # as in `answered`: the server goes on, and the file is not clean
            message = f"this file could not be judged ({type(error).__name__}); it has not passed; please report it"
            zero = lsp.Position(0, 0)
            return [lsp.Diagnostic(lsp.Range(zero, zero), message, lsp.DiagnosticSeverity.Error, source=SOURCE)]

    def publish(self, uri: str, version: int | None, found: list[lsp.Diagnostic]) -> None:
        """Show the marks of a file."""
        params = lsp.PublishDiagnosticsParams(uri=uri, version=version, diagnostics=found)
        self.text_document_publish_diagnostics(params)

    # -- requests -----------------------------------------------------------------------------------------------

    def policy(self, uri: str) -> str | None:
        """Return the file of an open policy; None for every other document."""
        file = file_of(uri)
        one = self.desk.open.get(os.path.realpath(file))
        return one.file if one is not None and one.policy else None

    def hover(self, params: lsp.HoverParams) -> lsp.Hover | None:
        """Answer what is said of a place."""
        file = self.policy(params.text_document.uri)
        found = hover(self.desk, file, self.wire.offset(file, params.position)) if file is not None else None
        if file is None or found is None:
            return None
        content = markup(found.text, rich=self.rich("text_document.hover.content_format"))
        return lsp.Hover(content, self.wire.range(self.desk.text(file), found.span))

    def completion(self, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
        """Answer what may be typed: in a policy, and in a file in which nothing stands yet."""
        file = file_of(params.text_document.uri)
        one = self.desk.open.get(os.path.realpath(file))
        if one is None or not (one.policy or one.begins):
            return []
        snippets = self.can("text_document.completion.completion_item.snippet_support")
        items = complete(self.desk, one.file, self.wire.offset(one.file, params.position))
        rich = self.rich("text_document.completion.completion_item.documentation_format")
        return [self.wire.completion(one.file, item, snippets=snippets, rich=rich) for item in items]

    def definition(self, params: lsp.DefinitionParams) -> list[lsp.Location]:
        """Answer where a place is said."""
        file = self.policy(params.text_document.uri)
        found = definition(self.desk, file, self.wire.offset(file, params.position)) if file is not None else []
        return [self.wire.location(place) for place in found]

    def document_symbol(self, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        """Answer the outline of a policy."""
        file = self.policy(params.text_document.uri)
        return [self.wire.symbol(file, one) for one in symbols(self.desk, file)] if file is not None else []

    def code_action(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction | lsp.Command]:
        """Answer what can be done about the findings of a range; its edits come later where the editor can wait."""
        uri = params.text_document.uri
        file = self.policy(uri)
        if file is None:
            return []
        only = params.context.only or []
        found = actions(self.desk, file, self.wire.span(file, params.range))
        wanted = [a for a in found if not only or any(_within(_KINDS[a.kind], kind) for kind in only)]
        shown = [self.action(file, uri, action) for action in wanted if action.kind != "explain"]
        lazy = get_capability(self.client_capabilities, "text_document.code_action.resolve_support.properties", None)
        if "edit" not in (lazy or ()):
            shown = [action for action in map(self.code_action_resolve, shown) if action.disabled is None]
        # A command as it is: to show the words of a rule needs no edit.
        shows = self.can("window.show_document.support")
        words = [a for a in wanted if a.kind == "explain" and shows]
        return [*shown, *(lsp.Command(a.title, EXPLAIN, arguments=[a.code]) for a in words)]

    def action(self, file: str, uri: str, action: Action) -> lsp.CodeAction:
        version = self.desk.open[os.path.realpath(file)].version
        return lsp.CodeAction(
            title=action.title,
            kind=_KINDS[action.kind],
            diagnostics=[self.wire.diagnostic(file, action.mark)] if action.mark is not None else None,
            is_preferred=True if action.kind == "fix" else None,
            data={"uri": uri, "version": version, "kind": action.kind, "number": action.number},
        )

    def code_action_resolve(self, action: lsp.CodeAction) -> lsp.CodeAction:
        """Answer what an action that was chosen changes, or why it changes nothing."""
        data: Any = action.data if isinstance(action.data, dict) else {}
        file = self.policy(str(data.get("uri", "")))
        one = self.desk.open.get(os.path.realpath(file)) if file is not None else None
        if file is None or one is None or one.version != data.get("version"):
            made: Any = "the text has changed meanwhile"
        else:
            number = data.get("number")
            made = edits(self.desk, file, str(data.get("kind")), number if isinstance(number, int) else -1)
        if isinstance(made, str):
            action.disabled = lsp.CodeActionDisabled(made)
        else:
            action.edit = self.wire.edit(made, versioned=self.can("workspace.workspace_edit.document_changes"))
        return action

    def explain(self, *arguments: Any) -> str:
        """Answer the documentation of a rule; an editor that can shows it."""
        code = str(arguments[0]) if arguments else ""
        text = explain(code)
        if text is None or not (code in CODES or code.isalnum()):
            raise JsonRpcInvalidParams("policykit lsp: the code of a rule is needed (PK603)")
        if self.can("window.show_document.support"):
            self.folder = self.folder or tempfile.mkdtemp(prefix="policykit-lsp-")
            page = Path(self.folder, f"{code}.txt")
            page.write_text(text, encoding="utf-8")
            self.window_show_document(lsp.ShowDocumentParams(page.as_uri(), take_focus=False))
        return text

    # -- errors and the end -------------------------------------------------------------------------------------

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Say by its class what could not be read or answered: its text may quote the policy."""
        message = f"policykit lsp: a message was not understood ({type(error).__name__})"
        self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, message))

    def leave(self) -> int:
        """Tidy up; return the exit code that the protocol asks for: 0 after `shutdown`, 1 for `exit` without it."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        return 0 if self.protocol._shutdown or not self.exited else 1


def _within(kind: str, wanted: str) -> bool:
    """Tell whether a kind of action is one that was asked for: `source.fixAll` is of `source`."""
    return kind == wanted or kind.startswith(f"{wanted}.") or wanted in ("", lsp.CodeActionKind.Empty)


async def _until_gone(pid: int, parent: int, leave: Callable[[], int]) -> None:
    """End this process when another one has ended. Reading waits in a thread that nothing else can end.

    One that is not there was either none of this machine's, another container's editor, or it ended before its message
    was read: then who started this process is gone too.
    """
    if not _lives(pid):
        if os.getppid() != parent or pid == parent:
            leave()
            os._exit(0)
        return
    if hasattr(os, "pidfd_open"):
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(os.pidfd_open(pid), gone.set)
        await gone.wait()
    else:
        while _lives(pid):  # noqa: ASYNC110  # no event tells of it on this system
            await asyncio.sleep(WATCH_S)
    leave()
    os._exit(0)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # another user's
    except (OSError, OverflowError):
        return False
    return True


def serve(clock: Clock | None = None, parent: int | None = None) -> int:
    """Serve one editor until it leaves; return the exit code. Standard output carries the protocol and nothing else.

    `parent`: the process that started this one, as of its start.
    """
    for name in ("pygls", "asyncio"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # they quote what they were sent
        logging.getLogger(name).propagate = False
    # INVARIANT: whatever prints, prints to standard error; only the protocol has the other end.
    sys.stdout.flush()
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    server = PolicyServer(clock or SystemClock(), os.getppid() if parent is None else parent)
    try:
        server.start_io(Bounded(sys.stdin.buffer), wire)  # type: ignore[arg-type]  # it is only read from
    except TooLong as error:
        sys.stderr.write(f"{error}\n")
        server.leave()
        return 1
    return server.leave()
