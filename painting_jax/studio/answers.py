"""What the studio says to a browser: JSON, and errors in one line without paths of the server."""

import errno
import os
import sys
import traceback

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from painting_jax import json_text, memory
from painting_jax.errors import UserError, one_line
from painting_jax.studio import limits

FULL = "the studio's disk is full: nothing was lost, make room on it and try again"
_FAILED = "the studio failed: its console says why"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Refused(HTTPException):
    """A request that is refused in one line.

    Args:
      status: Status of HTTP.
      line: What is wrong, and what would be right.
    """

    def __init__(self, status: int, line: str):
        super().__init__(status, line)


def in_a_line(error: BaseException, names: dict[str, str] | None = None) -> str:
    """What went wrong, in one line for the page.

    Args:
      error: What was raised.
      names: Paths of the server that the line may name, and what to say instead.
    """
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return FULL
    if memory.is_exhausted(error):
        return f"{memory.shortage(error)}: ask for fewer frames or a smaller size"
    if not isinstance(error, UserError | HTTPException):
        traceback.print_exception(error, file=sys.stderr)
        return _FAILED
    line = one_line(str(error.detail if isinstance(error, HTTPException) else error))
    for path, name in sorted((names or {}).items(), key=lambda item: -len(item[0])):
        line = line.replace(path, name)
    return line


def told(error: BaseException, names: dict[str, str] | None = None) -> Refused:
    """The refusal that an error amounts to; for arguments see `in_a_line`."""
    if isinstance(error, Refused):
        return error
    line = in_a_line(error, names)
    status = 507 if line == FULL else 400 if isinstance(error, UserError) else 500
    return Refused(status, line)


def refusal(request: Request, error: Exception) -> Response:
    """The answer to a request that raised: one line in JSON."""
    status = error.status_code if isinstance(error, HTTPException) else told(error).status_code
    known = isinstance(error, Refused) or not isinstance(error, HTTPException)
    line = in_a_line(error) if known else "there is no such page"
    return JSONResponse({"error": line}, status, headers={"Cache-Control": "no-store"})


def answer(value: object, status: int = 200) -> JSONResponse:
    """A value as JSON, which no cache keeps."""
    return JSONResponse(value, status, headers={"Cache-Control": "no-store"})


async def asked(request: Request) -> dict:
    """The JSON object that a request holds.

    Raises:
      Refused: If it is none, or larger than `limits.JSON`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.JSON:
            raise Refused(413, "the request is too large")
    try:
        value = json_text.parse(bytes(body) or b"{}")
    except ValueError:
        raise Refused(400, "the request is no JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "the request is no object of JSON")
    return value


def real_paths(*folders: os.PathLike | str) -> dict[str, str]:
    """Folders of the server by what a line says instead, for `in_a_line`."""
    return {os.path.abspath(folder): "the studio's folder" for folder in folders}
