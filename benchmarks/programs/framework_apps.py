"""Small answers by Starlette and FastAPI, as their own first examples have them."""
# mypy: disable-error-code="import-not-found,import-untyped,misc,untyped-decorator"

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def _hello(request: Request) -> JSONResponse:
    return JSONResponse({"hello": "world"})


starlette = Starlette(routes=[Route("/json", _hello)])

fastapi = FastAPI(openapi_url=None)


class Item(BaseModel):
    """What is answered: made, checked and written as JSON by pydantic."""

    number: int
    name: str
    price: float
    tags: list[str] = []


@fastapi.get("/item/{number}")
async def _item(number: int) -> Item:
    return Item(number=number, name="A sennit", price=2.5, tags=["cord", "braided"])
