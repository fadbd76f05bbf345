"""What a command is told and what is told of its failure."""

import re
import shutil

import pytest

from colorizer.core.errors import UserError
from colorizer.models.commands import reason_in, run_command
from tests.support.workspace import BIN


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (
            "To ../origin\n ! [rejected]        main -> main (fetch first)\n"
            "error: failed to push some refs to '../origin'\nhint: Updates were rejected",
            "[rejected] main -> main (fetch first)",
        ),
        (
            "warning: redirecting\nfatal: detected dubious ownership in repository at '/p'\n"
            "To add an exception for this directory, call:\n\n\tgit config --global --add safe.directory /p",
            "detected dubious ownership in repository at '/p' To add an exception for this directory, call: "
            "git config --global --add safe.directory /p",
        ),
        (
            "❌ Unexpected error: . is not a git repository\nPlease report it here running with '--traceback' flag:\n"
            "<https://github.com/iterative/gto/issues>",
            "Unexpected error: . is not a git repository; make it one: `git init`, `git add --all` and `git commit "
            "--message start`",
        ),
        (
            "Collecting\nERROR: unexpected error - no room\n\nHaving any troubles? Hit us up at https://dvc.org/support",
            "unexpected error - no room",
        ),
        (
            "WARNING: skipping\nERROR: unexpected error - ssh is supported, but requires 'dvc-ssh' to be installed",
            "unexpected error - ssh is supported, but requires 'dvc-ssh' to be installed; install it: "
            "`pip install -r requirements-ssh.txt -c constraints.txt`",
        ),
        (
            "ERROR: unexpected error - [Errno 111] Connect call failed ('127.0.0.1', 1)",
            "unexpected error - [Errno 111] Connect call failed ('127.0.0.1', 1); see \"When a remote does not work\" "
            "in docs/sharing.md",
        ),
        ("one\nthe last error: line\n", "the last error: line"),
        ("", "it printed nothing"),
    ],
)
def test_the_reason_is_told_and_not_the_last_line(printed, reason):
    assert reason_in(printed.splitlines()) == reason


@pytest.mark.parametrize("command", [("git", "rev-parse", "HEAD"), ("dvc", "status")])
def test_a_project_from_an_archive_is_made_a_repository_by_what_is_told(miniature, tmp_path, command):
    workspace = miniature.copy(tmp_path / "unpacked")
    shutil.rmtree(workspace.path / ".git")
    with pytest.raises(UserError, match="not a git repository") as told:
        run_command(command[0], workspace.path, *command[1:])
    user = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost"}
    user |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in user.items()}
    for line in re.findall("`(.*?)`", str(told.value)):
        workspace.run("bash", "-c", line, **user)
    run_command(command[0], workspace.path, *command[1:])


def test_an_empty_lock_file_of_dvc_is_told_with_the_fix(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / "locked")
    (workspace.path / ".dvc/tmp/rwlock").write_bytes(b"")
    printed = workspace.run(str(BIN / "dvc"), "repro", "locate", check=False).stdout
    reason = reason_in(printed.splitlines())
    assert "Unable to read RWLock-file '.dvc/tmp/rwlock'" in reason
    assert reason.endswith("; delete this file while no dvc runs")
