"""Colours as pages and people write them."""

import pytest
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.finish.color_code import code_of, parsed_color


def test_codes_are_read_and_written():
    assert parsed_color("#402010") == (64, 32, 16) and parsed_color(" fA0 ") == (255, 170, 0)
    assert parsed_color("＃４０２０１Ａ") == (64, 32, 26) and code_of((64, 32, 26)) == "#40201a"


@pytest.mark.parametrize("text", ["", "#", "#12345", "#1234567", "red", "#gg0000", "٠٠٠", "#fff #fff"])
def test_other_text_is_told(text):
    with pytest.raises(ColorizeError, match=r"`color` is .*#rrggbb"):
        parsed_color(text)
