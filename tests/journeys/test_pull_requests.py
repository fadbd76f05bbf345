"""What .github/workflows/scores.yml writes about a pull request: its own command, in a clone as shallow as its own."""

import re
import subprocess
from pathlib import Path

from PIL import Image
from ruamel.yaml import YAML

from tests.support.imports import ROOT
from tests.support.workspace import Workspace, make_workspace

WORKFLOW = YAML(typ="safe").load(ROOT / ".github/workflows/scores.yml")
CHECKOUT, *_, REPORT = WORKFLOW["jobs"]["scores"]["steps"]
RAW = "https://github.com/somebody/colorization-gan/raw"


def test_the_summary_has_the_scores_and_the_pictures_of_both(tmp_path):
    repository = make_workspace(tmp_path / "repository")
    repository.git("branch", "pull")
    edit(repository.path / "CONTRIBUTING.md", "# ", "# The ")
    repository.git("commit", "--quiet", "--all", "--message=main moves on")

    repository.git("switch", "--quiet", "pull")
    edit(repository.path / "README.md", "# ", "# The ")
    assert summary(repository, tmp_path / "text") == ""

    edit(repository.path / "dvc.lock", r"md5: \w{4}", "md5: 0123")
    edit(repository.path / "metrics.json", r'"psnr": [\d.]+', '"psnr": 31.25')
    told = summary(repository, tmp_path / "trained")
    [row] = [line for line in told.splitlines() if line.startswith("| metrics.json")]
    assert re.fullmatch(r"\| metrics.json \| model.psnr \| [\d.]+ \| 31.25 \| [-\d.]+ \|", " ".join(row.split()))
    assert "`docs/example.png` is the same." in told
    assert "![" not in told

    Image.new("RGB", (8, 8)).save(repository.path / "docs" / "example.png")
    told = summary(repository, tmp_path / "pictured")
    commits = re.findall(rf"!\[.*\]\({RAW}/(\w{{40}})/docs/example.png\)", told)
    assert commits == [repository.git("rev-parse", branch).strip() for branch in ("main", "pull")]


def edit(path: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, path.read_text(encoding="utf-8"), count=1)
    assert count == 1
    path.write_text(text, encoding="utf-8")


def summary(repository: Workspace, clone: Path) -> str:
    """Commit on the branch `pull`; returns what the workflow writes about its merge into `main`."""
    repository.git("commit", "--quiet", "--all", "--message=pull")
    repository.git("switch", "--quiet", "--force-create", "merged", "main")
    repository.git("merge", "--quiet", "--no-edit", "pull")
    repository.git("switch", "--quiet", "pull")
    depth = str(CHECKOUT["with"]["fetch-depth"])
    source = repository.path.as_uri()
    subprocess.run(["git", "clone", "--quiet", "--depth", depth, "--branch", "merged", source, str(clone)], check=True)
    written = clone.with_suffix(".md")
    written.touch()
    server, name = RAW.removesuffix("/raw").split(".com/")
    told = {"GITHUB_SERVER_URL": f"{server}.com", "GITHUB_REPOSITORY": name, "GITHUB_STEP_SUMMARY": str(written)}
    Workspace(clone).run("bash", "-e", "-c", REPORT["run"], **told)
    return written.read_text(encoding="utf-8")
