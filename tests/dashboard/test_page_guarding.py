"""Who may ask the page, and what its answers let a browser do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from policykit.dashboard.guarding import MAX_ADDRESS
from tests.dashboard.pages import PORT, Client, made, page

PATHS = ("/", "/parts", "/order/01JD3V7K2M0000000000000001", "/order/nothing", "/search?q=x", "/static/page.js", "/no")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return the page of a journal with one of everything."""
    folder = tmp_path_factory.mktemp("page")
    with page(made(folder), folder / "index.db") as found:
        yield found


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_lets_the_browser_load_run_or_frame_what_is_not_ours(client: Client, path: str) -> None:
    """Each answer, found or not, carries the whole policy, and neither a cookie nor leave for another site."""
    answer = client.get(path)
    assert answer.headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert not {"set-cookie", "access-control-allow-origin", "server"} & set(answer.headers)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        "127.0.0.1:1",
        f"127.0.0.1.evil.example:{PORT}",
        "",
        "0.0.0.0:8770",
    ],
)
def test_a_name_that_is_not_ours_is_not_answered(client: Client, host: str) -> None:
    """DNS rebinding: a name of somebody else that leads here gets nothing of the page."""
    answer = client.get("/", headers={"host": host})
    assert (answer.status_code, answer.text) == (421, "this is asked by its own names only: 127.0.0.1 and localhost\n")


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
def test_our_own_names_are_answered(client: Client, host: str) -> None:
    """The address that the command prints, and what people type for it."""
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/events", "/parts"])
@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
     {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}],
)  # fmt: skip
def test_what_another_site_asks_for_is_refused(client: Client, path: str, headers: dict[str, str]) -> None:
    """Also the events, which a browser would let any site open."""
    answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.text) == (403, "asked by another site\n")


def test_a_link_from_elsewhere_opens_the_page(client: Client) -> None:
    """From a chat or a wiki: a navigation shows the page to the user, and to nobody else."""
    assert client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200
    assert client.get("/", headers={"origin": f"http://127.0.0.1:{PORT}"}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/order/x", "/static/page.js"])
def test_nothing_but_reading_is_answered(client: Client, method: str, path: str) -> None:
    """There is no way to change anything by the page."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.text, answer.headers["allow"]) == (405, "this is read-only\n", "GET, HEAD")


def test_an_endless_address_is_not_answered(client: Client) -> None:
    """A bound on what is read, looked for and shown again."""
    assert client.get("/search", params={"q": "x" * MAX_ADDRESS}).status_code == 414
    assert client.get("/static/%2e%2e/server.py").status_code == 404
