"""What a CI says of its run in the environment: GitHub Actions, GitLab CI."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import click

_USERINFO = re.compile(r"(?<=://)[^/@]*@")


class Context(NamedTuple):
    """Where paths are relative to, what was checked out, and where the page of the job is written."""

    root: str | None
    repository: str = ""
    revision: str = ""
    branch: str = ""
    summary_file: str = ""


def ci_context() -> Context:
    """Return what the CI says; outside of one only the folder that the command runs in."""
    get = os.environ.get
    if get("GITHUB_ACTIONS") == "true":
        server, name = get("GITHUB_SERVER_URL", ""), get("GITHUB_REPOSITORY", "")
        return Context(
            _root(get("GITHUB_WORKSPACE", "")),
            f"{server}/{name}" if server and name else "",
            get("GITHUB_SHA", ""),
            get("GITHUB_HEAD_REF") or get("GITHUB_REF_NAME", ""),
            get("GITHUB_STEP_SUMMARY", ""),
        )
    if get("GITLAB_CI") == "true":
        return Context(
            _root(get("CI_PROJECT_DIR", "")),
            _USERINFO.sub("", get("CI_PROJECT_URL", "")),
            get("CI_COMMIT_SHA", ""),
            get("CI_COMMIT_REF_NAME", ""),
        )
    return Context(_here())


def on_job_page(text: str, file: str) -> None:
    """Add Markdown to the page of the CI's job; nothing where there is no text, or no page."""
    if not text or not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(f"{text}\n")
    except OSError as error:
        click.echo(f"policykit: {file}: the summary cannot be written ({error.strerror})", err=True)


def _here() -> str | None:
    """Return the folder that the command runs in, or None when it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return None


def _root(checkout: str) -> str | None:
    """Return the folder of the checkout when the command runs in it."""
    here = _here()
    return checkout if checkout and here is not None and Path(here).is_relative_to(checkout) else here
