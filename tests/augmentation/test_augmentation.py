"""What all transforms share: names, settings, padding, and numbers that (seed, epoch, batch) alone decides."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from transplant.augmentation.augmentation import TRANSFORMS, Augmentation
from transplant.augmentation.draws import Draws
from transplant.augmentation.resample import Resample
from transplant.augmentation.scale import Scale
from transplant.errors import OptionError

RATE = 250.0
NAMES = ("resample", "crop", "shift", "scale", "flip", "noise", "wander", "mains", "cutout")
LENGTHS = (1024, 1000, 512, 300, 70)


def batch(lengths=LENGTHS, time=1024, leads=1):
    x = np.random.default_rng(0).normal(size=(len(lengths), time, leads)).astype(np.float32)
    for record, length in zip(x, lengths):
        record[: time - length] = 0
    return x, np.array(lengths, np.int32)


def augment(augmentation, x, lengths, seed=1, epoch=0, number=0):
    y, new_lengths = augmentation(tf.constant(x), tf.constant(lengths), RATE, seed, epoch, number)
    assert (y.dtype, new_lengths.dtype) == (tf.float32, tf.int32)
    return y.numpy(), new_lengths.numpy()


def with_probability(probability, names=NAMES):
    return Augmentation(tuple(TRANSFORMS[name](probability=probability) for name in names))


def test_a_text_names_the_transforms():
    assert tuple(TRANSFORMS) == NAMES
    assert str(Augmentation.parse("all")) == ",".join(NAMES)
    assert str(Augmentation.parse("cutout, scale,shift")) == "shift,scale,cutout"
    assert Augmentation.parse("none") == Augmentation() and not Augmentation.parse("none")
    assert str(Augmentation()) == "none"
    assert Augmentation.parse("scale").transforms == (Scale(),)


@pytest.mark.parametrize("text", ["", "scale,", "scale,scale", "all,scale", "blur", "Scale"])
def test_other_texts_are_refused(text):
    with pytest.raises(OptionError, match=r"different ones of resample, crop.* Received: "):
        Augmentation.parse(text)


def test_settings_are_ready_for_json():
    settings = json.loads(json.dumps(Augmentation.parse("all").to_dict()))
    assert tuple(settings) == NAMES
    assert settings["resample"] == {"probability": 0.5, "factors": [0.9, 1.1]}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {"probability": 1.01}) for name in NAMES),
        ("scale", {"factors": (0.0, 1.0)}),
        ("scale", {"factors": (2.0, 1.0)}),
        ("resample", {"factors": (-1.0, 1.0)}),
        ("crop", {"shares": (0.5, 1.1)}),
        ("shift", {"seconds": (-1.0, 1.0)}),
        ("cutout", {"seconds": (1.0, 0.5)}),
        ("noise", {"snr_db": (20.0, 10.0)}),
        ("noise", {"exponents": (0.0, 3.0)}),
        ("wander", {"amplitudes": (-0.1, 0.1)}),
        ("mains", {"amplitudes": (0.2, 0.1)}),
        ("scale", {"factors": (float("nan"), 1.0)}),
    ],
)
def test_settings_out_of_range_are_refused(name, settings):
    with pytest.raises(OptionError, match=f"^{name}: .*Received: "):
        TRANSFORMS[name](**settings)


def test_mains_needs_a_rate_that_carries_it():
    with pytest.raises(OptionError, match=r"mains needs a sampling rate above 120 Hz\. Received: 100 Hz"):
        Augmentation.parse("all").check(100.0)
    Augmentation.parse("all").check(121.0)
    Augmentation.parse("scale,noise").check(50.0)


def test_the_longest_stretch_is_that_of_resample():
    assert Augmentation.parse("all").longest_stretch == 1.1
    assert Augmentation.parse("scale,shift").longest_stretch == 1.0
    assert Augmentation((Resample(factors=(0.8, 0.9)),)).longest_stretch == 1.0


@pytest.mark.parametrize("names", [*((name,) for name in NAMES), NAMES])
def test_probability_0_changes_nothing_and_1_every_record(names):
    x, lengths = batch(leads=2)
    same, same_lengths = augment(with_probability(0.0, names), x, lengths)
    np.testing.assert_array_equal(same, x)
    np.testing.assert_array_equal(same_lengths, lengths)
    other, _ = augment(with_probability(1.0, names), x, lengths)
    assert (other != x).any(axis=(1, 2)).all()


def test_each_record_is_drawn_for_itself():
    x, lengths = batch([4] * 3000, time=4)
    changed = (augment(with_probability(0.3, ("flip",)), x, lengths)[0] != x).any(axis=(1, 2))
    assert scipy.stats.binomtest(int(changed.sum()), 3000, 0.3).pvalue > 0.01
    assert changed[:1500].sum() > 300 and changed[1500:].sum() > 300


@pytest.mark.parametrize("names", [*((name,) for name in NAMES), NAMES])
def test_padding_stays_zero_and_no_record_begins_with_zero(names):
    x, lengths = batch([1024, 1000, 700, 257, 20, 3, 2, 1] * 4, leads=2)
    for seed in range(3):
        y, new_lengths = augment(with_probability(1.0, names), x, lengths, seed)
        assert np.isfinite(y).all() and (new_lengths >= 1).all() and (new_lengths <= 1024).all()
        for record, n in zip(y, new_lengths):
            assert not record[: 1024 - n].any() and record[1024 - n].any()


def test_a_silent_beginning_is_made_visible():
    x = np.ones((1, 8, 2), np.float32)
    x[0, :5] = 0
    y, _ = augment(Augmentation((Scale(1.0, (1.0, 1.0)),)), x, np.array([6], np.int32))
    assert (y[0, 2] == np.float32(1e-3)).all()
    assert not y[0, :2].any() and not y[0, 3:5].any()
    x[0, 2, 1] = 1.0  # one lead is enough
    y, _ = augment(Augmentation((Scale(1.0, (1.0, 1.0)),)), x, np.array([6], np.int32))
    np.testing.assert_array_equal(y, x)


def test_the_numbers_depend_on_seed_epoch_and_batch_alone():
    x, lengths = batch()
    augmentation = with_probability(1.0)

    def traced():
        call = tf.function(lambda x, lengths, number: augmentation(x, lengths, RATE, 2**32 - 1, 3, number))
        return lambda number: call(tf.constant(x), tf.constant(lengths), tf.constant(number, tf.int64))[0].numpy()

    one, other = traced(), traced()
    first = [one(number) for number in (0, 1, 2)]
    # Another graph that begins later, as a run that goes on does.
    np.testing.assert_array_equal(other(2), first[2])
    np.testing.assert_array_equal(other(0), first[0])
    variants = [augment(augmentation, x, lengths, *key)[0] for key in ((1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1))]
    variants += first
    for i, a in enumerate(variants):
        for b in variants[:i]:
            assert (a != b).any(axis=(1, 2)).all()


def test_what_one_transform_draws_does_not_depend_on_the_others():
    x, lengths = batch([64] * 200, time=64)
    scaled, _ = augment(Augmentation.parse("scale"), x, lengths)
    both, _ = augment(Augmentation.parse("scale,flip"), x, lengths)
    np.testing.assert_array_equal(np.abs(both), np.abs(scaled))
    # Nor are two of them drawn together: whether one changes a record says nothing of another.
    is_scaled, is_flipped = (scaled != x).any(axis=(1, 2)), (both != scaled).any(axis=(1, 2))
    assert (
        scipy.stats.fisher_exact(
            [
                [np.sum(is_scaled & is_flipped), np.sum(is_scaled & ~is_flipped)],
                [np.sum(~is_scaled & is_flipped), np.sum(~is_scaled & ~is_flipped)],
            ]
        )[1]
        > 0.01
    )


def test_leads_move_together():
    x, lengths = batch(leads=2)
    x[..., 1] = 2 * x[..., 0]
    y, _ = augment(with_probability(1.0, ("resample", "crop", "shift", "scale", "flip", "cutout")), x, lengths)
    np.testing.assert_array_equal(y[..., 1], 2 * y[..., 0])


def test_whole_numbers_are_drawn_from_the_lowest_to_the_highest():
    draws = Draws(tf.constant([1, 2], tf.int64))
    found = draws.integers(tf.fill([4000], 3), tf.fill([4000], 7)).numpy()
    assert np.bincount(found, minlength=9)[3:8].min() > 650 and set(found) == {3, 4, 5, 6, 7}
    assert (draws.integers(tf.constant([5]), tf.constant([5])).numpy() == 5).all()
    assert (draws.uniform([3]).numpy() != draws.uniform([3]).numpy()).all()


def test_settings_cannot_be_changed_and_the_module_is_light():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Scale().probability = 1.0
    code = (
        "import sys; from transplant.augmentation.augmentation import Augmentation; "
        "Augmentation.parse('all').to_dict(); sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
