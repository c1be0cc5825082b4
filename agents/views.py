"""The pages of machines: the fleet, one machine, adding one. Views parse, call one verb or presenter, and render."""

import ipaddress
from typing import Any

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents import package, verbs
from agents.documents import Client
from benchmarks.presenters.fleet import fleet as fleet_view
from benchmarks.presenters.live_pages import render_fleet, rights
from benchmarks.presenters.machine import enrolment_of, find_enrolment, machine_view
from obt_site.access import Role, requires
from obt_site.errors import Conflict, Invalid, NotFound

AGENT_FILE = "agent.pyz"


@require_safe
@requires(Role.VIEWER)
def fleet(request: HttpRequest) -> HttpResponse:
    """Every machine, live."""
    show = request.GET.get("show", "all")
    context = {"place": "fleet", "fleet": fleet_view(show), **_rights(request)}
    return render(request, "agents/fleet.html", context)


@require_safe
@requires(Role.VIEWER)
def fleet_live(request: HttpRequest) -> HttpResponse:
    """The parts of the fleet page as they are now, for a page that missed something."""
    rendered = render_fleet(request.role, request.GET.get("show", "all"))  # type: ignore[attr-defined]
    return JsonResponse({"html": rendered.html})


def _rights(request: HttpRequest) -> dict[str, bool]:
    return rights(request.role)  # type: ignore[attr-defined]


@require_safe
@requires(Role.VIEWER)
def machine(request: HttpRequest, client_id: str) -> HttpResponse:
    """One machine."""
    return _show(request, verbs.find(client_id))


def _show(request: HttpRequest, client: Client, status: int = 200, **extra: Any) -> HttpResponse:
    context = {"place": "fleet", "view": machine_view(client), **_rights(request), **extra}
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


# -- adding one ------------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def add(request: HttpRequest) -> HttpResponse:
    """A name, then one line to paste. The token is made by POST and shown once; it is never part of an address."""
    name = request.POST.get("name", "")
    context = {"place": "fleet", "typed_name": name, "server": _server(request), "only_here": _only_here(request)}
    if request.method != "POST":
        return render(request, "agents/machine_add.html", context)
    try:
        token, _ = verbs.create_enrolment_token(name.strip() or None, by=request.user.get_username())
    except Invalid as refusal:
        return render(request, "agents/machine_add.html", {**context, "name_error": refusal.detail}, status=422)
    context |= {"token": token, "enrolment": enrolment_of(token)}
    return render(request, "agents/machine_add.html", context)


@never_cache
@require_safe
@requires(Role.ADMIN)
def enrolment(request: HttpRequest, token_id: str) -> HttpResponse:
    """How far the machine with this token is: the part of the page that asks again."""
    found = find_enrolment(token_id)
    if found is None:
        raise NotFound("There is no such enrolment token. It may have been removed.")
    return render(request, "agents/_enrolment.html", {"enrolment": found})


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
