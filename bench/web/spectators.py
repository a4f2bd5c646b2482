"""`python -m bench.web.spectators ADDRESS NUMBER`: dashboards that are open; they do what a page was seen to do.

Standard input has what one page asked for while it was open, as JSON: pairs of seconds since it was opened, and path.
"""

import asyncio
import json
import sys
from random import Random

import httpx

PERIOD_SECONDS = 10.0
"""Over so many seconds they come, so that they do not ask all at once."""


async def spectate(web: httpx.AsyncClient, seen: list[tuple[float, str]], lasts: float, rng: Random) -> None:
    """One dashboard: its stream of events, and its requests again and again."""
    await asyncio.sleep(rng.uniform(0, PERIOD_SECONDS))
    async with asyncio.TaskGroup() as group:
        group.create_task(_follow(web))
        while True:
            before = 0.0
            for at, path in seen:
                await asyncio.sleep(at - before)
                before = at
                (await web.get(path)).raise_for_status()
            await asyncio.sleep(max(0.1, lasts - before))
            # What was asked at first is not asked again by a page that stays open.
            seen = [(at, path) for at, path in seen if at > 2.0]


async def _follow(web: httpx.AsyncClient) -> None:
    async with web.stream("GET", "api/v2/events") as stream:
        async for _ in stream.aiter_bytes():
            pass


async def main(address: str, number: int) -> None:
    """So many of them, until it is ended."""
    given = json.load(sys.stdin)
    rng = Random(1)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with (
        httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as web,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(number):
            group.create_task(spectate(web, [(at, path) for at, path in given["seen"]], given["lasts"], rng))
        await asyncio.sleep(PERIOD_SECONDS + 1)
        print("watching", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
