"""`policykit init`: the first policy."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policykit.cli._options import example, now_option

if TYPE_CHECKING:
    from policykit.operate.init import Draft

_FREQTRADE: Final = "freqtrade:"
#: What a value that goes into the file unquoted may look like.
_PLAIN: Final = (
    ("name", r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", 'letters, digits, ".", "_" and "-" are needed'),
    ("owner", r"[A-Za-z][A-Za-z0-9 ._@-]{0,59}", "a plain name or role is needed"),
    ("symbols", r"[A-Za-z0-9]+/[A-Za-z0-9]+(:[A-Za-z0-9-]+)?", "ccxt's name is needed (BTC/USDT, BTC/USDT:USDT)"),
)


@click.command(
    "init",
    epilog=example(
        "policykit init --exchange binance\n"
        "policykit init --from freqtrade:user_data/config.json\n"
        "policykit init --exchange binance --from-history trades.csv"
    ),
)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--exchange", metavar="ID", help="The exchange, by its ccxt id.")
@click.option("--from", "source", metavar="freqtrade:FILE", help="Take over what a bot's own settings say.")
@click.option(
    "--from-history",
    "history",
    metavar="FILE",
    help="Propose caps from own trades: a CSV of the exchange, or policykit's journal.",
)
@click.option("--name", help="The policy's name and its file's (default: the exchange's id).")
@click.option("--owner", default="owner", show_default=True, help="Who answers for it.")
@click.option("--symbol", "symbols", multiple=True, metavar="BTC/USDT", help="What the bot trades (repeatable).")
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab", "none"]),
    help="Which CI file to write (default: gitlab beside a .gitlab-ci.yml, else github).",
)
@now_option
def command(folder: Path, ci: str | None, **asked: Any) -> None:
    """Write a commented starter policy into DIR/policies, and a CI file that lints it; overwrite nothing.

    What was guessed is marked `check:`; what only you can know is left out, and `policykit lint` asks for it.
    """
    from policykit.errors import PolicyError
    from policykit.operate.init import InTheWay, plan, write

    try:
        _look(asked)
        draft = _draft(asked)
        chosen: Any = ci or ("gitlab" if (folder / ".gitlab-ci.yml").exists() else "github")
        planned = plan(draft, chosen)
    except (ValueError, PolicyError) as error:
        raise click.UsageError(str(error)) from None
    try:
        written = write(planned, folder)
    except InTheWay as error:
        listed = "".join(f"\n  {file}" for file in error.files)
        raise click.UsageError(
            f"there already, so nothing was written:{listed}\nmove it away, or give --name, --ci none or another DIR"
        ) from None
    except OSError as error:
        raise click.UsageError(f"{error.filename}: cannot be written ({error.strerror})") from None
    for file in written:
        click.echo(f"wrote {file}")
    for note in draft.notes:
        click.echo(f"note: {note}")
    if chosen == "gitlab":
        click.echo("note: add to .gitlab-ci.yml:  include: {local: .gitlab/policykit.yml}")
    click.echo(_next(written[0], draft))


def _look(asked: dict[str, Any]) -> None:
    """Raise ValueError for a value that cannot stand in a policy as it is."""
    for option, pattern, needs in _PLAIN:
        given = asked[option]
        for value in given if isinstance(given, tuple) else (given,) if given is not None else ():
            if not re.fullmatch(pattern, value):
                raise ValueError(f"--{option.removesuffix('s')} {value!r:.60}; {needs}")


def _draft(asked: dict[str, Any]) -> Draft:
    """Return the draft that was asked for; ValueError says what is wrong with the call or with a file."""
    from datetime import UTC, datetime

    from policykit.exchanges.about import about, ids
    from policykit.operate.init import known_id, paper, starter

    now_ms = asked["now_ms"] if asked["now_ms"] is not None else time.time_ns() // 1_000_000
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()
    if asked["source"] and asked["history"]:
        raise ValueError("--from and --from-history are both given; one of them is needed")
    exchange = known_id(asked["exchange"], ids()) if asked["exchange"] else ""

    def base(found: str, name: str = "") -> Draft:
        chosen = exchange or (known_id(found, ids()) if found else "")
        if not chosen:
            raise ValueError("no exchange; --exchange ID is needed, such as --exchange binance")
        return starter(about(chosen), asked["name"] or name or chosen, asked["owner"], today, asked["symbols"])

    if asked["source"]:
        if not asked["source"].startswith(_FREQTRADE):
            raise ValueError(f"--from {asked['source']!r:.60}; freqtrade:FILE is needed (freqtrade:config.json)")
        from policykit.operate.init import freqtrade

        return freqtrade.draft(Path(asked["source"].removeprefix(_FREQTRADE)), base)
    if asked["history"]:
        from policykit.operate.init import history

        return history.draft(Path(asked["history"]), base)
    made = base("")
    if about(exchange).sandbox:
        return made
    return paper(made, f"ccxt knows no sandbox of {exchange}: live data, and no order leaves")


def _next(file: str, draft: Draft) -> str:
    """Return what to type next, and where no guard of this version can run."""
    from policykit.exchanges import trading

    following = f"\nnext:\n  policykit lint {file}\n  policykit test {file}\n  policykit show {file}\n"
    known = trading()
    if draft.exchange not in known:
        only = ", ".join(known)
        return (
            f"{following}no guard of this version trades on {draft.exchange} (only on {only}): lint reads all the same"
        )
    exports = "\n".join(f"  export {draft.prefix}_{name}=..." for name in draft.credentials)
    return f"{following}and where the bot runs:\n{exports}\n  export POLICYKIT_POLICY={file}"
