"""From plain data to HTML: everything is escaped and scrubbed on its way, and no template may switch that off."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from policykit.clock import iso
from policykit.dashboard import words

if TYPE_CHECKING:
    from jinja2 import Environment

HERE: Final = Path(__file__).parent


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        """Clean text that others wrote; what a macro of ours made is clean already."""
        return (
            words.shown(value, words.MAX_BLOCK) if isinstance(value, str) and not isinstance(value, Markup) else value
        )

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
        auto_reload=False,
    )
    made.globals.update(
        iso=iso,
        moment=words.moment,
        ago=words.ago,
        took=words.took,
        number=words.number,
        pair=words.pair,
        exact=words.exact,
        per_cent=words.per_cent,
    )
    return made


def render(template: str, **data: Any) -> str:
    """Return a page or a part of one as HTML."""
    return _environment().get_template(template).render(**data)
