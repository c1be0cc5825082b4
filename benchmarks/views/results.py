"""The list of results, the same as a file, one result, and what it is taken away as."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from benchmarks import export_csv, saved_views
from benchmarks import results as stored_results
from benchmarks.measures import MEASURES
from benchmarks.presenters import as_api, result_exports
from benchmarks.presenters.result import judged_of, result_view
from benchmarks.presenters.results import MAIN_METRICS, available, fitting_rows, result_list
from benchmarks.presenters.results_page import page_context
from benchmarks.presenters.results_query import of_match, read_query
from obt_site.access import Role, requires


@require_safe
@requires(Role.VIEWER, public=True)
def results(request: HttpRequest) -> HttpResponse:
    """The explorer: results under the filters of the address, in its order and groups."""
    if (view := of_match(request.GET)) is not None:
        return redirect(f"{reverse('results')}?{view.urlencode()}")
    shown = result_list(read_query(request.GET, settings.PAGE_ITEMS))
    views = saved_views.of(str(request.user.pk))
    context = {**page_context(shown, views), "as_api": as_api.of_results(shown.query)}
    return render(request, "benchmarks/results.html", context)


@require_safe
@requires(Role.VIEWER, public=True)
def results_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Every row of the same view as CSV, not only those of a page; of the one that a form names, where it does."""
    view = of_match(request.GET)
    query = read_query(request.GET if view is None else view)
    rows = fitting_rows(query)
    having = set(available(rows)) | set(MAIN_METRICS)
    measures = [measure for name, measure in MEASURES.items() if name in having]
    lines = export_csv.lines(rows, measures, query.filters.cell)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="obt-results-{len(rows)}.csv"'
    return response


@require_safe
@requires(Role.VIEWER, public=True)
def result(request: HttpRequest, result_id: str) -> HttpResponse:
    """One result, about the cell that `?cell=` names."""
    view = result_view(stored_results.find(result_id), request.GET.get("cell"))
    context = {
        "place": "results",
        "view": view,
        "result": view.result,
        "markdown": result_exports.markdown(view),
        "as_api": as_api.of_result(view.result),
    }
    return render(request, "benchmarks/result.html", context)


@require_safe
@requires(Role.VIEWER, public=True)
def result_markdown(request: HttpRequest, result_id: str) -> HttpResponse:
    """One result as Markdown, to be pasted where people talk about it."""
    text = result_exports.markdown(result_view(stored_results.find(result_id), None))
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@require_safe
@requires(Role.VIEWER, public=True)
def result_samples(request: HttpRequest, result_id: str) -> HttpResponse:
    """Every request of one result as CSV, a line each."""
    found = stored_results.find(result_id)
    response = HttpResponse(result_exports.samples_csv(found, judged_of(found)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="obt-samples-{found.number}.csv"'
    return response


@require_safe
@requires(Role.VIEWER, public=True)
def result_telemetry(request: HttpRequest, result_id: str) -> JsonResponse:
    """What the page's panels draw, as numbers: for the script that moves them."""
    return JsonResponse(result_exports.panels(result_view(stored_results.find(result_id), None)))
