"""A person's saved views of the results: keep, rename, remove."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from benchmarks import saved_views as verbs
from benchmarks.saved_views import NameTaken
from obt_site.access import Role, requires
from obt_site.errors import Invalid, NotFound


@require_safe
@requires(Role.VIEWER)
def saved_views(request: HttpRequest) -> HttpResponse:
    """All of them, and a form for the view that `?query=` has."""
    query = request.GET.get("query", "")[: verbs.LONGEST_QUERY_BYTES]
    return _page(request, query=query.removeprefix("?"), is_asked="query" in request.GET)


@require_POST
@requires(Role.VIEWER)
def save(request: HttpRequest) -> HttpResponse:
    """Keep the view; back to it. What is wrong is said beside what was typed."""
    name, query = request.POST.get("name", ""), request.POST.get("query", "")
    try:
        view = verbs.save(_owner(request), name, query, replace=request.POST.get("replace") == "1")
    except NameTaken as refusal:
        return _page(request, name=name, query=query, taken=refusal.existing, is_asked=True, status=409)
    except Invalid as refusal:
        return _page(request, name=name, query=query, error=refusal.detail, is_asked=True, status=422)
    messages.success(request, f"Saved as “{view.name}”.")
    return redirect(f"/results?{view.query}")


@require_POST
@requires(Role.VIEWER)
def rename(request: HttpRequest, view_id: str) -> HttpResponse:
    """Another name for a view."""
    name = request.POST.get("name", "")
    return _act(request, lambda: f"It is called “{verbs.rename(_owner(request), view_id, name).name}” now.")


@require_POST
@requires(Role.VIEWER)
def remove(request: HttpRequest, view_id: str) -> HttpResponse:
    """Remove a view; results stay."""
    return _act(request, lambda: f"The view “{verbs.remove(_owner(request), view_id)}” is removed.")


def _act(request: HttpRequest, act: Callable[[], str]) -> HttpResponse:
    try:
        messages.success(request, act())
    except (Invalid, NameTaken, NotFound) as refusal:
        messages.warning(request, refusal.detail)
    return redirect("saved_views")


def _owner(request: HttpRequest) -> str:
    return str(request.user.pk)


def _page(request: HttpRequest, status: int = 200, **about: Any) -> HttpResponse:
    context = {"place": "results", "views": verbs.of(_owner(request)), "most": settings.SAVED_VIEWS_MAXIMUM, **about}
    return render(request, "benchmarks/saved_views.html", context, status=status)
