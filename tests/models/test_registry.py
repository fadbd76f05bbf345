"""Registered names, where git says no or is not there."""

import logging
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from colorizer.core.errors import UserError
from colorizer.models import registry
from colorizer.models.registry import find_model, find_model_and_card, models_at_hand
from tests.support.git_settings import write_settings
from tests.support.workspace import BIN, Workspace

MODEL = "models/generator.safetensors"


@pytest.fixture
def registered(committed) -> Workspace:
    for version in ("v1.0.0", "v1.1.0"):
        committed.git("commit", "--quiet", "--allow-empty", "--message", version)
        committed.run(str(BIN / "gto"), "register", "generator", "HEAD", "--version", version)
    committed.run(str(BIN / "gto"), "assign", "generator", "--version", "v1.0.0", "--stage", "prod")
    return committed


@pytest.fixture(autouse=True)
def warn_again():
    registry._warn.cache_clear()


def test_no_setting_of_git_and_no_hook_changes_which_models_are_found(registered, tmp_path, monkeypatch):
    other = Workspace(tmp_path / "other")
    other.path.mkdir()
    other.git("init", "--quiet")
    for name, value in write_settings(tmp_path / "settings").items():
        monkeypatch.setenv(name, value)
    for name, place in {"GIT_DIR": ".git", "GIT_WORK_TREE": ".", "GIT_INDEX_FILE": ".git/index"}.items():
        monkeypatch.setenv(name, str(other.path / place))
    assert {"generator@v1.1.0", "generator@v1.0.0"} <= {*models_at_hand(registered.path)}
    content = (registered.path / MODEL).read_bytes()
    for name in ("generator#prod", "generator@v1.1.0"):
        assert find_model(registered.path, name).read_bytes() == content


def test_two_that_fetch_a_model_at_the_same_time_both_get_it(registered):
    with ThreadPoolExecutor(2) as threads:
        paths = set(threads.map(find_model, [registered.path] * 2, ["generator@v1.0.0"] * 2))
    [path] = paths
    assert path.read_bytes() == (registered.path / MODEL).read_bytes()
    assert [*path.parent.iterdir()] == [path]


def test_without_git_files_are_found_and_names_are_refused_in_one_line(registered, tmp_path, monkeypatch, caplog):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert [*models_at_hand(registered.path).values()][:2] == [
                MODEL,
                "models/checkpoints/epoch-0001.safetensors",
            ]
    [told] = caplog.messages
    assert told == "registered models are not listed: git is not installed, or not on the PATH: install it"
    assert find_model(registered.path, MODEL) == registered.path / MODEL
    with pytest.raises(UserError, match=r"^git is not installed, or not on the PATH: install it$"):
        find_model(registered.path, "generator#prod")


def test_a_project_in_a_subfolder_and_one_of_another_owner_are_refused(registered, tmp_path, monkeypatch):
    (tmp_path / "all").mkdir()
    everything = Workspace(tmp_path / "all")
    registered.copy(everything.path / "project")
    shutil.move(everything.path / "project/.git", everything.path / ".git")
    with pytest.raises(UserError, match="is the subfolder project/ of a git repository: registered models and"):
        find_model(everything.path / "project", "generator#prod")
    assert next(iter(models_at_hand(everything.path / "project").values())) == MODEL
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UserError, match=r"dubious ownership in repository at .* --add safe.directory") as told:
        find_model(registered.path, "generator#prod")
    assert "\n" not in str(told.value)
    assert os.fspath(registered.path) in str(told.value)


def test_what_dvc_says_of_a_model_that_is_nowhere(registered):
    shutil.rmtree(registered.path / ".dvc/cache/files")
    with pytest.raises(UserError, match=r"^dvc get failed in ") as told:
        find_model(registered.path, "generator#prod")
    assert "generator.safetensors" in str(told.value)
    assert "dvc.org/support" not in str(told.value)


def test_a_split_index_for_which_dvc_would_wait_for_ever_is_refused_with_what_joins_it(registered):
    registered.git("update-index", "--split-index")
    with pytest.raises(UserError, match="in two files, for which DVC would wait for ever") as told:
        find_model(registered.path, "generator#prod")
    for command in re.findall("`(.*?)`", str(told.value)):
        registered.run("bash", "-c", command)
    assert find_model(registered.path, "generator#prod").is_file()


def test_a_version_from_before_there_were_cards_is_found_without_one(committed):
    lock = committed.path / "dvc.lock"
    text = lock.read_text(encoding="utf-8")
    without = re.sub(r"    - path: models/(README.md|examples.png)\n(      .*\n)*", "", text)
    lock.write_text(without, encoding="utf-8")
    committed.git("commit", "--quiet", "--message=before", "dvc.lock")
    committed.run(str(BIN / "gto"), "register", "generator", "HEAD", "--version", "v1.0.0")
    lock.write_text(text, encoding="utf-8")
    assert find_model(committed.path, "generator@v1.0.0").is_file()
    with pytest.raises(UserError, match=r"^generator@v1.0.0 has no card: it was registered before models had one"):
        find_model_and_card(committed.path, "generator@v1.0.0")
