"""Pages that need no front end: a form to log in, a list of several Redis, and what is to be said without one."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import HTMLResponse

STYLE = (
    ":root{color-scheme:light dark;--text:#1c2024;--dim:#5b646d;--back:#fff;--line:#dee2e6;"
    "--main:#0f766e;--bad:#c92a2a}"
    "@media(prefers-color-scheme:dark){:root{--text:#e4e7ea;--dim:#9aa4ad;--back:#1a1b1e;--line:#373a40;"
    "--main:#2dd4bf;--bad:#ff8787}}"
    "*{box-sizing:border-box}body{font:1rem/1.5 system-ui,sans-serif;margin:0;padding:3rem 1rem;color:var(--text);"
    "background:var(--back)}main{max-width:44rem;margin:auto}main.narrow{max-width:24rem}h1{font-size:1.4rem}"
    "a{color:var(--main)}p.dim,small,dt{color:var(--dim)}p.bad,.down{color:var(--bad)}"
    "label{display:block;font-weight:600;margin:1rem 0 .25rem}"
    "input{width:100%;font:inherit;padding:.5rem .75rem;border:1px solid var(--line);border-radius:.5rem;"
    "background:transparent;color:inherit}"
    "button{margin-top:1rem;font:inherit;font-weight:600;padding:.5rem 1rem;border:0;border-radius:.5rem;"
    "background:#0f766e;color:#fff;cursor:pointer}"
    "ul{list-style:none;padding:0}li{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;"
    "margin:.75rem 0}li>a{font-weight:600;overflow-wrap:anywhere}dl{display:flex;flex-wrap:wrap;gap:.25rem 2rem;"
    "margin:.5rem 0 0}dl div{display:flex;gap:.5rem}dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}"
)


def page_of(title: str, body: str, status: HTTPStatus = HTTPStatus.OK, *, is_narrow: bool = False) -> HTMLResponse:
    """A page with *body*, which is HTML."""
    name = html.escape(title)
    narrow = ' class="narrow"' if is_narrow else ""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name} · asynqpy</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head>"
        f"<body><main{narrow}><h1>{name}</h1>{body}</main></body></html>",
        status,
        {"Cache-Control": "no-store"},
    )


def login_form(base: str, following: str, *, is_wrong: bool = False) -> HTMLResponse:
    """A form for a token; *following* is the path, below *base*, where it leads to."""
    action, then = html.escape(f"{base}/login", quote=True), html.escape(following, quote=True)
    wrong = '<p class="bad" role="alert">Nobody has this token.</p>' if is_wrong else ""
    return page_of(
        "Log in",
        f'{wrong}<form method="post" action="{action}"><input type="hidden" name="next" value="{then}">'
        '<label for="token">Token</label>'
        '<input id="token" name="token" type="password" required autofocus autocomplete="current-password">'
        '<button>Log in</button></form><p class="dim">This browser stays logged in for twelve hours.</p>',
        HTTPStatus.UNAUTHORIZED,
        is_narrow=True,
    )


def refusal(detail: str, status: HTTPStatus) -> HTMLResponse:
    """Why somebody does not get in."""
    return page_of("No entry", f"<p>{html.escape(detail[:1].upper() + detail[1:])}.</p>", status, is_narrow=True)


@dataclass(frozen=True, slots=True)
class Seen:
    """One Redis as the list of several shows it."""

    name: str
    is_up: bool
    queues: int = 0
    pending: int = 0
    failed_today: int = 0


def list_of(found: Iterable[Seen], base: str) -> HTMLResponse:
    """A page that leads to each of several Redis."""
    where = html.escape(base, quote=True)
    lines = "".join(
        f'<li><a href="{where}/{html.escape(each.name, quote=True)}/">{html.escape(each.name)}</a>{_numbers(each)}</li>'
        for each in found
    )
    return page_of("Redis", f'<p class="dim">Each has pages of its own.</p><ul>{lines}</ul>')


def _numbers(seen: Seen) -> str:
    if not seen.is_up:
        return '<dl><div><dt>State</dt><dd class="down">down</dd></div></dl>'
    facts = {
        "State": "up",
        "Queues": f"{seen.queues:,}",
        "Pending": f"{seen.pending:,}",
        "Failed today": f"{seen.failed_today:,}",
    }
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items()) + "</dl>"
