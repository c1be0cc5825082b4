"""Names and notes made harmless to show."""

import pytest

from obt_site.text import lines, one_line


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("forge", "forge"),
        ("  the  big\tone ", "the big one"),
        ("a\nb\r\nc", "a b c"),
        ("evil \u202egnp.exe", "evil gnp.exe"),
        ("a\x00b\x1bc", "a b c"),
        ("машина 🖥️ 机器", "машина 🖥️ 机器"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("\u202e\u2066", ""),
    ],
)
def test_a_name_is_one_line_that_reads_as_it_is_written(given, shown):
    assert one_line(given) == shown


def test_a_note_keeps_its_lines():
    assert lines(" first \r\n\n second\u202e ") == "first\n\nsecond"
