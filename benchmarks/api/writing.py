"""Answers are written by pydantic's own serializer in one go.

Ninja would make plain dicts of a shape first and have them written by `json.dumps`, which for a page of results takes
longer than reading them. A shape that a route returns has been validated when it was made.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from benchmarks.api.shapes import Shape


def written_at_once(view: Callable[..., Any]) -> Callable[..., Any]:
    """Around the route's function; what is no shape by itself goes ninja's way."""

    @wraps(view)
    def written(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        answer = view(request, *args, **kwargs)
        if not isinstance(answer, Shape):
            return answer
        text = answer.model_dump_json(by_alias=view._ninja_operation.by_alias)  # type: ignore[attr-defined]
        return HttpResponse(text, content_type="application/json; charset=utf-8")

    return written
