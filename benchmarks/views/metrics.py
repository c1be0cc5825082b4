"""GET /metrics, for Prometheus and its kin."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from benchmarks import exposition
from benchmarks.api.callers import caller_at
from obt_site.access import Role


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The fleet's numbers, for a viewer's token (or the browser's session) from wherever it comes: behind a proxy
    everybody comes from this machine, so an address opens nothing."""
    caller_at(request, Role.VIEWER)
    wanted = "openmetrics" in request.headers.get("Accept", "")
    return HttpResponse(exposition.text(), content_type=exposition.OPENMETRICS if wanted else exposition.PLAIN)
