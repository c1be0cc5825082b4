"""Django's admin as this product has it: for staff who are administrators, with what is stored beside people.

Signing in and changing the password are the product's own pages: there is one way in.
"""

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, path, reverse

from obt_site import actor
from obt_site.access import Role, person, role_of
from obt_site.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from obt_site.admin.documents import DocumentAdmin

LABEL = "documents"


class ObtAdminSite(AdminSite):
    """`documents` are the sections of what MongoDB keeps, by the word in their address."""

    site_header = "OBT data"
    site_title = "OBT"
    index_title = "People and data"
    enable_nav_sidebar = False

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.documents: dict[str, DocumentAdmin[Any]] = {}

    def register_documents(self, *admins: "DocumentAdmin[Any]") -> None:
        """Add sections, in the order in which they are listed."""
        self.documents |= {each.slug: each for each in admins}

    def section(self, slug: str) -> "DocumentAdmin[Any]":
        """The section of this name, or NotFound."""
        if slug not in self.documents:
            raise NotFound("There is no such section of the data.")
        return self.documents[slug]

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff who are administrators."""
        return bool(super().has_permission(request)) and role_of(request.user) is Role.ADMIN

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Whoever is let in acts: what they change is written down as theirs."""

        @wraps(view)
        def acting(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            actor.acts(person(request))
            return view(request, *args, **kwargs)

        return super().admin_view(acting, cacheable)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Those of Django, and a list, a page and the actions of each section."""
        from obt_site.admin import views  # noqa: PLC0415  (it asks for this site)

        pages: list[tuple[str, Any, str]] = [
            ("documents/", views.index, "documents"),
            ("documents/<slug:slug>/", views.document_list, "documents_list"),
            ("documents/<slug:slug>/<str:identity>/", views.document, "documents_one"),
            ("documents/<slug:slug>/<str:identity>/<slug:name>/", views.action, "documents_action"),
        ]
        own = [path(address, self.admin_view(view), name=name) for address, view, name in pages]
        return [*own, *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The sections of the data first."""
        listed = [] if app_label is not None else [self.data_app()]
        return [*listed, *super().get_app_list(request, app_label)]

    def data_app(self) -> dict[str, Any]:
        """The sections, as Django's admin lists its models."""
        return {
            "name": "Data",
            "app_label": LABEL,
            "app_url": reverse("admin:documents"),
            "has_module_perms": True,
            "models": [
                {
                    "name": each.plural,
                    "object_name": each.slug,
                    "admin_url": reverse("admin:documents_list", args=[each.slug]),
                    "add_url": None,
                    "view_only": not each.may_be_corrected,
                }
                for each in self.documents.values()
            ],
        }

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The product's sign-in; who is signed in and not let in is told why."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
        if self.has_permission(request):
            return redirect("admin:index")
        raise Forbidden("The data is open to administrators who are marked as staff. An administrator can mark you so.")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """A person's own password is changed in the settings."""
        return redirect("settings")
