import json

import numpy as np
import pytest

from transplant.datasets.labelled_set import LabelledSet
from transplant.errors import DataError, OptionError, SplitError
from transplant.evaluation.leakage import default_window, find_leakage
from transplant.training.splits import check_disjoint


def signals(records, prefix, groups=None, rate=100.0, **fields):
    """A set of records of any length, (samples,) or (samples, leads), padded on the left."""
    records = [np.asarray(record, np.float32).reshape(len(record), -1) for record in records]
    x = np.zeros((len(records), max(map(len, records)), records[0].shape[1]), np.float32)
    for row, record in zip(x, records):
        row[len(row) - len(record) :] = record
    values = {
        "x": x,
        "lengths": [len(record) for record in records],
        "y": np.zeros(len(records)),
        "classes": ("N",),
        "record_ids": [f"{prefix}{i}" for i in range(len(records))],
        "group_ids": [f"{prefix}{i}" for i in range(len(records))] if groups is None else groups,
        "sampling_rate_hz": rate,
        "leads": tuple(f"lead{i}" for i in range(x.shape[2])),
        "dataset": "hand-made",
        "label_version": "1",
    }
    return LabelledSet(**values | fields)


def noise(n, seed, leads=1):
    return np.random.default_rng(seed).normal(size=(n, leads)).astype(np.float32)


def only_pair(train, test, window=None):
    return find_leakage({"train": train, "test": test}, window).pairs[0]


def test_nothing_shared():
    report = find_leakage({"train": signals([noise(200, 0)], "a"), "test": signals([noise(200, 1)], "b")})
    assert not report.found and report.window == 50
    assert str(report) == (
        "train and test: nothing shared\ncompared: whole records, stretches of 50 samples or more, and groups"
    )


def test_identical_records_are_found_behind_any_padding_and_not_as_stretches():
    a, b, c = noise(150, 0), noise(200, 1), noise(180, 2)
    pair = only_pair(signals([a, b, a], "a"), signals([c, a, noise(400, 3), a], "b"))
    assert pair.identical == (("a0", "b1"), ("a0", "b3"))
    assert pair.overlapping == ()


@pytest.mark.parametrize("change", [lambda a: a * 2, lambda a: a + 1, lambda a: a[::-1], lambda a: -a])
def test_scaled_moved_and_reversed_copies_are_not_identical(change):
    a = noise(150, 0)
    assert not find_leakage({"train": signals([a], "a"), "test": signals([change(a)], "b")}).found


def test_another_sign_of_zero_is_the_same_number():
    a = noise(120, 0)
    a[50:70] = 0
    b = a.copy()
    b[50:70] = -0.0
    assert only_pair(signals([a], "a"), signals([b], "b")).identical == (("a0", "b0"),)
    shifted = only_pair(signals([a], "a"), signals([b[7:]], "b"), 60).overlapping[0]
    assert (shifted.first_start, shifted.second_start, shifted.samples) == (7, 0, 113)


def test_one_other_sample_leaves_two_stretches_of_which_the_longer_is_named():
    a = noise(300, 0)
    b = a.copy()
    b[120] += 1
    pair = only_pair(signals([a], "a"), signals([b], "b"))
    assert pair.identical == ()
    (stretch,) = pair.overlapping
    assert (stretch.first, stretch.second) == ("a0", "b0")
    assert (stretch.first_start, stretch.second_start, stretch.samples) == (121, 121, 179)
    b[[60, 180, 240]] += 1
    assert not find_leakage({"train": signals([a], "a"), "test": signals([b], "b")}).found  # 60 at most, of 75


@pytest.mark.parametrize("samples, found", [(49, False), (50, True), (51, True), (90, True)])
@pytest.mark.parametrize("start_a, start_b", [(0, 0), (0, 150), (37, 91), (110, 3)])
def test_a_stretch_counts_from_the_window_on_wherever_it_is(samples, found, start_a, start_b):
    a, b = noise(200, 0, leads=2), noise(240, 1, leads=2)
    b[start_b : start_b + samples] = a[start_a : start_a + samples]
    pair = only_pair(signals([noise(200, 2, leads=2), a], "a"), signals([noise(240, 3, leads=2), b], "b"), 50)
    got = [(s.first, s.second, s.first_start, s.second_start, s.samples) for s in pair.overlapping]
    assert got == ([("a1", "b1", start_a, start_b, samples)] if found else [])


def test_shared_tails_and_heads():
    recording = noise(1000, 0)
    a, b, c = recording[:400], recording[300:700], recording[690:]
    pair = only_pair(signals([a, c], "a"), signals([b], "b"), 100)
    (stretch,) = pair.overlapping
    assert (stretch.first, stretch.first_start, stretch.second_start, stretch.samples) == ("a0", 300, 0, 100)
    (stretch,) = only_pair(signals([c], "a"), signals([b], "b"), 10).overlapping
    assert (stretch.first_start, stretch.second_start, stretch.samples) == (0, 390, 10)


def test_the_record_with_most_in_common_is_named():
    recording = noise(1000, 0)
    pair = only_pair(signals([recording[:350], recording[200:900]], "a"), signals([recording[250:850]], "b"), 50)
    (stretch,) = pair.overlapping
    assert (stretch.first, stretch.first_start, stretch.second_start, stretch.samples) == ("a1", 50, 0, 600)


def test_all_leads_must_agree():
    a, b = noise(200, 0, leads=3), noise(200, 1, leads=3)
    b[:, :2] = a[:, :2]
    assert not find_leakage({"train": signals([a], "a"), "test": signals([b], "b")}).found


def test_flat_lines_do_not_count():
    a, b = noise(400, 0), noise(400, 1)
    a[100:300], b[150:350] = 0.25, 0.25
    assert not find_leakage({"train": signals([a], "a"), "test": signals([b], "b")}, 40).found


def test_a_short_standstill_within_a_stretch_is_part_of_it_and_a_long_one_ends_it():
    a, b = noise(400, 0), noise(400, 1)
    a[150:169] = 0.5  # 19 of half a window's 20
    b[200:300] = a[100:200]
    (stretch,) = only_pair(signals([a], "a"), signals([b], "b"), 40).overlapping
    assert (stretch.first_start, stretch.second_start, stretch.samples) == (100, 200, 100)
    a[150:170] = b[250:270] = 0.5
    # 50 samples before the standstill with 19 of its own, and 19 with 30 behind it.
    (stretch,) = only_pair(signals([a], "a"), signals([b], "b"), 40).overlapping
    assert (stretch.first_start, stretch.second_start, stretch.samples) == (100, 200, 69)


def brute_force(a, b, window):
    """Whether two records have `window` equal samples of which no half window stands still."""
    half = (window + 1) // 2
    if min(len(a), len(b)) < window:
        return False
    a, b = (np.lib.stride_tricks.sliding_window_view(record, window, axis=0) for record in (a, b))
    for stretch in a:
        changes = (stretch[:, 1:] != stretch[:, :-1]).any(axis=0)
        # Within a half window there are half - 1 changes; one in 16 samples is the fewest that counts.
        if any(changes[k : k + half - 1].sum() < max(1, half // 16) for k in range(window - half + 1)):
            continue
        if (stretch == b).all(axis=(1, 2)).any():
            return True
    return False


def coarse_records(count, window, leads, rng):
    """Records of few levels, so that windows often agree by chance; some repeat samples, some share a piece."""
    levels, records = 3 if leads == 1 else 2, []
    for _ in range(count):
        values = rng.integers(0, levels, (rng.integers(window - 1, 14 + 2 * window), leads))
        if rng.random() < 0.5:
            values = np.repeat(values, rng.integers(1, 4, len(values)), axis=0)
        if records and rng.random() < 0.7:
            other = records[rng.integers(len(records))]
            piece = other[rng.integers(len(other)) :][: rng.integers(window // 2, 2 * window)]
            values = np.concatenate([values[: rng.integers(window)], piece, values[-rng.integers(1, window) :]])
        records.append(values)
    return records


@pytest.mark.parametrize("leads", [1, 2])
@pytest.mark.parametrize("window", [4, 5, 6, 7, 8, 11, 16])
def test_the_search_finds_what_a_comparison_of_all_windows_finds(window, leads):
    found = []
    for seed in range(12):
        records = coarse_records(16, window, leads, np.random.default_rng((seed, window)))
        first, second = records[::4], [record for i, record in enumerate(records) if i % 4]
        pair = only_pair(signals(first, "a"), signals(second, "b"), window)
        same = {name for _, name in pair.identical}
        got = {stretch.second for stretch in pair.overlapping}
        for j, b in enumerate(second):
            if f"b{j}" not in same:
                expected = any(brute_force(a, b, window) for a in first)
                assert (f"b{j}" in got) == expected
                found.append(expected)
        for stretch in pair.overlapping:
            a, b = first[int(stretch.first[1:])], second[int(stretch.second[1:])]
            equal = a[stretch.first_start :][: stretch.samples] == b[stretch.second_start :][: stretch.samples]
            assert equal.all() and len(equal) == stretch.samples >= window
    assert 0.05 < np.mean(found) < 0.98


@pytest.mark.parametrize("window", [64, 97])
@pytest.mark.parametrize("share", [0.03, 0.06, 0.12, 0.3])
def test_in_nearly_flat_lines_too(window, share):
    rng = np.random.default_rng((window, int(100 * share)))
    recording = np.cumsum(rng.random(1500) < share)[:, None].astype(float)
    recording[700:760] = recording[700]
    # Pieces of one recording: some have a window in common, of which some change too seldom.
    first = [recording[start : start + 220] for start in (0, 400, 690, 1000)]
    begins = rng.choice([0, 400, 690, 1000], 9) + rng.integers(0, 200, 9)
    second = [recording[start : start + 160] for start in begins]
    pair = only_pair(signals(first, "a"), signals(second, "b"), window)
    got = {stretch.second for stretch in pair.overlapping}
    assert got == {f"b{j}" for j, b in enumerate(second) if any(brute_force(a, b, window) for a in first)}


def test_flat_lines_with_a_few_spikes_do_not_count():
    spikes = np.zeros(1000)
    spikes[100::100] = 1  # 2 changes in 100 samples, of 6 needed in half a window of 100
    train = signals([np.r_[noise(300, 0)[:, 0], spikes]], "a")
    assert not find_leakage({"train": train, "test": signals([np.r_[spikes, noise(300, 1)[:, 0]]], "b")}, 200).found
    spikes[10::30] = 1  # at least one change in 15 samples
    train = signals([np.r_[noise(300, 0)[:, 0], spikes]], "a")
    pair = only_pair(train, signals([np.r_[spikes, noise(300, 1)[:, 0]]], "b"), 200)
    assert [(s.first_start, s.second_start, s.samples) for s in pair.overlapping] == [(300, 0, 1000)]


def test_hits_are_looked_through_in_blocks(monkeypatch):
    monkeypatch.setattr("transplant.evaluation.shared_stretches._HITS_AT_ONCE", 7)
    beat = np.tile([0.0, 1, 3, 2, -1], 60)
    tail = noise(80, 1)[:, 0]
    train = signals([beat[:200], np.r_[beat[:40], tail]], "a")
    pair = only_pair(train, signals([np.r_[tail, beat[3:43]], np.r_[noise(100, 2)[:, 0], tail]], "b"), 60)
    got = [(s.first, s.second, s.first_start, s.second_start, s.samples) for s in pair.overlapping]
    assert got == [("a1", "b0", 40, 0, 80), ("a1", "b1", 40, 100, 80)]


def test_groups_in_both_parts_are_counted_where_check_disjoint_refuses_them():
    train = signals([noise(100, i) for i in range(4)], "a", ["p1", "p1", "p2", "p3"])
    test = signals([noise(100, 9 + i) for i in range(4)], "b", ["p3", "p1", "p4", "p3"])
    report = find_leakage({"train": train, "validation": None, "test": test})
    (pair,) = report.pairs
    assert pair.shared_groups == ("p1", "p3") and pair.records_of_shared_groups == 3
    line = str(report).split("\n")[0]
    assert line == (
        "train and test: 3 of 4 test records are of a group (patient or recording) that is in train too "
        "(groups in both: 2, p1, p3)"
    )
    with pytest.raises(SplitError, match=r"2 in both \(p1, p3\)"):
        check_disjoint(train.group_ids, test.group_ids)


def test_each_two_parts_are_compared():
    a, b, c = noise(200, 0), noise(200, 1), noise(400, 2)
    parts = {
        "train": signals([a, b], "t"),
        "validation": signals([c, b], "v"),
        "test": signals([c[100:300], a, noise(90, 5)], "s"),
    }
    report = find_leakage(parts)
    assert report.window == 25 and report.found
    assert [(pair.first, pair.second) for pair in report.pairs] == [
        ("train", "validation"),
        ("train", "test"),
        ("validation", "test"),
    ]
    assert [pair.identical for pair in report.pairs] == [(("t1", "v1"),), (("t0", "s1"),), ()]
    assert str(report).split("\n") == [
        "train and validation: 1 of 2 validation records are identical to one of train (v1 is t1)",
        "train and test: 1 of 3 test records are identical to one of train (s1 is t0)",
        "validation and test: 1 of 3 test records share a stretch with one of validation "
        "(s0 from sample 0 is v0 from 100, 200 samples)",
        "compared: whole records, stretches of 25 samples or more, and groups",
    ]
    written = json.loads(json.dumps(report.to_dict()))
    assert written["found"] is True and written["window"] == 25 and written["not_compared"] is None
    assert written["pairs"][1]["identical"] == [["t0", "s1"]]
    assert written["pairs"][2]["overlapping"] == [
        {"first": "v0", "second": "s0", "first_start": 100, "second_start": 0, "samples": 200}
    ]


def images(pixels, prefix):
    n = len(pixels)
    return LabelledSet(
        x=np.asarray(pixels, np.uint8)[..., None],
        lengths=np.full(n, np.shape(pixels)[1]),
        y=np.zeros(n),
        classes=("Hand",),
        record_ids=[f"{prefix}{i}" for i in range(n)],
        group_ids=[f"{prefix}{i}" for i in range(n)],
        sampling_rate_hz=None,
        leads=("grey",),
        dataset="pictures",
        label_version="1",
        unit="grey level",
    )


def test_images_are_compared_as_a_whole():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 40, 40))
    shifted = np.roll(pixels[0], 1, axis=0)
    brighter = np.clip(pixels[1].astype(int) + 1, 0, 255)
    report = find_leakage({"train": images(pixels, "a"), "test": images([shifted, pixels[4], brighter], "b")})
    assert report.pairs[0].identical == (("a4", "b1"),) and report.pairs[0].overlapping == ()
    assert report.window is None
    assert str(report).endswith("compared: whole records and groups; no stretches of signal, as these are images")


@pytest.mark.parametrize(
    "fields, why",
    [
        ({"rate": None}, "as these are steps without a rate"),
        ({"rate": 1 / 3600}, "as masks and imputed values repeat in tables"),
        ({"indicators": ("lead1",)}, "as masks and imputed values repeat in tables"),
    ],
)
def test_visits_and_tables_are_compared_as_a_whole(fields, why):
    a, b = noise(60, 0, leads=2), noise(80, 1, leads=2)
    train = signals([a, b], "a", **fields)
    report = find_leakage({"train": train, "test": signals([b, a[10:]], "b", **fields)})
    assert report.pairs[0].identical == (("a1", "b0"),) and report.pairs[0].overlapping == ()
    assert report.not_compared == why and report.window is None


def test_another_shape_with_the_same_bytes_is_not_identical():
    a = np.arange(12.0)
    train, test = signals([a.reshape(6, 2), a[:6].reshape(3, 2)], "a"), signals([a[:6].reshape(3, 2)], "b")
    assert only_pair(train, test).identical == (("a1", "b0"),)
    with pytest.raises(DataError, match=r"one shape. Received: \(2,\) in train, \(1,\) in test"):
        find_leakage({"train": train, "test": signals([a], "b")})
    with pytest.raises(DataError, match=r"one sampling_rate_hz. Received: 100.0 in train, 250.0 in test"):
        find_leakage({"train": train, "test": signals([a.reshape(6, 2)], "b", rate=250)})


@pytest.mark.parametrize("lengths, rate, expected", [((400, 900), 100, 100), ((178,), 173.61, 44), ((30, 500), 40, 16)])
def test_the_default_window(lengths, rate, expected):
    assert default_window([signals([noise(n, n) for n in lengths], "a", rate=rate)]) == expected
    # A quarter of a second at least.
    assert default_window([signals([noise(100, 0)], "a", rate=1000)]) == 250


def test_records_shorter_than_the_window_are_compared_as_a_whole():
    a = noise(30, 0)
    pair = only_pair(signals([a, noise(20, 1)], "a"), signals([a[:25], a, a[5:]], "b"), 40)
    assert pair.identical == (("a0", "b1"),) and pair.overlapping == ()


def test_what_cannot_be_looked_for_is_refused():
    train = signals([noise(100, 0)], "a")
    with pytest.raises(OptionError, match=r"4 samples or more. Received: window=3"):
        find_leakage({"train": train, "test": train}, 3)
    with pytest.raises(OptionError, match=r"between two parts. Received: train;"):
        find_leakage({"train": train, "test": None})
