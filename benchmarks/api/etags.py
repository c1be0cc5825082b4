"""`ETag` and `If-None-Match` on every GET that answers JSON: 304 without a body while nothing has changed.

The tag is a hash of the body, so it is right whatever the answer was made of. A cheaper one, by the newest number that
was given out, would be wrong for ever in one case: a number is given out a moment before its result is stored.
"""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags, quote_etag

LENGTH = 32  # hexadecimal digits
PARAMETER = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "the `ETag` of an earlier answer: 304 without a body while it is still the same",
}


def tagged(run: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Around the whole call."""

    @wraps(run)
    def answered(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        response = run(request, **kwargs)
        if request.method != "GET" or response.streaming or response.status_code != 200:
            return response
        tag = quote_etag(hashlib.sha256(response.content).hexdigest()[:LENGTH])
        found = HttpResponseNotModified() if _has(request, tag) else response
        found["ETag"] = tag
        found["Cache-Control"] = "private, no-cache"  # keep it, but ask before each use
        patch_vary_headers(found, ("Authorization", "Cookie"))
        return found

    return answered


def _has(request: HttpRequest, tag: str) -> bool:
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or tag in [one.removeprefix("W/") for one in known]
