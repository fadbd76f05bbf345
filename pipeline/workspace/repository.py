"""What a refresh asks of git, and a clone of the repository for runs that must not change what a person works on."""

import os
import re
import shutil
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.models.commands import git, git_succeeds, refuse_subfolder

_FETCH = ("fetch", "--quiet", "--no-recurse-submodules", "--no-write-fetch-head")
_KEEP = ("--no-prune", "--no-prune-tags")

# Settings of the clone: they come before the user's, for GTO and DVC as well.
_SETTINGS = {
    "core.autocrlf": "false",  # the bytes of every file are those that were committed
    "core.eol": "lf",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,  # DVC refuses files that git ignores
    "core.hooksPath": os.devnull,
    "i18n.commitEncoding": "UTF-8",
    "commit.gpgSign": "false",  # nobody may be there to type a password
    "tag.gpgSign": "false",
}


def refuse_changes(folder: Path) -> None:
    """Raise UserError when a tracked file differs from what is committed, or `folder` is no repository of its own."""
    refuse_subfolder(folder)
    status = git(folder, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no")
    if changes := [entry[3:] for entry in status.split("\0") if entry]:
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        raise UserError(f"not committed: {changes[0]}{more}; commit or stash it, a refresh builds what is committed")


def resolve(folder: Path, revision: str) -> str:
    """Find the commit of a branch, tag or the like; a branch of a remote is fetched first. Raises UserError if none."""
    remote = revision.partition("/")[0]
    if remote in git(folder, "remote").splitlines():
        _fetch_all(folder, remote)
    if not git_succeeds(folder, "rev-parse", "--verify", f"{revision}^{{commit}}"):
        raise UserError(f"{revision} is no branch, tag or commit of {folder}")
    return git(folder, "rev-parse", f"{revision}^{{commit}}")


def fetch_published(folder: Path, branch: str) -> None:
    """Fetch what other clones pushed to `origin`: all tags, and the branch if that is a fast-forward."""
    shallow = git(folder, "rev-parse", "--is-shallow-repository") == "true"
    _fetch_all(folder, "origin", *(["--unshallow"] if shallow else []))
    theirs, ours = f"refs/remotes/origin/{branch}", f"refs/heads/{branch}"
    if git_succeeds(folder, "rev-parse", "--verify", theirs) and not git_succeeds(
        folder, "merge-base", "--is-ancestor", theirs, ours
    ):
        git(folder, *_FETCH, *_KEEP, "--no-tags", ".", f"{theirs}:{ours}")


def _fetch_all(folder: Path, remote: str, *options: str) -> None:
    """Fetch every branch and tag, also where the clone was made with fewer."""
    git(folder, *_FETCH, *_KEEP, "--tags", *options, remote, f"+refs/heads/*:refs/remotes/{remote}/*")


def publish_refs(folder: Path, branch: str, *tags: str) -> None:
    """Push the branch, and the tags that these patterns name, to `origin`: all of them or, when that fails, none."""
    plain = ("--quiet", "--atomic", "--no-follow-tags", "--no-signed", "--no-recurse-submodules")
    refs = [f"refs/heads/{branch}", *(f"refs/tags/{tag}" for tag in tags)]
    git(folder, "push", *plain, "origin", *(f"{ref}:{ref}" for ref in refs))


class Clone:
    """A clone at `path` of the repository in `folder`, with `branch` to work on. Only `hand_over` changes `folder`."""

    def __init__(self, folder: Path, path: Path, branch: str) -> None:
        """Make the clone, or bring it up to date: it may have been copied or moved with its project.

        Raises UserError when somebody works on that branch, or git does not know who commits.
        """
        self.folder, self.path, self.branch = folder, path, branch
        if not git_succeeds(folder, "check-ref-format", "--branch", branch):
            raise UserError(f"branch {branch!r} is not a name that git accepts")
        if f"branch refs/heads/{branch}" in git(folder, "worktree", "list", "--porcelain").splitlines():
            raise UserError(f"branch {branch} is checked out: a refresh needs a branch that nobody works on")
        settings = {"remote.origin.url": str(folder), **_identity(folder), **_SETTINGS}
        if not path.exists():
            partial = path.with_name(f".{path.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            plain = ("--no-checkout", "--no-reject-shallow", "--origin", "origin", "--template", "")
            git(folder, "clone", "--quiet", *plain, str(folder), str(partial.resolve()))
            partial.rename(path)
        for stale in (path / ".git").rglob("*.lock"):  # of a git that was killed: no other run is under way here
            stale.unlink()
        for name, value in settings.items():
            git(path, "config", "--replace-all", name, value)
        # Tags too are those of the repository: what a run that was killed did not hand over is forgotten.
        everything = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
        git(path, *_FETCH, "--prune", "--update-shallow", "origin", *everything)

    @property
    def last(self) -> str | None:
        """The commit of the branch in the repository at the last fetch; None before the first hand-over."""
        known = f"refs/remotes/origin/{self.branch}"
        return git(self.path, "rev-parse", known) if git_succeeds(self.path, "rev-parse", "--verify", known) else None

    def check_out(self, commit: str) -> None:
        """Check out the branch as of the last hand-over.

        If it lacks `commit`, merge that, with all files as in `commit`.
        """
        git(self.path, *_FETCH, "--no-tags", "--update-shallow", "origin", commit)
        start = self.last or commit
        if not git_succeeds(self.path, "merge-base", "--is-ancestor", commit, start):
            message = f"Take up {commit[:12]}"
            start = git(self.path, "commit-tree", f"{commit}^{{tree}}", "-p", start, "-p", commit, "-m", message)
        git(self.path, "checkout", "--quiet", "--force", "--no-track", "-B", self.branch, start)

    def restore(self, commit: str, *names: str) -> None:
        """Bring files to how they are in a commit."""
        git(self.path, "checkout", "--quiet", commit, "--", *names)

    def differs(self, name: str) -> bool:
        """True if a file differs from its version in the last hand-over."""
        return not git_succeeds(self.path, "diff", "--quiet", "--no-ext-diff", str(self.last), "--", name)

    def commit(self, message: str) -> None:
        """Commit the changes of tracked files, if there are any."""
        git(self.path, "add", "--update")
        if not git_succeeds(self.path, "diff", "--cached", "--quiet", "--no-ext-diff"):
            git(self.path, "commit", "--quiet", "--cleanup=whitespace", "--message", message)

    def hand_over(self, *tags: str) -> None:
        """Bring the branch and these tags to the repository: all of them or, when that fails, none.

        They are fetched, not pushed: that runs none of the user's hooks for what is received.
        """
        refs = [f"refs/heads/{self.branch}", *(f"refs/tags/{tag}" for tag in tags)]
        git(self.folder, *_FETCH, *_KEEP, "--no-tags", "--atomic", str(self.path), *(f"{ref}:{ref}" for ref in refs))


def _identity(folder: Path) -> dict[str, str]:
    """The name and the address for commits and tags, as git finds them for `folder`."""
    try:
        told = git(folder, "var", "GIT_COMMITTER_IDENT")  # NAME <ADDRESS> seconds zone
    except UserError as error:
        raise UserError(f"{error}; set `git config user.name NAME` and `git config user.email ADDRESS`") from error
    found = re.fullmatch(r"(.*) <(.*)> \d+ [-+]\d+", told)
    assert found, told
    return {"user.name": found[1], "user.email": found[2]}
