"""Real proxies in front of a real site."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import FindClient
from .clients import ask_curl
from .network import Network, free_port
from .processes import Process

PROGRAM = """
import sys

from sennit.internet import reactor
from sennit.web.resource import Resource
from sennit.web.server import Site


class Who(Resource):
    isLeaf = True

    def render_GET(self, request):
        return f"{request.getClientIP()} {request.prePathURL().decode()}"


site = Site(Who(), trustedProxies=["127.0.0.1"], logPath="-")
site.proxyProtocol = sys.argv[2] == "protocol"
reactor.listenTCP(int(sys.argv[1]), site, interface="127.0.0.1")
reactor.run()
"""

NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{backend};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
}}
"""


class Server(Process):
    """The program above; `how` is "headers" or "protocol"."""

    def __init__(self, directory: Path, how: str) -> None:
        self.port = free_port()
        program = directory / "program.py"
        program.write_text(PROGRAM)
        super().__init__(
            sys.executable, "-W", "error", str(program), f"{self.port}", how, directory=directory
        )
        self.wait_for_port(self.port)


@pytest.fixture
def nginx(tmp_path: Path, find_client: FindClient) -> Iterator[tuple[Server, str]]:
    """A site behind nginx: its process, and where clients ask."""
    command, port = find_client("nginx"), free_port()
    config = tmp_path / "nginx.conf"
    with Server(tmp_path, "headers") as server:
        config.write_text(NGINX.format(directory=tmp_path, port=port, backend=server.port))
        with Process(command, "-p", str(tmp_path), "-c", str(config), directory=tmp_path) as process:
            process.wait_for_port(port)
            yield server, f"http://127.0.0.1:{port}/"


def test_client_of_nginx_is_told_and_cannot_be_invented(
    nginx: tuple[Server, str], find_client: FindClient
) -> None:
    server, url = nginx
    # Another address than that of nginx, which is trusted.
    arguments = ["--interface", "127.0.0.2", "-H", "X-Forwarded-For: 192.0.2.66", "-H", "Host: shop.example"]
    answer = ask_curl(find_client("curl"), Network(), *arguments, url)
    assert answer.body == "127.0.0.2 https://shop.example/"
    server.wait_for_output('"127.0.0.2" - - ')


def test_stranger_at_the_site_itself_is_not_believed(
    nginx: tuple[Server, str], find_client: FindClient
) -> None:
    server, _ = nginx
    url = f"http://127.0.0.1:{server.port}/"
    arguments = ["--interface", "127.0.0.2", "-H", "X-Forwarded-For: 192.0.2.66"]
    answer = ask_curl(find_client("curl"), Network(), *arguments, url)
    assert answer.body == f"127.0.0.2 {url}"


def test_proxy_protocol_of_curl_is_read(tmp_path: Path, find_client: FindClient) -> None:
    with Server(tmp_path, "protocol") as server:
        url = f"http://127.0.0.1:{server.port}/"
        answer = ask_curl(find_client("curl"), Network(), "--haproxy-protocol", url)
        assert answer.body == f"127.0.0.1 {url}"
