"""Lines of the access log, as Python makes them."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sennit.web._accesslog import (
    combinedLogFormatter,
    escapeForLog,
    jsonLogFormatter,
    proxiedLogFormatter,
)
from sennit.web.http_headers import Headers
from sennit.web.iweb import IAccessLogFormatter

TIME = "[06/Nov/1994:08:49:37 +0000]"


def finished(**changes: Any) -> Any:
    headers: dict[str, list[str]] = changes.pop("headers", {})
    kept = Headers(headers)
    fields: dict[str, Any] = {
        "method": b"GET",
        "uri": b"/x",
        "clientproto": b"HTTP/1.1",
        "code": 402,
        "sentLength": 12,
        "requestHeaders": kept,
        "getHeader": lambda name: next(reversed(kept.getRawHeaders(name) or []), None),
        "getClientAddress": lambda: SimpleNamespace(host="10.0.0.1"),
        **changes,
    }
    return SimpleNamespace(**fields)


def test_combined_line_has_all_parts() -> None:
    request = finished(headers={"Referer": ["http://a/"], "User-Agent": ["curl/8"]})
    assert combinedLogFormatter(TIME, request) == (
        f'"10.0.0.1" - - {TIME} "GET /x HTTP/1.1" 402 12 "http://a/" "curl/8"'
    )


def test_combined_line_has_dashes_for_what_is_missing() -> None:
    request = finished(sentLength=0, getClientAddress=lambda: SimpleNamespace(name=None))
    assert combinedLogFormatter(TIME, request) == f'"-" - - {TIME} "GET /x HTTP/1.1" 402 - "-" "-"'


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        (b"plain", "plain"),
        (b'a"b', 'a\\"b'),
        (b"a\\b", "a\\\\b"),
        (b"\\'", "\\\\'"),
        (b"a\nb\r\t", "a\\nb\\r\\t"),
        (b"\x1b[31m\x00\x7f\xe4", "\\x1b[31m\\x00\\x7f\\xe4"),
    ],
)
def test_what_clients_send_is_escaped(text: bytes, escaped: str) -> None:
    assert escapeForLog(text) == escaped


def test_combined_line_stays_one_line() -> None:
    request = finished(uri=b"/\x1b\n", headers={"User-Agent": ['"\x1b']})
    line = combinedLogFormatter(TIME, request)
    assert line.isprintable()


@pytest.mark.parametrize(
    ("header", "ip"), [(["1.2.3.4, 5.6.7.8"], "1.2.3.4"), (["1.2.3.4", "9.9.9.9"], "1.2.3.4"), ([], "-")]
)
def test_proxied_line_has_first_forwarded_address(header: list[str], ip: str) -> None:
    request = finished(headers={"X-Forwarded-For": header} if header else {})
    assert proxiedLogFormatter(TIME, request).startswith(f'"{ip}" - - ')


def test_json_line_is_one_object() -> None:
    line = jsonLogFormatter(TIME, finished(uri=b"/\xe4\n"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1994-11-06T08:49:37Z",
        "client": "10.0.0.1",
        "method": "GET",
        "target": "/ä\n",
        "protocol": "HTTP/1.1",
        "status": 402,
        "bytes": 12,
        "referer": None,
        "user_agent": None,
    }


@pytest.mark.parametrize("formatter", [combinedLogFormatter, proxiedLogFormatter, jsonLogFormatter])
def test_formatters_provide_the_interface(formatter: Any) -> None:
    assert IAccessLogFormatter.providedBy(formatter)
