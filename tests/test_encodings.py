"""Text is read and written with its encoding named: the locale of the machine decides nothing.

Ruff's PLW1514 finds a call only where it can tell that the object is a path: one of fifteen here.
"""

import ast

import pytest

from tests.support.imports import ROOT, modules_in

BINARY_OR_NO_FILE = {"Image.open", "av.open", "os.open"}


def unnamed(call: ast.Call) -> bool:
    """True if the call opens text, or a command's output as text, without naming its encoding."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    name = ast.unparse(call.func)
    if "encoding" in given or name in BINARY_OR_NO_FILE:
        return False
    method = name.rpartition(".")[2]
    if method in ("open", "fdopen"):
        arguments = call.args if isinstance(call.func, ast.Attribute) and method == "open" else call.args[1:]
        mode = given.get("mode", arguments[0] if arguments else ast.Constant("r"))
        return isinstance(mode, ast.Constant) and "b" not in str(mode.value)
    as_text = "text" in given and ast.unparse(given["text"]) == "True"  # of subprocess
    return as_text or (isinstance(call.func, ast.Attribute) and method in ("read_text", "write_text"))


@pytest.mark.parametrize("folder", ["benchmarks", "colorizer", "pipeline", "settings", "stages", "tests"])
def test_no_text_is_opened_in_the_encoding_of_the_locale(folder):
    for path in modules_in(folder):
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        lines = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and unnamed(node)]
        assert not lines, f"{path}: name the encoding in lines {lines}"


@pytest.mark.parametrize(
    "line",
    [
        "path.read_text()",
        "(folder / 'a').write_text(text)",
        "path.open('w', newline='')",
        "open(path)",
        "os.fdopen(2, 'w')",
        "subprocess.run(command, text=True)",
    ],
)
def test_what_names_no_encoding_is_found(line):
    assert unnamed(ast.parse(line, mode="eval").body)
