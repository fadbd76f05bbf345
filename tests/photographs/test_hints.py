"""Hints of a photograph: as text, as a table, and how their colours arrive in the coloured photograph."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from colorizer.core.errors import UserError
from colorizer.data.sample import built_in_photographs
from colorizer.models.model import Model, load_model
from colorizer.networks.unet import UNet
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.hints import (
    MOST_HINTS,
    Hint,
    parse_hint,
    parse_hints,
    read_hints,
    refuse_outside,
    write_hints,
)
from colorizer.photographs.photographs import Photograph
from tests.support.colorizer_command import run_colorizer
from tests.support.model_file import save_hinted, save_model

GREEN, RED = Hint(40, 30, "#3a6b35"), Hint(500, 300, "#c02020")


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return save_hinted(tmp_path_factory.mktemp("hinted"))


@pytest.fixture(scope="module")
def model(file) -> Model:
    return load_model(file, "cpu", "fp32")


@pytest.fixture(scope="module")
def photograph() -> Photograph:
    """640 x 427 pixels, grey."""
    return Photograph(pixels=np.asarray(Image.fromarray(dict(built_in_photographs())["china.jpg"]).convert("L")))


def ab_of(color: str) -> np.ndarray:
    return rgb2lab(np.array([[Hint(0, 0, color).rgb]], np.uint8))[0, 0, 1:]


@pytest.mark.parametrize("text", ["40,30=#3a6b35", " 40 , 30 = #3A6B35 ", "+40,030=#3a6b35"])
def test_a_hint_as_text(text):
    assert parse_hint(text) == GREEN
    assert str(GREEN) == "40,30=#3a6b35"
    assert GREEN.rgb == (0x3A, 0x6B, 0x35)


def test_several_hints_in_one_text():
    assert parse_hints("40,30=#3a6b35 500,300=#c02020") == parse_hints("40,30=#3a6b35;\n500,300=#c02020\n")
    assert parse_hints(["40,30=#3a6b35", "500,300=#c02020"]) == [GREEN, RED]
    assert parse_hints("") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("green", r"the hint `green` is none: write X,Y=#rrggbb, `120,80=#3a6b35` for example"),
        ("40=#3a6b35", "is none: write X,Y=#rrggbb"),
        ("40,30=green", "the colour `green` is none: write #rrggbb"),
        ("40,30=3a6b35", "the colour `3a6b35` is none"),
        ("40,30=#3a6b3", "the colour `#3a6b3` is none"),
        ("4.5,30=#3a6b35", r"x is `4\.5`: it has to be a whole number of pixels, from 0"),
        ("40,=#3a6b35", "y is ``: it has to be a whole number"),
        ("40,30,2=#3a6b35", "y is `30,2`"),
        ("x" * 1000, f"the hint `{'x' * 40}...` is none"),
    ],
)
def test_a_text_that_is_no_hint(text, message):
    with pytest.raises(UserError, match=message):
        parse_hint(text)


def test_a_table_comes_back_and_may_come_from_elsewhere(tmp_path):
    write_hints(tmp_path / "a.csv", [GREEN, RED])
    assert (tmp_path / "a.csv").read_bytes() == b"x,y,colour\n40,30,#3a6b35\n500,300,#c02020\n"
    assert read_hints(tmp_path / "a.csv") == [GREEN, RED]
    other = '\ufeffcolour, X,y,who\r\n#3A6B35,40,30,me\r\n\r\n"#c02020",500,300,\r\n'
    (tmp_path / "b.csv").write_text(other, encoding="utf-8", newline="")
    assert read_hints(tmp_path / "b.csv") == [GREEN, RED]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.csv, line 1: no column x: the first line has to be x,y,colour"),
        (b"x,y\n1,2\n", r"a\.csv, line 1: no column colour"),
        (b"x;y;colour\n1;2;#3a6b35\n", r"a\.csv, line 1: no column x"),
        (b"x,y,colour\n1,2,#3a6b35\n\n3,4,blue\n", r"a\.csv, line 4: the colour `blue` is none"),
        (b"x,y,colour\n1,2,#3a6b35\n3,4\n", r"a\.csv, line 3: 2 values, but 3 columns"),
        (b"x,y,colour\n1,b,#3a6b35\n", r"a\.csv, line 2: y is `b`"),
        (b"x,y,colour\n1,2,#3a6b35\n\xff\n", r"a\.csv, line 3: not UTF-8"),
        (b'x,y,colour\n1,2,"#3a6b35\n', r"a\.csv, line 2: "),
        (b"x,y,colour\n" + b"1,2,#3a6b35\n" * (MOST_HINTS + 1), r"1001 hints: at most 1,000"),
    ],
)
def test_a_table_that_cannot_be_read(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_hints(tmp_path / "a.csv")


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"a\.csv cannot be read: no such file"):
        read_hints(tmp_path / "a.csv")
    with pytest.raises(UserError, match="cannot be read: is a directory"):
        read_hints(tmp_path)


@pytest.mark.parametrize("place", [(640, 0), (0, 427), (-1, 0), (0, -1)])
def test_outside_the_photograph(place):
    refuse_outside([Hint(0, 0, "#000000"), Hint(639, 426, "#000000")], (427, 640))
    expected = r"lies outside the picture, which has 640 x 427 px: x goes from 0 to 639, y from 0 to 426"
    with pytest.raises(UserError, match=expected):
        refuse_outside([Hint(*place, "#000000")], (427, 640))


@pytest.mark.parametrize("size", [48, 100])
def test_the_colour_arrives_at_its_place_and_not_far_away(model, photograph, size):
    """At full size, after the guided upsampling; measured where sRGB has the colour at the photograph's lightness."""
    colorizer = Colorizer(model=model, size=size)
    hint = Hint(300, 250, "#3a6b8f")
    pixels = [colorizer(photograph, hints=hints).pixels for hints in ([], [hint])]
    plain, told = map(rgb2lab, pixels)
    before = np.linalg.norm(plain[250, 300, 1:] - ab_of(hint.color))
    after = np.linalg.norm(told[250, 300, 1:] - ab_of(hint.color))
    assert before > 35
    assert after < 0.2 * before
    far = np.hypot(*np.ogrid[-250 : 427 - 250, -300 : 640 - 300]) > 30 * 427 / size
    assert far.mean() > 0.05
    assert np.abs(pixels[1][far].astype(int) - pixels[0][far]).max() <= 2
    assert np.abs(told[..., 0] - plain[..., 0]).max() < 1  # lightness stays the photograph's


def test_in_the_corners_of_a_picture_of_any_shape(model):
    """Both sides are padded for the network; the last pixel has its hint all the same."""
    grey = Photograph(pixels=np.full((201, 333), 128, np.uint8))
    for x, y in ((0, 0), (332, 0), (0, 200), (332, 200)):
        told = rgb2lab(Colorizer(model=model, size=31)(grey, hints=[Hint(x, y, "#3a6b8f")]).pixels)
        assert np.linalg.norm(told[y, x, 1:] - ab_of("#3a6b8f")) < 8, (x, y)


def test_of_two_hints_at_one_place_the_later_one_counts(model, photograph):
    colorizer = Colorizer(model=model, size=32)
    both = colorizer(photograph, hints=[RED, Hint(500, 300, "#3a6b8f")]).pixels
    np.testing.assert_array_equal(both, colorizer(photograph, hints=[Hint(500, 300, "#3a6b8f")]).pixels)


def test_without_hints_nothing_changes(model, photograph):
    colorizer = Colorizer(model=model, size=32)
    [ab] = colorizer.predict(colorizer.network_input(photograph)[None])
    expected = colorizer.recolor(photograph, colorizer.network_input(photograph), ab)
    np.testing.assert_array_equal(colorizer(photograph).pixels, expected.pixels)


@pytest.fixture
def colorize(file, tmp_path, monkeypatch, capsys):
    """Run the command on `old.jpg`, a photograph that EXIF turns: 427 x 640 as it is seen."""
    image = Image.fromarray(dict(built_in_photographs())["china.jpg"]).convert("L")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "old.jpg", exif=exif, quality=95)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, list[str]]:
        code = run_colorizer("colorize", "--out", "out", "--model", file, "--force", *arguments)
        return code, capsys.readouterr().err.splitlines()

    return run


def test_the_command(colorize, tmp_path):
    """Places are those of the upright photograph; hints of the option come after those of the table."""
    write_hints(tmp_path / "hints.csv", [Hint(176, 300, "#c02020"), Hint(60, 40, "#c02020")])
    assert colorize("old.jpg", "--hints", "hints.csv", "--hint", "176,300=#3a6b8f")[0] == 0
    with Image.open(tmp_path / "out" / "old.png") as image:
        assert image.size == (427, 640)
        lab = rgb2lab(np.asarray(image))
    assert np.linalg.norm(lab[300, 176, 1:] - ab_of("#3a6b8f")) < 9
    assert lab[40, 60, 1] > 20  # red, where there was 13
    whole = (tmp_path / "out" / "old.png").read_bytes()
    assert colorize("old.jpg", "--hint", "60,40=#c02020", "--hint", "176,300=#3a6b8f")[0] == 0
    assert (tmp_path / "out" / "old.png").read_bytes() == whole


def test_mistakes_are_told_in_one_line(colorize, tmp_path):
    plain = save_model(UNet(width=2, num_downs=1, upsampling="resize"), tmp_path)
    (tmp_path / "bad.csv").write_text("x,y,colour\n1,2,red\n", encoding="utf-8")
    Image.new("L", (9, 9)).save(tmp_path / "other.png")
    mistakes = {
        (
            "old.jpg",
            "--hint",
            "500,30=#3a6b35",
        ): "the hint 500,30=#3a6b35 lies outside the picture, which has 427 x 640",
        ("old.jpg", "--hint", "green"): "the hint `green` is none: write X,Y=#rrggbb",
        ("old.jpg", "--hints", "bad.csv"): "bad.csv, line 2: the colour `red` is none: write #rrggbb",
        ("old.jpg", "--hints", "no.csv"): "no.csv cannot be read: no such file or directory",
        ("old.jpg", "other.png", "--hint", "1,2=#3a6b35"): "hints are places in one photograph, and there are 2",
    }
    for arguments, message in mistakes.items():
        code, lines = colorize(*arguments)
        assert code == 1
        [line] = lines
        assert message in line
    code, [line] = colorize("old.jpg", "--hint", "1,2=#3a6b35", "--model", plain)
    assert code == 1
    assert line == "colorizer: this model takes no hints: train one with `train.generator.hints: true`"
    assert not (tmp_path / "out" / "old.png").exists()
