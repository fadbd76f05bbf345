"""Digests: of the facts that decide a training, and of files."""

import hashlib
import json
from pathlib import Path


def fingerprint(facts: dict) -> str:
    """Hash the facts that decided a training to 16 hexadecimal digits; the order of the keys does not matter."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
