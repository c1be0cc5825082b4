"""`manage.py enrol_token create|list|revoke`: enrolment tokens. A new one is printed once, and works once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from pymongo.errors import PyMongoError

from agents import enrolment, verbs
from obt_site import actor
from obt_site.clock import rfc3339
from obt_site.errors import Refusal

ID_SHOWN = 12  # the first characters of an id, which are enough to name it


class Command(BaseCommand):
    help = "Make an enrolment token for one machine, which works once, for an hour; list or end tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        subparsers = parser.add_subparsers(dest="verb", required=True)
        create = subparsers.add_parser("create", help="make a token and print it")
        create.add_argument("--name", help="the machine's name; without it, its host name")
        create.add_argument("--label", action="append", default=[], help="a label it will have; may be repeated")
        create.add_argument("--client", help="id of a machine that is enrolled again as what it is")
        subparsers.add_parser("list", help="the tokens: id, state, end, who made it, for which name")
        revoke = subparsers.add_parser("revoke", help="end a token that no machine has used yet")
        revoke.add_argument("id", help="as `list` prints it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with actor.acting(actor.command("enrol_token")):
                getattr(self, f"_{options['verb']}")(options)
        except PyMongoError:
            raise CommandError("The database does not answer. Run `make up` first, or set OBT_MONGODB_URI.") from None
        except Refusal as refusal:
            raise CommandError(refusal.detail) from None

    def _create(self, options: dict[str, Any]) -> None:
        client = verbs.find(options["client"]) if options["client"] else None
        labels = options["label"]
        token, _ = enrolment.create_token(options["name"], by="command line", labels=labels, client=client)
        self.stdout.write(token)

    def _list(self, options: dict[str, Any]) -> None:
        for token in enrolment.tokens():
            ends = f"until {rfc3339(token.expires_at)}"
            words = (token.id[:ID_SHOWN], enrolment.state_of(token), ends, token.created_by or "?", token.name or "—")
            self.stdout.write("\t".join(words))

    def _revoke(self, options: dict[str, Any]) -> None:
        found = [token for token in enrolment.tokens() if token.id.startswith(options["id"])]
        if len(found) != 1:
            raise CommandError(f"{len(found) or 'No'} tokens begin with {options['id']!r}; `list` prints them.")
        enrolment.revoke(found[0])
        self.stdout.write("The token works no more.")
