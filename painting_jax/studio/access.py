"""Who may talk to the studio: this machine alone, or whoever knows the password.

Browsers send requests on behalf of any page. So each must name a host that is meant, one that
changes something must come from the studio's own page, and no page may show the studio in a frame.
"""

import asyncio
import hmac
import ipaddress
import pathlib
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from painting_jax.errors import UserError
from painting_jax.studio import answers
from painting_jax.studio.answers import Refused

COOKIE = "studio"
OWN = "x-studio"  # header that another site's page cannot send without asking first
_SESSION = 30 * 24 * 3600.0  # seconds
_SHORTEST = 8  # letters of a password
_PAUSE = 1.0  # seconds after a wrong one, in which no other is tried
_LOCAL = {"localhost", "127.0.0.1", "::1"}
# What everybody may load.
_OPEN = ("/login", "/page/style.css", "/page/login.js", "/page/icon.svg")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def password_of(host: str, file: str | None, variable: str | None) -> str | None:
    """The password of a studio; None for one that has none.

    Args:
      host: Host that it listens at.
      file: File whose first line is the password.
      variable: Password of the environment.

    Raises:
      UserError: If others could reach the studio and no password is given, or it is too short.
    """
    password = variable
    if file:
        try:
            with pathlib.Path(file).open(encoding="utf-8") as lines:
                password = lines.readline(4096).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UserError(f"--password_file={file} cannot be read: {reason}") from None
    if password is None and not is_loopback(host):
        raise UserError(
            f"--host={host}: others can reach it, so it needs a password: name a file whose first "
            "line is one with --password_file"
        )
    if password is not None and len(password) < _SHORTEST:
        raise UserError(f"the studio's password needs at least {_SHORTEST} letters")
    return password


class Access:
    """Wraps the studio's application: refuses who may not talk to it, and adds headers.

    Args:
      app: Application.
      password: Password; None = none is asked.
      local: Whether only this machine is listened to.
    """

    def __init__(self, app: ASGIApp, password: str | None, *, local: bool):
        self._app, self._password, self._is_local = app, password, local
        self._sessions: dict[str, float] = {}
        self._one_try = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._guarded(request)
        except Refused as refused:
            response = answers.refusal(request, refused)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await (response or self._app)(scope, receive, send_with_headers)

    async def _guarded(self, request: Request) -> Response | None:
        """An answer in the place of the application's, if there is one.

        Raises:
          Refused: If the request is not for the studio, or comes from another site's page.
        """
        self._check_host(request)
        changes = request.method not in ("GET", "HEAD")
        if changes:
            _check_origin(request)
        if self._password is None:
            return RedirectResponse("/") if request.url.path == "/login" else None
        if request.url.path == "/login" and changes:
            return await self._log_in(request)
        if request.url.path in _OPEN or self._is_known(request):
            return None
        if request.url.path == "/":
            return RedirectResponse("/login", 303)
        raise Refused(401, "enter the password again: reload the page")

    def _check_host(self, request: Request) -> None:
        # A name that an attacker makes point at this machine is not ours (DNS rebinding).
        host = (request.url.hostname or "").lower()
        if self._is_local and host not in _LOCAL:
            raise Refused(421, "the studio is open to this machine alone")

    def _is_known(self, request: Request) -> bool:
        until = self._sessions.get(request.cookies.get(COOKIE, ""), 0.0)
        return until > time.monotonic()

    async def _log_in(self, request: Request) -> Response:
        said = (await answers.asked(request)).get("password")
        async with self._one_try:
            right = isinstance(said, str) and hmac.compare_digest(
                said.encode("utf-8", "surrogatepass"), self._password.encode()
            )
            if not right:
                await asyncio.sleep(_PAUSE)
                raise Refused(403, "this is not the password")
        now = time.monotonic()
        self._sessions = {key: until for key, until in self._sessions.items() if until > now}
        token = secrets.token_urlsafe(32)
        self._sessions[token] = now + _SESSION
        response = JSONResponse({})
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(_SESSION),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response


def _check_origin(request: Request) -> None:
    """Refuses what another site's page sends.

    Raises:
      Refused: If it does.
    """
    origin = request.headers.get("origin")
    same = origin is None or origin.partition("://")[2] == request.headers.get("host")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if not same or site not in ("same-origin", "none") or OWN not in request.headers:
        raise Refused(403, "only the studio's own page may ask for this")
