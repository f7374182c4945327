"""Starlette's StaticFiles on uvicorn with uvloop and httptools: `python run_starlette.py PORT`."""
# mypy: disable-error-code="import-not-found,import-untyped"

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from benchmarks.files import FOLDER

uvicorn.run(
    Starlette(routes=[Mount("/static", StaticFiles(directory=FOLDER))]),
    host="127.0.0.1",
    port=int(sys.argv[1]),
    loop="uvloop",
    http="httptools",
    lifespan="off",
    ws="none",
    proxy_headers=False,
    access_log=False,
    log_level="critical",
    backlog=8192,
    timeout_keep_alive=600,
)
