"""`policykit lsp`: the language server."""

from __future__ import annotations

import importlib.util
import os

import click

from policykit.cli._options import Exit, example, leave


@click.command(epilog=example("policykit lsp\npolicykit lsp --stdio"))
@click.option("--stdio", is_flag=True, help="Speak over standard input and output: the only way there is.")
def command(stdio: bool) -> None:
    """Serve an editor: findings as you type, fixes, documentation, completion, definitions.

    An editor starts it. It speaks the Language Server Protocol over standard input and output, reads what is open as it
    is seen, saved or not, writes no file of yours, and ends with the editor. See docs/editor.md for how to set one up.
    """
    parent = os.getppid()  # before the second that loading takes: it may be gone then
    if importlib.util.find_spec("pygls") is None:
        raise click.ClickException(
            "pygls is not installed; the language server needs it: pip install 'policykit-trading[lsp]'"
        )
    from policykit.proofs.lsp.server import serve

    code = serve(parent=parent)
    if code:
        leave(Exit.NO)
