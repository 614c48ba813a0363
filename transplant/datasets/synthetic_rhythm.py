"""When synthetic hearts beat: sinus rhythm with ectopic beats, fibrillation, flutter.

Sources: respiratory and 0.1 Hz modulation of the RR interval as in McSharry et
al. (2003); the compensatory pause: a ventricular ectopic beat leaves the sinus
node's clock running and only hides one of its beats, an atrial one resets it.
"""

import dataclasses

import numpy as np

from transplant.datasets.icentia11k import BEAT_NORMAL, BEAT_PAC, BEAT_PVC
from transplant.errors import OptionError

SHORTEST_RR_S = 0.28  # about the refractory period of the atrioventricular node


@dataclasses.dataclass(frozen=True, eq=False)
class BeatTrain:
    """Beats in order of time.

    Attributes:
        times_s: float64 (beats,) times of the R peaks in seconds.
        classes: uint8 (beats,) `icentia11k` beat classes (normal, pac, pvc).
        has_p: bool (beats,) whether an atrial contraction precedes the beat.
        rr_s: float64 (beats,) interval that the beat ends, in seconds; for the
            first beat the one it would have ended.
    """

    times_s: np.ndarray
    classes: np.ndarray
    has_p: np.ndarray
    rr_s: np.ndarray

    def between(self, start_s, end_s):
        """Return the beats with start_s <= time < end_s."""
        keep = (self.times_s >= start_s) & (self.times_s < end_s)
        return BeatTrain(self.times_s[keep], self.classes[keep], self.has_p[keep], self.rr_s[keep])

    @staticmethod
    def join(trains):
        """Return one train of trains that follow each other."""
        return BeatTrain(*(np.concatenate([getattr(t, f.name) for t in trains]) for f in dataclasses.fields(BeatTrain)))


def sinus_rhythm(rng, start_s, end_s, heart_rate_bpm, pac_share=0.0, pvc_share=0.0, respiratory_depth=None):
    """Draw sinus rhythm, with premature beats if asked.

    The RR interval follows breathing (0.17-0.32 Hz), the 0.1 Hz blood-pressure
    wave, a slow drift and a little noise. A premature ventricular beat comes at
    the patient's coupling interval and is followed by a full compensatory
    pause: the intervals around it add up to the two it replaces. A premature
    atrial beat resets the sinus node: the interval after it is about one cycle.

    Args:
        rng: `np.random.Generator`.
        start_s: time of the previous beat; the first beat is one interval later.
        end_s: beats come before this time.
        heart_rate_bpm: mean sinus rate.
        pac_share, pvc_share: shares of all beats that are premature atrial or
            ventricular, together at most 0.5 (every second beat).
        respiratory_depth: amplitude of the respiratory modulation as a share of
            the RR interval. Defaults to a draw from 0.01 to 0.08.

    Returns:
        BeatTrain.
    """
    if pac_share < 0 or pvc_share < 0 or pac_share + pvc_share > 0.5:
        raise OptionError(
            "pac_share and pvc_share must be at least 0 and together at most 0.5. "
            f"Received: pac_share={pac_share}, pvc_share={pvc_share}"
        )
    cycle = _cycle_s(heart_rate_bpm)
    # Premature atrial beats shorten a train: a quarter more beats than the mean needs.
    beats = int((end_s - start_s) / cycle * 1.4) + 8
    clock = np.arange(beats) * cycle
    if respiratory_depth is None:
        respiratory_depth = rng.uniform(0.01, 0.08)
    drift = np.interp(clock, np.arange(0.0, clock[-1] + 60.0, 30.0), _smooth_walk(rng, clock[-1]))
    modulation = (
        respiratory_depth * np.sin(2.0 * np.pi * (rng.uniform(0.17, 0.32) * clock + rng.random()))
        + rng.uniform(0.005, 0.02) * np.sin(2.0 * np.pi * (rng.uniform(0.08, 0.12) * clock + rng.random()))
        + drift
        + rng.normal(0.0, 0.006, beats)
    )
    rr = cycle * (1.0 + modulation - modulation.mean())
    classes = np.full(beats, BEAT_NORMAL, np.uint8)
    early = _premature_positions(rng, beats, pac_share + pvc_share)
    if len(early):
        is_pac = rng.random(len(early)) * (pac_share + pvc_share) < pac_share
        pac, pvc = early[is_pac], early[~is_pac]
        classes[pac], classes[pvc] = BEAT_PAC, BEAT_PVC
        # The T wave needs its time: at fast rates an early beat is less early.
        lowest = max(0.55, min(0.9, (SHORTEST_RR_S + 0.06) / cycle))
        pac_coupling = np.clip(rng.uniform(0.6, 0.75) + rng.normal(0.0, 0.04, len(pac)), lowest, 0.9)
        pvc_coupling = np.clip(rng.uniform(0.58, 0.72) + rng.normal(0.0, 0.015, len(pvc)), lowest, 0.9)
        rr[pvc + 1] += (1.0 - pvc_coupling) * rr[pvc]
        rr[pvc] *= pvc_coupling
        rr[pac] *= pac_coupling
        rr[pac + 1] *= rng.uniform(1.0, 1.12, len(pac))
    times = start_s + np.cumsum(rr)
    return BeatTrain(times, classes, classes != BEAT_PVC, rr).between(start_s, end_s)


def atrial_fibrillation(rng, start_s, end_s, heart_rate_bpm, variation=None):
    """Draw atrial fibrillation: no P waves, independent RR intervals.

    Args:
        rng: `np.random.Generator`.
        start_s: time of the previous beat; the first beat is one interval later.
        end_s: beats come before this time.
        heart_rate_bpm: mean ventricular rate.
        variation: coefficient of variation of the RR interval. Defaults to a draw from 0.16 to 0.3.

    Returns:
        BeatTrain.

    Source: RR intervals in fibrillation behave as independent draws from a
    skewed distribution (Bootsma et al. 1970); here a shifted gamma distribution.
    """
    cycle = _cycle_s(heart_rate_bpm)
    variation = rng.uniform(0.16, 0.3) if variation is None else variation
    beats = int((end_s - start_s) / cycle * 1.5) + 12
    above = max(cycle - SHORTEST_RR_S, 0.05)
    # Mean `above`, standard deviation variation * cycle.
    shape = (above / (variation * cycle)) ** 2
    rr = cycle - above + rng.gamma(shape, above / shape, beats)
    times = start_s + np.cumsum(rr)
    return BeatTrain(times, np.full(beats, BEAT_NORMAL, np.uint8), np.zeros(beats, bool), rr).between(start_s, end_s)


def atrial_flutter(rng, start_s, end_s, atrial_rate_hz, conduction=(2, 3, 4), change=0.1):
    """Draw atrial flutter: every n-th flutter wave is conducted.

    Args:
        rng: `np.random.Generator`.
        start_s: time of the previous beat; the first beat is one interval later.
        end_s: beats come before this time.
        atrial_rate_hz: flutter waves per second, about 5.
        conduction: the ratios n:1 that occur.
        change: probability that a beat changes the ratio.

    Returns:
        BeatTrain; its beats lie at `start_s` plus whole numbers of flutter waves
        (within 5 ms).
    """
    beats = int((end_s - start_s) * atrial_rate_hz / min(conduction)) + 4
    drawn = rng.choice(conduction, beats)
    since = np.maximum.accumulate(np.where(rng.random(beats) < change, np.arange(beats), 0))
    times = start_s + np.cumsum(drawn[since]) / atrial_rate_hz + rng.normal(0.0, 0.002, beats)
    rr = np.diff(times, prepend=start_s)
    return BeatTrain(times, np.full(beats, BEAT_NORMAL, np.uint8), np.zeros(beats, bool), rr).between(start_s, end_s)


def _cycle_s(heart_rate_bpm):
    if not 20.0 <= heart_rate_bpm <= 200.0:
        raise OptionError(f"a heart rate lies between 20 and 200 beats per minute. Received: {heart_rate_bpm}")
    return 60.0 / heart_rate_bpm


def _smooth_walk(rng, duration_s):
    """Return drift values (share of the RR interval) every 30 s."""
    return rng.uniform(0.0, 0.02) * rng.normal(0.0, 1.0, len(np.arange(0.0, duration_s + 60.0, 30.0)))


def _premature_positions(rng, beats, share):
    """Return indices of premature beats, never two in a row, never at the ends.

    Half of the patients have them at a constant distance (bigeminy, trigeminy,
    ...) where the share is large enough to see it.
    """
    if share <= 0.0:
        return np.zeros(0, np.int64)
    count = int(beats * share) + 2
    mean_gap = 1.0 / share
    if mean_gap < 6.0 and rng.random() < 0.5:
        gaps = np.full(count, max(2, round(mean_gap)))
    else:
        gaps = 1 + rng.geometric(1.0 / max(mean_gap - 1.0, 1.0), count)
    gaps[0] = rng.integers(2, max(3, min(6, int(mean_gap) + 1))) if mean_gap < 12 else gaps[0] + 1
    positions = np.cumsum(gaps)
    return positions[positions < beats - 2]
