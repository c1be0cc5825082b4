"""Whether the server lives, and whether it can work. No sign-in: proxies and `up` ask."""

import logging

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from pymongo.errors import OperationFailure, PyMongoError

from obt_site import mongo

log = logging.getLogger(__name__)


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when it does not or does not let this server in."""
    try:
        mongo.ping()
    except OperationFailure as error:
        log.error("the database refused this server (code %s)", error.code)
        return JsonResponse({"status": "unavailable", "database": "refuses this server"}, status=503)
    except PyMongoError:
        return JsonResponse({"status": "unavailable", "database": "does not answer"}, status=503)
    return JsonResponse({"status": "ok", "database": "ok"})
