"""A server that refreshes the model from what a colleague pushes, in its own clone of the repository."""

import json
import math
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ruamel.yaml import YAML

from colorizer.models.registry import find_model
from colorizer.networks.checkpoints import read_checkpoint
from pipeline.workspace.promotion import Version, judge
from tests.support.disturbed import ask_for_training, newest_epoch, running, wait_until
from tests.support.git_settings import write_settings
from tests.support.imports import ROOT
from tests.support.rebuilding import run_id
from tests.support.workspace import BIN, FOREIGN_NAME, Workspace

REFRESH = (str(BIN / "python"), "-m", "pipeline", "refresh", "--follow", "origin/main", "--publish")


@pytest.fixture
def elsewhere(committed, tmp_path) -> Path:
    """Where the arrays live from which the project has imported its own."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name in ("l", "ab"):
        shutil.move(committed.path / "data" / name, folder)
    return folder


@pytest.fixture
def colleague(committed, elsewhere) -> Workspace:
    """Who has imported data, put data and models under version control and into a remote."""
    for name in ("l", "ab"):
        committed.dvc("import-url", str(elsewhere / name), f"data/{name}")
    committed.dvc("remote", "add", "--default", "storage", "../storage")
    committed.dvc("push", "--quiet")
    commit(committed, "Versioned photographs")
    return committed


@pytest.fixture
def server(colleague, tmp_path) -> Workspace:
    """A clone without any data."""
    colleague.git("clone", "--quiet", ".", str(tmp_path / "server"))
    server = Workspace(tmp_path / "server")
    for key in ("user.name", "user.email"):
        server.git("config", key, colleague.git("config", key).strip())
    return server


def commit(workspace: Workspace, message: str) -> None:
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--message", message)


def retouch(path: Path) -> None:
    """Change an array by so little that the same models stay the better ones."""
    codes = np.load(path)
    codes[0, 0, 0] ^= 1
    np.save(path, codes)


def read_yaml(workspace: Workspace, revision: str, name: str) -> dict[str, Any]:
    return YAML(typ="safe").load(workspace.git("show", f"{revision}:{name}"))


@pytest.mark.thorough
def test_killed_rolled_back_or_from_elsewhere_only_a_better_model_is_promoted(colleague, elsewhere, server, prefect):
    def refresh(message: str) -> str:
        """The id of a run that ends with this message."""
        result = server.run(*REFRESH, **prefect.environment)
        run = run_id(result.stdout)
        assert message in prefect.run(run)["state"]["message"]
        return run

    users_branch = server.git("rev-parse", "main")
    refresh("the first promoted model; v0.1.0 is promoted")
    assert colleague.git("tag").split() == ["generator#prod#1", "generator@v0.1.0"]

    params = (colleague.path / "params.yaml").read_text(encoding="utf-8")
    ask_for_training(colleague)
    commit(colleague, "Larger networks")
    retouch(elsewhere / "l/gray_scale.npy")
    killed = server.start(*REFRESH, **prefect.environment)
    clone = Workspace(server.path / "scratch/refresh/refresh")
    wait_until(lambda: killed.poll() is not None or newest_epoch(clone) >= 1)
    started = psutil.Process(killed.pid).children(recursive=True)
    killed.kill()
    assert not running(started, seconds=5)
    run = refresh("of v0.1.0 on the same test images; v0.2.0 is promoted")
    assert "train: resuming after epoch" in prefect.logs(run)
    comparison = json.loads(prefect.artifacts(run)["comparison"]["data"])
    scores = {row["metric"]: row for row in comparison}
    assert scores["combined_score"]["new"] < scores["combined_score"]["promoted"]
    before, after = (read_yaml(colleague, revision, "data/l.dvc")["outs"][0]["md5"] for revision in ("main", "refresh"))
    assert after != before
    read = read_yaml(colleague, "refresh", "dvc.lock")["stages"]["load"]["deps"]
    assert [dep["md5"] for dep in read if dep["path"] == "data/l"] == [after]
    metrics = json.loads(colleague.git("show", "refresh:metrics.json"))
    assert metrics["model"]["combined_score"] == scores["combined_score"]["new"]

    (colleague.path / "params.yaml").write_text(params, encoding="utf-8")
    colleague.edit_params(learning_rate="0.000001")  # these learn next to nothing
    commit(colleague, "Small ones again")
    run = refresh("of v0.2.0 on the same test images; v0.2.0 is promoted")
    assert prefect.run(run)["state"]["name"] == "Kept"
    assert "Small ones again" in colleague.git("log", "refresh")
    rollback = re.search(r"gto assign .*", (ROOT / "docs/prefect.md").read_text(encoding="utf-8"))
    server.run("bash", "-c", rollback[0])
    colleague.git("tag", "--delete", "generator@v0.2.0")  # as if the last publishing had been cut off
    storage = colleague.path.with_name("storage")
    storage.rename(storage.with_name("lost"))
    refresh("nothing changed; v0.1.0 stays promoted")
    assert "generator@v0.2.0" in colleague.git("tag").split()
    for revision in ("generator@v0.1.0", "generator@v0.2.0"):
        made = read_yaml(colleague, revision, "dvc.lock")["stages"]["train"]["outs"]
        [md5] = [out["md5"] for out in made if out["path"] == "models/generator.safetensors"]
        assert (storage / "files/md5" / md5[:2] / md5[2:]).is_file()

    colleague.git("clone", "--quiet", ".", str(server.path.with_name("other")))
    other = Workspace(server.path.with_name("other"))
    other.git("config", "user.name", "other")
    other.git("config", "user.email", "other@example.com")
    result = other.run(*REFRESH, **prefect.environment)
    assert "nothing changed; v0.1.0 stays promoted" in result.stdout  # it took up what the first server had published

    assert server.git("rev-parse", "main") == users_branch
    assert not server.git("status", "--short", "--untracked-files=no")


@pytest.mark.thorough
def test_each_copy_of_a_project_refreshes_itself_by_an_alias_of_git_too(committed, tmp_path, prefect):
    """In a folder with a blank, an umlaut and Chinese letters, with a hostile configuration."""
    committed.dvc("add", "data/l", "data/ab")
    commit(committed, "Versioned photographs")
    first = Workspace(committed.path.rename(tmp_path / FOREIGN_NAME))
    first.git("tag", "mine")
    settings = write_settings(tmp_path / "settings") | prefect.environment | {"LC_ALL": "C"}
    first.run(*REFRESH[:4], **settings)
    tags = first.git("tag").split()
    assert tags == ["generator#prod#1", "generator@v0.1.0", "mine"]

    second = first.copy(tmp_path / "second")
    second.edit_params(l1_weight="90.0")
    commit(second, "Another recipe")
    second.run("git", "-c", f"alias.again=!{shlex.join(REFRESH[:4])} --margin -100", "again", **settings)
    assert second.git("tag").split() == [*tags[:1], "generator#prod#2", tags[1], "generator@v0.2.0", "mine"]
    assert first.git("tag").split() == tags
    assert find_model(second.path, "generator#prod").is_file()
    assert second.git("log", "--format=%an", "-1", "refresh") == "test\n"


def test_what_is_better_is_published_and_fine_tuned_when_something_has_changed(colleague, server, prefect):
    def refresh(*options: str, check: bool = True) -> str:
        printed = server.run(*REFRESH, *options, check=check, **prefect.environment).stdout
        runs.append(f"prefect.flow-run.{run_id(printed)}")
        return printed

    runs: list[str] = []
    told = refresh("--from-promoted", check=False)
    assert "there is no promoted model to fine-tune yet: refresh once without --from-promoted" in told
    assert "epochs is for from_promoted" in refresh("--epochs", "1", check=False)
    assert "the first promoted model; v0.1.0 is promoted" in refresh()
    assert colleague.git("tag").split() == ["generator#prod#1", "generator@v0.1.0"]

    colleague.edit_params(l1_weight="90.0")
    commit(colleague, "Another recipe")
    assert "v0.2.0 is promoted" in refresh("--from-promoted", "--epochs", "1", "--margin", "-100")
    params = read_yaml(colleague, "refresh", "params.yaml")["train"]
    assert (params["start_from"], params["epochs"], params["l1_pretrain_epochs"]) == ("generator@v0.1.0", 1, 0)
    promoted = find_model(server.path, "generator#prod")
    assert [model["name"] for model in read_checkpoint(promoted).ancestry] == ["generator@v0.1.0"]
    fetched = server.path / "fetched.safetensors"
    server.dvc("artifacts", "get", str(colleague.path), "generator", "--stage", "prod", "--out", str(fetched))
    assert fetched.read_bytes() == promoted.read_bytes()

    colleague.edit_params(evaluate__sheet_images="2")  # of which no model learns anything
    commit(colleague, "Fewer pictures")
    assert "of v0.2.0 on the same test images; v0.2.0 is promoted" in refresh("--from-promoted", "--epochs", "1")
    assert prefect.run(runs[-1].rpartition(".")[2])["state"]["name"] == "Kept"
    assert read_yaml(colleague, "refresh", "params.yaml")["train"]["start_from"] == "generator@v0.1.0"
    assert read_yaml(colleague, "main", "params.yaml")["train"]["start_from"] is None

    def told() -> list[dict[str, Any]]:
        """The events of these runs: other tests have theirs on the same server."""
        events = prefect.events("colorizer.model.")
        return [event for event in events if {part["prefect.resource.id"] for part in event["related"]} & {*runs}]

    wait_until(lambda: len(told()) == 3)
    assert [event["event"].rpartition(".")[2] for event in told()] == ["promoted", "promoted", "kept"]
    assert told()[1]["payload"]["version"] == "v0.2.0"


@pytest.mark.parametrize(
    ("criterion", "margin", "new", "old", "better"),
    [
        ("combined_score", 0.0, 0.9, 1.0, True),
        ("combined_score", 0.0, 1.0, 1.0, False),
        ("combined_score", 0.2, 0.9, 1.0, False),
        ("psnr", 0.0, 24.0, 23.0, True),
        ("psnr", 0.0, 23.0, 24.0, False),
        ("combined_score", 0.0, math.nan, 1.0, False),
        ("combined_score", 0.0, 1.0, math.nan, True),
        ("combined_score", 0.0, math.nan, math.nan, False),
    ],
)
def test_what_is_better(criterion, margin, new, old, better):
    scores = {"new": {criterion: new}, "promoted": {criterion: old}}
    judged, why = judge(criterion, margin, Version(name="v0.1.0", commit=""), scores)
    assert judged == better
    assert ("not better" in why) != better


@pytest.mark.parametrize("score", [0.9, math.nan])
def test_what_has_no_score_is_not_promoted_even_as_the_first(score):
    assert judge("combined_score", 0.0, None, {"new": {"combined_score": score}})[0] == math.isfinite(score)


def test_what_would_not_be_versioned_is_refused(committed, prefect):
    for change, told in {
        "publish": "publishing needs a DVC remote, or others get tags without models: see docs/sharing.md",
        "none": "data/l is not under DVC, so a clone has no arrays: `dvc add data/l data/ab` and commit",
        "an edit": "not committed: params.yaml; commit or stash it",
    }.items():
        if change == "an edit":
            committed.edit_params(epochs="3")
        if change == "publish":
            committed.git("init", "--quiet", "--bare", "../origin")
            committed.git("remote", "add", "origin", "../origin")
        options = ("--publish",) if change == "publish" else ()
        result = committed.run(*REFRESH[:4], *options, check=False, **prefect.environment)
        assert result.returncode == 1
        assert told in prefect.run(run_id(result.stdout))["state"]["message"]
        assert not committed.git("branch", "--list", "refresh")
