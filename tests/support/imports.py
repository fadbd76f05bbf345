"""Which project files a Python file imports, directly and through others."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imported_files(path: Path) -> set[Path]:
    """The file itself and every project file it imports, transitively, relative to the project's root.

    A package counts as its `__main__.py`. Empty `__init__.py` files decide nothing and are left out.
    """
    found: set[Path] = set()
    pending = [path / "__main__.py" if (ROOT / path).is_dir() else path]
    while pending:
        current = pending.pop()
        if current in found:
            continue
        found.add(current)
        pending += direct_imports(current)
    return found


def direct_imports(path: Path) -> list[Path]:
    """The project files that a file imports."""
    files = [Path(*name.split(".")).with_suffix(".py") for name in imported_names(path)]
    return [file for file in files if (ROOT / file).is_file()]


def imported_names(path: Path) -> list[str]:
    """Full names of what a file imports; after `from a import b` both `a` and `a.b`, which may be a module."""
    names: list[str] = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def modules_in(folder: str) -> list[Path]:
    """Every Python file below a folder of the project but empty `__init__.py` files, relative to the project's root."""
    return sorted(path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py")
