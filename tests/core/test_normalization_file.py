import json

import pytest

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization
from colorizer.core.normalization_file import read_normalization
from colorizer.data.pixel_statistics import measure, to_document


def test_reads_what_the_stage_wrote(tmp_path, photographs):
    path = tmp_path / "normalization.json"
    path.write_text(json.dumps(to_document(measure([photographs]))), encoding="utf-8")
    assert read_normalization(path) == Normalization(lightness_is="L*")


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(UserError, match=r"normalization\.json is missing: run `dvc repro normalize`"):
        read_normalization(tmp_path / "normalization.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"normalization": {"offset": 1}}'])
def test_a_damaged_file_says_how_to_mend_it(tmp_path, content):
    path = tmp_path / "normalization.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"normalization\.json is damaged .* run `dvc repro --force normalize`"):
        read_normalization(path)
