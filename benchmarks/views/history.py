"""The history of one model on one machine."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from benchmarks.presenters.history import history_view
from obt_site.access import Role, requires
from obt_site.asked import Asked


@require_safe
@requires(Role.VIEWER, public=True)
def history(request: HttpRequest) -> HttpResponse:
    """All results of `model` on `client` over time, with what changed in between."""
    query = Asked(request.GET)
    view = history_view(query)
    return render(request, "benchmarks/history.html", {"place": "results", "view": view, "query": query})
