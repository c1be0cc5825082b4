"""Sessions: the list, planning a new one, one as it runs, and what can be done to it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from benchmarks import pausing, suites
from benchmarks import sessions as verbs
from benchmarks.presenters import as_api, session_form
from benchmarks.presenters.live_pages import render_session, rights, session_title
from benchmarks.presenters.plan_words import BUDGET_WORDS
from benchmarks.presenters.planning import plan
from benchmarks.presenters.session import session_view
from benchmarks.presenters.session_again import Again, again
from benchmarks.presenters.session_form import Form
from benchmarks.presenters.session_list import session_list
from benchmarks.views.picks import picks_of
from obt_site.access import Role, requires
from obt_site.asked import Asked
from obt_site.errors import Conflict, FieldError, Invalid, NotFound

LONGEST_ADDRESS = 6000  # characters; a longer selection stays in the form instead of the address


@require_safe
@requires(Role.VIEWER)
def sessions(request: HttpRequest) -> HttpResponse:
    """All sessions, newest first, or those the address asks for."""
    query = Asked(request.GET)
    shown = session_list(query, settings.PAGE_ITEMS)
    context = {"place": "sessions", "list": shown, "query": query, "as_api": as_api.of_sessions(shown.filters)}
    return render(request, "benchmarks/sessions.html", context)


# -- a new one -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.OPERATOR)
def new(request: HttpRequest) -> HttpResponse:
    """The plan of what was chosen; `do=start` starts it, and what is wrong is said beside the field."""
    sent = request.POST if request.method == "POST" else request.GET
    form = replace(session_form.read(sent), picks=tuple(picks_of(sent)))
    if request.method == "POST" and sent.get("do") == "start":
        return _start(request, form)
    asked = Asked(sent)
    before = _again(asked) if request.method == "GET" else None
    if before is not None:
        return _show_plan(request, before.form, again=before, ignored=_ignored(asked))
    address = f"{reverse('session_new')}?{session_form.as_query(form)}"
    if request.method == "POST" and not request.htmx and len(address) < LONGEST_ADDRESS:  # type: ignore[attr-defined]
        return redirect(address)
    return _show_plan(request, form, ignored=_ignored(asked) if request.method == "GET" else ())


def _again(asked: Asked) -> Again | None:
    """The session to be run again, where the address names one that is there."""
    number = asked.object_id("again")
    if number is None:
        return None
    try:
        return again(verbs.find(number))
    except NotFound:
        asked.drop("again", "is no session")
        return None


def _ignored(asked: Asked) -> list[str]:
    """What of the address the form has no place for. What it has a place for is said beside it."""
    asked.knows("pick", "match", "cells", "suite", "budget", "name", "note", "do", *session_form.MORE_FIELDS)
    asked.choice(session_form.MEASURE, {session_form.SUITE: 0, session_form.OWN: 1}, None)
    asked.knows(session_form.PROMPTS)
    return asked.ignored


def _start(request: HttpRequest, form: Form) -> HttpResponse:
    person = request.user.get_username()
    try:
        asked = session_form.asked(form)
        session = verbs.start(form.targets, form.suite, form.budget, person, name=form.name, note=form.note, **asked)
    except Invalid as refusal:
        return _show_plan(request, form, refusal.errors, status=422)
    return redirect("session", session_id=str(session.id))


def _show_plan(
    request: HttpRequest,
    form: Form,
    errors: Sequence[FieldError] = (),
    status: int = 200,
    again: Again | None = None,
    ignored: Sequence[str] = (),
) -> HttpResponse:
    context = {
        "place": "sessions",
        "plan": plan(form, errors),
        "budgets": [(name, BUDGET_WORDS[name], seconds) for name, seconds in suites.BUDGETS_S.items()],
        "again": again,
        "ignored": ignored,
    }
    return render(request, "benchmarks/session_new.html", context, status=status)


# -- one -------------------------------------------------------------------------------------------------------------


@require_safe
@requires(Role.VIEWER)
def session(request: HttpRequest, session_id: str) -> HttpResponse:
    """One session: live while it runs, a report after."""
    view = session_view(verbs.find(session_id))
    context = {"place": "sessions", "view": view, "title": session_title(view), **rights(request.role)}  # type: ignore[attr-defined]
    context["as_api"] = as_api.of_session(session_id)
    return render(request, "benchmarks/session.html", context)


@require_safe
@requires(Role.VIEWER)
def session_live(request: HttpRequest, session_id: str) -> HttpResponse:
    """The parts of the page as they are now, for a page that missed something."""
    rendered = render_session(request.role, session_id)  # type: ignore[attr-defined]
    return JsonResponse({"html": rendered.html, "title": rendered.title, "done": rendered.is_done})


# -- what can be done ------------------------------------------------------------------------------------------------


def _act(request: HttpRequest, session_id: str, act: Callable[[], Any], done: str) -> HttpResponse:
    """Do it, say so, and go back to the session or the queue; a Conflict is said too and changes nothing."""
    try:
        act()
    except Conflict as refusal:
        messages.warning(request, refusal.detail)
    else:
        messages.success(request, done)
    return redirect("queue") if request.POST.get("back") == "queue" else redirect("session", session_id=session_id)


@require_POST
@requires(Role.OPERATOR)
def pause(request: HttpRequest, session_id: str) -> HttpResponse:
    """Hold back what has not started."""
    found = verbs.find(session_id)
    person = request.user.get_username()
    done = f"Session #{found.number} is paused. What runs ends normally."
    return _act(request, session_id, lambda: pausing.pause(found, person), done)


@require_POST
@requires(Role.OPERATOR)
def resume(request: HttpRequest, session_id: str) -> HttpResponse:
    """Let what was held back go on."""
    found = verbs.find(session_id)
    return _act(request, session_id, lambda: pausing.resume(found), f"Session #{found.number} goes on.")


@require_POST
@requires(Role.OPERATOR)
def cancel(request: HttpRequest, session_id: str) -> HttpResponse:
    """Cancel everything of the session that has not ended."""
    found = verbs.find(session_id)
    return _act(request, session_id, lambda: verbs.cancel(found), f"Session #{found.number} is being cancelled.")


@require_POST
@requires(Role.OPERATOR)
def retry(request: HttpRequest, session_id: str) -> HttpResponse:
    """Queue every failed or cancelled job again."""
    found = verbs.find(session_id)
    return _act(request, session_id, lambda: verbs.retry(found), "The failed and cancelled jobs are queued again.")


@require_POST
@requires(Role.OPERATOR)
def cancel_job(request: HttpRequest, job_id: str) -> HttpResponse:
    """Cancel one job."""
    job = verbs.find_job(job_id)
    return _act(request, str(job.session), lambda: verbs.cancel_job(job), f"{job.model} is being cancelled.")


@require_POST
@requires(Role.OPERATOR)
def retry_job(request: HttpRequest, job_id: str) -> HttpResponse:
    """Queue one ended job again."""
    job = verbs.find_job(job_id)
    return _act(request, str(job.session), lambda: verbs.retry_job(job), f"{job.model} is queued again.")
