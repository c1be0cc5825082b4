"""The list of results, one result, and what it is taken away as."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from benchmarks import results as stored_results
from benchmarks.presenters import result_exports
from benchmarks.presenters.result import judged_of, result_view
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
    context = {"place": "results", "view": view, "result": view.result, "markdown": result_exports.markdown(view)}
    return render(request, "benchmarks/result.html", context)


@require_safe
@requires(Role.VIEWER)
def result_markdown(request: HttpRequest, result_id: str) -> HttpResponse:
    """One result as Markdown, to be pasted where people talk about it."""
    text = result_exports.markdown(result_view(stored_results.find(result_id), None))
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@require_safe
@requires(Role.VIEWER)
def result_samples(request: HttpRequest, result_id: str) -> HttpResponse:
    """Every request of one result as CSV, a line each."""
    found = stored_results.find(result_id)
    response = HttpResponse(result_exports.samples_csv(found, judged_of(found)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="obt-samples-{found.number}.csv"'
    return response


@require_safe
@requires(Role.VIEWER)
def result_telemetry(request: HttpRequest, result_id: str) -> JsonResponse:
    """What the page's panels draw, as numbers: for the script that moves them."""
    return JsonResponse(result_exports.panels(result_view(stored_results.find(result_id), None)))
