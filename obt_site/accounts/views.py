"""Set-up, sign-in and sign-out pages."""

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from obt_site.accounts import setup
from obt_site.errors import Conflict, Forbidden, Invalid


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
            user = setup.create_first_administrator(token, username, request.POST.get("password", ""))
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
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
    """Name and password; back to where the person wanted to go."""
    target = request.POST.get("next") or request.GET.get("next", "")
    # A way on this site begins with a slash; anything else Django would take for the name of a view.
    if not target.startswith("/") or not url_has_allowed_host_and_scheme(
        target, {request.get_host()}, request.is_secure()
    ):
        target = ""
    context = {
        "next": target,
        "username": request.POST.get("username", ""),
        "set_up_needed": setup.needed(),
        "was_signed_in": bool(target) and settings.SESSION_COOKIE_NAME in request.COOKIES,
    }
    if request.method != "POST":
        return redirect(target or "fleet") if request.user.is_authenticated else render(request, TEMPLATE, context)
    user = authenticate(request, username=context["username"], password=request.POST.get("password", ""))
    if user is None:
        context["error"] = "This name and password do not go together."
        return render(request, TEMPLATE, context, status=422)
    login(request, user)
    return redirect(target or "fleet")


TEMPLATE = "accounts/sign_in.html"


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this browser's session."""
    logout(request)
    return redirect("sign_in")
