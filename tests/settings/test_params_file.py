"""What may stand in params.yaml: whatever is read can be written, and the rest is one line for both."""

import codecs
import io
import json
import re
import shlex
from collections.abc import Callable

import pytest
from ruamel.yaml import YAML

from colorizer.core.errors import UserError
from settings.params_file import read_params, refuse_unwritable, write_params
from tests.support.imports import ROOT

PARAMS = re.sub(r"\n  epochs: \d+\n", "\n  epochs: 24\n", (ROOT / "params.yaml").read_text(encoding="utf-8"))
PARAMS = re.sub(r"\n  learning_rate: [\d.]+", "\n  learning_rate: 0.0006", PARAMS)
EPOCHS, RATE, BETAS, KEEP = "\n  epochs: 24\n", "learning_rate: 0.0006", "betas: [0.5, 0.999]", "keep: all"


def instead(old: str, new: str) -> str:
    assert old in PARAMS
    return PARAMS.replace(old, new, 1)


def epochs(written: str) -> str:
    return instead(EPOCHS, f"\n  epochs: {written}\n")


READ = {
    "anchor and alias": instead("  seed: 0\n\nnormalize", "  seed: &seed 0\n\nnormalize").replace(
        "seed: 0                   # decides", "seed: *seed  # decides"
    ),
    "merge": instead("    width: 16\n    num_downs: 2", "    <<: {width: 16}\n    num_downs: 2"),
    "capital True": instead("flip: true", "flip: True"),
    "octal": epochs("0o30"),
    "leading zero": epochs("024"),
    "hexadecimal": epochs("0x18"),
    "underscore": epochs("2_4"),
    "exponent without a point": instead(RATE, "learning_rate: 6e-4"),
    "exponent in capitals": instead(RATE, "learning_rate: 6E-4"),
    "no digit before the point": instead(RATE, "learning_rate: .0006"),
    "a sign": instead(RATE, "learning_rate: +0.0006"),
    "whole number for a fraction": instead("l1_weight: 100.0", "l1_weight: 100"),
    "quoted key": instead("\n  epochs:", '\n  "epochs":'),
    "explicit type": instead(KEEP, "keep: !!str all"),
    "tab inside brackets": instead(BETAS, "betas: [0.5,\t0.999]"),
    "a list in lines": instead(BETAS, "betas:\n    - 0.5\n    - 0.999\n  #"),
    "brackets over two lines": instead(BETAS, "betas: [0.5,\n    0.999]"),
    "folded text": instead(KEEP, "keep: >-\n    all\n  #"),
    "JSON": json.dumps(YAML(typ="safe").load(PARAMS)),
    "document marks": f"---\n{PARAMS}...\n",
    "comments beyond ASCII": instead("# side of", "# Größe 光 🎨"),
    "no last line end": PARAMS.rstrip(),
    "400 digits": epochs("9" * 400),
}
REFUSED = {
    "tab before a comment": (instead(EPOCHS, "\n  epochs: 24\t# epochs\n"), "line 37, column 13: write blanks"),
    "tab after the colon": (epochs("\t24"), "write blanks in place of tabs"),
    "tab at the end": (epochs("24\t"), "write blanks in place of tabs"),
    "tabs for indentation": (instead(EPOCHS, "\n\tepochs: 24\n"), "write blanks in place of tabs"),
    "yes": (instead("flip: true", "flip: yes"), "train.flip: Input should be a valid boolean (it is 'yes')"),
    "quoted number": (epochs("'24'"), "train.epochs: Input should be a valid integer (it is '24')"),
    "fraction for a whole number": (epochs("24.0"), "Input should be a valid integer (it is 24.0)"),
    "sexagesimal": (epochs("1:24"), "Input should be a valid integer (it is '1:24')"),
    "nothing": (epochs(""), "Input should be a valid integer (it is None)"),
    "a list": (epochs("[24]"), "Input should be a valid integer (it is [24])"),
    "not a number": (instead(RATE, "learning_rate: .nan"), "train.learning_rate: Input should be"),
    "infinite": (instead(RATE, "learning_rate: .inf"), "train.learning_rate: Input should be a finite number"),
    "infinite by its exponent": (instead(RATE, "learning_rate: 1e999"), "Input should be a finite number"),
    "5000 digits": (epochs("9" * 5000), "is not valid YAML: Exceeds the limit"),
    "date": (instead(KEEP, "keep: 2020-01-01"), "train.keep: Input should be a valid string"),
    "bytes": (instead(KEEP, "keep: !!binary YWxs"), "train.keep: Input should be a valid string"),
    "unknown type": (epochs("!ours 24"), "could not determine a constructor for the tag '!ours'"),
    "a program": (epochs("!!python/object/apply:os.abort []"), "could not determine a constructor"),
    "duplicate key": (instead(EPOCHS, f"{EPOCHS}  epochs: 25\n"), 'found duplicate key "epochs"'),
    "dotted key": (f"{PARAMS}train.epochs: 3\n", "train.epochs is not a known key"),
    "number as a key": (f"{PARAMS}1: 2\n", "Keys should be strings"),
    "list as a key": (f"{PARAMS}? [a, b]\n: 1\n", "Keys should be strings"),
    "two documents": (f"{PARAMS}---\n{PARAMS}", "expected a single document"),
    "unknown alias": (instead(KEEP, "keep: *nowhere"), "found undefined alias"),
    "a list that holds itself": (instead(KEEP, "keep: &a [*a]"), "train.keep: Input should be a valid string"),
    "500 brackets": (instead(KEEP, f"keep: {'[' * 500}{']' * 500}"), "maximum recursion depth exceeded"),
    "open bracket": (instead(BETAS, "betas: [0.5, 0.999"), "while parsing a flow sequence"),
    "no blank after the colon": (instead(EPOCHS, "\n  epochs:24\n"), "could not find expected ':'"),
    "no-break space": (epochs("").replace("epochs: ", "epochs:\u00a0"), "could not find expected ':'"),
    "control character": (instead("# side of", "# \x07"), "special characters are not allowed"),
    "backslashes": (instead("root: data/sample", r'root: "C:\data"'), "found unknown escape character 'd'"),
    "YAML 9": (f"%YAML 9.9\n---\n{PARAMS}", "found incompatible YAML document"),
    "Latin-1": (PARAMS.replace("# side of", "# Größe").encode("latin-1"), "is not UTF-8 text: save it as UTF-8"),
    "UTF-16": (PARAMS.encode("utf-16"), "is not UTF-8 text: save it as UTF-8"),
    "empty": ("", "the file should hold `key: value` lines"),
    "comments alone": ("# nothing\n", "the file should hold `key: value` lines"),
    "null": ("null\n", "the file should hold `key: value` lines"),
    "too wide": (instead("    width: 16", "    width: 65537"), "Input should be less than or equal to 65536"),
    "NUL in a name": (instead("root: data/sample", r'root: "\0"'), "embedded null"),  # "byte", since 3.13 "character"
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read_can_be_written_and_reads_the_same(tmp_path, name):
    path = tmp_path / "params.yaml"
    path.write_text(READ[name], encoding="utf-8")
    before = read_params(path)
    refuse_unwritable(path)
    write_params({"train.ask": True, "train.learning_rate": 0.5}, path)
    after = read_params(path)
    assert after.train == before.train.model_copy(update={"ask": True, "learning_rate": 0.5})
    assert after.model_copy(update={"train": before.train}) == before
    assert path.read_text(encoding="utf-8").count("#") == READ[name].count("#")


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        action()
    return str(caught.value)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_not_written_for_the_same_reason(tmp_path, name):
    content, message = REFUSED[name]
    content = content if isinstance(content, bytes) else content.encode()
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    told = refusal(lambda: read_params(path))
    assert message in told
    assert "\n" not in told
    assert refusal(lambda: write_params({"train.ask": True}, path)) == told
    assert refusal(lambda: refuse_unwritable(path)) == told
    assert path.read_bytes() == content


def test_other_files_that_the_process_writes_keep_their_layout(tmp_path):
    """DVC leaves a null empty in dvc.lock, in whatever process it runs."""
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    write_params({"train.start_from": None}, tmp_path / "params.yaml")
    assert "start_from: null" in (tmp_path / "params.yaml").read_text(encoding="utf-8")
    written = io.StringIO()
    YAML().dump({"start_from": None}, written)
    assert written.getvalue() == "start_from:\n"


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["without mark", "with mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_line_ends_and_byte_order_mark_stay(tmp_path, mark, end):
    path = tmp_path / "params.yaml"
    before = mark + PARAMS.replace("\n", end).encode()
    path.write_bytes(before)
    write_params({"train.ask": True, "train.decisions": [{"epoch": 1, "save": False}]}, path)
    after = path.read_bytes()
    assert after.startswith(mark + b"#")
    assert set(re.findall(b"\r\n|\r|\n", after)) == {end.encode()}
    changed = set(after.splitlines()) - set(before.splitlines())
    assert {line.split(b"#")[0].rstrip() for line in changed} == {
        b"  ask: true",
        b"  decisions:",
        b"  - {epoch: 1, save: false}",
    }


def test_a_single_line_of_another_end_changes_no_other_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(PARAMS.replace("\n", "\r\n", 1).encode())
    write_params({"train.ask": True}, path)
    assert b"\r" not in path.read_bytes()


def test_a_link_and_permissions_stay(tmp_path):
    kept = tmp_path / "elsewhere" / "mine.yaml"
    kept.parent.mkdir()
    kept.write_text(PARAMS, encoding="utf-8")
    kept.chmod(0o640)
    path = tmp_path / "params.yaml"
    path.symlink_to(kept)
    write_params({"train.ask": True}, path)
    assert path.is_symlink()
    assert "ask: true" in kept.read_text(encoding="utf-8")
    assert kept.stat().st_mode & 0o777 == 0o640


def test_a_write_protected_file_stays_as_it_is(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS, encoding="utf-8")
    path.chmod(0o444)
    for action in (lambda: write_params({"train.ask": True}, path), lambda: refuse_unwritable(path)):
        assert refusal(action).endswith(f"params.yaml is write-protected: `chmod u+w {shlex.quote(str(path))}`")
    assert path.read_text(encoding="utf-8") == PARAMS


def test_a_file_that_cannot_be_opened_is_one_line(tmp_path):
    (tmp_path / "params.yaml").mkdir()
    assert refusal(lambda: read_params(tmp_path / "params.yaml")).endswith("params.yaml cannot be read: is a directory")
