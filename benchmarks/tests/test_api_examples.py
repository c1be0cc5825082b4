"""The description is valid OpenAPI 3.1, and every body and answer has an example that fits its schema.

`OBT_RECORD=1` writes the examples anew from the answers of a small world.
"""

import json
import os
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from benchmarks.api import api as mounted
from benchmarks.api import examples
from benchmarks.tests import api_examples
from benchmarks.tests.api_calls import BASE

pytestmark = pytest.mark.django_db


def description() -> dict[str, Any]:
    """As it is served."""
    found: dict[str, Any] = json.loads(json.dumps(mounted.get_openapi_schema(path_prefix=BASE)))
    return found


DESCRIBED = description()
OPERATIONS = [
    (operation["operationId"], operation) for methods in DESCRIBED["paths"].values() for operation in methods.values()
]


def with_all_schemas(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": DESCRIBED["components"]}


def test_it_is_valid_openapi():
    errors = [f"{list(error.path)}: {error.message}" for error in OpenAPIV31SpecValidator(DESCRIBED).iter_errors()]

    assert DESCRIBED["openapi"].startswith("3.1")
    assert errors == []


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_each_body_and_answer_has_an_example_that_fits(name, operation):
    places = [("body", operation["requestBody"])] if "requestBody" in operation else []
    places += list(operation["responses"].items())
    for place, described in places:
        for media_type, content in described.get("content", {}).items():
            assert "example" in content, f"{name} lacks an example: {place} as {media_type}"
            errors = OAS31Validator(with_all_schemas(content["schema"])).iter_errors(content["example"])
            assert [error.message for error in errors] == [], (name, place)


def test_every_answer_that_has_a_body_says_what_is_in_it():
    for name, operation in OPERATIONS:
        answers = {int(status): answer for status, answer in operation["responses"].items()}
        (done,) = [status for status in answers if status < 300]
        assert done == 204 or answers[done]["content"], name


def test_every_post_takes_a_key_and_every_get_a_tag():
    for path, methods in DESCRIBED["paths"].items():
        for method, operation in methods.items():
            headers = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
            assert headers == {"post": {"Idempotency-Key"}, "get": {"If-None-Match"}}.get(method, set()), path


def test_nothing_is_recorded_that_is_no_call(database):
    if os.environ.get("OBT_RECORD"):
        api_examples.record()

    assert set(examples.recorded()) <= {name for name, _ in OPERATIONS}
