"""What the parts of a split share: identical records, stretches of signal, patients or recordings."""

import dataclasses
import hashlib
import itertools

import numpy as np

from transplant.errors import DataError, OptionError, shorten
from transplant.evaluation.shared_stretches import StretchSearch, valid_samples

FEWEST_WINDOW_SAMPLES = 16
SHORTEST_WINDOW_SECONDS = 0.25
_SMALLEST_WINDOW = 4


@dataclasses.dataclass(frozen=True)
class PairLeakage:
    """What two parts share. Each record of the second part is named once in a list, with one of the first.

    Attributes:
        first, second: names of the parts.
        second_records: records in the second part.
        identical: tuple of (record of the first part, record of the second) with the same valid samples.
        overlapping: tuple of `SharedStretch`, of records that are not identical to any.
        shared_groups: names of the groups with records in both parts.
        records_of_shared_groups: records of the second part that are of these groups.
    """

    first: str
    second: str
    second_records: int
    identical: tuple
    overlapping: tuple
    shared_groups: tuple
    records_of_shared_groups: int

    @property
    def found(self):
        """Whether the two parts share anything."""
        return bool(self.identical or self.overlapping or self.shared_groups)

    def lines(self):
        """Return a line for each kind of leakage that was found."""
        of_all = f"of {self.second_records:,} {self.second} records"
        found = []
        if self.identical:
            names = shorten([f"{second} is {first}" for first, second in self.identical])
            found.append(f"{len(self.identical):,} {of_all} are identical to one of {self.first} ({names})")
        if self.overlapping:
            found.append(
                f"{len(self.overlapping):,} {of_all} share a stretch with one of {self.first} "
                f"({shorten(self.overlapping, 2)})"
            )
        if self.shared_groups:
            found.append(
                f"{self.records_of_shared_groups:,} {of_all} are of a group (patient or recording) that is in "
                f"{self.first} too (groups in both: {len(self.shared_groups):,}, {shorten(self.shared_groups)})"
            )
        return found


@dataclasses.dataclass(frozen=True)
class LeakageReport:
    """What `find_leakage` found; as text, lines for a user.

    Attributes:
        pairs: tuple of `PairLeakage`, one for each two parts.
        window: samples from which on a shared stretch is reported; None where stretches were not compared.
        not_compared: why they were not, or None.
    """

    pairs: tuple
    window: int | None
    not_compared: str | None

    @property
    def found(self):
        """Whether any two parts share anything."""
        return any(pair.found for pair in self.pairs)

    def __str__(self):
        lines = []
        for pair in self.pairs:
            names = f"{pair.first} and {pair.second}"
            lines.extend(f"{names}: {line}" for line in pair.lines() or ["nothing shared"])
        if self.window is None:
            lines.append(f"compared: whole records and groups; no stretches of signal, {self.not_compared}")
        else:
            lines.append(f"compared: whole records, stretches of {self.window:,} samples or more, and groups")
        return "\n".join(lines)

    def to_dict(self):
        """Return the report ready for JSON."""
        return dataclasses.asdict(self) | {"found": self.found}


def find_leakage(parts, window=None):
    """Look for what the parts of a split have in common.

    Identical are records whose valid samples are the same numbers in the same
    shape. Two records of which one was scaled, filtered or resampled from
    another starting sample are not.

    In signals (3 axes, a rate of 1 Hz or more and no indicators) a stretch
    counts that has at least `window` equal samples in all leads, at any place
    in either record. A standstill of half a window (rounded up) or longer ends
    a stretch: all leads are constant, or change at fewer than one sample in
    16. Such lines agree by chance. The search is exact; `StretchSearch` says
    how.

    Images and visits are compared as whole records. So are hourly tables (a
    rate below 1 Hz, or indicators): masks and imputed values repeat from
    patient to patient.

    Args:
        parts: dict of name -> `LabelledSet`, in the order train, validation,
            test; a part that is None is left out.
        window: samples from which on a shared stretch is reported, at least 4.
            Defaults to a quarter of the shortest record, but no fewer than
            16 samples or a quarter of a second.

    Returns:
        `LeakageReport`; each pair names the records of its second part.

    Raises:
        DataError: if the parts hold records of another shape or rate.
        OptionError: if the window is too small, or there are fewer than two parts.

    Example:
        >>> report = find_leakage({"train": train, "test": test})
        >>> print(report)
    """
    parts = {name: part for name, part in parts.items() if part is not None}
    if len(parts) < 2:
        raise OptionError(
            f"leakage is looked for between two parts. Received: {shorten(parts)}; give a validation or test set too"
        )
    _check_alike(parts)
    if window is not None and window < _SMALLEST_WINDOW:
        raise OptionError(f"a shared stretch has {_SMALLEST_WINDOW} samples or more. Received: window={window}")
    reason = _why_whole_records_only(parts)
    window = None if reason else int(window or default_window(parts.values()))
    digests = {name: _digests(part) for name, part in parts.items()}
    search = None
    pairs = []
    for first, second in itertools.combinations(parts, 2):
        a, b = parts[first], parts[second]
        identical = _identical(digests[first], digests[second])
        overlapping = ()
        if window is not None:
            if search is None or search.part is not a:
                search = StretchSearch(a, window)
            overlapping = search.find(b, np.setdiff1d(np.arange(len(b)), [j for _, j in identical]))
        shared = np.intersect1d(a.group_ids, b.group_ids)
        pairs.append(
            PairLeakage(
                first,
                second,
                len(b),
                tuple((str(a.record_ids[i]), str(b.record_ids[j])) for i, j in identical),
                tuple(overlapping),
                tuple(shared.tolist()),
                int(np.isin(b.group_ids, shared).sum()),
            )
        )
    return LeakageReport(tuple(pairs), window, reason)


def default_window(sets):
    """Return the samples from which on a stretch that two signals share is reported.

    Args:
        sets: `LabelledSet`s of one rate.

    Returns:
        int, a quarter of the shortest record, but no fewer than 16 samples or
        a quarter of a second: shorter ones agree by chance in slow signals of
        few levels.
    """
    sets = list(sets)
    shortest = min(int(part.lengths.min()) for part in sets)
    least = round(SHORTEST_WINDOW_SECONDS * sets[0].sampling_rate_hz)
    return max(FEWEST_WINDOW_SAMPLES, least, shortest // 4)


def _check_alike(parts):
    """Refuse parts whose records cannot be compared."""
    for (first, a), (second, b) in itertools.combinations(parts.items(), 2):
        # The first axis may differ: it is padded.
        for what, of_a, of_b in (
            ("shape", a.x.shape[2:], b.x.shape[2:]),
            ("dtype", a.x.dtype, b.x.dtype),
            ("sampling_rate_hz", a.sampling_rate_hz, b.sampling_rate_hz),
        ):
            if of_a != of_b:
                raise DataError(
                    f"parts that are compared have records of one {what}. Received: {of_a} in {first}, {of_b} in "
                    f"{second}; prepare them together"
                )


def _why_whole_records_only(parts):
    """Return why no stretches are compared, or None."""
    for part in parts.values():
        if part.x.ndim > 3:
            return "as these are images"
        if part.sampling_rate_hz is None:
            return "as these are steps without a rate"
        if part.indicators or part.sampling_rate_hz < 1:
            return "as masks and imputed values repeat in tables"
    return None


def _digests(part):
    """Return a digest of 128 bits of each record's shape and values."""
    found = []
    for index in range(len(part)):
        values = np.ascontiguousarray(valid_samples(part, index))
        digest = hashlib.blake2b(f"{values.dtype}{values.shape}".encode(), digest_size=16)
        digest.update(values)
        found.append(digest.digest())
    return found


def _identical(digests_a, digests_b):
    """Return (index in a, index in b) for each record of b that is in a."""
    where = {}
    for index, digest in enumerate(digests_a):
        where.setdefault(digest, index)
    return [(where[digest], index) for index, digest in enumerate(digests_b) if digest in where]
