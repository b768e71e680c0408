"""What the action asks GitHub and tells it: who approved the pull request, and the one comment that is kept up to date.

Standard library only: it runs with the runner's own Python, and sends the job's token to nobody but GITHUB_API_URL.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

#: The first line of the comment, by which it is found again.
MARK: Final = "<!-- policykit diff -->"
#: GitHub's largest page, and how many of them are read: a pull request of 5,000 reviews is not looked at further.
PAGE: Final = 100
MAX_PAGES: Final = 50
#: How long one answer may take, s, and how large it may be, bytes.
SECONDS: Final = 30
MAX_ANSWER: Final = 20_000_000
#: GitHub takes no longer comment (characters; answers 422 over 65,536).
MAX_COMMENT: Final = 65_000
#: Associations with a repository whose reviews count: https://docs.github.com/graphql/reference/enums, November 2026.
OWN: Final = ("OWNER", "MEMBER", "COLLABORATOR")


class Refused(Exception):
    """GitHub did not answer as it should, in words."""


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: the token would go along."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_Stays())


def call(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask GitHub's REST API as the job. Raise Refused."""
    request = urllib.request.Request(  # noqa: S310  # the runner says the address, https but in tests
        os.environ["GITHUB_API_URL"].rstrip("/") + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['TOKEN']}",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "policykit",
        },
    )
    try:
        with _OPENER.open(request, timeout=SECONDS) as answer:
            return json.loads(answer.read(MAX_ANSWER))
    except urllib.error.HTTPError as error:
        raise Refused(f"{method} {path}: GitHub answered {error.code}") from None
    except (OSError, ValueError) as error:
        raise Refused(f"{method} {path}: no answer ({type(error).__name__})") from None


def every(path: str) -> Iterator[dict[str, Any]]:
    """Yield what stands on all pages of a list. Raise Refused, also where there are more pages than are read."""
    for page in range(1, MAX_PAGES + 1):
        found = call("GET", f"{path}?per_page={PAGE}&page={page}")
        if not isinstance(found, list):
            raise Refused(f"GET {path}: GitHub answered no list")
        yield from found
        if len(found) < PAGE:
            return
    raise Refused(f"GET {path}: over {MAX_PAGES * PAGE:,} entries")


def approvers(repository: str, pull: dict[str, Any]) -> tuple[str, ...]:
    """Return who approves a pull request as it stands: by the last word of each, said of its newest commit.

    Its author does not count, nor who is a stranger to the repository.
    """
    head, author = pull["head"]["sha"], pull["user"]["login"].lower()
    last: dict[str, bool] = {}
    for review in every(f"/repos/{repository}/pulls/{pull['number']}/reviews"):
        # A comment takes back no approval; who deleted the account is nobody (user: null).
        if not review.get("user") or review["state"] not in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            continue
        counts = review["commit_id"] == head and review.get("author_association") in OWN
        last[review["user"]["login"].lower()] = review["state"] == "APPROVED" and counts
    return tuple(sorted(login for login, yes in last.items() if yes and login != author))


def comment(repository: str, number: int, text: str) -> str:
    """Write the comment, or change the one that was written before; return its address."""
    if len(text) > MAX_COMMENT:
        text = text[:MAX_COMMENT].rpartition("\n")[0] + "\n\n... the rest stands on the page of the job\n"
    comments = f"/repos/{repository}/issues/{number}/comments"
    for said in every(comments):
        own = (said.get("user") or {}).get("type") == "Bot"
        if own and str(said.get("body", "")).startswith(MARK):
            return str(call("PATCH", f"/repos/{repository}/issues/comments/{said['id']}", {"body": text})["html_url"])
    return str(call("POST", comments, {"body": text})["html_url"])


def main(words: list[str]) -> int:
    """`approvers`: print who approves, a login a line. `comment FILE`: write it. `base`, `head`: its commits."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    pull, repository = event.get("pull_request"), os.environ["GITHUB_REPOSITORY"]
    if pull is None:
        print("policykit: this run is of no pull request; run it on pull_request", file=sys.stderr)
        return 2
    try:
        if words == ["approvers"]:
            print(*approvers(repository, pull), sep="\n")
        elif words == ["base"]:
            print(pull["base"]["sha"])
        elif words == ["head"]:
            print(pull["head"]["sha"])
        elif words[:1] == ["comment"]:
            print(comment(repository, pull["number"], Path(words[1]).read_text(encoding="utf-8")))
    except Refused as error:
        print(f"policykit: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
