"""Sessions of browsers that have logged in with a token: a cookie that no script reads and nobody else can make."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive

from asynqpy.web.logins import TokenLogin
from asynqpy.web.paths import BASE
from asynqpy.web.plain import login_form
from asynqpy.web.users import User

COOKIE = "asynqpy-session"
SECONDS = 12 * 3600
LARGEST_FORM = 8192
"""Bytes."""


class Sessions:
    """Who has which session; nothing is stored here, so that it outlives a restart where *key* does.

    Args:
        logins: whose tokens count.
        key: signs the cookies.
        now: seconds since 1970.
    """

    def __init__(self, logins: list[TokenLogin], key: bytes, now: Callable[[], float] = time.time) -> None:
        self._logins = logins
        self._key = key
        self._now = now

    def user_of(self, connection: HTTPConnection) -> User | None:
        """Whose session it is; None for none, an old one, or one whose token is known no more."""
        digest, _, rest = connection.cookies.get(COOKIE, "").partition(".")
        until, _, signature = rest.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(f"{digest}.{until}").encode()):
            return None
        if int(until) < self._now():
            return None
        return self._holder(bytes.fromhex(digest))

    async def log_in(self, connection: HTTPConnection, receive: Receive) -> Response:
        """The answer to the form: the session and the way to where it came from, or the form once more."""
        form = parse_qs((await _body(receive)).decode("utf-8", "replace"), max_num_fields=10)
        base: str = connection.scope[BASE]
        following = _path_in(form.get("next", [""])[0])
        digest = hashlib.sha256(form.get("token", [""])[0].strip().encode("utf-8", "surrogateescape")).digest()
        if self._holder(digest) is None:
            return login_form(base, following, is_wrong=True)
        signed = f"{digest.hex()}.{int(self._now()) + SECONDS}"
        response = RedirectResponse(base + following, 303)
        response.set_cookie(
            COOKIE,
            f"{signed}.{self._sign(signed)}",
            max_age=SECONDS,
            path=f"{base}/",
            secure=connection.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    def log_out(self, connection: HTTPConnection) -> Response:
        """The end of the session in this browser, and the way to the form."""
        base: str = connection.scope[BASE]
        response = RedirectResponse(f"{base}/", 303)
        secure = connection.url.scheme == "https"
        response.delete_cookie(COOKIE, path=f"{base}/", secure=secure, httponly=True, samesite="strict")
        return response

    def _holder(self, digest: bytes) -> User | None:
        return next((user for login in self._logins if (user := login.user_by_digest(digest)) is not None), None)

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, b"session " + text.encode(), hashlib.sha256).hexdigest()


def _path_in(text: str) -> str:
    """A path of ours; the first page for what could lead to somebody else."""
    is_ours = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_ours and text.isascii() else "/"


async def _body(receive: Receive) -> bytes:
    found = b""
    while len(found) <= LARGEST_FORM:
        message = await receive()
        found += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return found
    return b""  # too large for a token
