"""The root of the commands: a file in this folder is a command, loaded when it is called and not before."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from policykit.cli._options import example

FOLDER = Path(__file__).parent


def command_files() -> dict[str, str]:
    """Return command name to module name: every file here that does not start with `_`."""
    stems = sorted(path.stem for path in FOLDER.glob("*.py") if not path.name.startswith("_"))
    return {stem.rstrip("_").replace("_", "-"): stem for stem in stems}


class FileGroup(click.Group):
    """A group whose commands are the files beside this one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(command_files())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = command_files().get(cmd_name)
        if module is None:
            return None
        found = import_module(f"policykit.cli.{module}").command
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in command_files():
            import difflib  # here, as no right call needs it

            near = difflib.get_close_matches(args[0], list(command_files()), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "policykit --help lists the commands"
            ctx.fail(f"{args[0]!r} is no command; {hint}")
        return super().resolve_command(ctx, args)


@click.command(
    cls=FileGroup,
    no_args_is_help=False,
    invoke_without_command=True,
    epilog=example("policykit demo\npolicykit lint policies/\npolicykit explain PK101"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--version", "-V", is_flag=True, help="Show the version.")
@click.pass_context
def group(ctx: click.Context, version: bool) -> None:
    """Policies for exchange API trading: linted against the live exchange, enforced on every order."""
    if version:
        from policykit import __version__

        click.echo(f"policykit {__version__}")
        ctx.exit(0)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
