"""Set-up, sign-in and sign-out pages."""

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from obt_site import actor
from obt_site.accounts import setup, signing_in, throttle
from obt_site.address import address_of
from obt_site.errors import Conflict, Forbidden, Invalid, TooMany


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def setup_page(request: HttpRequest) -> HttpResponse:
    """Choose the first administrator's name and password, by the link that `up` printed."""
    token = request.POST.get("token") or request.GET.get("token", "")
    username = request.POST.get("username", "")
    context = {"token": token, "username": username, "errors": {}}
    try:
        setup.check(token)
        if request.method == "POST":
            newcomer = actor.Actor(actor.PERSON, username.strip(), None, address_of(request))
            with actor.acting(newcomer):
                user = setup.create_first_administrator(token, username, request.POST.get("password", ""))
            signing_in.enter(request, user, "as the first administrator")
            return redirect("fleet")
    except Conflict:
        return redirect("sign_in")
    except Forbidden as error:
        return render(request, "accounts/setup.html", {"refused": error.detail}, status=403)
    except Invalid as error:
        context["errors"] = dict(reversed(error.errors))
        return render(request, "accounts/setup.html", context, status=422)
    return render(request, "accounts/setup.html", context)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Name and password; back to where the person wanted to go. Whoever tries too often is told how long to wait."""
    target = request.POST.get("next") or request.GET.get("next", "")
    # A way on this site begins with a slash; anything else Django would take for the name of a view.
    if not target.startswith("/") or not url_has_allowed_host_and_scheme(
        target, {request.get_host()}, request.is_secure()
    ):
        target = ""
    username = request.POST.get("username", "")
    context = {
        "next": target,
        "username": username,
        "set_up_needed": setup.needed(),
        "was_signed_in": bool(target) and settings.SESSION_COOKIE_NAME in request.COOKIES,
    }
    if request.method != "POST":
        return redirect(target or "fleet") if request.user.is_authenticated else render(request, TEMPLATE, context)
    try:
        signing_in.sign_in(request, username, request.POST.get("password", ""))
    except (Invalid, TooMany) as refusal:
        answer = render(request, TEMPLATE, {**context, "error": refusal.detail}, status=refusal.status)
        if refusal.retry_after_s is not None:
            answer["Retry-After"] = str(refusal.retry_after_s)
        return answer
    entered = redirect(target or "fleet")
    throttle.remember(request, entered, username)
    return entered


TEMPLATE = "accounts/sign_in.html"


@never_cache
@require_safe
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Django's administration has no sign-in of its own here: strangers go to ours, others lack the role."""
    if request.user.is_authenticated:
        raise Forbidden("This needs the role admin.")
    return redirect_to_login(request.GET.get("next", ""))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this browser's session."""
    logout(request)
    return redirect("sign_in")
