"""What a user's mistake is told with."""

from colorizer.core.errors import UserError, printable


def test_what_a_terminal_would_obey_is_escaped():
    assert str(UserError("a\x1b[31m\r\n\x9b\u2028\u202e\udcff")) == r"a\x1b[31m\r\n\x9b\u2028\u202e\udcff"
    for text in ("plain", "ü 中 👩\u200d🔬 \xa0\u202f", r"a\n"):
        assert printable(text) == text
