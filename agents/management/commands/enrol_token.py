"""`manage.py enrol_token create`: prints an enrolment token, once. It works once, for an hour."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from pymongo.errors import PyMongoError

from agents.verbs import create_enrolment_token
from obt_site import actor
from obt_site.errors import Refusal


class Command(BaseCommand):
    help = "Make an enrolment token for one machine; it works once, for an hour."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a token and print it")
        create.add_argument("--name", help="the machine's name; without it, its host name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with actor.acting(actor.command("enrol_token")):
                token, _ = create_enrolment_token(options["name"], by="command line")
        except PyMongoError:
            raise CommandError("The database does not answer. Run `make up` first, or set OBT_MONGODB_URI.") from None
        except Refusal as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(token)
