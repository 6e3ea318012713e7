"""The studio's application: its routes, each of which checks what a browser says."""

import asyncio
import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from painting_jax import media
from painting_jax.studio import answers, gallery, limits, result_files, uploads
from painting_jax.studio.access import Access
from painting_jax.studio.answers import Refused, answer, asked
from painting_jax.studio.gallery import Gallery, Work
from painting_jax.studio.offers import Offers
from painting_jax.studio.painting import Painting
from painting_jax.studio.painting_queue import PaintingQueue
from painting_jax.studio.regions import Regions
from painting_jax.studio.settings import MANNERS, TUTORIALS, Settings
from painting_jax.studio.source import Source, canvas_told
from painting_jax.studio.state import State
from painting_jax.studio.time_left import Speeds
from painting_jax.studio.uploads import Uploads

_PAGE = pathlib.Path(__file__).parent / "page"
_AT_ONCE = 2  # pictures that are looked at at a time, beside the one that is painted


class Studio:
    """A studio: its folder, its models, and its application.

    Args:
      folder: Where uploads and works are kept; it belongs to this program alone.
      offers: Models.
      password: Password; None = none is asked.
      local: Whether only this machine is listened to.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        offers: Offers,
        *,
        password: str | None = None,
        local: bool = True,
    ):
        self._offers = offers
        self.uploads = Uploads(folder / "uploads")
        self.gallery = Gallery(folder)
        self._names = answers.real_paths(folder)
        speeds = Speeds(folder / "speeds.json")
        painting = Painting(offers, speeds)
        self.queue = PaintingQueue(self.gallery, painting.paint, self._names)
        self.state = State(self.gallery, self.queue, offers, painting, speeds)
        self._desk = asyncio.Semaphore(_AT_ONCE)
        app = Starlette(
            routes=self._routes(),
            exception_handlers={Exception: answers.refusal, HTTPException: answers.refusal},
            lifespan=self._lifespan,
        )
        self.app = Access(app, password, local=local)

    def _routes(self) -> list[Route]:
        get, post = ["GET"], ["POST"]
        return [
            Route("/", _page("index.html"), methods=get),
            Route("/login", _page("login.html"), methods=get),
            Route("/page/{name}", _asset, methods=get),
            Route("/api/about", self._about, methods=get),
            Route("/api/state", self._now, methods=get),
            Route("/api/events", self._events, methods=get),
            Route("/api/uploads", self._upload, methods=post),
            Route("/api/uploads/{id}", self._uploaded, methods=get),
            Route("/api/regions", self._regions, methods=post),
            Route("/api/canvas", self._canvas, methods=post),
            Route("/api/works", self._works, methods=get),
            Route("/api/works", self._paint, methods=post),
            Route("/api/works/{id}", self._work, methods=get),
            Route("/api/works/{id}", self._remove, methods=["DELETE"]),
            Route("/api/works/{id}/cancel", self._cancel, methods=post),
            Route("/api/works/{id}/again", self._again, methods=post),
            Route("/uploads/{id}.jpg", self._shown, methods=get),
            Route("/works/{id}.zip", self._zip, methods=get),
            Route("/works/{id}/{name:path}", self._file, methods=get),
        ]

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self.queue.start()
        yield
        self.state.is_ending = True
        await asyncio.to_thread(self.queue.close)

    async def _about(self, _: Request) -> Response:
        return answer(
            {
                "models": {
                    key: dataclasses.asdict(offer.traits)
                    for key, offer in self._offers.models.items()
                },
                "media": {
                    name: {"label": media.in_words(name), "grounds": list(entry.grounds)}
                    for name, entry in media.MEDIA.items()
                },
                "manners": {part: list(values) for part, values in MANNERS.items()},
                "tutorials": {part: list(values) for part, values in TUTORIALS.items()},
                "limits": {
                    "upload": limits.UPLOAD,
                    "name": limits.NAME,
                    "prompt": limits.PROMPT,
                    "frames": limits.FRAMES,
                    "steps": limits.STEPS,
                },
            }
        )

    async def _now(self, _: Request) -> Response:
        return answer(await asyncio.to_thread(lambda: self.state.now))

    async def _events(self, _: Request) -> Response:
        if not self.state.has_room:
            raise Refused(503, "too many browsers are listening: this one asks now and then")
        return StreamingResponse(
            self.state.stream(),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _upload(self, request: Request) -> Response:
        stated = request.headers.get("content-length", "")
        count = int(stated) if stated.isdecimal() and len(stated) < 16 else None
        name = uploads.name_of(request.query_params.get("name", ""))
        try:
            folder = await self.uploads.receive(request.stream(), count)
        except ClientDisconnect:
            return Response(status_code=400)
        upload = await self._at_desk(self.uploads.finish, folder, name)
        return answer(upload.told)

    async def _uploaded(self, request: Request) -> Response:
        return answer(self.uploads.find(request.path_params["id"]).told)

    async def _shown(self, request: Request) -> Response:
        upload = self.uploads.find(request.path_params["id"])
        return FileResponse(upload.folder / uploads.SHOWN, media_type="image/jpeg")

    async def _regions(self, request: Request) -> Response:
        said = await asked(request)
        source, settings = self._source(said), _edits_of(said)

        def find() -> dict:
            return Regions.of(source.load(), settings.edits).told

        return answer(await self._at_desk(find))

    async def _canvas(self, request: Request) -> Response:
        said = await asked(request)
        source, photo = self._source(said), self.uploads.find(said.get("canvas"))
        settings = _checked(Settings.of, said)
        return answer(await self._at_desk(canvas_told, source, photo, settings))

    async def _works(self, request: Request) -> Response:
        first = request.query_params.get("first", "0")
        page = self.state.page(int(first) if first.isdecimal() and len(first) < 7 else 0)
        return answer(page)

    async def _work(self, request: Request) -> Response:
        work = self.gallery.find(request.path_params["id"])
        return answer(await asyncio.to_thread(self.state.whole, work))

    async def _paint(self, request: Request) -> Response:
        said = await asked(request)
        source = self._source(said)
        photo = self.uploads.find(said["canvas"]) if said.get("canvas") else None
        settings = _checked(Settings.of, said)
        if (photo is None) != (settings.corners is None):
            raise Refused(400, "a canvas needs its photo and its four corners")

        def add() -> Work:
            try:
                self._offers.check(settings, source.shape)
                if settings.edits or settings.order:
                    Regions.of(source.load(), settings.edits).ordered(settings.order)
            except Exception as error:
                raise answers.told(error, self._names) from None
            self.queue.check_room()
            work = self.gallery.add(
                source.name,
                source.shape,
                settings,
                picture=source.picture,
                shown=source.shown,
                canvas=photo.path if photo else None,
            )
            self.queue.add(work)
            return work

        work = await self._at_desk(add)
        return answer({"id": work.id}, 201)

    async def _cancel(self, request: Request) -> Response:
        self.queue.cancel(request.path_params["id"])
        return answer({})

    async def _again(self, request: Request) -> Response:
        await asyncio.to_thread(self.queue.again, request.path_params["id"])
        return answer({})

    async def _remove(self, request: Request) -> Response:
        work = self.gallery.find(request.path_params["id"])
        if work.state in gallery.WAITING:
            raise Refused(409, "cancel the painting before you remove it")
        await asyncio.to_thread(self.gallery.remove, work.id)
        return answer({})

    async def _file(self, request: Request) -> Response:
        work = self.gallery.find(request.path_params["id"])
        download = "download" in request.query_params
        return result_files.sent(work, request.path_params["name"], download=download)

    async def _zip(self, request: Request) -> Response:
        return result_files.zipped(self.gallery.find(request.path_params["id"]))

    def _source(self, said: dict) -> Source:
        """The picture of a request: an upload, or that of a work of the gallery.

        Raises:
          Refused: If there is none.
        """
        if said.get("work"):
            return Source.of_work(self.gallery.find(said["work"]))
        return Source.of_upload(self.uploads.find(said.get("picture")))

    async def _at_desk(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls what takes a while in another thread; a few at a time, the others wait.

        Raises:
          Refused: If it raises.
        """
        async with self._desk:
            try:
                return await asyncio.to_thread(function, *arguments)
            except Exception as error:
                raise answers.told(error, self._names) from None


def _edits_of(said: dict) -> Settings:
    # Regions do not depend on the medium.
    return _checked(Settings.of, {"edits": said.get("edits"), "medium": "oil"})


def _checked(function: Callable[[dict], Settings], said: dict) -> Settings:
    try:
        return function(said)
    except Exception as error:
        raise answers.told(error) from None


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(_: Request) -> Response:
        return _static(name)

    return send


async def _asset(request: Request) -> Response:
    return _static(request.path_params["name"])


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in _PAGE.iterdir() if path.is_file())


def _static(name: str) -> Response:
    if name not in _names():
        raise Refused(404, "there is no such page")
    # A newer version of the package is noticed at once.
    return FileResponse(_PAGE / name, headers={"Cache-Control": "no-cache"})
