"""nginx as one of the servers: its configuration, made for each start."""

import grp
import os
import pwd
import shutil
from pathlib import Path

from benchmarks.files import FOLDER
from benchmarks.paths import BUILD

LOCATIONS: dict[str, str] = {
    # The level of Sennit's GzipEncoderFactory; nginx's own default is 1.
    "gzip": f"""location /gzip/ {{
            alias {FOLDER}/;
            types {{ application/json json; }}
            gzip on;
            gzip_types application/json;
            gzip_comp_level 6;
        }}""",
    "static": f"location /static/ {{ alias {FOLDER}/; }}",
    "proxy": "location / { proxy_pass http://behind; }\n        "
    "proxy_http_version 1.1; proxy_set_header Connection '';",
}
"""What nginx does for each program of the scenarios: the inside of its `server` block."""

_UPSTREAM = "upstream behind {{ server 127.0.0.1:{port}; keepalive 64; keepalive_requests 1000000000; }}"

_CONFIGURATION = """\
worker_processes 1;
daemon off;
user {user} {group};
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 16384; }}
http {{
    default_type text/html;
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 600s;
    # The default closes a connection after a thousand requests.
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {upstream}
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        {location}
    }}
}}
"""


def find() -> str | None:
    """Return where nginx is, None if it isn't installed. Debian has it where only root's PATH leads."""
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin")))


def configuration(program: str, port: int, upstream: int | None = None) -> str:
    """Return the configuration with which nginx answers the scenarios of `program`; KeyError without one.
    `upstream` is the port of the server behind it, if there is one.
    """
    # The worker reads files of whoever runs this.
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    return _CONFIGURATION.format(
        port=port,
        location=LOCATIONS[program],
        upstream="" if upstream is None else _UPSTREAM.format(port=upstream),
        folder=BUILD / "nginx",
        user=user,
        group=group,
    )


def write_configuration(program: str, port: int, upstream: int | None = None) -> Path:
    """Write `configuration` to a file and return its path."""
    folder = BUILD / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{program}.conf"
    path.write_text(configuration(program, port, upstream))
    return path
