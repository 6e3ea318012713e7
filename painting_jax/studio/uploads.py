"""Pictures that browsers send: kept as files under random names, with bounds on each and on all."""

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator

import numpy as np

from painting_jax import json_text
from painting_jax.data import pictures
from painting_jax.errors import one_line, readable
from painting_jax.studio import answers, limits
from painting_jax.studio.answers import Refused

ID = re.compile(r"[0-9a-f]{16}")
PICTURE, SHOWN = "picture", "shown.jpg"  # as it came, and as it is shown
_ABOUT = "about.json"
_SHOWN_SIDE = 1280  # pixels
_NAMELESS = "picture"


def new_id() -> str:
    """A random name of a folder."""
    return secrets.token_hex(8)


def name_of(text: str) -> str:
    """The name of a picture as people read it: one line, without folders."""
    text = one_line(readable(re.split(r"[/\\]", text)[-1])).strip()
    return text[: limits.NAME] or _NAMELESS


@dataclasses.dataclass(frozen=True)
class Upload:
    """A picture that was sent.

    Attributes:
      id: Its random name.
      folder: Where it lies.
      name: What the person called it.
      height: In pixels, upright.
      width: In pixels, upright.
    """

    id: str
    folder: pathlib.Path
    name: str
    height: int
    width: int

    @property
    def path(self) -> pathlib.Path:
        """The file as it came."""
        return self.folder / PICTURE

    @property
    def told(self) -> dict:
        """It for the page."""
        shown = f"/uploads/{self.id}.jpg"
        return {
            "id": self.id,
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "shown": shown,
        }

    def load(self) -> np.ndarray:
        """The picture: uint8[H, W, 3].

        Raises:
          Refused: If it cannot be read any more.
        """
        return loaded(self.path, self.name)


def loaded(path: pathlib.Path, name: str) -> np.ndarray:
    """Reads a picture that was sent: uint8[H, W, 3].

    Raises:
      Refused: If it is none; the line calls it by its name.
    """
    try:
        return pictures.load(path)
    except Exception as error:
        raise answers.told(error, {str(path): name}) from None


class Uploads:
    """The pictures that were sent and are not painted yet.

    Args:
      folder: Where they are kept.
    """

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._coming = 0  # bytes of those that are being sent

    def find(self, key: object) -> Upload:
        """An upload by its name.

        Raises:
          Refused: If there is none.
        """
        if isinstance(key, str) and ID.fullmatch(key):
            folder = self._folder / key
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                about = json_text.read(folder / _ABOUT)
                return Upload(key, folder, about["name"], about["height"], about["width"])
        raise Refused(404, "this picture is not here any more: choose it again")

    async def receive(self, chunks: AsyncIterator[bytes], stated: int | None) -> pathlib.Path:
        """Writes what a browser sends to a new folder, which `finish` makes an upload.

        Args:
          chunks: Bytes of the file.
          stated: How many the browser says that there are; None = it does not say.

        Raises:
          Refused: If there are too many, or the studio has no room.
        """
        if stated is not None and stated > limits.UPLOAD:
            raise _too_large()
        self._make_room(stated or 0)
        folder = self._folder / new_id()
        count = 0
        try:
            folder.mkdir()
            with (folder / PICTURE).open("wb") as file:
                async for chunk in _timely(chunks):
                    count += len(chunk)
                    self._coming += len(chunk)
                    if count > limits.UPLOAD:
                        raise _too_large()
                    file.write(chunk)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise answers.told(error) from None
            raise
        finally:
            self._coming -= count
        return folder

    def finish(self, folder: pathlib.Path, name: str) -> Upload:
        """Reads a received file as a picture, and keeps it; what is none is removed.

        Raises:
          Refused: If it is no picture, or the studio has no room.
        """
        try:
            picture_HWC = loaded(folder / PICTURE, name)
            write_shown(folder / SHOWN, picture_HWC)
            height, width = picture_HWC.shape[:2]
            about = {"name": name, "height": height, "width": width}
            (folder / _ABOUT).write_text(json.dumps(about))
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise answers.told(error) if isinstance(error, Exception) else error from None
        return Upload(folder.name, folder, name, height, width)

    def _make_room(self, count: int) -> None:
        """Removes old pictures where it needs to, before so many bytes come.

        Raises:
          Refused: If there is no room.
        """
        now, total = time.time(), self._coming
        kept = []
        for folder in self._folder.iterdir():
            with contextlib.suppress(OSError):
                size = sum(file.stat().st_size for file in folder.iterdir())
                kept.append((folder.stat().st_mtime, size, folder))
        kept.sort()
        total += sum(size for _, size, _ in kept)
        for made, size, folder in kept:
            age = now - made
            crowded = total + count > limits.UPLOADS and age > limits.UPLOAD_FRESH
            if age > limits.UPLOAD_AGE or crowded:
                shutil.rmtree(folder, ignore_errors=True)
                total -= size
        if total + count > limits.UPLOADS:
            raise Refused(507, "the studio holds all the pictures that it can: come back later")
        if shutil.disk_usage(self._folder).free < count + limits.SPARE:
            raise Refused(507, answers.FULL)


def write_shown(path: pathlib.Path, picture_HWC: np.ndarray, side: int = _SHOWN_SIDE) -> None:
    """Writes a picture as the page shows it: encoded anew, so that nothing else comes with it."""
    data = pictures.encode(pictures.shrunk(picture_HWC, side), "jpeg")
    path.write_bytes(data)


def _too_large() -> Refused:
    return Refused(413, f"a picture may have {limits.UPLOAD >> 20} MB: save it smaller, as jpg")


async def _timely(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, as long as they come.

    Raises:
      Refused: If none comes for a while, or the browser hangs up.
    """
    iterator = aiter(chunks)
    while True:
        try:
            async with asyncio.timeout(limits.UPLOAD_WAIT):
                chunk = await anext(iterator)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refused(
                408, "the upload stopped in the middle: choose the picture again"
            ) from None
        yield chunk


def copied(source: pathlib.Path, target: pathlib.Path) -> None:
    """A file in another folder too, without copying its bytes where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
