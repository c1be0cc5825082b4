"""The project's apps: connects MongoDB when Django starts, and Django's admin on the product's own site."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ObtSiteConfig(AppConfig):
    name = "obt_site"
    default = True

    def ready(self) -> None:
        from obt_site import mongo  # noqa: PLC0415  (documents need settings first)

        mongo.connect()


class ObtAdminConfig(admin_apps.AdminConfig):
    """django.contrib.admin with `obt_site/admin_site.py` as its site."""

    default = False
    default_site = "obt_site.admin_site.ObtAdminSite"
