"""The compare page."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from benchmarks import explore, shelf
from benchmarks.presenters import as_api
from benchmarks.presenters.compare import MOST_OTHERS, compare_view
from benchmarks.presenters.compare_sides import chosen_in_form, of_view
from benchmarks.presenters.results import fitting_rows
from benchmarks.presenters.results_query import of_match, read_query
from obt_site.access import Role, requires
from obt_site.asked import Asked


@require_safe
@requires(Role.VIEWER, public=True)
def compare(request: HttpRequest) -> HttpResponse:
    """Two sets of results, or one against many. The form of sides is turned into the page's own address, and so is
    everything that a view of the results shows."""
    if (view := of_match(request.GET)) is not None:
        return _of_view(request, view)
    query = Asked(request.GET)
    if chosen := chosen_in_form(query):
        return redirect(f"{reverse('compare')}?{urlencode(chosen)}")
    shown = compare_view(query)
    context = {"place": "results", "view": shown, "query": query, "as_api": as_api.of_compare(shown.api_url)}
    return render(request, "benchmarks/compare.html", context)


def _of_view(request: HttpRequest, view: QueryDict) -> HttpResponse:
    query = read_query(view)
    rows = fitting_rows(query)
    hides = explore.leaves_simulated_out(shelf.results(), query.filters)
    address, used = of_view(query.filters, hides, rows, MOST_OTHERS + 1)
    if used < len(rows):
        messages.info(request, f"Of the {len(rows)} results that match, the newest {used} are side A.")
    return redirect(f"{reverse('compare')}?{urlencode(address, doseq=True)}")
