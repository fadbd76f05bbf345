"""What the page hands out."""

import zipfile

from colorizer.page.coloring import zip_results


def test_no_result_replaces_another_of_almost_the_same_name_where_the_zip_is_unpacked(tmp_path):
    files = []
    for number, name in enumerate(["a.png", "A.png", "b.png", "a.png", "a-1.png"]):
        path = tmp_path / str(number) / name
        path.parent.mkdir()
        path.write_text(str(number), encoding="utf-8")
        files.append(path)
    with zipfile.ZipFile(zip_results(files, tmp_path)) as archive:
        assert [archive.read(name).decode() for name in archive.namelist()] == list("01234")
        assert len({name.casefold() for name in archive.namelist()}) == 5
