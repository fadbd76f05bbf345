import pytest

from colorizer.core.errors import UserError
from pipeline.process.children import Children
from pipeline.workspace.plan import read_plan


def test_what_dvc_cannot_read_is_one_line_with_the_command_that_explains_it(committed):
    batch = committed.path / "data/ab/ab1.npy"
    batch.unlink()
    batch.symlink_to("gone")
    with pytest.raises(UserError, match=r"ab1\.npy'; if that is one of your arrays, `python -m stages\.locate` says"):
        read_plan(committed.path, Children())
    told = committed.stage("locate", check=False).stdout
    assert told.startswith("locate: data/ab/ab1.npy cannot be read (it is a link to gone, which is not there): put a")
