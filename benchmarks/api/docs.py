"""The API's own description: OpenAPI as JSON, and a page of it that needs no script and no style of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from benchmarks.api.callers import caller_at
from obt_site.access import Role, requires

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 3  # objects within objects that are shown


@dataclass(frozen=True)
class Field:
    """One parameter or body field: its type in words, and whether it must be there."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True)
class Call:
    """One call as the page shows it."""

    method: str
    path: str
    name: str
    role: str
    description: str
    parameters: list[Field]
    body: list[Field]
    answer: str
    answer_fields: list[Field]

    @property
    def resource(self) -> str:
        """What it is about: the first word of its path behind the version."""
        return self.path.removeprefix(reverse("api:api-root")).partition("/")[0]

    @property
    def takes(self) -> list[Field]:
        """Everything a caller sends."""
        return [*self.parameters, *self.body]


@require_safe
def openapi_json(request: HttpRequest, api: NinjaAPI) -> HttpResponse:
    """GET openapi.json: for whoever may read."""
    caller_at(request, Role.VIEWER)
    return JsonResponse(api.get_openapi_schema())


@require_safe
@requires(Role.VIEWER)
def docs_page(request: HttpRequest, api: NinjaAPI) -> HttpResponse:
    """GET docs: the calls, read from the OpenAPI description."""
    schema = api.get_openapi_schema()
    example = request.build_absolute_uri(reverse("api:list_results"))
    curl = f"curl -H 'Authorization: Bearer obtu_…' {example}"
    context = {"place": "api", "calls": list(calls(schema)), "curl": curl}
    return render(request, "benchmarks/api_docs.html", context)


def calls(schema: dict[str, Any]) -> Iterator[Call]:
    """Every call of an OpenAPI description, in its order."""
    for path, methods in schema["paths"].items():
        for method in METHODS:
            if method in methods:
                yield _call(schema, path, method, methods[method])


def _call(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Call:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    answer = next(answer for status, answer in operation["responses"].items() if str(status).startswith("2"))
    answered = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return Call(
        method=method.upper(),
        path=path,
        name=operation["operationId"],
        role=operation.get("x-role", Role.ADMIN.word),
        description=_plain(operation.get("description", "")),
        parameters=[_parameter(schema, one) for one in operation.get("parameters", []) if one["in"] != "header"],
        body=list(_fields(schema, body)),
        answer=str(answered.get("$ref", "").rpartition("/")[2]).removesuffix("Shape"),
        answer_fields=list(_fields(schema, answered)),
    )


def _parameter(schema: dict[str, Any], one: dict[str, Any]) -> Field:
    described = one.get("description") or one["schema"].get("description", "")
    return Field(one["name"], _type(schema, one["schema"]), one.get("required", False), _plain(described))


def _fields(schema: dict[str, Any], shape: dict[str, Any], inside: str = "", deep: int = 0) -> Iterator[Field]:
    """The fields of an object and of the objects in it, by their way from the outside: `targets[].model`."""
    shape = _resolved(schema, shape)
    required = shape.get("required", ())
    for name, field in shape.get("properties", {}).items():
        yield Field(inside + name, _type(schema, field), name in required, _plain(field.get("description", "")))
        inner, way = _inner(field)
        if inner is not None and deep < DEEPEST:
            yield from _fields(schema, inner, f"{inside}{name}{way}.", deep + 1)


def _inner(field: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The object a field holds, and how one gets to it: `.`, `[].` or `{name}.`; None when it holds none."""
    arms = [arm for arm in field.get("anyOf") or field.get("allOf") or [field] if arm.get("type") != "null"]
    first = arms[0]
    if first.get("type") == "array":
        first, way = first.get("items", {}), "[]"
    elif isinstance(first.get("additionalProperties"), dict):
        first, way = first["additionalProperties"], ".{name}"
    else:
        way = ""
    return (first, way) if "$ref" in first else (None, way)


def _plain(text: str) -> str:
    """A docstring's words without its markup."""
    return text.replace("`", "")


def _resolved(schema: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    reference = shape.get("$ref")
    if reference is None:
        return shape
    found = schema["components"]["schemas"][reference.rpartition("/")[2]]
    assert isinstance(found, dict)
    return found


def _type(schema: dict[str, Any], shape: dict[str, Any]) -> str:
    """A type in a few words: `list of string`, `one of a, b`, `object or null`."""
    if "$ref" in shape:
        return "object"
    if "allOf" in shape:
        return _type(schema, shape["allOf"][0])
    if "anyOf" in shape:
        return " or ".join(dict.fromkeys(_type(schema, arm) for arm in shape["anyOf"]))
    if "enum" in shape:
        return "one of " + ", ".join(str(value) for value in shape["enum"])
    if "const" in shape:
        return str(shape["const"])
    if shape.get("type") == "array":
        return f"list of {_type(schema, shape.get('items', {}))}"
    if isinstance(shape.get("additionalProperties"), dict):
        return f"{_type(schema, shape['additionalProperties'])} by name"
    return "time" if shape.get("format") == "date-time" else str(shape.get("type", "anything"))
