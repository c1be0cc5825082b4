"""An example of every body and answer in the description: real ones, recorded in `examples.json`.

`OBT_RECORD=1 pytest benchmarks/tests/test_api_examples.py` records them anew; that test also holds each against its
schema, and says which call lacks one.
"""

import json
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from obt_site.errors import TITLES, Refusal

FILE = Path(__file__).with_name("examples.json")
KINDS = {kind.status: kind.kind for kind in Refusal.__subclasses__()} | {500: "internal"}
REQUEST_ID = "5f0c3a9e7b1d2468"


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """By operation: its `body`, and its answers by media type."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def add(operation: dict[str, Any]) -> None:
    """Put this operation's examples into its description."""
    known = recorded().get(operation["operationId"], {})
    if "body" in known:
        operation["requestBody"]["content"]["application/json"]["example"] = known["body"]
    for status, answer in operation["responses"].items():
        for media_type, content in answer.get("content", {}).items():
            if int(status) >= HTTPStatus.BAD_REQUEST:
                content["example"] = problem(int(status))
            elif media_type in known:
                content["example"] = known[media_type]


def problem(status: int) -> dict[str, Any]:
    """A problem of this status."""
    return {
        "type": f"urn:obt:error:{KINDS[status]}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": f"{TITLES.get(status, HTTPStatus(status).phrase)}.",
        "errors": [{"field": "targets.0.model", "message": "is required"}] if status == 422 else [],
        "request_id": REQUEST_ID,
    }
