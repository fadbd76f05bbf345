"""Git commands on a repository, and a clone of it for runs that must not change what a person works on."""

import shutil
import subprocess
import sys
from pathlib import Path

from colorizer.core.errors import UserError
from pipeline.process.environment import child_environment


def git(folder: Path, *arguments: str) -> str:
    """Run a git command and return what it prints. Raises UserError with git's reason when it fails."""
    result = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=child_environment(),
        encoding=sys.getfilesystemencoding(),  # it prints names of files, and values that come back as arguments
        errors=sys.getfilesystemencodeerrors(),
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    if result.returncode:
        told = [line for line in result.stderr.splitlines() if line.strip() and not line.startswith("hint:")]
        reason = next((line for line in told if " ! [" in line), told[-1] if told else "it printed nothing")
        raise UserError(f"git {arguments[0]} failed in {folder}: {reason.strip()}")
    return result.stdout.strip()


def succeeds(folder: Path, *arguments: str) -> bool:
    """Run a git command and return whether its exit code is 0."""
    return (
        subprocess.run(["git", *arguments], cwd=folder, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0
    )


def refuse_changes(folder: Path) -> None:
    """Raise UserError when a file that git tracks differs from what is committed."""
    if changes := git(folder, "status", "--porcelain", "--untracked-files=no").splitlines():
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        raise UserError(
            f"not committed: {changes[0].split()[-1]}{more}; commit or stash it, a refresh builds what is committed"
        )


def resolve(folder: Path, revision: str) -> str:
    """Find the commit of a branch, tag or the like; a branch of a remote is fetched first. Raises UserError if none."""
    remote = revision.partition("/")[0]
    if remote in git(folder, "remote").splitlines():
        git(folder, "fetch", "--quiet", "--tags", remote)
    if not succeeds(folder, "rev-parse", "--verify", f"{revision}^{{commit}}"):
        raise UserError(f"{revision} is no branch, tag or commit of {folder}")
    return git(folder, "rev-parse", f"{revision}^{{commit}}")


def fetch_published(folder: Path, branch: str) -> None:
    """Fetch what other clones pushed to `origin`: all tags, and the branch if that is a fast-forward."""
    shallow = git(folder, "rev-parse", "--is-shallow-repository") == "true"
    git(folder, "fetch", "--quiet", "--tags", *(["--unshallow"] if shallow else []), "origin")
    theirs, ours = f"refs/remotes/origin/{branch}", f"refs/heads/{branch}"
    if succeeds(folder, "rev-parse", "--verify", theirs) and not succeeds(
        folder, "merge-base", "--is-ancestor", theirs, ours
    ):
        git(folder, "fetch", "--quiet", ".", f"{theirs}:{ours}")


class Clone:
    """A clone at `path` of the repository in `folder`, with `branch` to work on. Only `hand_over` changes `folder`."""

    def __init__(self, folder: Path, path: Path, branch: str) -> None:
        """Make the clone, or bring it up to date. Raises UserError when somebody works on that branch."""
        self.folder, self.path, self.branch = folder, path, branch
        if not succeeds(folder, "check-ref-format", "--branch", branch):
            raise UserError(f"branch {branch!r} is not a name that git accepts")
        if f"branch refs/heads/{branch}" in git(folder, "worktree", "list", "--porcelain").splitlines():
            raise UserError(f"branch {branch} is checked out: a refresh needs a branch that nobody works on")
        if not path.exists():
            partial = path.with_name(f".{path.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            git(folder, "clone", "--quiet", "--no-checkout", str(folder), str(partial.resolve()))
            partial.rename(path)
        # Tags too are those of the repository: what a run that was killed did not hand over is forgotten.
        everything = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
        git(path, "fetch", "--quiet", "--prune", "origin", *everything)
        for key in ("user.name", "user.email"):
            if succeeds(folder, "config", key):
                git(path, "config", key, git(folder, "config", key))

    @property
    def last(self) -> str | None:
        """The commit of the branch in the repository at the last fetch; None before the first hand-over."""
        known = f"refs/remotes/origin/{self.branch}"
        return git(self.path, "rev-parse", known) if succeeds(self.path, "rev-parse", "--verify", known) else None

    def check_out(self, commit: str) -> None:
        """Check out the branch as of the last hand-over.

        If it lacks `commit`, merge that, with all files as in `commit`.
        """
        git(self.path, "fetch", "--quiet", "origin", commit)
        start = self.last or commit
        if not succeeds(self.path, "merge-base", "--is-ancestor", commit, start):
            message = f"Take up {commit[:12]}"
            start = git(self.path, "commit-tree", f"{commit}^{{tree}}", "-p", start, "-p", commit, "-m", message)
        git(self.path, "checkout", "--quiet", "--force", "-B", self.branch, start)

    def differs(self, name: str) -> bool:
        """True if a file differs from its version in the last hand-over."""
        return not succeeds(self.path, "diff", "--quiet", str(self.last), "--", name)

    def commit(self, message: str) -> None:
        """Commit the changes of tracked files, if there are any."""
        git(self.path, "add", "--update")
        if not succeeds(self.path, "diff", "--cached", "--quiet"):
            git(self.path, "commit", "--quiet", "--message", message)

    def hand_over(self, *tags: str) -> None:
        """Push the branch and these tags to the repository: all of them or, when that fails, none."""
        git(self.path, "push", "--quiet", "--atomic", "origin", self.branch, *(f"refs/tags/{tag}" for tag in tags))
