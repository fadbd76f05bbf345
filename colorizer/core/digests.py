"""Short names for contents: equal contents, equal digest."""

import hashlib
import json
from pathlib import Path


def fingerprint(facts: dict) -> str:
    """16 hexadecimal digits that stand for all the facts that decided a training."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
