"""`/settings/tokens`: a person's API tokens, and for administrators everybody's."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from obt_site import tokens
from obt_site.access import Role, requires
from obt_site.errors import Conflict, Forbidden, Invalid, NotFound
from obt_site.tokens import Maker

TEMPLATE = "accounts/tokens.html"
SHOWN = 200  # tokens; the API lists all
DAYS = (("7", "A week"), ("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "Without end"))
DAYS_CHOSEN = "90"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER)
def tokens_page(request: HttpRequest) -> HttpResponse:
    """The list; a post makes a token and shows its text, once."""
    if request.method != "POST":
        return _page(request)
    typed = {name: request.POST.get(name, "") for name in ("name", "role", "days")}
    try:
        text, token = tokens.create(_maker(request), typed["name"], _role(typed["role"]), _days(typed["days"]))
    except (Invalid, Forbidden, Conflict) as refusal:
        return _page(request, refusal.status, typed=typed, error=refusal.detail)
    return _page(request, text=text, made=token)


@require_POST
@requires(Role.VIEWER)
def revoke_token(request: HttpRequest, token_id: str) -> HttpResponse:
    """End one at once."""
    try:
        token = tokens.revoke(_maker(request), token_id)
        messages.success(request, f"The token “{token.name}” works no more.")
    except NotFound as refusal:
        messages.warning(request, refusal.detail)
    return redirect("tokens")


def _maker(request: HttpRequest) -> Maker:
    return Maker(request.role, request.user)  # type: ignore[attr-defined]


def _role(word: str) -> Role:
    found = next((role for role in Role if role.word == word), None)
    if found is None:
        raise Invalid("Choose what the token may do.")
    return found


def _days(word: str) -> int | None:
    if word not in dict(DAYS):
        raise Invalid("Choose how long the token works.")
    return int(word) if word else None


def _page(request: HttpRequest, status: int = 200, **about: Any) -> HttpResponse:
    maker = _maker(request)
    found = tokens.seen_by(maker)
    lines = [{"token": token, "state": tokens.state_of(token)} for token in found[:SHOWN]]
    context = {
        "place": "settings",
        "lines": [line for line in lines if line["state"] is tokens.TokenState.WORKS],
        "over": [line for line in lines if line["state"] is not tokens.TokenState.WORKS],
        "unshown": max(0, len(found) - SHOWN),
        "everybody": maker.role >= Role.ADMIN,
        "roles": [role.word for role in Role if role <= maker.role],
        "days": DAYS,
        "typed": {"role": Role.VIEWER.word, "days": DAYS_CHOSEN},
        "server": request.build_absolute_uri("/").rstrip("/"),
        **about,
    }
    return render(request, TEMPLATE, context, status=status)
