"""Answers for requests that never became one: the one error shape, without Django."""

import json
import secrets
from http import HTTPStatus

KINDS = {
    400: "malformed",
    408: "too_slow",
    413: "too_large",
    414: "address_too_long",
    431: "headers_too_large",
    500: "internal",
    503: "unavailable",
}


def plain_problem(status: int, detail: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of a problem+json that ends its connection."""
    identity = secrets.token_hex(8)
    problem = {
        "type": f"urn:obt:error:{KINDS.get(status, KINDS[500])}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": [],
        "request_id": identity,
    }
    body = json.dumps(problem).encode()
    headers = {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(body)),
        "X-Request-ID": identity,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Connection": "close",
    }
    return headers, body


def plain_response(status: int, detail: str) -> bytes:
    """The whole HTTP/1.1 answer."""
    headers, body = plain_problem(status, detail)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode() + body
