"""`manage.py api_token create|list|revoke`: user API tokens. A new one is printed once."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from pymongo.errors import PyMongoError

from obt_site import actor, tokens
from obt_site.access import Role
from obt_site.clock import rfc3339
from obt_site.errors import Refusal
from obt_site.tokens import Maker

TERMINAL = Maker(Role.ADMIN)


class Command(BaseCommand):
    help = "Make a user API token, which is printed once and kept nowhere; list or end tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a token and print it")
        create.add_argument("name", help="what it is for, e.g. dashboard")
        create.add_argument("--role", required=True, choices=[role.word for role in Role])
        create.add_argument("--user", help="whose it is: it does no more than this person may; without: nobody's")
        create.add_argument("--days", type=int, help="how long it works; without: until it is revoked")
        verbs.add_parser("list", help="every token: id, state, role, whose, end, last use, name")
        revoke = verbs.add_parser("revoke", help="end a token")
        revoke.add_argument("id", help="as `list` prints it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with actor.acting(actor.command("api_token")):
                getattr(self, f"_{options['verb']}")(options)
        except PyMongoError:
            raise CommandError("The database does not answer. Run `make up` first, or set OBT_MONGODB_URI.") from None
        except Refusal as refusal:
            raise CommandError(refusal.detail) from None

    def _create(self, options: dict[str, Any]) -> None:
        user = None
        if options["user"] is not None:
            user = get_user_model().objects.filter(username=options["user"]).first()
            if user is None:
                raise CommandError(f"There is no person called “{options['user']}”.")
        role = Role[options["role"].upper()]
        self.stdout.write(tokens.create_token(options["name"], role, user, options["days"]))

    def _list(self, options: dict[str, Any]) -> None:
        for token in tokens.seen_by(TERMINAL):
            ends = f"ends {rfc3339(token.expires_at)}" if token.expires_at else "no end"
            used = f"used {rfc3339(token.last_used_at)}" if token.last_used_at else "never used"
            words = (token.id, tokens.state_of(token), token.role, token.user or "nobody", ends, used, token.name)
            self.stdout.write("\t".join(words))

    def _revoke(self, options: dict[str, Any]) -> None:
        token = tokens.revoke(TERMINAL, options["id"])
        self.stdout.write(f"The token {token.id}, “{token.name}”, works no more.")
