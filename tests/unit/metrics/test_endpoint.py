"""The page that Prometheus reads."""

from __future__ import annotations

import gzip
import http.client
import logging
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from asynqpy import ConfigError
from asynqpy.metrics import MetricsEndpoint

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@pytest.fixture
def endpoint() -> Iterator[MetricsEndpoint]:
    """A registry with one number, on a free port."""
    registry = CollectorRegistry()
    Gauge("things_total", "Things.", registry=registry).set(3)
    with MetricsEndpoint(registry, port=0) as served:
        yield served


def ask(
    endpoint: MetricsEndpoint, path: str = "/metrics", method: str = "GET", **headers: str
) -> tuple[int, str, bytes]:
    """Status, kind of content, and content."""
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=10)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        body = answer.read()
        if answer.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        return answer.status, answer.headers["Content-Type"], body
    finally:
        connection.close()


def test_the_page_is_text_whatever_is_asked_for(endpoint: MetricsEndpoint) -> None:
    """Prometheus asks for OpenMetrics first, where a gauge may not be called a total."""
    expected = b"# HELP things_total Things.\n# TYPE things_total gauge\nthings_total 3.0\n"
    assert ask(endpoint) == (200, TEXT, expected)
    assert ask(endpoint, Accept="application/openmetrics-text; version=1.0.0") == (200, TEXT, expected)
    assert ask(endpoint, "/metrics?name[]=other", Accept_Encoding="gzip, br") == (200, TEXT, expected)


def test_there_is_but_one_page(endpoint: MetricsEndpoint) -> None:
    """Others say where it is; a HEAD has no body; nothing else is understood."""
    assert ask(endpoint, "/") == (404, TEXT, b"metrics are at /metrics\n")
    assert ask(endpoint, method="HEAD") == (200, TEXT, b"")
    assert ask(endpoint, method="POST")[0] == 501


def test_it_listens_on_this_machine_alone(endpoint: MetricsEndpoint) -> None:
    """Unless another address is given."""
    assert endpoint.url == f"http://127.0.0.1:{endpoint.port}/metrics"


def test_ipv6() -> None:
    """An address of the other family is an address."""
    try:
        socket.socket(socket.AF_INET6).close()
        endpoint = MetricsEndpoint(CollectorRegistry(), port=0, host="::1")
    except (OSError, ConfigError):
        pytest.skip("this machine has no IPv6")
    with endpoint:
        assert endpoint.url == f"http://[::1]:{endpoint.port}/metrics"
        with socket.create_connection(("::1", endpoint.port), timeout=10):
            pass


def test_a_port_that_is_taken_is_an_error_that_says_so(endpoint: MetricsEndpoint) -> None:
    """So are addresses that are none of this machine's."""
    with pytest.raises(ConfigError, match=f"cannot serve metrics on 127.0.0.1, port {endpoint.port}: "):
        MetricsEndpoint(CollectorRegistry(), port=endpoint.port)
    with pytest.raises(ConfigError, match="cannot serve metrics on"):
        MetricsEndpoint(CollectorRegistry(), port=0, host="no such host.invalid")


def test_numbers_that_cannot_be_had_are_an_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    """Which is logged here, and told to nobody else."""

    def broken() -> bytes:
        raise RuntimeError("secret")

    with caplog.at_level(logging.ERROR, "asynqpy"), MetricsEndpoint(broken, port=0) as endpoint:
        status, _, body = ask(endpoint)
    assert status == 500
    assert b"secret" not in body
    assert [record.message for record in caplog.records] == ["the metrics cannot be written down"]


def test_a_closed_endpoint_leaves_its_port() -> None:
    """For the next one."""
    with MetricsEndpoint(CollectorRegistry(), port=0) as first:
        port = first.port
    with MetricsEndpoint(CollectorRegistry(), port=port) as second:
        assert ask(second)[0] == 200
