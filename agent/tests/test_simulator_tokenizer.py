"""The simulator's tokens can be worked out by hand."""

from __future__ import annotations

import pytest

from agent.simulator.text import TWO_TOKEN_SIGNS, WORDS
from agent.simulator.tokenizer import BOS, common_prefix_length, encode, pieces, token_ids


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("fast", ["fast"]),
        (" fast cars", [" fast", " cars"]),
        ("measuring", ["meas", "urin", "g"]),
        ("a, b", ["a", ",", " b"]),
        ("x  y\n", ["x", " ", " y", "\n"]),
        ("naïf 🙂", ["naïf", " ", "🙂"]),
    ],
)
def test_text_is_cut_into_short_pieces(text: str, tokens: list[str]) -> None:
    assert pieces(text) == tokens


def test_pieces_join_to_the_text_again() -> None:
    text = "It was, they said:\n\t«très» 12345 times_over — ok?\r\n  "
    assert "".join(pieces(text)) == text


def test_a_prompt_starts_with_one_counted_bos() -> None:
    assert encode("one two") == [BOS, "one", " two"]
    assert encode("") == [BOS]


def test_a_longer_prompt_of_the_same_words_grows_in_proportion() -> None:
    assert len(encode("moon rise " * 500)) == 1 + 2 * 500 + 1  # the space at the end is a token


def test_token_ids_are_the_same_for_the_same_token() -> None:
    first, second, third = token_ids(["sun", "moon", "sun"])
    assert first == third != second


@pytest.mark.parametrize(
    ("left", "right", "length"), [([], ["a"], 0), (["a", "b"], ["a", "c"], 1), (["a", "b"], ["a", "b", "c"], 2)]
)
def test_common_prefix_length(left: list[str], right: list[str], length: int) -> None:
    assert common_prefix_length(left, right) == length


def test_each_spoken_word_is_one_token() -> None:
    assert all(pieces(f" {word}") == [f" {word}"] for word in WORDS)
    assert len(set(WORDS)) == len(WORDS)
    assert all(len(sign.encode()) == 4 for sign in TWO_TOKEN_SIGNS)
