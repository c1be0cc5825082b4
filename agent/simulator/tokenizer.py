"""The simulator's tokens: simple, deterministic, easy to reproduce by hand.

A token is at most four letters, digits or underscores with at most one space before them, or one other character. Every
prompt starts with one BOS token, which is counted, as in real models. So " fast cars" is two tokens, "measuring"
three ("meas", "urin", "g"), "a, b" three, and the empty text one (BOS).
"""

from __future__ import annotations

import re
import zlib

BOS = "<|bos|>"
VOCABULARY_SIZE = 32_000
_TOKEN = re.compile(r" ?\w{1,4}|\W")


def pieces(text: str) -> list[str]:
    """`text` cut into tokens; joining them gives `text` again."""
    return _TOKEN.findall(text)


def encode(text: str) -> list[str]:
    """The tokens of a prompt: BOS first. Half a UTF-16 pair, which is no character, becomes a question mark."""
    return [BOS, *pieces(text.encode(errors="replace").decode())]


def token_ids(tokens: list[str]) -> list[int]:
    """A number for each token, as the deprecated `context` field carries them."""
    return [zlib.crc32(token.encode()) % VOCABULARY_SIZE for token in tokens]


def common_prefix_length(left: list[str], right: list[str]) -> int:
    """How many tokens both start with."""
    count = 0
    for one, other in zip(left, right):
        if one != other:
            break
        count += 1
    return count
