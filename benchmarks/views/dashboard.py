"""Home."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from benchmarks.presenters import dashboard
from benchmarks.presenters.live_pages import rights
from obt_site import publishing
from obt_site.access import Role, requires
from obt_site.asked import Asked


@require_safe
@requires(Role.VIEWER, public=True)
def home(request: HttpRequest) -> HttpResponse:
    """What runs, what finished, what needs attention, which machine is how fast. Strangers see the results instead."""
    if publishing.to_a_stranger():
        return redirect("results")
    return render(request, "benchmarks/home.html", _context(request))


@require_safe
@requires(Role.VIEWER)
def home_live(request: HttpRequest) -> HttpResponse:
    """The part of it that changes by itself."""
    return render(request, "benchmarks/_home_now.html", _context(request))


def _context(request: HttpRequest) -> dict[str, object]:
    query = Asked(request.GET)
    return {"place": "home", "home": dashboard.home(query), **rights(request.role)}  # type: ignore[attr-defined]
