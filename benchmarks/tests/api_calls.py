"""For tests of the user API: a caller of any role, with a token made by the real verb, over Django's test client."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from obt_site.access import Role
from obt_site.tokens import create_token

BASE = "/api/v1/"


class Api:
    """Calls paths under /api/v1/ with the token of one role (None: with no token at all)."""

    def __init__(self, role: Role | None = Role.VIEWER, name: str = "script") -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {create_token(name, role)}"} if role else {}

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.client.get(BASE + path, query, headers=self.headers)

    def post(self, path: str, body: Any = None) -> HttpResponse:
        return self.send("post", path, body)

    def patch(self, path: str, body: Any = None) -> HttpResponse:
        return self.send("patch", path, body)

    def send(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> HttpResponse:
        """`body` bytes go as they are, everything else as JSON; None sends nothing."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(method.upper(), BASE + path, data, content_type, headers=self.headers)


def walk(api: Api, path: str, **query: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in range(1000):
        page = api.get(path, **query, **cursor).json()
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}
    raise AssertionError("the list does not end")


def problem(response: HttpResponse, status: int, field: str | None = None) -> dict[str, Any]:
    """The problem a response carries, after checking its shape and, where given, that it names the field."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert set(body) == {"type", "title", "status", "detail", "errors", "request_id"}
    assert body["status"] == status
    assert body["detail"]
    assert body["request_id"] == response["X-Request-ID"]
    if field is not None:
        assert field in [error["field"] for error in body["errors"]], body
    return body
