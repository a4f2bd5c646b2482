"""The dashboard and its HTTP API, to be run by itself (``asynqpy web``) or mounted in any ASGI application.

Needs ``asynqpy[web]``.
"""

from __future__ import annotations

try:
    import fastapi as _fastapi
    import sse_starlette as _sse_starlette
except ImportError as error:
    raise ImportError("asynqpy.web needs FastAPI: pip install 'asynqpy[web]'") from error

from asynqpy.web.app import WebApp, create_app
from asynqpy.web.audit import Change
from asynqpy.web.contents import ProtobufDecoder, Subject
from asynqpy.web.logins import BasicLogin, Login, ProxyLogin, TokenLogin
from asynqpy.web.users import Account, Permission, Role, User

__all__ = [
    "Account",
    "BasicLogin",
    "Change",
    "Login",
    "Permission",
    "ProtobufDecoder",
    "ProxyLogin",
    "Role",
    "Subject",
    "TokenLogin",
    "User",
    "WebApp",
    "create_app",
]

del _fastapi, _sse_starlette
