"""People and roles in the admin: as Django has them, with every change written down, before and after."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest

from obt_site import audit

PERSON_FIELDS = ("username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser")


class Audited:
    """Mixed into a ModelAdmin: what its pages change goes to the audit once it is stored."""

    kind = ""

    def values(self, found: Any) -> dict[str, Any]:
        """What the audit keeps of a person or role."""
        raise NotImplementedError

    def secret(self, found: Any) -> str:
        """What is compared and never kept."""
        return ""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The object as it is before anything is changed."""
        found = super().get_object(request, object_id, from_field)  # type: ignore[misc]
        if found is not None:
            found.audited_before = (self.values(found), self.secret(found))
        return found

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Django's own log, and the audit."""
        self._record("create", "was added", obj, {}, self.values(obj))
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The same for a change; a password is only said to be another one."""
        kept: tuple[dict[str, Any], str] = getattr(obj, "audited_before", ({}, ""))
        before, secret = kept
        after = self.values(obj)
        names = [name for name in after if after[name] != before.get(name)]
        if secret != self.secret(obj):
            self._record("password", "was given another password", obj, {}, {})
        if names:
            old, new = {name: before.get(name) for name in names}, {name: after[name] for name in names}
            self._record("edit", "was changed", obj, old, new)
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> Any:
        """The same for each that is removed."""
        for obj in queryset:
            self._record("remove", "was removed", obj, self.values(obj), {})
        return super().log_deletions(request, queryset)  # type: ignore[misc]

    def _record(self, verb: str, words: str, obj: Any, before: dict[str, Any], after: dict[str, Any]) -> None:
        name = str(obj)
        about = (self.kind, obj.pk, name)

        def write() -> None:
            audit.record(f"{self.kind}.{verb}", f"{name} {words}", about=about, before=before, after=after)

        transaction.on_commit(write)


class People(Audited, UserAdmin):  # type: ignore[type-arg]  # no type argument at run time
    """Accounts. What may be done by whom is a matter of groups, so Django's single permissions stay out of sight."""

    kind = "person"
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )

    def values(self, found: Any) -> dict[str, Any]:
        groups = sorted(found.groups.values_list("name", flat=True))
        return {**{name: getattr(found, name) for name in PERSON_FIELDS}, "roles": groups}

    def secret(self, found: Any) -> str:
        return str(found.password)


class Roles(Audited, GroupAdmin):
    """The groups that stand for roles."""

    kind = "group"

    def values(self, found: Any) -> dict[str, Any]:
        return {"name": found.name}


def register(site: AdminSite) -> None:
    """Put these in place of Django's own."""
    for model, own in ((User, People), (Group, Roles)):
        site.unregister(model)
        site.register(model, own)
