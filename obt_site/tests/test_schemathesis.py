"""The server holds to its own description: schemathesis asks every call, as each role and signed out.

Deterministic, and few examples each: what has to be found is a wrong type or a 5xx, not a rare one in a million. Of
its phases only the random one: the others send hundreds of requests per call, and `nasties.py` has what they try.
"""

import json

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.api import api
from benchmarks.tests import world
from obt_site.access import Role
from obt_site.tokens import create_token

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]
EXAMPLES = 8
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CONFIG = SchemathesisConfig.from_dict(
    {"phases": {"coverage": {"enabled": False}}, "generation": {"with-security-parameters": False}}
)
FEW = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
DESCRIPTION = json.loads(json.dumps(api.get_openapi_schema(path_prefix="/api/v1/")))
schema = schemathesis.openapi.from_dict(DESCRIPTION, config=CONFIG)
schema.app = get_wsgi_application()


@pytest.fixture
def callers(database: str) -> dict[str, dict[str, str]]:
    """The headers of each caller."""
    tokens = {role.word: {"Authorization": f"Bearer {create_token(role.word, role)}"} for role in Role}
    return {**tokens, "signed out": {}}


@pytest.fixture
def ids(database: str) -> dict[str, str]:
    """Ids that lead somewhere: there is something of everything."""
    forge = world.machine("forge")
    result = world.result(forge)
    session = world.session(forge, *world.MODELS)
    job = str(result.job)
    return {"client_id": str(forge.id), "session_id": str(session.id), "job_id": job, "result_id": result.id}


@schema.parametrize()
@FEW
def test_every_answer_is_as_it_is_described(
    case: schemathesis.Case, callers: dict[str, dict[str, str]], ids: dict[str, str]
) -> None:
    for name, headers in callers.items():
        response = case.call(headers=headers)
        case.validate_response(response, checks=CHECKS)
        assert name != "signed out" or response.status_code == 401
    if case.path_parameters and case.method != "DELETE":
        case.path_parameters = {each: ids[each] for each in case.path_parameters}
        case.validate_response(case.call(headers=callers["admin"]), checks=CHECKS)
