"""The core's answers as the protocol has them, and back."""

from __future__ import annotations

import os
import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from lsprotocol import types as lsp
from pygls.uris import from_fs_path, to_fs_path

from policykit.place import Place
from policykit.proofs.lsp.completion import Item
from policykit.proofs.lsp.desk import Desk
from policykit.proofs.lsp.diagnostics import Mark
from policykit.proofs.lsp.places import Symbol
from policykit.proofs.lsp.text import Encoding, Span, Text

SOURCE: Final = "policykit"
_LEVELS: Final = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
    "information": lsp.DiagnosticSeverity.Information,
    "hint": lsp.DiagnosticSeverity.Hint,
}
_KINDS: Final = {
    "key": lsp.CompletionItemKind.Field,
    "value": lsp.CompletionItemKind.Value,
    "file": lsp.CompletionItemKind.File,
}
_MARKUP: Final = re.compile(r"\*\*|`|\\(?=[\\*_<>\[\]])")


def file_of(uri: str) -> str:
    """Return the path of a document; one that is on no disk yet has its name, in the folder of the server."""
    path = to_fs_path(uri) if uri.startswith("file:") else None
    if path is None:
        name = os.path.basename(unquote(urlsplit(uri).path)) or "policy.yaml"
        path = os.path.join(os.getcwd(), name.replace("\0", ""))
    return path.replace("\0", "")


class Wire:
    """Turns the places of the texts on a desk into those of an editor that counts in one encoding."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.encoding: Encoding = "utf-16"
        #: How the editor calls its documents, by real path.
        self.uris: dict[str, str] = {}

    def uri(self, file: str) -> str:
        """Return what the editor calls a file."""
        return self.uris.get(os.path.realpath(file)) or from_fs_path(os.path.realpath(file)) or ""

    def offset(self, file: str, position: lsp.Position) -> int:
        """Return the character at a position."""
        return self.desk.text(file).offset(position.line, position.character, self.encoding)

    def span(self, file: str, found: lsp.Range) -> Span:
        """Return the characters of a range."""
        start, end = self.offset(file, found.start), self.offset(file, found.end)
        return Span(min(start, end), max(start, end))

    def range(self, text: Text, span: Span) -> lsp.Range:
        """Return the range of characters."""
        ends = (lsp.Position(*text.position(at, self.encoding)) for at in span)
        return lsp.Range(*ends)

    def location(self, place: Place) -> lsp.Location:
        """Return where a place of any file is."""
        text = self.desk.text(place.file)
        return lsp.Location(self.uri(place.file), self.range(text, text.span(place)))

    def diagnostic(self, file: str, mark: Mark) -> lsp.Diagnostic:
        """Return a mark as it is shown."""
        return lsp.Diagnostic(
            range=self.range(self.desk.text(file), mark.span),
            message=mark.message,
            severity=_LEVELS[mark.level],
            code=mark.code,
            source=SOURCE,
            tags=[lsp.DiagnosticTag.Unnecessary] if mark.faded else None,
            related_information=[
                lsp.DiagnosticRelatedInformation(self.location(place), label) for label, place in mark.related
            ]
            or None,
        )

    def completion(self, file: str, item: Item, *, snippets: bool, rich: bool) -> lsp.CompletionItem:
        """Return what may be typed."""
        text = self.desk.text(file)
        return lsp.CompletionItem(
            label=item.label,
            kind=_KINDS[item.kind],
            detail=item.detail or None,
            documentation=markup(item.doc, rich=rich) if item.doc else None,
            sort_text=item.sort,
            filter_text=item.text if item.kind != "key" else item.label,
            insert_text_format=lsp.InsertTextFormat.Snippet if snippets else lsp.InsertTextFormat.PlainText,
            insert_text_mode=lsp.InsertTextMode.AdjustIndentation,
            text_edit=lsp.TextEdit(self.range(text, item.span), item.snippet if snippets else item.text),
        )

    def symbol(self, file: str, symbol: Symbol) -> lsp.DocumentSymbol:
        """Return one key of the outline."""
        text = self.desk.text(file)
        return lsp.DocumentSymbol(
            name=symbol.name,
            detail=symbol.detail or None,
            kind=lsp.SymbolKind.Namespace if symbol.inner else lsp.SymbolKind.Field,
            range=self.range(text, symbol.whole),
            selection_range=self.range(text, symbol.key),
            children=[self.symbol(file, inner) for inner in symbol.inner],
        )

    def edit(self, edited: Any, *, versioned: bool) -> lsp.WorkspaceEdit:
        """Return changes of texts; with their versions where the editor takes those."""
        by_uri: dict[str, list[lsp.TextEdit]] = {}
        versions: dict[str, int | None] = {}
        for one in edited:
            text, uri = self.desk.text(one.file), self.uri(one.file)
            known = self.desk.open.get(os.path.realpath(one.file))
            versions[uri] = known.version if known is not None else None
            by_uri[uri] = [lsp.TextEdit(self.range(text, Span(c.start, c.end)), c.text) for c in one.changes]
        if not versioned:
            return lsp.WorkspaceEdit(changes=by_uri)
        return lsp.WorkspaceEdit(
            document_changes=[
                lsp.TextDocumentEdit(lsp.OptionalVersionedTextDocumentIdentifier(uri, versions[uri]), list(made))
                for uri, made in by_uri.items()
            ]
        )


def markup(markdown: str, *, rich: bool) -> lsp.MarkupContent:
    """Return Markdown of ours, as text for editors that show no other."""
    if rich:
        return lsp.MarkupContent(lsp.MarkupKind.Markdown, markdown)
    return lsp.MarkupContent(lsp.MarkupKind.PlainText, _MARKUP.sub("", markdown))
