"""`--by`: who gives a command, with what this machine knows of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from policykit.operate.person import Person

F = TypeVar("F", bound=Callable[..., Any])


def by_option(help_: str, *, required: bool = True) -> Callable[[F], F]:
    """Add `--by NAME` as `by`, a `Person`: `by.name` is what was told, `by.to_dict()` the `claim` of rows."""
    return click.option("--by", required=required, metavar="NAME", callback=_person, help=help_)


def _person(ctx: click.Context, param: click.Parameter, value: str | None) -> Person | None:
    from policykit.operate.person import person

    try:
        return None if value is None else person(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
