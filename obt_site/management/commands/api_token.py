"""`manage.py api_token create NAME --role viewer|operator|admin`: prints a user API token, once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from pymongo.errors import PyMongoError

from obt_site import actor
from obt_site.access import Role, create_token
from obt_site.errors import Refusal


class Command(BaseCommand):
    help = "Make a user API token; it is printed once and kept nowhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a token and print it")
        create.add_argument("name", help="what it is for, e.g. dashboard")
        create.add_argument("--role", required=True, choices=[role.word for role in Role])

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with actor.acting(actor.command("api_token")):
                token = create_token(options["name"], Role[options["role"].upper()])
            self.stdout.write(token)
        except PyMongoError:
            raise CommandError("The database does not answer. Run `make up` first, or set OBT_MONGODB_URI.") from None
        except Refusal as refusal:
            raise CommandError(refusal.detail) from None
