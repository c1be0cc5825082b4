"""`/settings`: a person's theme, density and password; for administrators also what the server was told and its limits.

Theme and density are kept by the browser (`static/js/theme.js`), since they are a matter of the screen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from obt_site import audit, env
from obt_site.access import Role, requires
from obt_site.accounts import browsers, throttle
from obt_site.formatting import duration, number
from obt_site.rate_table import Rate

ROLE_WORDS = {
    Role.VIEWER: "You read everything and change nothing.",
    Role.OPERATOR: "You read everything, and start, pause, cancel and retry sessions.",
    Role.ADMIN: "You may do everything: also add, rename and remove machines, and manage people.",
}
SECRET = ("OBT_SECRET_KEY", "OBT_ADMIN_PASSWORD", "OBT_ADMIN_USERNAME")
ADDRESSES = ("OBT_MONGODB_URI", "OBT_REDIS_URL", "DATABASE_URL", "OBT_OLLAMA_URL")  # they can hold a password
NOT_SET = "not set"
LIMITS = (
    ("SESSION_JOBS_MAXIMUM", "jobs in one session"),
    ("SESSIONS_UNDER_WAY_MAXIMUM", "sessions that wait and run at the same time"),
    ("QUEUED_JOBS_MAXIMUM", "jobs that wait for all machines together"),
    ("MACHINES_MAXIMUM", "machines"),
    ("EXPORT_RESULTS_MAXIMUM", "results in one exported file"),
    ("SAVED_VIEWS_MAXIMUM", "saved views of one person"),
    ("SOCKETS_PER_PERSON", "pages of one person that one server process keeps up to date"),
    ("LATE_AFTER", "without a report a machine is late"),
    ("OFFLINE_AFTER", "without a report a machine is offline"),
    ("OFFER_LIFETIME", "for a machine to take in a job, then it waits again"),
    ("OFFER_DELIVERIES", "offers that nobody takes in, then the job fails"),
    ("LOST_AFTER", "without a word of it a running job counts as lost"),
    ("LOST_FAILS_AFTER", "lost, then the job fails"),
    ("QUEUED_FAILS_AFTER_OFFLINE", "its machine offline, then a waiting job fails"),
    ("CANCEL_FORCED_AFTER", "for a machine to confirm that a job ended"),
    ("ENROLMENT_TOKEN_LIFETIME", "a line to add a machine is good for"),
    ("USER_BODY_BYTES", "bytes in one call of the API"),
    ("FORM_BODY_BYTES", "bytes in one form of a page"),
)


@dataclass(frozen=True)
class Told:
    """One environment variable: its effective value in words, and whether that is the default."""

    name: str
    value: str
    is_default: bool
    description: str


def told() -> list[Told]:
    """Every variable as it is in force, without a secret: those are only said to be set. What a file named by a `_FILE`
    variable holds is in force under the name without it."""
    return [_told(variable) for variable in env.VARIABLES if not variable.name.endswith("_FILE")]


def _told(variable: env.Variable) -> Told:
    attribute = variable.name.removeprefix("OBT_").lower()
    value = getattr(settings.ENVIRONMENT, attribute)
    shown = _shown(variable.name, value)
    default = env.ROOT / variable.default if variable.kind == "folder" else variable.default or NOT_SET
    return Told(variable.name, shown, str(default).lower() == shown.lower(), variable.description)


def _shown(name: str, value: Any) -> str:
    if value in (None, "", ()):
        return NOT_SET
    if name in SECRET:
        return "set, not shown"
    if name in ADDRESSES:
        parts = urlsplit(str(value))
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
        return f"{parts.scheme}://{host}{parts.path}"  # without who signs in there, and without options
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def limits() -> list[tuple[str, str]]:
    """Each limit in force and what it is."""
    values = [(getattr(settings, name), words) for name, words in LIMITS]
    plain = [(duration(v.total_seconds()) if isinstance(v, timedelta) else number(v), words) for v, words in values]
    return [*plain, *_rates(settings.RATES, "one caller"), *_rates(settings.RATES_BY_ADDRESS, "one address")]


def _rates(table: Mapping[str, Rate], of: str) -> list[tuple[str, str]]:
    return [
        (number(rate.calls), f"calls in {rate.seconds:g} s of {of}: {kind.replace('_', ' ')}")
        for kind, rate in table.items()
    ]


def _form(request: HttpRequest) -> PasswordChangeForm:
    form = PasswordChangeForm(cast("User", request.user), request.POST if request.method == "POST" else None)
    for field in form.fields.values():
        field.widget.attrs.update({"class": "input", "autofocus": False})
    form.fields["new_password1"].help_text = "At least eight characters, and not one that others use."
    return form


def _is_good(form: PasswordChangeForm) -> bool:
    """Whether it may be done; guesses at the old password are slowed down like those at the sign-in page."""
    counts = [throttle.of_change(form.user.pk)]
    throttle.admit(counts)
    if form.is_valid():
        throttle.succeeded(counts)
        return True
    return False


def _change_password(request: HttpRequest, form: PasswordChangeForm) -> None:
    """Store it; this browser stays signed in and no other one."""
    user = form.save()
    update_session_auth_hash(request, user)
    browsers.close(user, but=request.session.session_key)
    name = user.get_username()
    audit.record("person.password", f"{name} changed their password", about=("person", user.pk, name))


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER)
def settings_page(request: HttpRequest) -> HttpResponse:
    """The page; a post changes the password, and says beside its field what is wrong with it."""
    form = _form(request)
    if request.method == "POST" and _is_good(form):
        _change_password(request, form)
        messages.success(request, "Your password is changed. Other browsers have to sign in again.")
        return redirect("settings")
    role: Role = request.role  # type: ignore[attr-defined]
    context: dict[str, Any] = {"place": "settings", "form": form, "role_words": ROLE_WORDS[role]}
    context["browsers"] = browsers.of(cast("User", request.user), request.session.session_key)
    if role >= Role.ADMIN:
        context |= {"told": told(), "limits": limits()}
    return render(request, "accounts/settings.html", context, status=422 if form.errors else 200)
