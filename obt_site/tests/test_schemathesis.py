"""The running server holds to its own description: schemathesis asks every call, as each role and signed out.

Deterministic, and few examples each: what has to be found is a wrong type or a 5xx, not a rare one in a million.
"""

import json
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.api import api
from benchmarks.tests import world
from obt_site.access import Role, create_token
from obt_site.tests.server import RunningServer

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("schemathesis")]
EXAMPLES = 12
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FEW = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
schema = schemathesis.openapi.from_dict(json.loads(json.dumps(api.get_openapi_schema(path_prefix="/api/v1/"))))
CALLERS = [*Role, None]


@pytest.fixture(scope="module")
def served(server_process: RunningServer) -> dict[str, Any]:
    """A server with something of everything, a token of each role, and the ids of what is there."""
    from conftest import emptied

    emptied(server_process.mongodb_uri)
    if not server_process.ready():
        server_process.start()
    forge = world.machine("forge")
    result = world.result(forge)
    session = world.session(forge, *world.MODELS)
    return {
        "url": server_process.url,
        "tokens": {role: create_token(role.word, role) for role in Role},
        "ids": {
            "client_id": str(forge.id),
            "session_id": str(session.id),
            "job_id": str(result.job),
            "result_id": result.id,
        },
    }


@schema.parametrize()
@FEW
def test_every_answer_is_as_it_is_described(case: schemathesis.Case, served: dict[str, Any]) -> None:
    for role in CALLERS:
        headers = {"Authorization": f"Bearer {served['tokens'][role]}"} if role else {}
        response = case.call(base_url=served["url"], headers=headers, timeout=30)
        case.validate_response(response, checks=CHECKS)
        if role is None:
            assert response.status_code == 401
    _of_what_is_there(case, served)


def _of_what_is_there(case: schemathesis.Case, served: dict[str, Any]) -> None:
    """The same with ids that lead somewhere."""
    if not case.path_parameters or case.method == "DELETE":
        return
    case.path_parameters = {name: served["ids"][name] for name in case.path_parameters}
    headers = {"Authorization": f"Bearer {served['tokens'][Role.ADMIN]}"}
    case.validate_response(case.call(base_url=served["url"], headers=headers, timeout=30), checks=CHECKS)


def test_the_server_still_lives(served: dict[str, Any]) -> None:
    assert requests.get(f"{served['url']}/health/ready", timeout=30).status_code == 200
