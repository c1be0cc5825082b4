"""The partials of the live pages, rendered from what is stored now: for the page, the re-fetch and the push alike.

Each returns {element id: markup}. Role decides what buttons are in it; forms live outside the partials, on the page,
so that a push needs no CSRF token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.template.loader import render_to_string

from agents import verbs
from benchmarks import sessions
from benchmarks.presenters.event_log import new_events
from benchmarks.presenters.fleet import Fleet, fleet
from benchmarks.presenters.fleet_query import FleetQuery
from benchmarks.presenters.machine import machine_now
from benchmarks.presenters.session import SessionView, session_view
from obt_site.access import Role
from obt_site.asked import Asked
from obt_site.context import work


@dataclass(frozen=True)
class Rendered:
    """What a live page shows at a moment. `toast` is said once, when `is_done` turns true."""

    html: Mapping[str, str]
    title: str = ""
    is_done: bool = False
    toast: Mapping[str, str] = field(default_factory=dict)
    in_sight: Sequence[str] = ()  # ids of the rows, in their order: what a live list keeps


def rights(role: Role) -> dict[str, bool]:
    """What a role may do, as the templates ask."""
    return {"may_operate": role >= Role.OPERATOR, "may_manage": role >= Role.ADMIN}


def render_fleet(role: Role, query: FleetQuery, in_sight: Sequence[str] = ()) -> Rendered:
    """The fleet page's parts; the machines that are `in_sight` already keep their places."""
    shown = fleet(query, in_sight)
    context = {"fleet": shown, "work": work(), **rights(role)}
    parts = {
        "fleet-head": "agents/_fleet_head.html",
        "fleet-show": "agents/_fleet_show.html",
        "fleet-body": "agents/_fleet_body.html",
        "work": "_work.html",
    }
    html = {name: render_to_string(template, context) for name, template in parts.items()}
    return Rendered(html, "Fleet · OBT", in_sight=shown.order)


def render_machine(client_id: str, query: Asked) -> Rendered:
    """The parts of a machine's page that change by themselves; forms are none of them. `query`: see `new_events`."""
    context = {"now": machine_now(verbs.find(client_id)), "new": new_events(query), "work": work()}
    parts = {
        "machine-state": "agents/_machine_state.html",
        "machine-now": "agents/_machine_now.html",
        "events-new": "agents/_events_new.html",
        "work": "_work.html",
    }
    return Rendered({name: render_to_string(template, context) for name, template in parts.items()})


def render_events(query: Asked) -> Rendered:
    """How much has happened since the page of events was opened; the list itself stays as it is read."""
    new = new_events(query)
    context = {"new": new, "work": work()}
    parts = {"events-new": "agents/_events_new.html", "work": "_work.html"}
    html = {name: render_to_string(template, context) for name, template in parts.items()}
    return Rendered(html, f"({new.count}) Events · OBT" if new.count else "Events · OBT")


def render_session(role: Role, session_id: str) -> Rendered:
    """The session page's parts; one per machine, so that a change on one sends only its lane."""
    view = session_view(sessions.find(session_id))
    context = {"view": view, "work": work(), **rights(role)}
    parts = {
        "session-head": "benchmarks/_session_head.html",
        "session-progress": "benchmarks/_session_progress.html",
        "session-axis": "benchmarks/_session_axis.html",
        "session-report": "benchmarks/_session_report.html",
        "session-events": "benchmarks/_session_events.html",
        "work": "_work.html",
    }
    html = {name: render_to_string(template, context) for name, template in parts.items()}
    for lane in view.lanes:
        html[f"lane-{lane.client_id}"] = render_to_string("benchmarks/_lane.html", {**context, "lane": lane})
    return Rendered(html, session_title(view), view.is_over, _toast(view))


def session_title(view: SessionView) -> str:
    """The window's title: how far it is, then which session."""
    state = f"{view.progress.percent} %" if view.shown_state == "running" else view.shown_state
    return f"{state} · #{view.number} {view.name} · OBT"


def _toast(view: SessionView) -> dict[str, str]:
    if not view.is_over:
        return {}
    tone = {"succeeded": "good", "failed": "bad"}.get(view.state, "info")
    return {"text": f"Session #{view.number} has ended: {view.verdict}", "tone": tone}


__all__ = [
    "Fleet",
    "Rendered",
    "SessionView",
    "render_events",
    "render_fleet",
    "render_machine",
    "render_session",
    "rights",
    "session_title",
]
