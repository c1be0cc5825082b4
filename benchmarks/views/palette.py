"""The palette: one field that leads everywhere. Ctrl-K opens it over a page; without scripts it is a page itself."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from benchmarks.presenters.palette import find
from obt_site.access import Role, requires
from obt_site.asked import Asked


@require_safe
@requires(Role.VIEWER)
def palette(request: HttpRequest) -> HttpResponse:
    """What was found for `q`: the list alone for the dialog, else the whole page."""
    query = Asked(request.GET)
    text = query.text("q") or ""
    context = {"place": "palette", "text": text, "groups": find(text, request.role), "query": query}  # type: ignore[attr-defined]
    only_list = request.htmx and not request.htmx.boosted  # type: ignore[attr-defined]
    return render(request, "_palette_found.html" if only_list else "palette.html", context)
