"""Folders of JPEG: decoded as Pillow decodes them, copies grouped, bad files named."""

import os
import pathlib

import numpy as np
import PIL.Image
import pytest

from transplant.datasets.image_files import FILES_PER_GROUP, GROUPS_PER_ELEMENT, decode_jpegs, find_jpegs
from transplant.datasets.medical_mnist import CLASSES, read_medical_mnist
from transplant.errors import DataError

DATA = os.environ.get("TRANSPLANT_DATA")


def write_jpeg(file, seed, size=(64, 64), mode="L"):
    """Write a smooth random image with Pillow."""
    rng = np.random.default_rng(seed)
    channels = () if mode == "L" else (3,)
    coarse = PIL.Image.fromarray(rng.integers(0, 256, (8, 8, *channels)).astype(np.uint8))
    file.parent.mkdir(parents=True, exist_ok=True)
    coarse.resize(size[::-1], PIL.Image.Resampling.BICUBIC).save(file, "JPEG", quality=80)
    return file


def by_pillow(file):
    with PIL.Image.open(file) as image:
        return np.asarray(image)


@pytest.fixture
def folder(tmp_path):
    """Three images a class, all different, named so that their order is not that of writing."""
    for label, name in enumerate(CLASSES):
        for i in (2, 0, 1):
            write_jpeg(tmp_path / name / f"{i:06}.jpeg", 10 * label + i)
    return tmp_path


def test_images_are_read_in_the_order_of_class_and_name(folder):
    ticks = []
    whole = read_medical_mnist(folder, on_record=lambda: ticks.append(1))
    data = whole.data
    assert whole.published_test is None and len(ticks) == 18
    assert data.record_ids.tolist() == [f"{name}/{i:06}" for name in CLASSES for i in range(3)]
    assert data.y.tolist() == [label for label in range(6) for _ in range(3)]
    assert data.classes == ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")
    assert data.x.shape == (18, 64, 64, 1) and data.x.dtype == np.uint8 and data.lengths.tolist() == [64] * 18
    for image, name in zip(data.x, data.record_ids):
        np.testing.assert_array_equal(image[..., 0], by_pillow(folder / f"{name}.jpeg"))
    assert (data.sampling_rate_hz, data.unit, data.leads) == (None, "grey level", ("grey",))
    assert data.group_ids.tolist() == data.record_ids.tolist()
    assert data.notes[1:] == ("18 of the 58,954 published images",)


def test_identical_images_are_one_group_and_counted(folder):
    # 10, 11 and 12 of BreastMRI are copies of its image 1, and CXR has one of HeadCT's.
    original = (folder / "BreastMRI" / "000001.jpeg").read_bytes()
    for i in (10, 11, 12):
        (folder / "BreastMRI" / f"{i:06}.jpeg").write_bytes(original)
    (folder / "CXR" / "000010.jpeg").write_bytes((folder / "HeadCT" / "000002.jpeg").read_bytes())
    data = read_medical_mnist(folder).data
    group = dict(zip(data.record_ids.tolist(), data.group_ids.tolist()))
    assert {group[f"BreastMRI/{i:06}"] for i in (1, 10, 11, 12)} == {"BreastMRI/000001"}
    assert group["CXR/000010"] == group["HeadCT/000002"] == "CXR/000010"
    assert len(set(group.values())) == 18
    assert data.notes[1].startswith("4 images are identical to one before them: 2 groups of copies")
    assert data.notes[2] == "identical images with different labels: CXR/000010 and their copies"


def test_equal_pixels_in_other_bytes_are_a_copy_too(folder):
    content = (folder / "Hand" / "000000.jpeg").read_bytes()
    comment = b"\xff\xfe\x00\x06abcd"
    (folder / "Hand" / "000001.jpeg").write_bytes(content[:2] + comment + content[2:])
    data = read_medical_mnist(folder).data
    assert data.group_ids[data.record_ids == "Hand/000001"].tolist() == ["Hand/000000"]


def spoil_nothing(file):
    file.write_bytes(b"")


def spoil_cut(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def spoil_text(file):
    file.write_bytes(b"<html>not found</html>")


def spoil_size(file):
    write_jpeg(file, 1, (48, 64))


def spoil_colour(file):
    write_jpeg(file, 1, mode="RGB")


def spoil_folder(file):
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (spoil_nothing, "0 bytes that are no whole JPEG"),
        (spoil_cut, "bytes that are no whole JPEG"),
        (spoil_text, "22 bytes that are no whole JPEG"),
        (spoil_size, "48 x 64 x 1"),
        (spoil_colour, "64 x 64 x 3"),
        (spoil_folder, "Is a directory"),
    ],
)
def test_an_image_that_cannot_be_used_is_named_or_left_out(folder, spoil, reason):
    bad = folder / "ChestCT" / "000001.jpeg"
    spoil(bad)
    with pytest.raises(DataError) as error:
        read_medical_mnist(folder)
    assert str(error.value).startswith(f"{bad}: an image is a JPEG of 64 x 64 x 1 grey levels. Received: ")
    assert reason in str(error.value)
    skipped, ticks = [], []
    data = read_medical_mnist(folder, skipped=skipped, on_record=lambda: ticks.append(1)).data
    assert [entry.name for entry in skipped] == ["ChestCT/000001"] and reason in skipped[0].reason
    assert len(ticks) == 18 and data.counts()["ChestCT"] == 2 and "ChestCT/000001" not in data.record_ids
    for image, name in zip(data.x, data.record_ids):
        np.testing.assert_array_equal(image[..., 0], by_pillow(folder / f"{name}.jpeg"))


def test_missing_and_empty_class_folders_are_named(folder, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_medical_mnist(tmp_path / "nowhere")
    for file in find_jpegs(folder / "Hand"):
        file.rename(file.with_suffix(".txt"))
    with pytest.raises(DataError, match=r"Hand: a class folder holds JPEG files. Received: none"):
        read_medical_mnist(folder)
    (folder / "Hand").rename(folder / "hands")
    with pytest.raises(DataError, match="CXR, ChestCT and 2 more; name the folder that holds Hand"):
        read_medical_mnist(folder)


def test_the_same_name_with_two_ends_is_refused(folder):
    write_jpeg(folder / "Hand" / "000001.jpg", 99)
    with pytest.raises(DataError, match=r"an image is there once. Received: Hand/000001 with two ends"):
        read_medical_mnist(folder)


def test_a_set_of_bad_images_only_is_refused(folder):
    for name in CLASSES:
        for file in find_jpegs(folder / name):
            spoil_text(file)
    with pytest.raises(DataError, match=r"images are needed. Received: none that can be decoded"):
        read_medical_mnist(folder, skipped=[])


@pytest.mark.parametrize("count", [0, 1, FILES_PER_GROUP, FILES_PER_GROUP * GROUPS_PER_ELEMENT + 1])
def test_any_number_of_files_is_decoded_in_order(tmp_path, count):
    files = [write_jpeg(tmp_path / f"{i}.jpg", i) for i in range(count)]
    images, errors = decode_jpegs(files, (64, 64, 1))
    assert images.shape == (count, 64, 64, 1) and not errors
    for image, file in zip(images, files):
        np.testing.assert_array_equal(image[..., 0], by_pillow(file))


@pytest.mark.skipif(DATA is None, reason="TRANSPLANT_DATA is not set")
def test_the_real_images_are_the_published_set():
    folder = pathlib.Path(DATA) / "medical_mnist"
    data = read_medical_mnist(folder).data
    assert data.counts() == dict.fromkeys(CLASSES, 10_000) | {"BreastMRI": 8_954}
    for index in range(0, len(data), 5_000):
        np.testing.assert_array_equal(data.x[index, ..., 0], by_pillow(folder / f"{data.record_ids[index]}.jpeg"))
    # Every image differs from all but the copies in its group.
    assert len({image.tobytes() for image in data.x}) == len(set(data.group_ids.tolist())) == 58_514
