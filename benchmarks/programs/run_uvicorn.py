"""uvicorn with uvloop and httptools: `python run_uvicorn.py PORT PROGRAM`."""
# mypy: disable-error-code="import-not-found,import-untyped"

import sys

import uvicorn

from benchmarks.programs import asgi_apps

uvicorn.run(
    getattr(asgi_apps, sys.argv[2]),
    host="127.0.0.1",
    port=int(sys.argv[1]),
    loop="uvloop",
    http="httptools",
    interface="asgi3",
    lifespan="off",
    ws="none",
    proxy_headers=False,
    access_log=False,
    log_level="critical",
    backlog=8192,
    timeout_keep_alive=600,
)
