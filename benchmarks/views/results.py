"""The list of results and one result."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from benchmarks import results as stored_results
from benchmarks.presenters.result import result_view
from benchmarks.presenters.results import read_query, result_list
from obt_site.access import Role, requires


@require_safe
@requires(Role.VIEWER)
def results(request: HttpRequest) -> HttpResponse:
    """Results under the filters of the address, grouped by model."""
    shown = result_list(read_query(request.GET.dict()), settings.PAGE_ITEMS)
    return render(request, "benchmarks/results.html", {"place": "results", "list": shown})


@require_safe
@requires(Role.VIEWER)
def result(request: HttpRequest, result_id: str) -> HttpResponse:
    """One result, about the cell that `?cell=` names."""
    view = result_view(stored_results.find(result_id), request.GET.get("cell"))
    return render(request, "benchmarks/result.html", {"place": "results", "view": view, "result": view.result})
