"""The pages of machines: the fleet, one machine, adding one. Views parse, call one verb or presenter, and render."""

import ipaddress
from typing import Any

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents import credentials, enrolment, package, removal, verbs
from agents.documents import Client
from benchmarks.presenters import as_api
from benchmarks.presenters.enrolment import enrolment_of, find_enrolment, token_lines
from benchmarks.presenters.event_log import event_page
from benchmarks.presenters.fleet import fleet as fleet_view
from benchmarks.presenters.fleet_query import read_query
from benchmarks.presenters.live_pages import render_events, render_fleet, render_machine, rights
from benchmarks.presenters.machine import machine_view
from obt_site.access import Role, requires
from obt_site.asked import Asked
from obt_site.errors import Conflict, Invalid, NotFound

AGENT_FILE = "agent.pyz"


@require_safe
@requires(Role.VIEWER, public=True)
def fleet(request: HttpRequest) -> HttpResponse:
    """Every machine, live."""
    shown = fleet_view(read_query(request.GET))
    context = {"place": "fleet", "fleet": shown, "as_api": as_api.of_fleet(shown.query), **_rights(request)}
    return render(request, "agents/fleet.html", context)


@require_safe
@requires(Role.VIEWER)
def fleet_live(request: HttpRequest) -> HttpResponse:
    """The parts of the fleet page as they are now, for a page that missed something."""
    rendered = render_fleet(request.role, read_query(request.GET))  # type: ignore[attr-defined]
    return JsonResponse({"html": rendered.html})


@require_safe
@requires(Role.VIEWER)
def events(request: HttpRequest) -> HttpResponse:
    """What happened, newest first."""
    return render(request, "agents/events.html", {"place": "events", "page": event_page(Asked(request.GET))})


@require_safe
@requires(Role.VIEWER)
def events_live(request: HttpRequest) -> HttpResponse:
    """What has happened since the page was opened, for a page that missed something."""
    rendered = render_events(Asked(request.GET))
    return JsonResponse({"html": rendered.html, "title": rendered.title})


def _rights(request: HttpRequest) -> dict[str, bool]:
    return rights(request.role)  # type: ignore[attr-defined]


@require_safe
@requires(Role.VIEWER)
def machine(request: HttpRequest, client_id: str) -> HttpResponse:
    """One machine."""
    return _show(request, verbs.find(client_id))


@require_safe
@requires(Role.VIEWER)
def machine_live(request: HttpRequest, client_id: str) -> HttpResponse:
    """The parts of a machine's page as they are now, for a page that missed something."""
    query = request.GET.copy()
    query["machine"] = client_id
    return JsonResponse({"html": render_machine(client_id, Asked(query)).html})


def _show(request: HttpRequest, client: Client, status: int = 200, **extra: Any) -> HttpResponse:
    view = machine_view(client)
    context = {"place": "fleet", "view": view, "now": view.now, **_rights(request), **extra}
    return render(request, "agents/machine.html", context, status=status)


@require_POST
@requires(Role.ADMIN)
def rename(request: HttpRequest, client_id: str) -> HttpResponse:
    """Another name; a taken or impossible one is said beside the field."""
    client, name = verbs.find(client_id), request.POST.get("name", "")
    try:
        verbs.rename(client, name)
    except (Invalid, Conflict) as refusal:
        return _show(request, client, refusal.status, typed_name=name, name_error=refusal.detail)
    messages.success(request, f"It is called “{name.strip()}” now.")
    return redirect("machine", client_id=client_id)


@require_POST
@requires(Role.ADMIN)
def pause(request: HttpRequest, client_id: str) -> HttpResponse:
    """Give the machine no new job, or jobs again."""
    paused = request.POST.get("paused") == "1"
    client = verbs.set_paused(verbs.find(client_id), paused)
    words = "is paused: it gets no new job" if paused else "takes jobs again"
    messages.success(request, f"{client.name} {words}.")
    return redirect("machine", client_id=client_id)


@require_POST
@requires(Role.ADMIN)
def labels(request: HttpRequest, client_id: str) -> HttpResponse:
    """Other labels, separated by commas; what is wrong is said beside the field."""
    client, typed = verbs.find(client_id), request.POST.get("labels", "")
    try:
        changed = verbs.set_labels(client, typed.split(","))
    except Invalid as refusal:
        return _show(request, client, refusal.status, typed_labels=typed, labels_error=refusal.detail)
    said = ", ".join(changed.labels)
    messages.success(request, f"{client.name} is labelled {said}." if said else f"{client.name} has no labels now.")
    return redirect("machine", client_id=client_id)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def remove(request: HttpRequest, client_id: str) -> HttpResponse:
    """What removing the machine would end, as a question; by POST it is removed."""
    client = verbs.find(client_id)
    if request.method == "POST":
        removal.remove(client, request.user.get_username())
        messages.success(request, f"{client.name} was removed. Its results stay.")
        return redirect("fleet")
    context = {"place": "fleet", "client": client, "loss": removal.consequences(client)}
    return render(request, "agents/machine_remove.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def revoke_credential(request: HttpRequest, client_id: str) -> HttpResponse:
    """What revoking the machine's credential means, as a question; by POST it is revoked."""
    client = verbs.find(client_id)
    if request.method == "POST":
        credentials.revoke(client)
        messages.success(request, f"The credential of {client.name} works no more.")
        return redirect("machine", client_id=client_id)
    context = {"place": "fleet", "client": client, "loss": removal.consequences(client)}
    return render(request, "agents/machine_revoke.html", context)


# -- adding one ------------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def add(request: HttpRequest) -> HttpResponse:
    """A name, then one line to paste. The token is made by POST and shown once; it is never part of an address.

    With a machine's id in `client` the line enrols that machine again.
    """
    name, labels_typed = request.POST.get("name", ""), request.POST.get("labels", "")
    wanted = request.POST.get("client") or request.GET.get("client")
    client = verbs.find(wanted) if wanted else None
    context: dict[str, Any] = {"place": "fleet", "server": _server(request), "only_here": _only_here(request)}
    context |= {"typed_name": name, "typed_labels": labels_typed, "client": client}
    if request.method != "POST":
        return render(request, "agents/machine_add.html", {**context, "tokens": token_lines()})
    try:
        token, _ = enrolment.create_token(
            name.strip() or None, by=request.user.get_username(), labels=labels_typed.split(","), client=client
        )
    except Invalid as refusal:
        wrong = {f"{error.field}_error": error.message for error in refusal.errors}
        return render(request, "agents/machine_add.html", {**context, **wrong, "tokens": token_lines()}, status=422)
    context |= {"token": token, "enrolment": enrolment_of(token), "tokens": token_lines()}
    return render(request, "agents/machine_add.html", context)


@never_cache
@require_safe
@requires(Role.ADMIN)
def enrolment_steps(request: HttpRequest, token_id: str) -> HttpResponse:
    """How far the machine with this token is: the part of the page that asks again."""
    found = find_enrolment(token_id)
    if found is None:
        raise NotFound("There is no such enrolment token. It may have been removed.")
    return render(request, "agents/_enrolment.html", {"enrolment": found})


@require_POST
@requires(Role.ADMIN)
def revoke_enrolment(request: HttpRequest, token_id: str) -> HttpResponse:
    """End a token that no machine has used yet."""
    try:
        enrolment.revoke(enrolment.find_token(token_id))
        messages.success(request, "The token works no more.")
    except (Conflict, NotFound) as refusal:
        messages.warning(request, refusal.detail)
    return redirect("machine_add")


def _server(request: HttpRequest) -> str:
    """This server's address as the person reached it."""
    return request.build_absolute_uri("/").rstrip("/")


def _only_here(request: HttpRequest) -> bool:
    """Whether that address means something else on any other machine."""
    host = request.get_host().rsplit(":", 1)[0].strip("[]") if ":" in request.get_host() else request.get_host()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@require_safe
def agent_file(request: HttpRequest) -> HttpResponseBase:
    """The agent as one file. Public, as it is source code: the machine that fetches it has no account."""
    file = package.zipapp().open("rb")
    return FileResponse(file, as_attachment=True, filename=AGENT_FILE, content_type="application/zip")
