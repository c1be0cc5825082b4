"""The compare page."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from benchmarks.presenters.compare import compare_view
from benchmarks.presenters.compare_sides import chosen_in_form
from obt_site.access import Role, requires
from obt_site.asked import Asked


@require_safe
@requires(Role.VIEWER, public=True)
def compare(request: HttpRequest) -> HttpResponse:
    """Two sets of results, or one against many. The form of sides is turned into the page's own address."""
    query = Asked(request.GET)
    if chosen := chosen_in_form(query):
        return redirect(f"{reverse('compare')}?{urlencode(chosen)}")
    view = compare_view(query)
    return render(request, "benchmarks/compare.html", {"place": "results", "view": view, "query": query})
