"""A server that answers as Prometheus does, as far as dashboards ask it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Prometheus:
    """Where it is, what it was asked, and what it tells."""

    url: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    queues: Sequence[str] = ()
    """It has series of these, if a query selects them."""
    refuses: str = ""
    """A part of the queries that it refuses."""
    is_broken: bool = False
    """It answers what is no JSON."""

    def answer(self, question: dict[str, list[str]]) -> tuple[int, bytes]:
        """Its answer to a question: values that rise by one, the last of which is not a number."""
        query = question["query"][0]
        if self.is_broken:
            return 502, b"<html>"
        if self.refuses and self.refuses in query:
            return 400, b'{"status":"error","errorType":"bad_data","error":"too many samples"}'
        start, end, step = (float(question[name][0]) for name in ("start", "end", "step"))
        times = [start + step * at for at in range(int((end - start) / step) + 1)]
        values: list[list[Any]] = [[moment, str(at)] for at, moment in enumerate(times)]
        values[-1][1] = "NaN"
        wanted = re.search(r'queue=~"((?:[^"\\]|\\.)*)"', query)
        pattern = json.loads(f'"{wanted[1]}"') if wanted else ".*"
        series = [
            {"metric": {"queue": queue}, "values": values} for queue in self.queues if re.fullmatch(pattern, queue)
        ]
        body = {"status": "success", "data": {"resultType": "matrix", "result": series}}
        return 200, json.dumps(body, separators=(",", ":")).encode()


@contextmanager
def prometheus(queues: Sequence[str] = ()) -> Iterator[Prometheus]:
    """One that has series of *queues*."""
    found = Prometheus(queues=queues)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            question = parse_qs(urlsplit(self.path).query)
            found.asked.append(question)
            status, body = found.answer(question)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
