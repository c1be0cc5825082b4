"""The project's app: connects MongoDB when Django starts."""

from django.apps import AppConfig


class ObtSiteConfig(AppConfig):
    name = "obt_site"

    def ready(self) -> None:
        from obt_site import mongo  # noqa: PLC0415  (documents need settings first)

        mongo.connect()
