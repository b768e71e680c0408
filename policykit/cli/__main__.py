"""The command `policykit`: answers `--version` at once, finds commands by file name, ends without a traceback."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in typing, which `--version` has no time for
if TYPE_CHECKING:
    from typing import Any

    import click

DEBUG = "POLICYKIT_DEBUG"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code. A traceback is shown only under POLICYKIT_DEBUG=1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments in (["--version"], ["-V"]):
        import policykit

        print(f"policykit {getattr(policykit, '__version__', 'mixed with another project of that name')}")
        return 0
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print("policykit: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _flush_into_nothing()
        return 1  # not 0: nobody has seen the whole answer
    except Exception as error:  # noqa: BLE001  # the outermost edge: whatever it is becomes one line
        return _internal(error)


def _flush_into_nothing() -> None:
    """Give standard output another end: its reader has gone (`| head`), and Python flushes once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _run(arguments: list[str]) -> int:
    import click

    from policykit.cli._group import group

    try:
        code = group.main(args=arguments, prog_name="policykit", standalone_mode=False)
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        _show(error)
        return 2
    except Exception as error:  # noqa: BLE001  # ours are told apart there, others go on to `main`
        return _known(error)
    if sys.stdout is not None:  # there is none after `>&-`
        sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _show(error: click.ClickException) -> None:
    """Write a wrong call as one line, with the way to the help."""
    import click

    print(f"policykit: {error.format_message()}", file=sys.stderr)
    context = getattr(error, "ctx", None)
    if isinstance(error, click.UsageError) and context is not None:
        print(f"try: {context.command_path} --help", file=sys.stderr)


def _known(error: Exception) -> int:
    """Map the errors of policykit: Denied 1, not reachable 3, everything else of ours 2. Others are internal."""
    from policykit import errors
    from policykit.redact import scrub

    if not isinstance(error, errors.PolicykitError):
        raise error
    print(f"policykit: {scrub(str(error))}", file=sys.stderr)
    if isinstance(error, (errors.Denied, errors.OutcomeUnknown)):
        return 1
    away = (errors.ExchangeUnavailable, errors.StoreUnavailable, errors.SecretUnavailable)
    return 3 if isinstance(error, away) else 2


def _internal(error: Exception) -> int:
    """Say in one line that policykit is at fault. The text of a foreign error can hold a secret, so only its class."""
    if os.environ.get(DEBUG) == "1":
        import traceback

        traceback.print_exc()
    frame = _last_own_frame(error)
    print(
        f"policykit: internal error {type(error).__name__} at {frame}; please report it "
        f"({DEBUG}=1 shows the traceback, which can hold values of your files)",
        file=sys.stderr,
    )
    return 2


def _last_own_frame(error: Exception) -> str:
    """Return `lint/run.py:12`, the deepest line of this package that the error came through."""
    place = "cli/__main__.py"
    trace: Any = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if f"{os.sep}policykit{os.sep}" in name:
            place = f"{name.rpartition(f'{os.sep}policykit{os.sep}')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


if __name__ == "__main__":
    sys.exit(main())
