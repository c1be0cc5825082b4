"""The user API as one Django mount: strict parsing, one error shape, its description and the page that shows it."""

from http import HTTPStatus
from typing import Any

from django.urls import URLPattern, URLResolver, path
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from benchmarks.api import callers, etags, examples, once, problems
from benchmarks.api.docs import docs_page, openapi_json
from benchmarks.api.strictness import StrictParser, known_parameters_only
from benchmarks.api.writing import written_at_once
from obt_site.access import Role

DESCRIPTION = (
    "Bearer tokens are made in the settings, by `POST tokens`, or by `python manage.py api_token create NAME --role "
    "viewer|operator|admin`. "
    "Errors are RFC 9457 problems. Times are RFC 3339 in UTC."
)
PROBLEM_TYPE = "application/problem+json"


class UserApi(NinjaAPI):
    """A route that names no role is closed to all but administrators."""

    def __init__(self) -> None:
        super().__init__(
            title="OBT",
            version="1",
            description=DESCRIPTION,
            openapi_url=None,
            docs_url=None,
            urls_namespace="api",
            parser=StrictParser(),
            auth=callers.needs(Role.ADMIN),
        )
        self.add_decorator(written_at_once)
        self.add_decorator(once.claims)
        self.add_decorator(known_parameters_only)
        self.add_decorator(once.keeps_answers, mode="view")
        self.add_decorator(etags.tagged, mode="view")
        problems.install(self)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The route function's name, which is what a call is called everywhere."""
        return str(operation.view_func.__name__)

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """What `obt_site/urls.py` mounts."""
        patterns, application, namespace = super().urls
        described = [
            path("openapi.json", openapi_json, {"api": self}, name="openapi"),
            path("docs", docs_page, {"api": self}, name="docs"),
        ]
        for pattern in [*described, *patterns]:
            if isinstance(pattern, URLPattern):
                pattern.callback = problems.method_in_shape(pattern.callback)
        return [*described, *patterns], application, namespace

    def get_openapi_schema(self, **how: Any) -> OpenAPISchema:
        """The description, with an example of each body and answer, and problems under the media type they come in."""
        schema = super().get_openapi_schema(**how)
        for methods in schema["paths"].values():
            for method, operation in methods.items():
                _describe_headers(method, operation)
                examples.add(operation)
                for status, answer in operation["responses"].items():
                    if int(status) >= HTTPStatus.BAD_REQUEST:
                        answer["content"] = {PROBLEM_TYPE: answer["content"]["application/json"]}
        return schema


def _describe_headers(method: str, operation: dict[str, Any]) -> None:
    """What the layers around every route take and answer."""
    if method == "post":
        operation["parameters"].append(once.PARAMETER)
    if method == "get":
        operation["parameters"].append(etags.PARAMETER)
        operation["responses"][304] = {"description": HTTPStatus.NOT_MODIFIED.phrase}
