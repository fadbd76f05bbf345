"""docs/sharing.md, followed with an SSH, an S3 and an HTTP server on loopback."""

import re
import shutil
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from prefect.logging import disable_run_logger

from colorizer.core.errors import UserError
from colorizer.models.registry import find_model
from pipeline.process.children import Children
from pipeline.workspace.remote import refuse_silence
from tests.support.imports import ROOT
from tests.support.loopback_servers import LoopbackServers, loopback_servers
from tests.support.prefect_server import PrefectServer
from tests.support.rebuilding import run_id
from tests.support.workspace import BIN, Workspace

MODEL = "models/generator.safetensors"
PLACES = {
    "s3": "https://s3.example.org",
    "http": "https://data.example.org",
    "git": "https://git.example.org/photographs.git",
    "folder": "/mnt/photographs",
}
REFRESH = (str(BIN / "python"), "-m", "pipeline", "refresh", "--publish")


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with loopback_servers(tmp_path_factory.mktemp("servers")) as servers:
        yield servers


def read_block(heading: str, **places: str) -> list[str]:
    """The commands below a heading of the guide; `places` are addresses for those of its example.org."""
    guide = (ROOT / "docs/sharing.md").read_text(encoding="utf-8")
    [section] = re.findall(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", guide, re.DOTALL | re.MULTILINE)
    [block] = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    for name, here in places.items():
        assert PLACES[name] in block
        block = block.replace(PLACES[name], here)
    return block.splitlines()


def run(workspace: Workspace, commands: Sequence[str], **environment: str) -> str:
    return workspace.run("bash", "-ec", "\n".join(commands), **environment).stdout


def refresh(workspace: Workspace, prefect: PrefectServer, code: int = 0, **environment: str) -> str:
    """Refresh and publish; returns how the run ended."""
    result = workspace.run(*REFRESH, check=False, **prefect.environment, **environment)
    assert result.returncode == code, result.stdout
    return prefect.run(run_id(result.stdout))["state"]["message"]


@pytest.mark.thorough
def test_a_refresh_publishes_no_tag_before_its_data_are_in_the_remote(
    committed: Workspace, servers: LoopbackServers, prefect: PrefectServer, tmp_path, monkeypatch
):
    committed.git("init", "--quiet", "--bare", "--initial-branch=main", "../origin")
    committed.git("remote", "add", "origin", "../origin")

    def point_at_remote(heading: str, **places: str) -> str:
        """Follow the guide without its last command, which is returned: a refresh pushes as well."""
        *commands, push = read_block(heading, **places)
        assert push.startswith("dvc push")
        run(committed, commands)
        committed.git("push", "--quiet", "origin", "main")
        return push

    def set_up_elsewhere(name: str, **environment: str) -> Workspace:
        committed.git("clone", "--quiet", "../origin", f"../{name}")
        other = Workspace(committed.path.with_name(name))
        assert "Data and pipelines are up to date." in run(other, read_block("On another computer"), **environment)
        assert (other.path / MODEL).read_bytes() == model
        return other

    committed.dvc("add", "data/l", "data/ab")
    committed.git("add", "data")
    model = (committed.path / MODEL).read_bytes()
    push = point_at_remote("A bucket", s3=servers.s3)
    told = refresh(committed, prefect, code=1, **servers.keys["reader"])  # who may not write
    assert re.fullmatch(r"dvc push failed: failed to transfer .*Access Denied.* see .* in docs/sharing.md", told)
    assert committed.git("tag") == committed.git("ls-remote", "--tags", "origin") == ""
    assert "files pushed" in run(committed, [push], **servers.keys["writer"])
    set_up_elsewhere("colleague", **servers.keys["reader"])

    point_at_remote("An SSH server")
    told = refresh(committed, prefect, HOME=servers.home)
    assert told.endswith("the first promoted model; v0.1.0 is promoted")
    assert "generator#prod#1" in committed.git("ls-remote", "--tags", "origin")
    other = set_up_elsewhere("other", HOME=servers.home)

    shutil.rmtree(other.path / ".dvc/cache")
    monkeypatch.setenv("HOME", servers.home)
    monkeypatch.setenv("PYTHONPATH", str(hide("dvc_ssh", tmp_path / "hidden")))
    with pytest.raises(UserError, match=r"'dvc-ssh'.*: `pip install -r requirements-ssh.txt -c constraints.txt`$"):
        find_model(other.path, "generator#prod")
    monkeypatch.delenv("PYTHONPATH")
    assert find_model(other.path, "generator#prod").read_bytes() == model


def hide(module: str, folder: Path) -> Path:
    """Make a folder whose presence on Python's path hides an installed module."""
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").write_text("raise ImportError\n", encoding="utf-8")
    return folder


def test_a_server_that_says_nothing_is_not_waited_for(committed: Workspace, servers: LoopbackServers, monkeypatch):
    for name, value in servers.keys["reader"].items():  # without any, DVC does not ask the server
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        committed.dvc("remote", "add", "bucket", "s3://photographs/colorization")
        committed.dvc("remote", "modify", "bucket", "endpointurl", f"http://{address}")
        committed.dvc("remote", "add", "server", f"ssh://anna:secret@{address}/srv")
        for name, shown in (("bucket", "s3://photographs/colorization"), ("server", f"ssh://{address}/srv")):
            committed.dvc("remote", "default", name)
            started = time.monotonic()
            told = re.escape(f"the DVC remote {name} ({shown}) did not answer within 2 s: see that")
            with disable_run_logger(), pytest.raises(UserError, match=f"^{told}"):
                refuse_silence(committed.path, Children(), patience=2)
            assert time.monotonic() - started < 30


@pytest.mark.thorough
def test_data_that_live_elsewhere_are_imported_and_updated(committed: Workspace, servers: LoopbackServers, tmp_path):
    elsewhere, registry = servers.folder / "http", Workspace(tmp_path / "registry")
    for name in ("l", "ab"):
        shutil.move(committed.path / "data" / name, elsewhere / name)
    join_batches(elsewhere / "ab")
    shutil.copytree(elsewhere, registry.path / "arrays")
    for command in ("git init --quiet --initial-branch=main", "dvc init --quiet"):
        registry.run(*command.split())
    add_version(registry, "v1")

    run(committed, read_block("In a folder", folder=str(elsewhere)))
    run(committed, read_block("On a web server", http=servers.http))
    run(committed, read_block("In another DVC project", git=str(registry.path)))
    printed = run(committed, read_block("Build and commit"))
    assert "Running stage 'train'" not in printed  # it trained on these images
    for root in ("data/web", "data/registry"):
        committed.edit_params(root=root)
        assert "locate: 64 images of 32 x 32" in committed.stage("locate").stdout
    committed.git("checkout", "--quiet", "params.yaml")

    for array in ("l/gray_scale.npy", "ab/ab1.npy"):
        for folder in (elsewhere, registry.path / "arrays"):
            codes = np.load(folder / array)[::-1].copy()
            (folder / array).unlink()  # a link into DVC's cache, in the registry
            np.save(folder / array, codes)
    add_version(registry, "v2")
    run(committed, read_block("A new version"))
    updated = ["ab", "l", "registry/ab", "registry/l", "web/ab/ab1.npy", "web/l/gray_scale.npy"]
    assert committed.git("diff", "--name-only").split() == [f"data/{name}.dvc" for name in updated]


def join_batches(folder: Path) -> None:
    """Make all batches of chroma one, as in the guide."""
    batches = sorted(folder.glob("ab*.npy"))
    joined = np.concatenate([np.load(batch) for batch in batches])
    for batch in batches:
        batch.unlink()
    np.save(batches[0], joined)


def add_version(registry: Workspace, tag: str) -> None:
    registry.dvc("add", "arrays/l", "arrays/ab")
    registry.git("add", "--all")
    registry.git("-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "--quiet", "--message", tag)
    registry.git("tag", tag)
