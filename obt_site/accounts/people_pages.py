"""`/settings/people`: the accounts, for administrators; and the page where a one-use link leads."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from obt_site import actor
from obt_site.access import Role, requires
from obt_site.accounts import browsers, links, people, signing_in
from obt_site.address import address_of
from obt_site.errors import Conflict, FieldError, Forbidden, Invalid, NotFound

CHOICES = [
    (Role.VIEWER.word, "Viewer", "reads everything and changes nothing"),
    (Role.OPERATOR.word, "Operator", "also starts, pauses, cancels and retries sessions"),
    (Role.ADMIN.word, "Administrator", "also manages machines, people and this server"),
]
ONESELF = "This is your own account. Another administrator can do that."


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def people_page(request: HttpRequest) -> HttpResponse:
    """Everybody. A post adds somebody, and shows the link for them: this once."""
    if request.method != "POST":
        return _show_people(request)
    name = request.POST.get("username", "")
    try:
        user, secret = people.add(name, _role(request))
    except Invalid as refusal:
        wrong = {error.field: error.message for error in reversed(refusal.errors)}
        return _show_people(request, status=422, typed=name, chosen=request.POST.get("role", ""), errors=wrong)
    return _show_people(request, link=_link(request, secret), link_for=user.get_username())


@never_cache
@require_safe
@requires(Role.ADMIN)
def person_page(request: HttpRequest, person_id: int) -> HttpResponse:
    """One account: role, browsers, and what can be done to it."""
    return _show_person(request, people.find(person_id))


@require_POST
@requires(Role.ADMIN)
def change_role(request: HttpRequest, person_id: int) -> HttpResponse:
    """Another role."""
    user = people.find(person_id)
    try:
        people.change_role(user, _role(request))
    except (Conflict, Invalid) as refusal:
        return _show_person(request, user, refusal.status, role_error=refusal.detail)
    messages.success(request, f"{user.get_username()} is {_role(request).word} now.")
    return redirect("person", person_id=person_id)


@require_POST
@requires(Role.ADMIN)
def change_active(request: HttpRequest, person_id: int) -> HttpResponse:
    """Take an account out of use, or put it into use again."""
    user = people.find(person_id)
    try:
        if request.POST.get("active") == "1":
            people.activate(user)
            done = f"{user.get_username()} can sign in again."
        else:
            _not_oneself(request, user)
            people.deactivate(user)
            done = f"The account of {user.get_username()} is out of use, and signed out everywhere."
    except Conflict as refusal:
        return _show_person(request, people.find(person_id), refusal.status, active_error=refusal.detail)
    messages.success(request, done)
    return redirect("person", person_id=person_id)


@never_cache
@require_POST
@requires(Role.ADMIN)
def reset_password(request: HttpRequest, person_id: int) -> HttpResponse:
    """Take the password away and show, this once, the link to choose another."""
    user = people.find(person_id)
    try:
        _not_oneself(request, user)
        secret = people.reset_password(user)
    except Conflict as refusal:
        return _show_person(request, user, refusal.status, reset_error=refusal.detail)
    return _show_person(request, user, link=_link(request, secret), link_for=user.get_username())


@require_POST
@requires(Role.ADMIN)
def end_sessions(request: HttpRequest, person_id: int) -> HttpResponse:
    """Sign one browser of somebody out, or all of them."""
    user = people.find(person_id)
    _end(request, user)
    return redirect("person", person_id=person_id)


@require_POST
@requires(Role.VIEWER)
def end_own_sessions(request: HttpRequest) -> HttpResponse:
    """Sign one of one's own browsers out, or all but this one."""
    assert isinstance(request.user, User)
    _end(request, request.user, but=request.session.session_key)
    return redirect("settings")


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def choose_password(request: HttpRequest) -> HttpResponse:
    """Where a one-use link leads: choose a password, and be signed in with it."""
    secret = request.POST.get("token") or request.GET.get("token", "")
    context: dict[str, Any] = {"token": secret}
    try:
        user = links.owner(secret)
        context["person"] = user.get_username()
        if request.method == "POST":
            actor.acts(actor.Actor(actor.PERSON, user.get_username(), str(user.pk), address_of(request)))
            signing_in.enter(request, links.use(secret, request.POST.get("password", "")), "by a one-use link")
            return redirect("home")
    except (Forbidden, Conflict) as refusal:
        return render(request, "accounts/choose_password.html", {"refused": refusal.detail}, status=refusal.status)
    except Invalid as refusal:
        context["error"] = refusal.detail
        return render(request, "accounts/choose_password.html", context, status=422)
    return render(request, "accounts/choose_password.html", context)


def _end(request: HttpRequest, user: User, but: str | None = None) -> None:
    handle = request.POST.get("session", "")
    try:
        if handle:
            messages.success(request, f"Signed out: {browsers.end(user, handle).words}.")
        else:
            count = browsers.end_all(user, but)
            messages.success(request, f"Signed out {count} browser{'' if count == 1 else 's'}.")
    except NotFound as refusal:
        messages.warning(request, refusal.detail)


def _role(request: HttpRequest) -> Role:
    chosen = {role.word: role for role in Role}.get(request.POST.get("role", ""))
    if chosen is None:
        message = "Choose a role."
        raise Invalid(message, [FieldError("role", message)])
    return chosen


def _not_oneself(request: HttpRequest, user: User) -> None:
    """Raises Conflict: whoever does that to themselves is out at once, and it is never what they wanted."""
    if user.pk == request.user.pk:
        raise Conflict(ONESELF)


def _link(request: HttpRequest, secret: str) -> str:
    return request.build_absolute_uri(f"{reverse('choose_password')}?{urlencode({'token': secret})}")


def _show_people(request: HttpRequest, status: int = 200, **more: Any) -> HttpResponse:
    context = {"place": "people", "people": people.listed(), "choices": CHOICES, **more}
    return render(request, "accounts/people.html", context, status=status)


def _show_person(request: HttpRequest, user: User, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "place": "people",
        "person": people.shown(user),
        "browsers": browsers.of(user, request.session.session_key),
        "choices": CHOICES,
        "is_oneself": user.pk == request.user.pk,
        **more,
    }
    return render(request, "accounts/person.html", context, status=status)
