"""Renders SVG documents in a process of its own, within bounds on time and memory.

A few lines of SVG can ask resvg for hours (masks in masks, short dashes) or for all memory, and it
ends the process when memory or its stack runs out. This file is also that process's program, and so
imports nothing of the package.
"""

import importlib.util
import pathlib
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Mapping
from typing import IO

import resvg_py

# Of processor time: for one document, and for all on average after a start.
SECONDS = 20
_START_SECONDS, _MEAN_SECONDS = 60, 3
MEMORY = 4 << 30  # bytes

_REQUEST = struct.Struct(">?Q")  # whether there is text, and the bytes of the document
_REPLY = struct.Struct(">?Q")  # whether it was rendered, and the bytes of the picture or the reason
_OUT_OF_TIME = f"it takes more than {SECONDS} s to draw, or {_MEAN_SECONDS} s for each state"
# What the process ends with: Rust aborts without memory, and a full stack is a fault.
_REASONS: Mapping[int, str] = {
    -signal.SIGXCPU: _OUT_OF_TIME,
    -signal.SIGABRT: f"it takes more than {MEMORY >> 30} GiB of memory to draw",
    -signal.SIGSEGV: "its elements refer to each other too deeply",
}


class RenderingError(Exception):
    """A document is no SVG that can be rendered. The message is the reason."""


class BoundsError(Exception):
    """A document takes more than is allowed. The message says of what."""


class Renderer:
    """A process that renders documents one after the other; closed by `with`."""

    def __enter__(self) -> "Renderer":
        # -P: modules beside this file are not to hide others of the same name.
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.communicate()

    def render(self, document: str, has_text: bool) -> bytes:
        """A PNG of a document on white, in the size that it states in pixels.

        Args:
          document: SVG whose references all stay inside it.
          has_text: Whether the fonts of the system are read, which takes its time.

        Raises:
          RenderingError: If it is no SVG.
          BoundsError: If drawing it takes more time or memory than is allowed. Nothing can be
            rendered afterwards.
        """
        data = document.encode()
        try:
            self._process.stdin.write(_REQUEST.pack(has_text, len(data)) + data)
            self._process.stdin.flush()
            rendered, size = _REPLY.unpack(_read(self._process.stdout, _REPLY.size))
            reply = _read(self._process.stdout, size)
        except (BrokenPipeError, EOFError):
            status = self._process.wait()
            raise BoundsError(_REASONS.get(status, f"drawing it ended with {status}")) from None
        if not rendered:
            raise RenderingError(reply.decode())
        return reply


def _read(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit(resource.RLIMIT_AS, MEMORY)
    allowed = _START_SECONDS
    while header := requests.read(_REQUEST.size):
        has_text, size = _REQUEST.unpack(header)
        document = _read(requests, size).decode()
        used = resource.getrusage(resource.RUSAGE_SELF)
        allowed += _MEAN_SECONDS
        _limit(resource.RLIMIT_CPU, min(int(used.ru_utime + used.ru_stime) + SECONDS, allowed))
        rendered, reply = _rendered(document, has_text)
        replies.write(_REPLY.pack(rendered, len(reply)) + reply)
        replies.flush()


def _limit(what: int, soft: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(what, (soft, hard))


def _rendered(document: str, has_text: bool) -> tuple[bool, bytes]:
    try:
        picture = resvg_py.svg_to_bytes(
            svg_string=document,
            background="white",
            skip_system_fonts=not has_text,
            font_dirs=[_own_fonts()] if has_text else None,
            serif_family="DejaVu Serif",
            sans_serif_family="DejaVu Sans",
            monospace_family="DejaVu Sans Mono",
        )
    except BaseException as error:  # a panic in Rust is no Exception
        return False, str(error).encode()
    return True, bytes(picture)


def _own_fonts() -> str:
    """The folder of fonts that stand in for those a computer lacks, else text would be missing."""
    package = pathlib.Path(importlib.util.find_spec("matplotlib").origin).parent
    return str(package / "mpl-data" / "fonts" / "ttf")


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
