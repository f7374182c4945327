"""What `http.Request` tells of a request, and does for a response, through the engine."""

import asyncio
import re
from io import BytesIO
from typing import Any

import pytest

from sennit.internet.address import IPv4Address, IPv6Address, UNIXAddress
from sennit.internet.error import ConnectionDone, ConnectionLost
from sennit.web import http
from sennit.web.server import NOT_DONE_YET, Site
from sennit.web.testing import AsyncTestClient, TestClient
from tests.unit.web.doubles import Calls, answered, clientOf


def told(function: Any, *, method: str = "GET", target: str = "/", client: Any = None, **options: Any) -> Any:
    """What a function of the request returns, for one request."""
    results: list[Any] = []

    def render(request: Any) -> bytes:
        results.append(function(request))
        return b""

    with TestClient(Site(Calls(render)), **(client or {})) as testClient:
        response = testClient.request(method, target, **options)
    assert results, response.text
    return results[0]


class TestArguments:
    def test_args_come_from_query(self) -> None:
        args = told(lambda request: request.args, target="/?a=1&a=2&b=%E4")
        assert args == {b"a": [b"1", b"2"], b"b": [b"\xe4"]}

    def test_args_of_request_without_query_are_empty(self) -> None:
        assert told(lambda request: request.args) == {}

    def test_args_can_be_set(self) -> None:
        def change(request: Any) -> Any:
            request.args = {b"x": [b"1"]}
            return request.args, request.textArgs

        assert told(change) == ({b"x": [b"1"]}, {"x": ["1"]})

    def test_args_of_body_replace_those_of_query(self) -> None:
        args = told(lambda request: request.args, method="POST", target="/?a=1&b=2", form={"a": ["3", "4"]})
        assert args == {b"a": [b"3", b"4"], b"b": [b"2"]}

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "GET"])
    def test_args_come_from_body_of_post_only(self, method: str) -> None:
        assert told(lambda request: request.args, method=method, form={"a": "1"}) == {}

    def test_args_leave_content_at_start(self) -> None:
        assert told(lambda r: (r.args, r.content.read()), method="POST", form={"a": "1"})[1] == b"a=1"

    def test_args_have_uploaded_files(self) -> None:
        sent: dict[str, Any] = {"form": {"a": "ä"}, "files": {"f": ("x.txt", b"\xff\0")}}
        args, text, files = told(lambda r: (r.args, r.textArgs, r.files), method="POST", **sent)
        assert args == {b"a": ["ä".encode()], b"f": [b"\xff\0"]}
        assert text == {"a": ["ä"]}
        assert files["f"][0].filename == "x.txt"

    def test_text_args_leave_files_out(self) -> None:
        sent: dict[str, Any] = {"form": {"a": "1"}, "files": {"f": b"x"}}
        assert told(lambda r: r.textArgs, method="POST", target="/?b=2", **sent) == {"a": ["1"], "b": ["2"]}

    @pytest.mark.parametrize(("name", "value"), [("a", "ä"), (b"a", "ä"), ("c", None)])
    def test_get_arg_gives_first_value_as_text(self, name: str | bytes, value: str | None) -> None:
        assert told(lambda request: request.getArg(name), target="/?a=%C3%A4&a=2") == value

    @pytest.mark.parametrize(
        ("kind", "body", "code"),
        [
            ("application/x-www-form-urlencoded", "a=1&" * 2000, 413),
            ("multipart/form-data; boundary=b", "junk", 400),
            ("multipart/form-data", "junk", 400),
        ],
    )
    def test_bad_form_is_answered_with_its_code(self, kind: str, body: str, code: int) -> None:
        response = answered(
            lambda request: str(request.args), method="POST", body=body, headers={"Content-Type": kind}
        )
        assert response.code == code

    def test_site_limits_forms(self) -> None:
        site = Site(Calls(lambda request: str(request.args)), maxFormMemory=10)
        with TestClient(site) as client:
            assert client.post("/", form={"a": "x" * 20}).code == 413
            site.maxFormMemory = 100
            assert client.post("/", form={"a": "x" * 20}).code == 200

    @pytest.mark.parametrize("streams", [True, False])
    def test_form_can_be_loaded_piece_by_piece(self, streams: bool) -> None:
        async def render(request: Any) -> str:
            before = request.args
            await request.loadForm()
            await request.loadForm()
            (file,) = request.files["f"]
            return repr((request.textArgs, file.size, request.args[b"b"], before is request.args))

        with TestClient(Site(Calls(render, streamsBody=streams))) as client:
            response = client.post("/?b=1", form={"a": "2"}, files={"f": b"x" * 300_000})
        if streams:
            assert response.text == repr(({"b": ["1"], "a": ["2"]}, 300_000, [b"1"], False))
        else:
            assert response.text == repr(({"b": ["1"], "a": ["2"]}, 300_000, [b"1"], True))

    def test_streamed_form_is_no_args_unless_loaded(self) -> None:
        async def render(request: Any) -> str:
            body = [piece async for piece in request.stream()]
            return repr((request.args, b"".join(body)))

        with TestClient(Site(Calls(render, streamsBody=True))) as client:
            assert client.post("/?b=1", form={"a": "2"}).text == repr(({b"b": [b"1"]}, b"a=2"))

    def test_bad_form_that_is_loaded_is_answered_with_its_code(self) -> None:
        async def render(request: Any) -> str:
            await request.loadForm()
            return ""

        response = answered(
            render, method="POST", body="junk", headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
        assert response.code == 400

    def test_site_can_leave_forms_unread(self) -> None:
        site = Site(Calls(lambda request: str(request.args)), parsePOSTFormSubmission=False)
        with TestClient(site) as client:
            assert client.post("/?b=1", form={"a": "1"}).text == "{b'b': [b'1']}"


class TestHeaders:
    def test_get_header_gives_last_value_in_type_of_key(self) -> None:
        headers = [("X-A", "1"), ("X-A", "2")]
        found = told(lambda r: (r.getHeader("x-a"), r.getHeader(b"X-A"), r.getHeader("b")), headers=headers)
        assert found == ("2", b"2", None)

    def test_get_all_headers_has_lower_case_names(self) -> None:
        headers = told(lambda request: request.getAllHeaders(), headers={"X-A": ["1", "2"]})
        assert headers == {b"host": b"localhost", b"x-a": b"2"}

    def test_cookies_are_read(self) -> None:
        found = told(
            lambda r: (r.received_cookies, r.getCookie(b"a"), r.getCookie("b"), r.getCookie("c")),
            headers={"Cookie": "a=1; b=2"},
        )
        assert found == ({b"a": b"1", b"b": b"2"}, b"1", b"2", None)

    @pytest.mark.parametrize(
        ("header", "credentials"),
        [
            ("Basic am9lOnNlOmNyZXQ=", (b"joe", b"se:cret")),
            ("basic am9lOg==", (b"joe", b"")),
            ("Basic am9l", (b"", b"")),
            ("Basic !!!!", (b"", b"")),
            ("Bearer am9lOnNl", (b"", b"")),
            ("Basic", (b"", b"")),
            (None, (b"", b"")),
        ],
    )
    def test_basic_credentials_are_read(self, header: str | None, credentials: tuple[bytes, bytes]) -> None:
        headers = {} if header is None else {"Authorization": header}
        assert told(lambda r: (r.getUser(), r.getPassword()), headers=headers) == credentials


class TestAddresses:
    @pytest.mark.parametrize(
        ("peer", "address", "ip"),
        [
            (("10.0.0.1", 5), IPv4Address("TCP", "10.0.0.1", 5), "10.0.0.1"),
            (("::1", 5, 0, 0), IPv6Address("TCP", "::1", 5), "::1"),
            ("/run/a.sock", UNIXAddress("/run/a.sock"), None),
        ],
    )
    def test_client_address_has_type_of_connection(self, peer: Any, address: Any, ip: str | None) -> None:
        found = told(lambda r: (r.getClientAddress(), r.client, r.getClientIP()), client={"peer": peer})
        assert found == (address, address, ip)

    def test_host_is_the_server_end(self) -> None:
        host = told(lambda request: request.getHost(), client={"host": ("127.0.0.2", 81)})
        assert host == IPv4Address("TCP", "127.0.0.2", 81)

    @pytest.mark.parametrize(
        ("header", "name"),
        [
            ("a.example", b"a.example"),
            ("a.example:81", b"a.example"),
            ("[::1]:81", b"::1"),
            ("[::1]", b"::1"),
        ],
    )
    def test_request_hostname_has_no_port(self, header: str, name: bytes) -> None:
        assert told(lambda request: request.getRequestHostname(), headers={"Host": header}) == name

    @pytest.mark.parametrize("secure", [True, False])
    def test_is_secure_as_the_connection_is(self, secure: bool) -> None:
        assert told(lambda request: request.isSecure(), client={"secure": secure}) is secure

    @pytest.mark.parametrize(
        ("arguments", "header", "secure"),
        [
            ((b"a", 80), b"a", False),
            (("a", 81), b"a:81", False),
            ((b"a", 443, 1), b"a", True),
            ((b"a", 80, 1), b"a:80", True),
        ],
    )
    def test_set_host_changes_what_request_is_for(
        self, arguments: tuple[Any, ...], header: bytes, secure: bool
    ) -> None:
        def change(request: Any) -> Any:
            request.setHost(*arguments)
            return request.getHeader(b"host"), request.getHost(), request.isSecure()

        assert told(change) == (header, IPv4Address("TCP", "a", arguments[1]), secure)

    def test_repr_names_method_and_target(self) -> None:
        assert re.fullmatch(
            r"<Request at 0x[0-9a-f]+ method=GET uri=/a\?b clientproto=HTTP/1\.1>", told(repr, target="/a?b")
        )


class TestResponse:
    @pytest.mark.parametrize("url", ["/x", b"/x"])
    def test_redirect_sets_code_and_location(self, url: str | bytes) -> None:
        def render(request: Any) -> bytes:
            request.redirect(url)
            return b""

        response = answered(render)
        assert (response.code, response.header("Location")) == (302, "/x")

    def test_redirect_keeps_line_breaks_in(self) -> None:
        def render(request: Any) -> bytes:
            request.redirect("/x\r\nSet-Cookie: e=1")
            return b""

        assert answered(render).header("Set-Cookie") is None

    def test_cookies_are_sent_each_in_a_header(self) -> None:
        def render(request: Any) -> bytes:
            request.addCookie("a", "1", path="/")
            request.addCookie(b"b", b"2", httpOnly=True, max_age=5)
            return b""

        cookies = answered(render).headers.getRawHeaders("set-cookie")
        assert cookies == ["a=1; Path=/", "b=2; Max-Age=5; HttpOnly"]

    @pytest.mark.parametrize("kind", [b"text/plain", "text/plain", None])
    def test_default_content_type_can_be_changed(self, kind: Any) -> None:
        def render(request: Any) -> bytes:
            request.defaultContentType = kind
            return b"x"

        assert answered(render).header("Content-Type") == (None if kind is None else "text/plain")


# The examples and the order of evaluation of RFC 9110 section 13.
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
MOMENT = 784111777


class TestConditions:
    @pytest.mark.parametrize(
        ("headers", "method", "etag", "code"),
        [
            ({"If-None-Match": '"a"'}, "GET", '"a"', 304),
            ({"If-None-Match": '"a"'}, "HEAD", '"a"', 304),
            ({"If-None-Match": '"a"'}, "PUT", '"a"', 412),
            ({"If-None-Match": '"x", "a"'}, "GET", '"a"', 304),
            ({"If-None-Match": ['"x"', '"a"']}, "GET", '"a"', 304),
            ({"If-None-Match": 'W/"a"'}, "GET", '"a"', 304),
            ({"If-None-Match": '"a"'}, "GET", 'W/"a"', 304),
            ({"If-None-Match": "*"}, "GET", '"a"', 304),
            ({"If-None-Match": "*"}, "PUT", '"a"', 412),
            ({"If-None-Match": '"b"'}, "GET", '"a"', 200),
            ({"If-Match": '"a"'}, "PUT", '"a"', 200),
            ({"If-Match": '"b"'}, "PUT", '"a"', 412),
            ({"If-Match": 'W/"a"'}, "PUT", 'W/"a"', 412),
            ({"If-Match": "*"}, "PUT", '"a"', 200),
            ({}, "GET", '"a"', 200),
        ],
    )
    def test_etag_is_compared(self, headers: Any, method: str, etag: str, code: int) -> None:
        def render(request: Any) -> bytes:
            return b"" if request.setETag(etag) else b"body"

        response = answered(render, method=method, headers=headers)
        assert response.code == code
        assert response.header("ETag") == etag

    @pytest.mark.parametrize(
        ("headers", "method", "code"),
        [
            ({"If-Modified-Since": DATE}, "GET", 304),
            ({"If-Modified-Since": DATE + "; length=5"}, "GET", 304),
            ({"If-Modified-Since": BEFORE}, "GET", 200),
            ({"If-Modified-Since": "nonsense"}, "GET", 200),
            ({"If-Modified-Since": DATE}, "POST", 200),
            ({"If-Modified-Since": DATE, "If-None-Match": '"x"'}, "GET", 200),
            ({"If-Unmodified-Since": DATE}, "PUT", 200),
            ({"If-Unmodified-Since": BEFORE}, "PUT", 412),
            ({"If-Unmodified-Since": BEFORE, "If-Match": "*"}, "PUT", 200),
        ],
    )
    def test_date_is_compared(self, headers: Any, method: str, code: int) -> None:
        def render(request: Any) -> bytes:
            return b"" if request.setLastModified(MOMENT - 0.5) else b"body"

        response = answered(render, method=method, headers=headers)
        assert (response.code, response.header("Last-Modified")) == (code, DATE)

    def test_latest_date_counts(self) -> None:
        def render(request: Any) -> bytes:
            for moment in (MOMENT, MOMENT - 100):
                request.setLastModified(moment)
            return b""

        assert answered(render).header("Last-Modified") == DATE

    def test_cached_is_true(self) -> None:
        assert http.CACHED


class TestBody:
    def test_stream_gives_buffered_body(self) -> None:
        async def render(request: Any) -> bytes:
            return b"|".join([piece async for piece in request.stream()])

        assert answered(render, method="POST", body=b"x" * 100_000).body.replace(b"|", b"") == b"x" * 100_000

    def test_stream_gives_body_as_it_comes(self) -> None:
        seen: list[bytes] = []

        async def render(request: Any) -> str:
            async for piece in request.stream():
                seen.append(piece)  # noqa: PERF401 (each is to be seen as it comes)
            return f"{len(seen)}"

        async def main() -> None:
            async def body() -> Any:
                for number in range(3):
                    while len(seen) < number:  # noqa: ASYNC110
                        await asyncio.sleep(0)
                    yield b"%d" % number

            site = Site(Calls(render, streamsBody=True))
            async with AsyncTestClient(site) as client:
                assert (await client.post("/", body=body())).text == "3"

        asyncio.run(main())
        assert seen == [b"0", b"1", b"2"]

    @pytest.mark.parametrize("size", [65535, 65536, 70_000, 131_072, 300_000])
    def test_stream_ends_when_body_has_filled_the_buffer(self, size: int) -> None:
        async def render(request: Any) -> str:
            await asyncio.sleep(0.01)
            return str(sum([len(piece) async for piece in request.stream()]))

        with TestClient(Site(Calls(render, streamsBody=True)), timeout=1) as client:
            assert client.post("/", body=b"x" * size).text == str(size)

    def test_stream_refuses_too_large_body(self) -> None:
        async def render(request: Any) -> str:
            return str([piece async for piece in request.stream()])

        site = Site(Calls(render, streamsBody=True, maxBody=1000))
        with TestClient(site) as client:
            assert client.post("/", body=[b"x" * 600] * 2).code == 413

    def test_resource_limits_body(self) -> None:
        with TestClient(Site(Calls(lambda request: "ok", maxBody=10))) as client:
            assert client.post("/", body=b"x" * 10).code == 200
            assert client.post("/", body=b"x" * 11).code == 413

    def test_content_is_a_binary_file(self) -> None:
        assert told(lambda r: (r.content.read(2), r.content.read()), method="PUT", body=b"abc") == (
            b"ab",
            b"c",
        )

    def test_large_content_is_a_file_too(self) -> None:
        body = b"0123456789" * 100_000
        assert told(lambda request: request.content.read(), method="PUT", body=body) == body

    def test_site_can_supply_content_file(self) -> None:
        class OwnFile(BytesIO):
            pass

        class OwnSite(Site):
            def getContentFile(self, length: int | None) -> BytesIO:
                return OwnFile()

        kinds: list[Any] = []

        def render(request: Any) -> bytes:
            kinds.append(type(request.content))
            body: bytes = request.content.read()
            return body

        with TestClient(OwnSite(Calls(render))) as client:
            assert client.post("/", body=b"abc").body == b"abc"
        assert kinds == [OwnFile]


class TestEnd:
    def test_notify_finish_fires_when_finished(self) -> None:
        fired: list[Any] = []

        def render(request: Any) -> int:
            request.notifyFinish().addCallback(fired.append)
            request.notifyFinish().addCallback(fired.append)
            request.write(b"x")
            assert fired == []
            request.finish()
            return NOT_DONE_YET

        assert answered(render).body == b"x"
        assert fired == [None, None]

    def test_notify_finish_fires_for_returned_body(self) -> None:
        fired: list[Any] = []

        def render(request: Any) -> bytes:
            request.notifyFinish().addCallback(fired.append)
            return b"x"

        answered(render)
        assert fired == [None]

    def test_notify_finish_fails_when_client_leaves(self) -> None:
        failures: list[Any] = []

        def render(request: Any) -> int:
            request.notifyFinish().addErrback(failures.append)
            request.write(b"x")
            return NOT_DONE_YET

        with clientOf(render) as client, client.stream("GET", "/") as response:
            response.disconnect()
        assert failures[0].check(ConnectionDone, ConnectionLost)

    def test_notify_finish_after_the_end_fires_at_once(self) -> None:
        requests: list[Any] = []

        def render(request: Any) -> bytes:
            requests.append(request)
            return b""

        answered(render)
        fired: list[Any] = []
        requests[0].notifyFinish().addCallback(fired.append)
        assert fired == [None]

    def test_write_and_finish_after_client_left_do_nothing(self) -> None:
        requests: list[Any] = []

        def render(request: Any) -> int:
            requests.append(request)
            request.write(b"x")
            return NOT_DONE_YET

        with clientOf(render) as client, client.stream("GET", "/") as response:
            response.disconnect()
        request = requests[0]
        request.write(b"y")
        request.finish()
        assert bool(request.disconnected)
        failures: list[Any] = []
        request.notifyFinish().addErrback(failures.append)
        assert failures[0].check(ConnectionLost)

    def test_disconnected_can_be_awaited(self) -> None:
        results: list[bool] = []

        async def render(request: Any) -> int:
            request.write(b"x")
            results.append(await request.disconnected)
            return NOT_DONE_YET

        site = Site(Calls(render, cancelOnDisconnect=False))
        with TestClient(site) as client, client.stream("GET", "/") as response:
            response.disconnect()
            client.wait()
        assert results == [True]

    def test_disconnected_is_false_when_finished_first(self) -> None:
        results: list[bool] = []

        async def watch(request: Any) -> None:
            results.append(await request.disconnected)

        async def render(request: Any) -> bytes:
            tasks.append(asyncio.ensure_future(watch(request)))
            await asyncio.sleep(0)
            assert not request.disconnected
            return b""

        tasks: list[Any] = []
        with clientOf(render) as client:
            client.get("/")
            client.wait()
        assert results == [False]

    def test_addresses_are_known_when_finished(self) -> None:
        seen: list[Any] = []

        def render(request: Any) -> bytes:
            request.notifyFinish().addCallback(lambda ignored: seen.append(request.getClientIP()))
            return b""

        answered(render)
        assert seen == ["127.0.0.1"]

    @pytest.mark.parametrize("secure", [False, True])
    def test_addresses_are_known_after_the_end(self, secure: bool) -> None:
        requests: list[Any] = []

        def render(request: Any) -> bytes:
            requests.append(request)
            return b""

        ends: Any = {"peer": ("192.0.2.7", 7), "host": ("192.0.2.8", 8), "secure": secure}
        with TestClient(Site(Calls(render)), **ends) as client:
            client.get("/")
        [request] = requests
        assert request.getClientAddress() == IPv4Address("TCP", "192.0.2.7", 7)
        assert request.getHost() == IPv4Address("TCP", "192.0.2.8", 8)
        assert request.isSecure() is secure

    def test_addresses_are_known_when_the_client_has_left(self) -> None:
        seen: list[Any] = []

        def render(request: Any) -> int:
            gone = request.notifyFinish()
            gone.addErrback(lambda ignored: seen.append((request.getClientIP(), request.getHost().port)))
            request.write(b"x")
            return NOT_DONE_YET

        with clientOf(render) as client, client.stream("GET", "/") as response:
            response.disconnect()
        assert seen == [("127.0.0.1", 80)]

    def test_request_made_by_hand_has_no_addresses(self) -> None:
        request: Any = http.Request()
        assert (request.getClientIP(), request.isSecure(), request.getHost()) == (
            None,
            False,
            UNIXAddress(None),
        )

    def test_channel_and_content_are_gone_after_the_end(self) -> None:
        requests: list[Any] = []

        def render(request: Any) -> bytes:
            requests.append(request)
            return b""

        with clientOf(render) as client:
            client.get("/")
        assert requests[0].isSecure() is False
        assert requests[0].content is None
        assert requests[0].channel is None


class TestNextRequest:
    """What was set on one request is unknown to the next one, of whatever client."""

    def test_attributes_stay_with_their_request(self) -> None:
        def render(request: Any) -> str:
            seen.append(dict(vars(request)))
            request.user = "ada"
            return ""

        seen: list[Any] = []
        with clientOf(render) as client:
            client.get("/")
            client.get("/")
        assert seen == [{}, {}]

    def test_args_cookies_and_addresses_stay_with_their_request(self) -> None:
        def render(request: Any) -> str:
            parts = [request.args[b"name"][0], request.getCookie("c"), request.getHost().host.encode()]
            return b" ".join(parts).decode()

        site = Site(Calls(render))
        for name, host in (("ada", "192.0.2.1"), ("grace", "192.0.2.2")):
            with TestClient(site, host=(host, 80)) as client:
                response = client.post("/", form={"name": name}, headers={"Cookie": f"c={name}"})
                assert response.text == f"{name} {name} {host}"
