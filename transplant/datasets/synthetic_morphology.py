"""Shapes of synthetic heart beats: sums of Gaussians with ECGSYN's parameters.

Source: McSharry, Clifford, Tarassenko, Smith, "A dynamical model for
generating synthetic electrocardiogram signals", IEEE Trans Biomed Eng 50(3),
2003, table I. There a beat is one turn of 2 pi; at 60 beats per minute an angle
theta is theta / (2 pi) seconds from the R peak, and a wave (a_i, b_i) is a
Gaussian of height a_i * b_i^2 and standard deviation b_i (radians).
"""

import dataclasses
import math

import numpy as np

from transplant.datasets.icentia11k import BEAT_NORMAL, BEAT_PAC, BEAT_PVC
from transplant.errors import OptionError

ECGSYN_WAVES = ("P", "Q", "R", "S", "T")
ECGSYN_ANGLES_DEGREES = np.array([-70.0, -15.0, 0.0, 15.0, 100.0])
ECGSYN_A = np.array([1.2, -5.0, 30.0, -7.5, 0.75])
ECGSYN_B = np.array([0.25, 0.1, 0.1, 0.1, 0.4])

CONDUCTIONS = ("normal", "left", "right")

# ECGSYN's table gives a QRS of about 150 ms and a P wave of about 160 ms at 60
# beats per minute; narrowing both to these shares puts them at about 75-110 ms.
_QRS_SHARE = (0.65, 0.82)
_P_WIDTH_SHARE = (0.5, 0.7)
_P_ANGLE_SHARE = (0.75, 0.95)
_GAUSSIAN_REACH = 4.0  # standard deviations beyond which a wave is below 0.04% of its height


@dataclasses.dataclass(frozen=True, eq=False)
class BeatShape:
    """The waves of one beat, each a Gaussian, in time from its QRS peak.

    Attributes:
        names: (waves,) wave names. "P" is dropped where the atria do not
            contract before the beat; names that start with "T" follow the QT
            interval; the rest is the QRS complex.
        offsets_s: (waves,) centres in seconds from the QRS peak, at a heart rate of 60.
        widths_s: (waves,) standard deviations in seconds, at a heart rate of 60.
        heights_mv: (waves,) heights in mV.
    """

    names: tuple
    offsets_s: np.ndarray
    widths_s: np.ndarray
    heights_mv: np.ndarray

    def with_p(self, height_share, offset_share):
        """Return the shape with the P wave's height and distance from the QRS multiplied."""
        is_p = np.array([name == "P" for name in self.names])
        return dataclasses.replace(
            self,
            heights_mv=np.where(is_p, self.heights_mv * height_share, self.heights_mv),
            offsets_s=np.where(is_p, self.offsets_s * offset_share, self.offsets_s),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Heart:
    """One patient's beat shapes.

    Attributes:
        shapes: {beat class of `icentia11k`: BeatShape} for normal, pac and pvc.
        r_height_mv: height of the normal R wave, the scale of the atrial waves.
    """

    shapes: dict
    r_height_mv: float


def ecgsyn_shape(r_height_mv=1.0):
    """Return the beat of ECGSYN's table at 60 beats per minute, scaled to an R height in mV."""
    heights = ECGSYN_A * ECGSYN_B**2
    return BeatShape(
        ECGSYN_WAVES,
        ECGSYN_ANGLES_DEGREES / 360.0,
        ECGSYN_B / (2.0 * np.pi),
        heights / heights[2] * r_height_mv,
    )


def draw_heart(rng, conduction="normal"):
    """Draw a patient: ECGSYN's beat with individual heights, widths and intervals.

    Args:
        rng: `np.random.Generator`.
        conduction: "normal", or the bundle branch that is blocked: "left", "right".

    Returns:
        Heart. Its premature atrial beat has the same QRS and another P wave;
        its premature ventricular beat has no P wave, a QRS of 120 ms or more and a T
        wave against the QRS's direction.
    """
    if conduction not in CONDUCTIONS:
        raise OptionError(f"conduction must be one of {', '.join(CONDUCTIONS)}. Received: {conduction!r}")
    r_height = float(np.clip(rng.lognormal(0.0, 0.3), 0.4, 2.2))
    table = ecgsyn_shape(r_height)
    p, q, r, s, t = range(5)
    offsets, widths, heights = table.offsets_s.copy(), table.widths_s.copy(), table.heights_mv.copy()
    qrs_share = rng.uniform(*_QRS_SHARE)
    offsets[[q, s]] *= qrs_share
    widths[[q, r, s]] *= qrs_share
    offsets[p] *= rng.uniform(*_P_ANGLE_SHARE)
    widths[p] *= rng.uniform(*_P_WIDTH_SHARE)
    heights[p] = rng.uniform(0.08, 0.2) * r_height**0.5
    heights[q] *= rng.uniform(0.2, 1.2)
    heights[s] *= rng.uniform(0.4, 2.0)
    heights[t] *= rng.uniform(0.25, 0.85)
    offsets[t] *= rng.uniform(0.9, 1.1)
    widths[t] *= rng.uniform(0.7, 0.9)
    sinus = BeatShape(
        ("P", "Q", "R", "S", "T", "T rise"),
        np.append(offsets, offsets[t] - 0.055),
        np.append(widths, 0.055),
        # A T wave rises slowly and falls fast: a second, earlier Gaussian.
        np.append(heights, 0.35 * heights[t]),
    )
    if conduction != "normal":
        sinus = _block(rng, sinus, conduction)
    sinus = _centred(sinus)
    pac = sinus.with_p(rng.choice([-0.7, -0.4, 0.35, 0.5, 1.5]) * rng.uniform(0.8, 1.1), rng.uniform(0.88, 0.98))
    return Heart({BEAT_NORMAL: sinus, BEAT_PAC: pac, BEAT_PVC: _ventricular(rng, r_height)}, r_height)


def _block(rng, sinus, side):
    """Return the shape with a blocked bundle branch: QRS of 120 ms or more, T against it.

    Left: no Q, no S, a broad notched R. Right: the R stays and a wide slurred S follows.
    """
    p, _, r, s, t, t_rise = range(6)
    offsets, widths, heights = sinus.offsets_s.copy(), sinus.widths_s.copy(), sinus.heights_mv.copy()
    if side == "left":
        gap, width = rng.uniform(0.055, 0.07), rng.uniform(0.020, 0.026)
        names = ("P", "R", "R'", "T", "T rise")
        keep = [p, r, s, t, t_rise]
        offsets[s], widths[[r, s]] = gap, width
        heights[s] = rng.uniform(0.75, 0.98) * heights[r]
        offsets[[t, t_rise]] += 0.5 * gap
        heights[[t, t_rise]] *= -rng.uniform(0.6, 1.0)
    else:
        names, keep = sinus.names, slice(None)
        offsets[s], widths[s] = rng.uniform(0.065, 0.08), rng.uniform(0.024, 0.03)
        heights[s] = -rng.uniform(0.3, 0.55) * heights[r]
        offsets[[t, t_rise]] += 0.03
    return BeatShape(names, offsets[keep], widths[keep], heights[keep])


def _ventricular(rng, r_height):
    """Draw a premature ventricular beat: no P, a wide QRS, a discordant T, either direction."""
    direction = rng.choice([-1.0, 1.0], p=[0.4, 0.6])
    main = direction * rng.uniform(1.1, 1.7) * r_height
    width = rng.uniform(0.034, 0.039)
    return _centred(
        BeatShape(
            ("V start", "V", "V end", "T"),
            np.array([-rng.uniform(0.06, 0.075), 0.0, rng.uniform(0.065, 0.08), rng.uniform(0.30, 0.34)]),
            np.array([0.022, width, 0.024, rng.uniform(0.06, 0.075)]),
            main * np.array([rng.uniform(-0.12, 0.2), 1.0, -rng.uniform(0.1, 0.35), -rng.uniform(0.3, 0.5)]),
        )
    )


def _centred(shape):
    """Return the shape moved so that its QRS has its largest deflection at time 0."""
    time = np.arange(-0.15, 0.15, 0.0005)
    is_qrs = np.array([not name.startswith(("P", "T")) for name in shape.names])
    z = (time[:, None] - shape.offsets_s[is_qrs]) / shape.widths_s[is_qrs]
    qrs = np.exp(-0.5 * z * z) @ shape.heights_mv[is_qrs]
    return dataclasses.replace(shape, offsets_s=shape.offsets_s - time[np.argmax(np.abs(qrs))])


def add_waves(signal, sampling_rate_hz, centres_s, widths_s, heights_mv):
    """Add Gaussian waves to a signal, in place; parts beyond its ends are lost.

    Args:
        signal: float64 (time,) in mV.
        centres_s, widths_s, heights_mv: (waves,); a width is a standard deviation.
    """
    keep = heights_mv != 0.0
    centres_s, widths_s, heights_mv = centres_s[keep], widths_s[keep], heights_mv[keep]
    if not len(centres_s):
        return
    reach = math.ceil(_GAUSSIAN_REACH * widths_s.max() * sampling_rate_hz)
    positions = np.rint(centres_s * sampling_rate_hz).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    z = (positions / sampling_rate_hz - centres_s[:, None]) / widths_s[:, None]
    waves = heights_mv[:, None] * np.exp(-0.5 * z * z)
    inside = (positions >= 0) & (positions < len(signal))
    np.add.at(signal, positions[inside], waves[inside])


def render_beats(rng, heart, train, samples, sampling_rate_hz):
    """Draw a beat train.

    The QT interval follows the square root of the recent RR interval (Bazett
    1920), the PR interval its fourth root, the QRS keeps its width. Heights
    vary with breathing and a little from beat to beat.

    Args:
        rng: `np.random.Generator` for the beat-to-beat variation.
        heart: `Heart`.
        train: `synthetic_rhythm.BeatTrain`.
        samples: length of the result.

    Returns:
        float64 (samples,) in mV.
    """
    signal = np.zeros(samples)
    beats = len(train.times_s)
    if not beats:
        return signal
    # The QT interval adapts over several beats, so one early beat does not shorten it.
    recent = np.convolve(np.pad(train.rr_s, (4, 0), mode="edge"), np.full(5, 0.2), mode="valid")
    recent = np.clip(recent, 0.35, 1.4)
    qt_scale, pr_scale = np.sqrt(recent), recent**0.25
    breathing = 1.0 + rng.uniform(0.0, 0.08) * np.sin(
        2.0 * np.pi * (train.times_s * rng.uniform(0.17, 0.32) + rng.random())
    )
    for beat_class, shape in heart.shapes.items():
        chosen = np.flatnonzero(train.classes == beat_class)
        if not len(chosen):
            continue
        # One factor for all waves of the QRS, so that its peak stays where it is annotated.
        varies = {part: rng.normal(1.0, 0.03, len(chosen)) for part in ("P", "QRS", "T")}
        for name, offset, width, height in zip(shape.names, shape.offsets_s, shape.widths_s, shape.heights_mv):
            part = name[0] if name[0] in "PT" else "QRS"
            scale = qt_scale[chosen] if part == "T" else np.ones(len(chosen))
            place = pr_scale[chosen] if part == "P" else scale
            heights = height * breathing[chosen] * varies[part]
            if part == "P":
                heights = heights * train.has_p[chosen]
            add_waves(signal, sampling_rate_hz, train.times_s[chosen] + offset * place, width * scale, heights)
    return signal
