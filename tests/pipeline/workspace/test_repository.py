"""A clone of the repository for runs that leave it alone, wherever that is and however git is set."""

import shutil
import sys
from pathlib import Path

import pytest

from colorizer.core.errors import UserError
from pipeline.workspace.repository import Clone, fetch_published, publish_refs, refuse_changes, resolve
from tests.support.git_settings import write_settings
from tests.support.imports import ROOT
from tests.support.workspace import FOREIGN_NAME, Workspace

SCRIPT = """
import sys
from pathlib import Path
from tests.pipeline.workspace.test_repository import refresh
refresh(Path.cwd(), sys.argv[1])
"""


@pytest.fixture
def project(tmp_path) -> Workspace:
    return make_project(tmp_path / "project")


def make_project(path: Path) -> Workspace:
    path.mkdir()
    project = Workspace(path)
    project.git("init", "--quiet", "--initial-branch=main")
    project.git("config", "user.name", "test")
    project.git("config", "user.email", "test@localhost")
    (path / "params.yaml").write_bytes(b"epochs: 1\n")
    (path / "metrics.json").write_text("0", encoding="utf-8")
    (path / ".gitignore").write_text("/scratch\n", encoding="utf-8")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message=start")
    project.git("tag", "mine")
    return project


def refresh(folder: Path, content: str, follow: str = "HEAD", published: bool = False) -> Clone:
    """Do with the clone what a refresh does: commit the file metrics.json and tag that."""
    refuse_changes(folder)
    if published:
        fetch_published(folder, "refresh")
    clone = Clone(folder, folder / "scratch/refresh/refresh", "refresh")
    clone.check_out(resolve(folder, follow))
    assert (clone.path / "params.yaml").read_bytes() == b"epochs: 1\n"
    (clone.path / "metrics.json").write_text(content, encoding="utf-8")
    assert clone.differs("metrics.json")
    clone.commit(f"Refresh: {content}")
    Workspace(clone.path).git("tag", f"generator@{content}")
    clone.hand_over(f"generator@{content}")
    if published:
        publish_refs(folder, "refresh", "generator@*")
    return clone


def result(project: Workspace) -> tuple[str, list[str]]:
    """The content of metrics.json on the branch, and all tags."""
    return project.git("show", "refresh:metrics.json"), project.git("tag").split()


def test_a_copied_and_a_moved_project_have_clones_of_their_own(project, tmp_path):
    refresh(project.path, "1")
    copy = project.copy(tmp_path / "copy")
    refresh(copy.path, "2")
    assert result(copy) == ("2", ["generator@1", "generator@2", "mine"])
    assert result(project) == ("1", ["generator@1", "mine"])
    project.path.rename(tmp_path / "moved")
    moved = Workspace(tmp_path / "moved")
    refresh(moved.path, "3")
    assert result(moved) == ("3", ["generator@1", "generator@3", "mine"])


def test_a_hook_and_an_alias_of_a_linked_worktree_leave_it_alone(project, tmp_path):
    linked = Workspace(tmp_path / "linked")
    project.git("worktree", "add", "--quiet", str(linked.path), "-b", "side")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    command = f"PYTHONPATH='{ROOT}' '{sys.executable}' '{tmp_path}/script.py'"
    linked.git("-c", f"alias.again=!{command} 1", "again")
    hook = project.path / ".git/hooks/post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec env {command} 2\n", encoding="utf-8")
    hook.chmod(0o755)
    (linked.path / "new.txt").write_text("new\n", encoding="utf-8")
    linked.git("add", "new.txt")
    theirs = ("--author=Somebody Else <else@localhost>", "--date=2001-02-03T04:05:06Z")
    told = linked.git("--namespace=space", "commit", "--message=new", *theirs, "new.txt")
    assert "Traceback" not in told
    assert linked.git("log", "-1", "--format=%an %ae %as", "side") == "Somebody Else else@localhost 2001-02-03\n"
    author, date = linked.git("log", "-1", "--format=%an %ae%n%as", "refresh").splitlines()
    assert author == "test test@localhost"
    assert date > "2001-02-03"
    assert result(linked) == ("2", ["generator@1", "generator@2", "mine"])
    assert linked.git("branch", "--show-current") == "side\n"
    assert not linked.git("status", "--short")


def test_who_commits_by_the_environment_is_the_author_too(project, monkeypatch):
    for name in ("user.name", "user.email"):
        project.git("config", "--unset", name)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "CI")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ci@localhost")
    refresh(project.path, "1")
    assert project.git("log", "-1", "--format=%an %ae %cn %ce", "refresh") == "CI ci@localhost CI ci@localhost\n"


def test_no_setting_of_the_user_changes_what_git_does(project, tmp_path, monkeypatch):
    project.git("clone", "--quiet", "--bare", ".", str(tmp_path / "origin.git"))
    project.git("remote", "add", "origin", "../origin.git")
    Workspace(tmp_path / "origin.git").git("config", "core.hooksPath", "/dev/null")  # its own, not the user's
    project.git("tag", "ours")  # not of the remote
    for name, value in write_settings(tmp_path / "settings").items():
        monkeypatch.setenv(name, value)
    project.git("config", "--unset", "user.name")
    for content in ("1", "2"):
        clone = refresh(project.path, content, published=True)
    assert result(project) == ("2", ["generator@1", "generator@2", "mine", "ours"])
    assert result(Workspace(tmp_path / "origin.git")) == ("2", ["generator@1", "generator@2", "mine"])
    assert project.git("log", "-1", "--format=%an", "refresh") == "Jörg Müller\n"
    (project.path / "params.yaml").write_bytes(b"epochs: 2\n")
    with pytest.raises(UserError, match=r"^not committed: params.yaml"):
        refuse_changes(project.path)
    assert "name = Jörg Müller\n" in (clone.path / ".git/config").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["submodule", "linked worktree", "shallow", "detached", "of a relative remote"])
def test_every_kind_of_repository_is_refreshed(project, tmp_path, kind):
    used = Workspace(tmp_path / "used")
    (project.path / "second.txt").write_text("second\n", encoding="utf-8")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message=second")
    if kind == "submodule":
        parent = make_project(tmp_path / "parent")
        parent.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(project.path), "used")
        used = Workspace(parent.path / "used")
    elif kind == "linked worktree":
        project.git("remote", "add", "origin", ".")
        project.git("worktree", "add", "--quiet", str(used.path), "-b", "side")
    elif kind == "shallow":
        project.git("clone", "--quiet", "--depth=1", project.path.as_uri(), str(used.path))
    else:
        project.git("clone", "--quiet", str(project.path), str(used.path))
    used.git("config", "user.name", "test")
    used.git("config", "user.email", "test@localhost")
    if kind == "detached":
        used.git("checkout", "--quiet", "--detach")
        used.git("commit", "--quiet", "--allow-empty", "--message=on no branch")
    elif kind == "of a relative remote":
        used.git("remote", "set-url", "origin", "../project")
    before = used.git("rev-parse", "HEAD"), used.git("branch", "--show-current")
    refresh(used.path, "1")
    if kind == "shallow":
        (project.path / "second.txt").write_text("third\n", encoding="utf-8")
        project.git("commit", "--quiet", "--all", "--message=third")
        used.git("fetch", "--quiet", "--depth=1")
        used.git("reset", "--quiet", "--hard", "origin/main")
        before = used.git("rev-parse", "HEAD"), used.git("branch", "--show-current")
    refresh(used.path, "2")
    if kind != "detached":
        refresh(used.path, "3", follow="origin/main", published=True)
        assert result(project)[0] == "3"
    assert result(used)[0] == ("2" if kind == "detached" else "3")
    assert (used.git("rev-parse", "HEAD"), used.git("branch", "--show-current")) == before
    assert not used.git("status", "--short")


def test_what_git_refuses_is_one_line(project, tmp_path, monkeypatch):
    def refused(folder: Path) -> str:
        with pytest.raises(UserError) as error:
            refresh(folder, "1")
        assert "\n" not in str(error.value)
        return str(error.value)

    nested = project.path / "deep" / "project"
    nested.mkdir(parents=True)
    assert f"{nested} is the subfolder deep/project/ of a git repository" in refused(nested)
    (tmp_path / "alone").mkdir()
    assert "not a git repository" in refused(tmp_path / "alone")
    (project.path / f"{FOREIGN_NAME}.txt").write_text("1\n", encoding="utf-8")
    project.git("add", "--all")
    assert f"not committed: {FOREIGN_NAME}.txt; commit or stash it" in refused(project.path)
    project.git("reset", "--quiet", "--hard")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text("[user]\nuseConfigOnly = true\n", encoding="utf-8")
    project.git("config", "--unset", "user.email")
    assert "set `git config user.name NAME` and `git config user.email ADDRESS`" in refused(project.path)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    told = refused(project.path)
    assert "detected dubious ownership in repository at" in told
    assert "git config --global --add safe.directory" in told
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused(project.path) == "git is not installed, or not on the PATH: install it"


def test_a_clone_cut_off_while_it_was_made_is_made_anew(project):
    clone = refresh(project.path, "1")
    shutil.move(clone.path, clone.path.with_name(".refresh.partial"))
    refresh(project.path, "2")
    assert result(project) == ("2", ["generator@1", "generator@2", "mine"])


def test_what_a_killed_git_has_locked_in_the_clone_blocks_nothing(project):
    clone = refresh(project.path, "1")
    for name in ("index.lock", "config.lock", "HEAD.lock", "refs/heads/refresh.lock"):
        (clone.path / ".git" / name).touch()
    refresh(project.path, "2")
    assert result(project) == ("2", ["generator@1", "generator@2", "mine"])
