"""The job queue: what runs and what waits, machine by machine."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from benchmarks.presenters import queue as presenter
from benchmarks.presenters.live_pages import rights
from obt_site.access import Role, requires
from obt_site.asked import Asked


@require_safe
@requires(Role.VIEWER)
def queue(request: HttpRequest) -> HttpResponse:
    """All machines, or `?machine=` one of them with all that waits for it."""
    query = Asked(request.GET)
    shown = presenter.queue(query.object_id("machine"))
    context = {"place": "queue", "queue": shown, "query": query, **rights(request.role)}  # type: ignore[attr-defined]
    return render(request, "benchmarks/queue.html", context)
