"""Our HTTP API: typed, described by OpenAPI, with cursors, filters, problem JSON, events and jobs."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

ROUTERS: tuple[APIRouter, ...] = ()


def add_to(app: FastAPI, prefix: str) -> None:
    """Add the routes to *app*."""
