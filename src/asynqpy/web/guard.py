"""The gate that every request passes: who asks, whether another site made the browser ask, and strict headers.

Written for plain ASGI, so that streams pass through it as they are made.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asynqpy.web.logins import Login, TokenLogin, address_of
from asynqpy.web.paths import BASE, PATH, SLASH
from asynqpy.web.plain import login_form, refusal
from asynqpy.web.problems import MEDIA_TYPE, Problem
from asynqpy.web.sessions import Sessions
from asynqpy.web.users import LOCAL, Role, User

COOKIE, HEADER = "XSRF-TOKEN", "x-xsrf-token"
"""The names that axios, and with it asynq's front end, copies from one to the other."""

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""Nothing from elsewhere and no script in the page. Libraries of components set styles in it; these can run nothing."""

HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

FORWARDING_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

LOGIN_PATH, LOGOUT_PATH = "/login", "/logout"
"""Where the form for a token is sent to, and the button that ends its session."""

USER = "asynqpy.user"
"""Where the scope has the `User`."""

LOG_OUT = "asynqpy.log_out"
"""Where it has the path that ends the session; only for those who have one."""


class Guard:
    """Lets in whoever may come in, and gives each answer its headers.

    Args:
        logins: ways to log in; none at all lets in this machine, and nobody else unless *is_open*.
        read_only: nobody may change anything.
        is_open: let in everybody where there is no login.
        secret: for the tokens against requests that other sites make; one of its own unless given.
        open_paths: what anybody may read, such as ``/healthz``.
        login_url: where browsers go that have not logged in; a form for tokens, or word of it, unless given.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        logins: Sequence[Login],
        read_only: bool = False,
        is_open: bool = False,
        secret: str | None = None,
        open_paths: Sequence[str] = (),
        login_url: str = "",
    ) -> None:
        self._app = app
        self._logins = tuple(logins)
        self._read_only = read_only
        self._is_open = is_open
        self._key = (secret or secrets.token_hex(32)).encode()
        self._open_paths = frozenset(open_paths)
        self._login_url = login_url
        tokens = [login for login in logins if isinstance(login, TokenLogin)]
        self._sessions = Sessions(tokens, self._key) if tokens else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        sessions = self._sessions
        try:
            if sessions and scope["method"] == "POST" and scope.get(PATH) in (LOGIN_PATH, LOGOUT_PATH):
                self._refuse_others(connection)
                if scope[PATH] == LOGIN_PATH:
                    response = await sessions.log_in(connection, receive)
                else:
                    response = sessions.log_out(connection)
                await response(scope, receive, _with_headers(send, {}))
                return
            scope[USER] = user = await self._user(connection)
            if user is not None:
                self._refuse_changes(connection)
        except Problem as problem:
            page = self._page(connection, problem)
            if page is not None:
                await page(scope, receive, _with_headers(send, {}))
            else:
                await _answer(connection, problem, _with_headers(send, {}))
            return
        await self._app(scope, receive, _with_headers(send, self._cookie(connection, user)))

    def _page(self, connection: HTTPConnection, problem: Problem) -> Response | None:
        """What a browser that looks for a page gets instead of *problem*; None for programs."""
        path: str = connection.scope.get(PATH, "")
        wants_page = connection.scope["method"] == "GET" and "text/html" in connection.headers.get("accept", "")
        if not wants_page or "/api/" in path or problem.code != "login_required":
            return None
        base, query = connection.scope.get(BASE, ""), connection.url.query
        following = quote(path).replace(quote(SLASH), "%2F") + (f"?{query}" if query else "")
        if problem.status is not HTTPStatus.UNAUTHORIZED:
            page: Response = refusal(problem.detail, problem.status)
        elif self._login_url:
            mark = "&" if "?" in self._login_url else "?"
            return RedirectResponse(f"{self._login_url}{mark}next={quote(base + following, safe='')}", 303)
        elif self._sessions is not None:
            page = login_form(base, "/" if path == LOGIN_PATH else following)
        else:
            page = refusal(problem.detail, problem.status)
        page.headers.update(problem.headers)
        return page

    async def _user(self, connection: HTTPConnection) -> User | None:
        if connection.scope.get("asynqpy.path") in self._open_paths:
            return None
        for login in self._logins:
            user = await login.user_of(connection)
            if user is not None:
                return user
        if self._sessions is not None and (user := self._sessions.user_of(connection)) is not None:
            connection.scope[LOG_OUT] = connection.scope[BASE] + LOGOUT_PATH
            return user
        if not self._logins:
            if self._is_open or is_local(connection):
                return LOCAL
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "login_required",
                "without a login only this machine itself may look, by the name localhost and through no proxy:"
                " give create_app() a login",
            )
        problem = Problem(HTTPStatus.UNAUTHORIZED, "login_required", "log in first")
        challenges = dict.fromkeys(login.challenge for login in self._logins if login.challenge)
        if challenges:
            problem.headers["WWW-Authenticate"] = ", ".join(challenge for challenge in challenges if challenge)
        raise problem

    def _refuse_changes(self, connection: HTTPConnection) -> None:
        method = connection.scope["method"]
        if method in SAFE_METHODS:
            return
        if self._read_only:
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "read_only", f"this is read-only: {method} is not allowed")
        self._refuse_others(connection)

    def _refuse_others(self, connection: HTTPConnection) -> None:
        if not self._is_of_our_own(connection):
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "cross_site",
                f"another site may have made this request: send the cookie {COOKIE} as header X-XSRF-TOKEN",
            )

    def _is_of_our_own(self, connection: HTTPConnection) -> bool:
        """Whether no other site made the browser send this: it proves to have read our cookie, or to be ours."""
        headers = connection.headers
        if self._is_token(headers.get(HEADER, ""), _cookie_of(connection)):
            return True
        if headers.get("authorization", "").lower().startswith("bearer "):
            return True  # no browser adds that by itself
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            return site in ("same-origin", "none")
        if origin is not None:
            return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
        return True  # every browser of the last years sends one of the two with what changes something

    def _is_token(self, given: str, kept: str) -> bool:
        nonce, _, _ = given.partition(".")
        return bool(given) and hmac.compare_digest(given.encode(), kept.encode()) and self._token(nonce) == given

    def _token(self, nonce: str) -> str:
        return f"{nonce}.{hmac.new(self._key, nonce.encode(), hashlib.sha256).hexdigest()}"

    def _cookie(self, connection: HTTPConnection, user: User | None) -> dict[str, str]:
        """The cookie for those who have none that is valid."""
        kept = _cookie_of(connection)
        if user is None or self._is_token(kept, kept):
            return {}
        path = connection.scope.get("asynqpy.base", "") + "/"
        secure = "; Secure" if connection.url.scheme == "https" else ""
        token = self._token(secrets.token_urlsafe(16))
        return {"Set-Cookie": f"{COOKIE}={token}; Path={path}; SameSite=Strict{secure}"}


def is_local(connection: HTTPConnection) -> bool:
    """Whether this machine asks for itself: its address, its name in ``Host``, and no proxy in between.

    The name matters because a page of another site can make its own name lead to this machine.
    """
    address = address_of(connection)
    if address is None or not address.is_loopback:
        return False
    if any(name in connection.headers for name in FORWARDING_HEADERS):
        return False
    return is_local_name(urlsplit(f"//{connection.headers.get('host', '')}").hostname or "")


def is_local_name(host: str) -> bool:
    """Whether *host* is a name or address of this machine for itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def user_of(connection: HTTPConnection) -> User:
    """Who asks."""
    user: User | None = connection.scope.get(USER)
    return user or User(name="", role=Role.VIEWER, queues=())


def _cookie_of(connection: HTTPConnection) -> str:
    try:
        cookie = SimpleCookie(connection.headers.get("cookie", ""))
    except CookieError:
        return ""
    found = cookie.get(COOKIE)
    return found.value if found is not None else ""


def _with_headers(send: Send, extra: dict[str, str]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            for name, value in extra.items():
                headers.append(name, value)
        await send(message)

    return sending


async def _answer(connection: HTTPConnection, problem: Problem, send: Send) -> None:
    """*problem* in the form that whoever asks can read."""
    path: str = connection.scope.get("asynqpy.path", "")
    is_ours = "/api/v2" in path
    body = problem.body() if is_ours else f"{problem.detail}\n".encode()
    kind = MEDIA_TYPE if is_ours else "text/plain; charset=utf-8"
    headers = {"content-type": kind, "content-length": str(len(body)), **problem.headers}
    start = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": int(problem.status), "headers": start})
    await send({"type": "http.response.body", "body": body})
