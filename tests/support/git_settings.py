"""A user's configuration of git that changes what commands print and do wherever git allows it."""

import os
from pathlib import Path

HOOKS = ("pre-commit", "commit-msg", "post-checkout", "reference-transaction", "pre-push", "update", "pre-receive")

SETTINGS = """
[clone]
    defaultRemoteName = upstream
    rejectShallow = true
[column]
    ui = always
[color]
    ui = always
[core]
    autocrlf = true
    safecrlf = true
    hooksPath = {folder}/hooks
    excludesFile = {folder}/ignored
    fsmonitor = {folder}/nothing-changed
    splitIndex = true
[i18n]
    commitEncoding = ISO-8859-1
[commit]
    gpgSign = true
[tag]
    gpgSign = true
    sort = version:refname
[gpg]
    program = false
[fetch]
    prune = true
    pruneTags = true
[init]
    templateDir = {folder}/template
[push]
    default = nothing
    followTags = true
    gpgSign = true
    pushOption = ci.skip
[status]
    short = true
    branch = true
    showUntrackedFiles = all
[log]
    showSignature = true
[branch]
    autoSetupMerge = always
[diff]
    external = false
    noprefix = true
[protocol "file"]
    allow = never
[protocol]
    version = 0
[submodule]
    recurse = true
[user]
    name = Jörg Müller
    email = tests@localhost
    useConfigOnly = true
"""


def write_settings(folder: Path) -> dict[str, str]:
    """Write the configuration and what it names to `folder`; returns the environment that makes git read it."""
    for place in ("hooks", "template/hooks"):
        (folder / place).mkdir(parents=True)
        for name in HOOKS:
            hook = folder / place / name
            hook.write_text("#!/bin/sh\necho a hook refuses; exit 1\n", encoding="utf-8")
            hook.chmod(0o755)
    (folder / "ignored").write_text("*.lock\n*.dvc\n", encoding="utf-8")
    (folder / "nothing-changed").write_text("#!/bin/sh\nprintf 'since when\\0'\n", encoding="utf-8")
    (folder / "nothing-changed").chmod(0o755)
    (folder / "gitconfig").write_text(SETTINGS.format(folder=folder), encoding="utf-8")
    return {"GIT_CONFIG_GLOBAL": str(folder / "gitconfig"), "GIT_CONFIG_SYSTEM": os.devnull}
