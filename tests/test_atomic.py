"""Files and folders are whole or absent."""

import pytest

from transplant.atomic import atomic_directory, atomic_path, remove_leftovers, write_json


def test_a_failed_write_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert "old" in (tmp_path / "a.json").read_text()


def test_a_failed_folder_leaves_nothing_and_a_good_one_replaces(tmp_path):
    with pytest.raises(RuntimeError), atomic_directory(tmp_path / "d") as temporary:
        (temporary / "file").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    for text in ("first", "second"):
        with atomic_directory(tmp_path / "d") as temporary:
            (temporary / "file").write_text(text)
    assert (tmp_path / "d" / "file").read_text() == "second" and len(list(tmp_path.iterdir())) == 1


def test_leftovers_go_and_other_hidden_files_stay(tmp_path):
    (tmp_path / ".gitignore").write_text("mine")
    (tmp_path / f".weights-{'a' * 32}.npz").write_text("half")
    (tmp_path / f".epoch_03-{'b' * 32}").mkdir()
    remove_leftovers(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".gitignore"]
