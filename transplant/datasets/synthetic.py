"""The embedded recordings: synthetic patients and records, made from a seed.

Two faces: long annotated patients for pretraining (`long_recordings`, 250 Hz)
and short labelled records like those of CinC 2017 for fine-tuning
(`short_records`, 300 Hz). Record i depends on the seed and i alone, so that
asking for more records never changes the first ones. They let everything run
and be tested without a download; results on them are not evidence.
"""

import numpy as np

from transplant.datasets.icentia11k import RHYTHM_NOISE
from transplant.datasets.record import Record
from transplant.datasets.synthetic_morphology import draw_heart
from transplant.datasets.synthetic_noise import baseline_wander, lose_contact, noise_at, noise_mixture
from transplant.datasets.synthetic_recording import RHYTHM_CLASSES, Episode, draw_ecg, to_counts
from transplant.errors import OptionError

LONG_SAMPLING_RATE_HZ = 250
SHORT_SAMPLING_RATE_HZ = 300

# What a patient has, by index modulo the length: any ten patients in a row have all of it.
PROFILES = ("quiet", "pvc", "pac", "paroxysmal", "quiet", "both", "flutter", "pvc", "afib", "pac")

# Shares of CinC 2017 are .59, .09, .29 and .03; fibrillation and noise are
# less rare here, so that a small set has enough of each class.
SHORT_SHARES = {"N": 0.45, "A": 0.2, "O": 0.25, "~": 0.1}
OTHER_KINDS = ("bradycardia", "tachycardia", "pac", "pvc", "flutter", "left", "right")

_LONG, _SHORT, _SHORT_LABEL, _SHORT_LENGTH = range(4)  # independent random streams of one seed
_GOLDEN_RATIO = (5**0.5 - 1) / 2


def long_recordings(n_patients, seed, duration_s=600.0):
    """Yield `long_recording` of patients 0 to n_patients - 1.

    Args:
        n_patients: number of patients.
        seed: non-negative integer.
        duration_s: length of each recording in seconds.

    Yields:
        Record.

    Example:
        >>> [record.patient for record in long_recordings(2, seed=0, duration_s=20)]
        ['0', '1']
    """
    for patient in range(n_patients):
        yield long_recording(seed, patient, duration_s)


def long_recording(seed, patient, duration_s=600.0):
    """Draw one long annotated recording of one patient.

    Patients differ in beat shapes, bundle branches, rate, premature beats,
    rhythm (`PROFILES`), amplitude and noise. Premature beats come in some
    stretches and not in others, so that a patient's frames have several labels.
    In stretches of noise (below 0 dB) nobody could mark a beat: none is annotated.

    Args:
        seed: non-negative integer.
        patient: index of the patient.
        duration_s: length in seconds, at least 10.

    Returns:
        Record: 250 Hz, lead II; beats normal, pac and pvc at the R peaks;
        rhythms normal, afib, aflut and noise without gaps; int16 counts at
        1000 per mV.
    """
    if duration_s < 10.0:
        raise OptionError(f"a long recording lasts at least 10 s. Received: duration_s={duration_s}")
    rng = _generator(seed, _LONG, patient)
    rate_hz = LONG_SAMPLING_RATE_HZ
    profile = PROFILES[patient % len(PROFILES)]
    heart = draw_heart(rng, rng.choice(["normal", "left", "right"], p=[0.8, 0.1, 0.1]))
    episodes = _long_episodes(rng, profile, duration_s)
    ecg = draw_ecg(rng, heart, episodes, duration_s, rate_hz)
    samples = len(ecg.signal)

    rhythms = np.zeros(samples, np.uint8)
    for episode in episodes:
        rhythms[round(episode.start_s * rate_hz) : round(episode.end_s * rate_hz)] = RHYTHM_CLASSES[episode.rhythm]
    level = np.full(samples, 10.0 ** (-rng.uniform(8.0, 30.0) / 20.0))
    mixture = noise_mixture(rng, samples, rate_hz)
    for first, last in _noisy_stretches(rng, duration_s, rate_hz):
        rhythms[first:last] = RHYTHM_NOISE
        level[first:last] = 10.0 ** (rng.uniform(3.0, 12.0) / 20.0) / mixture[first:last].std()
    noise = ecg.signal.std() * level * mixture
    wander = rng.uniform(0.02, 0.25) * baseline_wander(rng, samples, rate_hz)
    signal = lose_contact(rng, ecg.signal + noise + wander + rng.normal(0.0, 0.1), rate_hz, rng.choice([0.0, 0.1, 0.5]))

    stored, gain, baseline = to_counts(signal)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(rhythms)) + 1, [samples]]).astype(np.int64)
    readable = rhythms[ecg.beat_positions] != RHYTHM_NOISE
    return Record(
        name=f"synthetic_{patient:05d}",
        patient=str(patient),
        signal=stored,
        sampling_rate_hz=rate_hz,
        leads=("II",),
        beat_positions=ecg.beat_positions[readable],
        beat_classes=ecg.train.classes[readable],
        rhythm_starts=edges[:-1],
        rhythm_ends=edges[1:],
        rhythm_classes=rhythms[edges[:-1]],
        adc_gain=gain,
        adc_baseline=baseline,
    )


def short_records(n, seed, duration_range_s=(9.0, 61.0), shares=None):
    """Yield `short_record` 0 to n - 1.

    Args:
        n: number of records.
        seed: non-negative integer.
        duration_range_s: shortest and longest record in seconds.
        shares: {label: share} for labels N, A, O, ~. Defaults to `SHORT_SHARES`.

    Yields:
        Record.

    Example:
        >>> [record.label for record in short_records(3, seed=0, shares={"A": 1})]
        ['A', 'A', 'A']
    """
    for index in range(n):
        yield short_record(seed, index, duration_range_s, shares)


def short_record(seed, index, duration_range_s=(9.0, 61.0), shares=None):
    """Draw one short labelled record; see `draw_short_record`."""
    return draw_short_record(seed, index, duration_range_s, shares)[0]


def draw_short_record(seed, index, duration_range_s=(9.0, 61.0), shares=None):
    """Draw one short labelled record and the ECG that is in it.

    Labels: N sinus rhythm at 60-100 beats per minute; A atrial fibrillation;
    O one of `OTHER_KINDS`; ~ any of these with noise above the ECG (-14 to
    -2 dB). Length, amplitude (rms of the whole record), polarity, offset and,
    apart from ~, noise are drawn alike for every label. The length is 30 s for
    half of the records, as for most of CinC 2017, and uniform over the range
    for the others. Labels follow the shares evenly in every stretch of records.

    Args:
        seed: non-negative integer.
        index: index of the record.
        duration_range_s: shortest and longest record in seconds.
        shares: {label: share} for labels N, A, O, ~. Defaults to `SHORT_SHARES`.

    Returns:
        Record: 300 Hz, lead "ECG", label, no beats; int16 counts at 1000 per mV;
        and float64 (time,) in mV: the noise-free ECG at its height in the record.
    """
    rate_hz = SHORT_SAMPLING_RATE_HZ
    samples = round(_short_duration_s(seed, index, duration_range_s) * rate_hz)
    duration_s = samples / rate_hz
    label = _short_label(seed, index, shares)
    rng = _generator(seed, _SHORT, index)
    heard = rng.choice(["N", "A", "O"]) if label == "~" else label
    conduction, episode = _short_episode(rng, heard, duration_s)
    clean = draw_ecg(rng, draw_heart(rng, conduction), [episode], duration_s, rate_hz).signal

    snr_db = rng.uniform(-14.0, -2.0) if label == "~" else rng.uniform(3.5, 25.0)
    signal = clean + noise_at(rng, clean, rate_hz, snr_db)
    signal += rng.uniform(0.05, 0.45) * clean.std() * baseline_wander(rng, samples, rate_hz)
    # The same height for records of every label: noise must not be told by its size.
    height = rng.lognormal(np.log(0.2), 0.35) / signal.std() * (-1.0 if rng.random() < 0.2 else 1.0)
    signal = height * (signal - signal.mean()) + rng.normal(0.0, 0.02)
    signal = lose_contact(rng, signal, rate_hz, rng.choice([0.0, 0.5, 2.0]))

    stored, gain, baseline = to_counts(signal)
    name = f"S{index:05d}"
    record = Record(
        name=name,
        patient=name,
        signal=stored,
        sampling_rate_hz=rate_hz,
        leads=("ECG",),
        label=label,
        adc_gain=gain,
        adc_baseline=baseline,
    )
    return record, height * clean


def _generator(*key):
    if any(part < 0 for part in key):
        raise OptionError(f"seed and index must be 0 or more. Received: seed={key[0]}, index={key[-1]}")
    return np.random.default_rng(key)


def _long_episodes(rng, profile, duration_s):
    """Return a patient's episodes from 0 to `duration_s`."""
    if profile == "afib":
        return [Episode("afib", 0.0, duration_s, rng.uniform(65.0, 130.0))]
    low, high = ((60.0, 95.0), (42.0, 58.0), (102.0, 130.0))[rng.choice(3, p=[0.7, 0.15, 0.15])]
    base_bpm = rng.uniform(low, high)
    arrhythmias = {"paroxysmal": ["afib"], "flutter": ["aflut", "afib"]}.get(profile, [])
    abnormal_next = bool(arrhythmias) and rng.random() < 0.5
    episodes, start_s, turn = [], 0.0, 0
    while start_s < duration_s:
        if abnormal_next:
            length_s = max(rng.uniform(0.1, 0.25) * duration_s, 5.0)
            rhythm = arrhythmias[turn % len(arrhythmias)]
            turn += 1
        else:
            length_s, rhythm = rng.uniform(20.0, 90.0), "sinus"
            if arrhythmias:
                length_s = max(rng.uniform(0.1, 0.25) * duration_s, 5.0)
        end_s = start_s + length_s
        # A rest of a few seconds is no episode of its own.
        end_s = duration_s if duration_s - end_s < 5.0 else end_s
        episodes.append(_long_episode(rng, profile, rhythm, start_s, end_s, base_bpm))
        start_s = end_s
        abnormal_next = bool(arrhythmias) and not abnormal_next
    return episodes


def _long_episode(rng, profile, rhythm, start_s, end_s, base_bpm):
    if rhythm == "afib":
        return Episode("afib", start_s, end_s, rng.uniform(75.0, 140.0))
    if rhythm == "aflut":
        return _flutter(rng, start_s, end_s)
    often = {"quiet": (0.1, 0.1), "pac": (0.55, 0.05), "pvc": (0.05, 0.55), "both": (0.4, 0.4)}
    shares = [_share(rng) if rng.random() < chance else 0.0 for chance in often.get(profile, (0.15, 0.15))]
    if start_s == 0.0:
        # However short the recording, a patient whose profile names a premature beat has one.
        named = {"pac": (0.1, 0.0), "pvc": (0.0, 0.1), "both": (0.1, 0.1)}.get(profile, (0.0, 0.0))
        shares = np.maximum(shares, named).tolist()
    bpm = float(np.clip(base_bpm * rng.normal(1.0, 0.03), 40.0, 135.0))
    return Episode("sinus", start_s, end_s, bpm, *shares)


def _share(rng):
    """Return the share of premature beats where there are some: mostly few, at times a quarter."""
    return float(np.exp(rng.uniform(np.log(0.03), np.log(0.25))))


def _flutter(rng, start_s, end_s):
    """Return a flutter episode at 4.6-5.6 Hz, with constant (mostly) or changing conduction."""
    ratios = ((2,), (3,), (4,), (2, 3, 4))[rng.choice(4, p=[0.3, 0.2, 0.25, 0.25])]
    atrial_rate_hz = rng.uniform(4.6, 5.6)
    bpm = 60.0 * atrial_rate_hz / float(np.mean(ratios))
    return Episode("aflut", start_s, end_s, bpm, atrial_rate_hz=atrial_rate_hz, conduction_ratios=ratios)


def _noisy_stretches(rng, duration_s, sampling_rate_hz):
    """Return (first, last) samples of stretches of noise: none in half of the patients."""
    if rng.random() < 0.5:
        return []
    stretches = []
    for _ in range(rng.integers(1, 4)):
        length_s = min(rng.uniform(5.0, 30.0), 0.1 * duration_s)
        first = int(rng.uniform(0.0, duration_s - length_s) * sampling_rate_hz)
        stretches.append((first, first + int(length_s * sampling_rate_hz)))
    return stretches


def _short_duration_s(seed, index, duration_range_s):
    shortest, longest = duration_range_s
    if not 5.0 <= shortest <= longest:
        raise OptionError(
            "duration_range_s is (shortest, longest) with 5 <= shortest <= longest seconds. "
            f"Received: {tuple(duration_range_s)}"
        )
    rng = _generator(seed, _SHORT_LENGTH, index)
    usual, any_length = rng.random() < 0.5, rng.uniform(shortest, longest)
    return 30.0 if usual and shortest <= 30.0 <= longest else any_length


def _short_label(seed, index, shares):
    """Return the label of a record: multiples of the golden ratio fill [0, 1) evenly at every n."""
    shares = SHORT_SHARES if shares is None else shares
    values = np.array(list(shares.values()), np.float64)
    if not set(shares) <= set(SHORT_SHARES) or not len(values) or values.min() < 0.0 or values.sum() <= 0.0:
        raise OptionError(f"shares gives labels N, A, O and ~ a share of 0 or more. Received: {shares}")
    place = (_generator(seed, _SHORT_LABEL, 0).random() + index * _GOLDEN_RATIO) % 1.0
    chosen = np.searchsorted(np.cumsum(values) / values.sum(), place, side="right")
    return list(shares)[min(chosen, len(values) - 1)]


def _short_episode(rng, label, duration_s):
    """Return (conduction, episode) of a record that is heard as N, A or O."""
    if label == "N":
        return "normal", Episode("sinus", 0.0, duration_s, rng.uniform(60.0, 100.0))
    if label == "A":
        return "normal", Episode("afib", 0.0, duration_s, rng.uniform(60.0, 150.0))
    kind = rng.choice(OTHER_KINDS)
    if kind == "flutter":
        return "normal", _flutter(rng, 0.0, duration_s)
    if kind == "bradycardia":
        return "normal", Episode("sinus", 0.0, duration_s, rng.uniform(35.0, 50.0))
    if kind == "tachycardia":
        return "normal", Episode("sinus", 0.0, duration_s, rng.uniform(110.0, 150.0))
    bpm = rng.uniform(60.0, 100.0)
    if kind in ("pac", "pvc"):
        share = rng.uniform(0.15, 0.45)
        return "normal", Episode("sinus", 0.0, duration_s, bpm, **{f"{kind}_share": share})
    return kind, Episode("sinus", 0.0, duration_s, bpm)
