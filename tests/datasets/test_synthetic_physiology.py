"""Synthetic ECG against what textbooks say about it, measured on the signal."""

import dataclasses

import numpy as np
import pytest
import scipy.signal

from transplant.datasets.icentia11k import BEAT_NORMAL, BEAT_PAC, BEAT_PVC, RHYTHM_AFIB, RHYTHM_AFLUT
from transplant.datasets.synthetic_morphology import add_waves, draw_heart, ecgsyn_shape
from transplant.datasets.synthetic_recording import Episode, draw_ecg, render
from transplant.errors import OptionError

RATE_HZ = 250
SEEDS = range(8)


def rr_s(record):
    return np.diff(record.beat_positions) / record.sampling_rate_hz


def autocorrelation(values, lags):
    centred = values - values.mean()
    return np.array([np.mean(centred[:-lag] * centred[lag:]) for lag in lags]) / np.mean(centred**2)


def mean_beat(record, before_s, after_s, beat_class=BEAT_NORMAL):
    """Average of the signal around the beats of a class, R peak at before_s."""
    before, after = round(before_s * RATE_HZ), round(after_s * RATE_HZ)
    positions = record.beat_positions[record.beat_classes == beat_class]
    positions = positions[(positions >= before) & (positions < len(record.signal) - after)]
    return np.mean([record.signal[p - before : p + after, 0] for p in positions], axis=0)


def qrs_width_ms(beat, peak):
    """Time from the first to the last sample above a tenth of the peak, P and T outside."""
    window = np.abs(beat[peak - round(0.08 * RATE_HZ) : peak + round(0.15 * RATE_HZ)])
    above = np.flatnonzero(window > 0.1 * abs(beat[peak]))
    return (above[-1] - above[0]) / RATE_HZ * 1000.0


def atria_only(rhythm, heart_rate_bpm, seed, duration_s=60.0):
    """The ECG of a heart whose beats have no height: atrial waves are left."""
    heart = draw_heart(np.random.default_rng(seed))
    silent = {k: dataclasses.replace(s, heights_mv=0.0 * s.heights_mv) for k, s in heart.shapes.items()}
    heart = dataclasses.replace(heart, shapes=silent)
    episode = Episode(rhythm, 0.0, duration_s, heart_rate_bpm)
    return draw_ecg(np.random.default_rng(seed), heart, [episode], duration_s, RATE_HZ)


def spectral_peak_hz(signal):
    frequency, power = scipy.signal.welch(signal, RATE_HZ, nperseg=2048)
    return frequency[np.argmax(power)]


def test_the_table_of_ecgsyn_gives_its_wave_heights():
    shape = ecgsyn_shape()
    # a * b^2 over the R wave's 30 * 0.01, by hand from table I.
    assert dict(zip(shape.names, shape.heights_mv)) == pytest.approx(
        {"P": 0.25, "Q": -1 / 6, "R": 1.0, "S": -0.25, "T": 0.4}
    )
    assert shape.offsets_s * 360 == pytest.approx([-70, -15, 0, 15, 100])


def test_waves_are_gaussians_at_their_places_and_may_reach_beyond_the_signal():
    signal = np.zeros(500)
    centres, widths, heights = np.array([0.01, 0.5033, 1.99]), np.array([0.05, 0.02, 0.04]), np.array([1.0, -2.0, 0.5])
    add_waves(signal, RATE_HZ, centres, widths, heights)
    time = np.arange(500)[:, None] / RATE_HZ
    expected = (heights * np.exp(-((time - centres) ** 2) / (2 * widths**2))).sum(axis=1)
    assert np.abs(signal - expected).max() < 1e-3


@pytest.mark.parametrize("bpm", [40, 70, 120, 150])
def test_sinus_rhythm_has_the_asked_rate_in_the_signal_itself(bpm):
    record = render("sinus", bpm, duration_s=120, seed=bpm)
    steep = np.abs(np.diff(record.signal[:, 0]))
    found, _ = scipy.signal.find_peaks(steep, height=0.4 * steep.max(), distance=round(0.25 * RATE_HZ))
    assert len(found) / 2 == pytest.approx(bpm, abs=3)
    assert 60 / rr_s(record).mean() == pytest.approx(bpm, rel=0.03)


@pytest.mark.parametrize("bpm", [70, 110, 140])
def test_fibrillation_has_the_asked_mean_rate(bpm):
    assert 60 / rr_s(render("afib", bpm, duration_s=600, seed=bpm)).mean() == pytest.approx(bpm, rel=0.04)


@pytest.mark.parametrize("seed", SEEDS)
def test_rr_intervals_vary_and_forget_in_fibrillation_but_not_in_sinus_rhythm(seed):
    sinus = rr_s(render("sinus", 75, duration_s=600, seed=seed))
    fibrillation = rr_s(render("afib", 75, duration_s=600, seed=seed))
    assert sinus.std() / sinus.mean() < 0.1
    assert fibrillation.std() / fibrillation.mean() > 0.13
    # 750 independent intervals: a coefficient has a standard error of 0.037.
    lags = range(1, 11)
    assert np.abs(autocorrelation(fibrillation, lags)).max() < 0.15
    assert np.abs(autocorrelation(sinus, lags)).max() > 0.25
    assert fibrillation.min() > 0.25


@pytest.mark.parametrize("seed", SEEDS)
def test_a_p_wave_precedes_the_qrs_in_sinus_rhythm_only(seed):
    def p_energy(rhythm):
        beat = mean_beat(render(rhythm, 65, duration_s=300, seed=seed), 0.24, 0.0)
        return np.var(beat[: round(0.14 * RATE_HZ)])

    assert p_energy("sinus") > 8 * p_energy("afib")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_beat_is_annotated_at_the_peak_of_its_qrs(seed):
    for conduction in ("normal", "left", "right"):
        record = render(seed=seed, duration_s=60, pvc_share=0.2, conduction=conduction)
        for position in record.beat_positions[1:-1]:
            around = np.abs(record.signal[position - 20 : position + 21, 0])
            assert abs(np.argmax(around) - 20) <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_the_qrs_is_narrow_but_for_ventricular_beats_and_bundle_branch_block(seed):
    ectopic = render("sinus", 60, duration_s=300, seed=seed, pac_share=0.1, pvc_share=0.1)
    width = {k: qrs_width_ms(mean_beat(ectopic, 0.2, 0.2, k), 50) for k in (BEAT_NORMAL, BEAT_PAC, BEAT_PVC)}
    assert 40 <= width[BEAT_NORMAL] < 120
    assert width[BEAT_PAC] == pytest.approx(width[BEAT_NORMAL], abs=12)
    assert width[BEAT_PVC] >= 120
    for side in ("left", "right"):
        assert qrs_width_ms(mean_beat(render(duration_s=60, seed=seed, conduction=side), 0.2, 0.2), 50) >= 120


@pytest.mark.parametrize("seed", SEEDS)
def test_a_ventricular_beat_has_no_p_wave_a_discordant_t_and_a_full_pause(seed):
    record = render("sinus", 60, duration_s=600, seed=seed, pvc_share=0.1)
    rr, classes = rr_s(record), record.beat_classes
    ventricular = np.flatnonzero(classes[2:-2] == BEAT_PVC) + 2
    # rr[k - 1] ends at beat k; the sinus cycle is the median of the beats that have no ectopic neighbour.
    ordinary = np.median(rr[(classes[1:] == BEAT_NORMAL) & (classes[:-1] == BEAT_NORMAL)])
    assert len(ventricular) > 30
    assert np.mean(rr[ventricular - 1]) < 0.8 * ordinary
    assert np.mean(rr[ventricular - 1] + rr[ventricular]) == pytest.approx(2 * ordinary, rel=0.03)
    beat = mean_beat(record, 0.2, 0.5, BEAT_PVC)
    later = beat[50 + round(0.2 * RATE_HZ) :]
    t_wave = later[np.argmax(np.abs(later))]
    assert np.sign(t_wave) == -np.sign(beat[50]) and abs(t_wave) > 0.15 * abs(beat[50])


@pytest.mark.parametrize("seed", SEEDS)
def test_an_atrial_beat_is_early_and_its_pause_is_not_full(seed):
    record = render("sinus", 60, duration_s=600, seed=seed, pac_share=0.1)
    rr, classes = rr_s(record), record.beat_classes
    atrial = np.flatnonzero(classes[2:-2] == BEAT_PAC) + 2
    ordinary = np.median(rr[(classes[1:] == BEAT_NORMAL) & (classes[:-1] == BEAT_NORMAL)])
    assert np.mean(rr[atrial - 1]) < 0.85 * ordinary
    assert np.mean(rr[atrial - 1] + rr[atrial]) < 1.9 * ordinary
    # Another P wave than the sinus node's, at the same time before the QRS.
    early, usual = (mean_beat(record, 0.24, 0.0, k)[: round(0.14 * RATE_HZ)] for k in (BEAT_PAC, BEAT_NORMAL))
    assert np.abs(early - usual).max() > 0.02


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5])
def test_premature_beats_are_as_frequent_as_asked_and_never_two_in_a_row(share):
    shares = [
        np.mean(render("sinus", 80, duration_s=600, seed=s, pvc_share=share).beat_classes == BEAT_PVC) for s in range(4)
    ]
    assert np.mean(shares) == pytest.approx(share, rel=0.2)
    early = render("sinus", 80, duration_s=600, seed=1, pac_share=share / 2, pvc_share=share / 2).beat_classes > 1
    assert not np.any(early[1:] & early[:-1])


@pytest.mark.parametrize("seed", SEEDS)
def test_fibrillating_atria_wave_at_four_to_nine_hz(seed):
    ecg = atria_only("afib", 80, seed)
    assert 4 <= spectral_peak_hz(ecg.signal) <= 9
    assert 0.02 < np.abs(ecg.signal).max() < 0.6
    frequency, power = scipy.signal.welch(ecg.signal, RATE_HZ, nperseg=2048)
    assert power[(frequency >= 3.5) & (frequency <= 9.5)].sum() > 0.7 * power.sum()


@pytest.mark.parametrize(("bpm", "ratio"), [(150, 2), (100, 3), (75, 4)])
def test_flutter_conducts_every_nth_wave_at_five_hz(bpm, ratio):
    ecg = atria_only("aflut", bpm, seed=bpm)
    assert spectral_peak_hz(ecg.signal) == pytest.approx(5.0, abs=0.1)
    rr = np.diff(ecg.train.times_s)
    assert rr * 5.0 == pytest.approx(ratio, abs=0.06)
    # A sawtooth: it rises faster than it falls.
    slope = np.diff(ecg.signal)
    assert slope.max() > 1.5 * -slope.min()
    assert render("aflut", bpm, seed=1).rhythm_classes.tolist() == [RHYTHM_AFLUT]


def test_changing_conduction_stays_between_two_and_four_to_one():
    episode = Episode("aflut", 0.0, 300.0, 100.0, atrial_rate_hz=5.0, conduction_ratios=(2, 3, 4))
    rng = np.random.default_rng(3)
    ecg = draw_ecg(rng, draw_heart(rng), [episode], 300.0, RATE_HZ)
    waves = np.diff(ecg.train.times_s) * 5.0
    assert set(np.rint(waves).astype(int)) == {2, 3, 4}
    assert np.abs(waves - np.rint(waves)).max() < 0.08


def test_atrial_waves_and_beats_change_where_the_rhythm_does():
    rng = np.random.default_rng(5)
    heart = draw_heart(rng)
    episodes = [Episode("sinus", 0, 100, 70), Episode("afib", 100, 200, 110), Episode("sinus", 200, 300, 70)]
    ecg = draw_ecg(rng, heart, episodes, 300, RATE_HZ)
    rr = np.diff(ecg.train.times_s)
    assert ecg.train.has_p.tolist() == [not 100 <= t < 200 for t in ecg.train.times_s]
    assert rr.min() > 0.25 and rr.max() < 2.0
    silent = {k: dataclasses.replace(s, heights_mv=0.0 * s.heights_mv) for k, s in heart.shapes.items()}
    atria = draw_ecg(rng, dataclasses.replace(heart, shapes=silent), episodes, 300, RATE_HZ).signal
    assert not atria[: 100 * RATE_HZ].any() and not atria[200 * RATE_HZ :].any()
    assert atria[101 * RATE_HZ : 199 * RATE_HZ].std() > 0.01
    # Nothing jumps at the edges: no step is larger than inside the episode.
    assert np.abs(np.diff(atria)).max() == np.abs(np.diff(atria[101 * RATE_HZ : 199 * RATE_HZ])).max()


def test_render_describes_what_it_drew_and_repeats_it():
    record = render("afib", 90, duration_s=12.5, sampling_rate_hz=360, seed=4)
    assert record.signal.shape == (4500, 1) and record.signal.dtype == np.float32
    assert record.rhythm_classes.tolist() == [RHYTHM_AFIB] and record.rhythm_ends.tolist() == [4500]
    again = render("afib", 90, duration_s=12.5, sampling_rate_hz=360, seed=4)
    assert np.array_equal(record.signal, again.signal) and np.array_equal(record.beat_positions, again.beat_positions)
    assert not np.array_equal(record.signal, render("afib", 90, duration_s=12.5, sampling_rate_hz=360, seed=5).signal)


def test_noise_is_added_at_the_asked_size():
    clean, noisy = render(seed=6), render(seed=6, noise=0.5)
    assert np.array_equal(clean.beat_positions, noisy.beat_positions)
    assert (noisy.signal - clean.signal).std() == pytest.approx(0.5 * clean.signal.std(), rel=0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rhythm": "vt"},
        {"heart_rate_bpm": 300.0},
        {"rhythm": "aflut", "heart_rate_bpm": 40.0},
        {"pac_share": 0.4, "pvc_share": 0.4},
        {"conduction": "middle"},
        {"duration_s": 0.0},
    ],
)
def test_what_no_heart_does_is_refused(wrong):
    with pytest.raises(OptionError, match="Received"):
        render(**wrong)
