"""What is said when there is no room for more of something: the number, and how to raise it."""

from obt_site.formatting import number


def full(rule: str, most: int, asked: int, instead: str, variable: str) -> str:
    """`A session has at most 2,000 jobs; these are 2,400. Choose fewer, or raise OBT_… and start the server again.`

    `rule` has a {} for the number, and ends where the number asked for follows.
    """
    return f"{rule.format(number(most))} {number(asked)}. {instead}, or raise {variable} and start the server again."


def more(rule: str, most: int, instead: str, variable: str) -> str:
    """The same where nobody counted how many there are: `rule` has a {} for the number, and says that they are more."""
    return f"{rule.format(number(most))}. {instead}, or raise {variable} and start the server again."
