"""Giving an API token another name: the one thing of a token that may be corrected."""

from obt_site import audit
from obt_site.errors import NotFound
from obt_site.tokens import ApiToken, checked_name


def find(token_id: str) -> ApiToken:
    """The API token, or NotFound."""
    token: ApiToken | None = ApiToken.objects(id=token_id).first()
    if token is None:
        raise NotFound("There is no such API token. It may have been removed.")
    return token


def rename(token: ApiToken, name: str) -> ApiToken:
    """Give the token another name. Raises Invalid for a name that is none."""
    before, wanted = token.name, checked_name(name)
    if wanted != before:
        ApiToken._get_collection().update_one({"_id": token.id}, {"$set": {"name": wanted}})
        words, about = f"The API token {before} is called {wanted} now", ("token", token.id, wanted)
        audit.record("token.rename", words, about=about, before={"name": before}, after={"name": wanted})
    return find(token.id)
