"""The page's addresses: `/`, its parts for live updates, an order, the search, events, and the files of the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from policykit.dashboard.desk import Desk
from policykit.dashboard.guarding import Guarding
from policykit.dashboard.rendering import HERE, render

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

#: Pages that may follow the journal at one time.
MAX_FOLLOWERS: Final = 16
#: How often is looked whether the journal grew, and how often a page that follows hears that we live, seconds.
LOOK_S: Final = 0.5
ALIVE_S: Final = 15.0
_NEVER_KEPT: Final = {"cache-control": "no-store"}


class Bell:
    """Ring for every page that follows: each waits for the next number."""

    def __init__(self) -> None:
        self._rung = asyncio.Condition()
        self.count = 0
        self.followers = 0
        self.ended = False

    async def ring(self, *, last: bool = False) -> None:
        """Wake whoever waits; `last`: to let go."""
        async with self._rung:
            self.count += 1
            self.ended = last
            self._rung.notify_all()

    async def after(self, count: int) -> bool:
        """Wait until it rang after `count`, at most ALIVE_S; tell whether it did."""
        async with self._rung:
            try:
                async with asyncio.timeout(ALIVE_S):
                    await self._rung.wait_for(lambda: self.count > count)
            except TimeoutError:
                return False
        return True


class Site:
    """What answers; the desk is asked by one thread at a time, so that the loop stays free."""

    def __init__(self, desk: Desk, ending: Callable[[], bool]) -> None:
        self._desk, self._ending = desk, ending
        self._bell = Bell()

    async def overview(self, request: Request) -> Response:
        return await self._page("overview.html", request)

    async def parts(self, request: Request) -> Response:
        return await self._page("parts.html", request)

    async def _page(self, template: str, request: Request) -> Response:
        query = dict(request.query_params)
        return await self._html(lambda: self._desk.overview(template, query))

    async def order(self, request: Request) -> Response:
        ident = request.path_params["ident"]
        return await self._html(lambda: self._desk.order(ident))

    async def search(self, request: Request) -> Response:
        from starlette.responses import RedirectResponse

        asked = request.query_params.get("q", "").strip()
        symbol = await self._desk.ask(lambda: self._desk.symbol(asked))
        if not asked or symbol is not None:
            target = "/" if symbol is None else f"/?symbol={quote(symbol, safe='')}"
            return RedirectResponse(target, 303, _NEVER_KEPT)
        return RedirectResponse(f"/order/{quote(asked, safe='')}", 303, _NEVER_KEPT)

    async def _html(self, work: Any) -> Response:
        from starlette.responses import HTMLResponse

        status, text = await self._desk.ask(work)
        return HTMLResponse(text, status, _NEVER_KEPT)

    async def events(self, request: Request) -> Response:
        from starlette.responses import PlainTextResponse, StreamingResponse

        if self._bell.followers >= MAX_FOLLOWERS:
            return PlainTextResponse("too many pages follow already; close one\n", 503, _NEVER_KEPT)
        return StreamingResponse(self._follow(), media_type="text/event-stream", headers=_NEVER_KEPT)

    async def _follow(self) -> AsyncIterator[str]:
        """Yield `change` whenever the journal or the store moved, and a word now and then that we live."""
        self._bell.followers += 1
        try:
            seen = self._bell.count
            yield "retry: 2000\n\n"
            while not self._bell.ended:
                if await self._bell.after(seen):
                    seen = self._bell.count
                    yield f"event: change\ndata: {json.dumps({'seq': self._desk.newest})}\n\n"
                else:
                    yield ": alive\n\n"
        finally:
            self._bell.followers -= 1

    async def watch(self) -> None:
        """Read what is new, for as long as the server runs; ring when there was something."""
        while not self._ending():
            moved, behind = await self._desk.ask(self._desk.advance)
            if moved:
                await self._bell.ring()
            if not behind:
                await asyncio.sleep(LOOK_S)
        await self._bell.ring(last=True)


def application(desk: Desk, port: int, ending: Callable[[], bool] = lambda: False) -> Starlette:
    """Return the page as an application that answers on this port and to nobody else.

    `ending` tells that the server is about to end: pages that follow are let go then.
    """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.responses import HTMLResponse
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    site = Site(desk, ending)

    @asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(site.watch())
        try:
            yield
        finally:
            task.cancel()
            desk.close()

    async def missing(_: Request, __: Exception) -> Response:
        return HTMLResponse(render("found.html", **desk.frame("Not here"), view=NOT_HERE), 404, _NEVER_KEPT)

    routes = [
        Route("/", site.overview),
        Route("/parts", site.parts),
        Route("/order/{ident:path}", site.order),
        Route("/search", site.search),
        Route("/events", site.events),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guarding, port=port)],
        exception_handlers={404: missing},
        lifespan=living,
    )


NOT_HERE: Final = {"title": "Nothing is here", "says": "The overview has everything.", "candidates": (), "hints": ()}
