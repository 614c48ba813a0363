"""From rhythm episodes and a heart to a noise-free ECG, and to a record."""

import dataclasses

import numpy as np

from transplant.datasets.icentia11k import RHYTHM_AFIB, RHYTHM_AFLUT, RHYTHM_NORMAL
from transplant.datasets.record import Record
from transplant.datasets.synthetic_atria import fibrillatory_waves, flutter_waves
from transplant.datasets.synthetic_morphology import draw_heart, render_beats
from transplant.datasets.synthetic_noise import noise_at
from transplant.datasets.synthetic_rhythm import BeatTrain, atrial_fibrillation, atrial_flutter, sinus_rhythm
from transplant.errors import OptionError

RHYTHM_CLASSES = {"sinus": RHYTHM_NORMAL, "afib": RHYTHM_AFIB, "aflut": RHYTHM_AFLUT}
COUNTS_PER_MV = 1000
LONGEST_S = 24 * 3600.0

_ONSET_S = 0.4  # atrial waves grow and fade over this time where an episode begins and ends


@dataclasses.dataclass(frozen=True)
class Episode:
    """A stretch of one rhythm.

    Attributes:
        rhythm: "sinus", "afib" or "aflut".
        start_s, end_s: seconds from the start of the recording.
        heart_rate_bpm: mean rate of the ventricles. In flutter it chooses the
            conduction ratio and the atrial rate unless `atrial_rate_hz` is given.
        pac_share, pvc_share: shares of premature beats in sinus rhythm.
        atrial_rate_hz: frequency of the f waves or flutter waves. None: 4.5-8.5 Hz
            by chance in fibrillation, from the heart rate in flutter.
        conduction_ratios: flutter waves per beat that occur. None: one constant
            ratio from the heart rate.
        atrial_amplitude_mv: half of peak to peak of the atrial waves at an R
            wave of 1 mV. None: by chance.
    """

    rhythm: str
    start_s: float
    end_s: float
    heart_rate_bpm: float
    pac_share: float = 0.0
    pvc_share: float = 0.0
    atrial_rate_hz: float | None = None
    conduction_ratios: tuple | None = None
    atrial_amplitude_mv: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class CleanEcg:
    """A noise-free ECG.

    Attributes:
        signal: float64 (time,) in mV.
        train: its `BeatTrain`, all beats within the signal.
        beat_positions: int64 (beats,) samples of the R peaks.
    """

    signal: np.ndarray
    train: BeatTrain
    beat_positions: np.ndarray


def draw_ecg(rng, heart, episodes, duration_s, sampling_rate_hz):
    """Draw the noise-free ECG of one patient.

    Args:
        rng: `np.random.Generator`.
        heart: `synthetic_morphology.Heart`.
        episodes: sequence of `Episode`, in order, without gaps, from 0 to `duration_s`.
        duration_s: length in seconds.
        sampling_rate_hz: samples per second.

    Returns:
        CleanEcg.
    """
    samples = round(duration_s * sampling_rate_hz)
    trains, atria = [], np.zeros(samples)
    last_s = -rng.uniform(0.1, 0.9)
    for episode in episodes:
        train, waves = _draw_episode(rng, heart, episode, last_s, samples, sampling_rate_hz)
        # The beats at the edges of the signal reach into it from outside.
        first_s = episode.start_s if trains else -1.0
        train = train.between(first_s, episode.end_s)
        if len(train.times_s):
            last_s = train.times_s[-1]
        trains.append(train)
        if waves is not None:
            first, waves = waves
            atria[first : first + len(waves)] += waves
    train = BeatTrain.join(trains)
    signal = render_beats(rng, heart, train, samples, sampling_rate_hz) + atria
    positions = np.rint(train.times_s * sampling_rate_hz).astype(np.int64)
    inside = (positions >= 0) & (positions < samples)
    train = BeatTrain(*(getattr(train, field.name)[inside] for field in dataclasses.fields(train)))
    return CleanEcg(signal, train, positions[inside])


def _draw_episode(rng, heart, episode, last_s, samples, sampling_rate_hz):
    """Return the episode's beats and None or (first sample, atrial waves)."""
    if episode.rhythm not in RHYTHM_CLASSES:
        raise OptionError(f"rhythm must be one of {', '.join(RHYTHM_CLASSES)}. Received: {episode.rhythm!r}")
    # Beats beyond the end reach back into the signal with their P waves.
    end_s = episode.end_s + 1.0
    if episode.rhythm == "sinus":
        rate, shares = episode.heart_rate_bpm, (episode.pac_share, episode.pvc_share)
        return sinus_rhythm(rng, last_s, end_s, rate, *shares), None
    first = round(episode.start_s * sampling_rate_hz)
    length = min(round(episode.end_s * sampling_rate_hz), samples) - first
    scale = heart.r_height_mv**0.5
    if episode.rhythm == "afib":
        frequency = rng.uniform(4.5, 8.5) if episode.atrial_rate_hz is None else episode.atrial_rate_hz
        amplitude = rng.uniform(0.03, 0.12) if episode.atrial_amplitude_mv is None else episode.atrial_amplitude_mv
        waves = fibrillatory_waves(rng, length, sampling_rate_hz, scale * amplitude, frequency)
        train = atrial_fibrillation(rng, last_s, end_s, episode.heart_rate_bpm)
    else:
        ratios, atrial_rate_hz = _flutter_conduction(episode)
        amplitude = rng.uniform(0.08, 0.2) if episode.atrial_amplitude_mv is None else episode.atrial_amplitude_mv
        delay_s = rng.uniform(0.0, 1.0) / atrial_rate_hz
        origin_s = last_s - delay_s - first / sampling_rate_hz
        waves = flutter_waves(length, sampling_rate_hz, scale * amplitude, atrial_rate_hz, origin_s)
        train = atrial_flutter(rng, last_s, end_s, atrial_rate_hz, ratios)
    return train, (first, waves * _fade(length, sampling_rate_hz, episode, samples))


def _flutter_conduction(episode):
    """Return (ratios, atrial rate in Hz) of a flutter episode.

    Raises:
        OptionError: if no ratio of 2:1 to 4:1 gives the heart rate at an atrial rate of 4-6 Hz.
    """
    if episode.conduction_ratios is not None and episode.atrial_rate_hz is not None:
        return episode.conduction_ratios, episode.atrial_rate_hz
    beats_hz = episode.heart_rate_bpm / 60.0
    ratio = int(np.clip(round(5.0 / beats_hz), 2, 4))
    if not 4.0 <= ratio * beats_hz <= 6.0:
        raise OptionError(
            "flutter at 4-6 Hz conducted 2:1 to 4:1 gives 60 to 180 beats per minute. "
            f"Received: heart_rate_bpm={episode.heart_rate_bpm}"
        )
    return (ratio,), ratio * beats_hz


def _fade(length, sampling_rate_hz, episode, samples):
    """Return weights that rise and fall where the episode borders on another one."""
    time = np.arange(length) / sampling_rate_hz
    weight = np.ones(length)
    if episode.start_s > 0.0:
        weight = np.minimum(weight, time / _ONSET_S)
    if round(episode.end_s * sampling_rate_hz) < samples:
        weight = np.minimum(weight, time[::-1] / _ONSET_S)
    return weight


def to_counts(signal):
    """Return the signal as an int16 recorder at 1000 counts per mV would store it.

    Args:
        signal: float (time,) in mV; beyond +-32.767 mV it is clipped.

    Returns:
        float32 (time, 1) in mV, every value a whole number of counts / 1000;
        and `adc_gain`, `adc_baseline` for `Record`.
    """
    counts = np.clip(np.rint(signal * COUNTS_PER_MV), -32768, 32767)
    stored = (counts / COUNTS_PER_MV).astype(np.float32)[:, None]
    return stored, np.array([float(COUNTS_PER_MV)]), np.array([0.0])


def render(
    rhythm="sinus",
    heart_rate_bpm=70.0,
    duration_s=30.0,
    sampling_rate_hz=250,
    seed=0,
    pac_share=0.0,
    pvc_share=0.0,
    conduction="normal",
    noise=0.0,
):
    """Draw one recording of an asked rhythm.

    Args:
        rhythm: "sinus", "afib" or "aflut".
        heart_rate_bpm: mean rate; of the sinus node where there are premature beats.
        duration_s: length in seconds.
        sampling_rate_hz: samples per second.
        seed: whose heart and which beats.
        pac_share, pvc_share: shares of premature beats (sinus rhythm only).
        conduction: "normal", or the blocked bundle branch "left" or "right".
        noise: standard deviation of the noise as a share of the ECG's; 0 is
            noise-free, 1 is 0 dB.

    Returns:
        Record: lead II, beats, one rhythm interval.

    Example:
        >>> render("afib", heart_rate_bpm=110, duration_s=10).signal.shape
        (2500, 1)
    """
    if not 0.0 < duration_s <= LONGEST_S:
        raise OptionError(f"duration_s must be above 0 and at most {LONGEST_S:g}. Received: {duration_s}")
    rng = np.random.default_rng(seed)
    heart = draw_heart(rng, conduction)
    episode = Episode(rhythm, 0.0, duration_s, heart_rate_bpm, pac_share, pvc_share)
    ecg = draw_ecg(rng, heart, [episode], duration_s, sampling_rate_hz)
    signal = ecg.signal
    if noise > 0.0:
        signal = signal + noise_at(rng, ecg.signal, sampling_rate_hz, -20.0 * np.log10(noise))
    stored, gain, baseline = to_counts(signal)
    return Record(
        name=f"{rhythm}_{seed}",
        patient=str(seed),
        signal=stored,
        sampling_rate_hz=sampling_rate_hz,
        leads=("II",),
        beat_positions=ecg.beat_positions,
        beat_classes=ecg.train.classes,
        rhythm_starts=np.array([0]),
        rhythm_ends=np.array([len(stored)]),
        rhythm_classes=np.array([RHYTHM_CLASSES[rhythm]], np.uint8),
        adc_gain=gain,
        adc_baseline=baseline,
    )
