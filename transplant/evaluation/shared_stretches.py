"""Stretches of signal that records of two sets have in common."""

import dataclasses

import numpy as np

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_HITS_AT_ONCE = 1 << 20
SAMPLES_TO_A_CHANGE = 16


@dataclasses.dataclass(frozen=True)
class SharedStretch:
    """Samples that a record of one part has in common with a record of another.

    Attributes:
        first, second: names of the two records.
        first_start, second_start: where the stretch begins in each, in samples from its first valid one.
        samples: how many it has.
    """

    first: str
    second: str
    first_start: int
    second_start: int
    samples: int

    def __str__(self):
        return (
            f"{self.second} from sample {self.second_start:,} is {self.first} from {self.first_start:,}, "
            f"{self.samples:,} samples"
        )


class StretchSearch:
    """Find records that share a stretch of signal with a record of one set.

    A stretch counts that has at least `window` equal samples in all leads, at
    any place in either record. A standstill of half a window (rounded up) or
    longer ends a stretch: all leads are constant, or change at fewer than one
    sample in 16, as flat lines with a few spikes do.

    Half windows of h samples are hashed in each record of the set, at each
    multiple of a step of s. With s - 1 + h = window each stretch that counts
    holds one of them, wherever it begins, so that none is missed.

    Args:
        part: `LabelledSet` of signals, (records, time, leads).
        window: samples of the shortest stretch that counts.
    """

    def __init__(self, part, window):
        self.part, self.window = part, window
        self.half = (window + 1) // 2
        self.step = window - self.half + 1
        self._hash = _RollingHash(self.half)
        hashes, records, starts = [], [], []
        for index in range(len(part)):
            values = valid_samples(part, index)
            if len(values) < window:
                continue
            places = np.arange(0, len(values) - self.half + 1, self.step)
            places = places[~standstills(values, self.half)[places]]
            hashes.append(self._hash.windows(values, places))
            records.append(np.full(len(places), index, np.int32))
            starts.append(places.astype(np.int32))
        hashes = np.concatenate([np.zeros(0, np.uint64), *hashes])
        order = np.argsort(hashes, kind="stable")
        self.hashes = hashes[order]
        self.records = np.concatenate([np.zeros(0, np.int32), *records])[order]
        self.starts = np.concatenate([np.zeros(0, np.int32), *starts])[order]
        # Most samples are none of these: a table of the hashes' first bits spares them the binary search.
        bits = int(np.clip(np.ceil(np.log2(len(hashes) + 1)) + 6, 10, 26))
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros(1 << bits, bool)
        self._table[self.hashes >> self._shift] = True

    def find(self, other, indices):
        """Return a list of `SharedStretch`, one for each record that has one.

        Args:
            other: `LabelledSet`, with as many leads.
            indices: those of its records that are looked up.
        """
        found = []
        for index in indices:
            values = valid_samples(other, index)
            if len(self.hashes) and len(values) >= self.window:
                record, stretch = self._find_record(values)
                if stretch is not None:
                    names = str(self.part.record_ids[record]), str(other.record_ids[index])
                    found.append(SharedStretch(*names, *stretch))
        return found

    def _find_record(self, values):
        """Return (record of the part, (its start, start in `values`, samples)), or (None, None)."""
        hashes = self._hash.windows(values)
        places = np.flatnonzero(self._table[hashes >> self._shift])
        lows = np.searchsorted(self.hashes, hashes[places], "left")
        counts = np.searchsorted(self.hashes, hashes[places], "right") - lows
        places, lows, counts = (array[counts > 0] for array in (places, lows, counts))
        if not len(places):
            return None, None
        # One place may have as many hits as there are half windows: those of a block fit in memory.
        block_of = np.cumsum(counts) // _HITS_AT_ONCE
        for block in np.unique(block_of):
            chosen = block_of == block
            for record, offset in self._candidates(places[chosen], lows[chosen], counts[chosen]):
                stretch = _shared_stretch(valid_samples(self.part, record), values, offset, self.window, self.half)
                if stretch is not None:
                    return record, stretch
        return None, None

    def _candidates(self, places, lows, counts):
        """Return (record, start in it less start in the other) of all hits, those with most half windows first."""
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        hits = np.repeat(lows, counts) + within
        records = self.records[hits].astype(np.int64)
        offsets = self.starts[hits] - np.repeat(places, counts)
        lowest, span = offsets.min(), np.ptp(offsets) + 1
        keys, frequency = np.unique(records * span + (offsets - lowest), return_counts=True)
        keys = keys[np.argsort(-frequency, kind="stable")]
        return zip((keys // span).tolist(), (keys % span + lowest).tolist())


class _RollingHash:
    """Polynomial hashes modulo 2^64 of all windows of a record, from one cumulative sum.

    Equal windows have equal hashes wherever they are. Others rarely have, and
    what is found is compared afterwards.
    """

    def __init__(self, width):
        self.width = width
        self._powers = self._inverses = np.zeros(0, np.uint64)

    def windows(self, values, places=None):
        """Return the hashes (uint64) of the windows that begin at `places`, by default at every sample."""
        if len(values) > len(self._powers):
            self._powers = _powers_of(_BASE, len(values))
            self._inverses = _powers_of(pow(_BASE, -1, 1 << 64), len(values))
        sums = np.zeros(len(values) + 1, np.uint64)
        np.cumsum(_sample_codes(values) * self._powers[: len(values)], out=sums[1:])
        if places is None:
            n = len(values) - self.width + 1
            return (sums[self.width :] - sums[:n]) * self._inverses[:n]
        return (sums[places + self.width] - sums[places]) * self._inverses[places]


def _powers_of(base, n):
    powers = np.full(n, base, np.uint64)
    powers[:1] = 1
    return np.cumprod(powers)  # wraps around at 2^64


def _sample_codes(values):
    """Return a uint64 for each sample of all leads; the mixing is that of splitmix64."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    codes = bits[:, 0] if bits.shape[1] == 1 else (bits * _powers_of(_BASE, bits.shape[1])).sum(axis=1)
    codes = (codes ^ (codes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    codes = (codes ^ (codes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return codes ^ (codes >> np.uint64(31))


def standstills(values, width):
    """Return bool for each window of `width` samples: whether fewer than one in 16 differs from the one before.

    Where that is none, for widths below 32, all leads are constant.

    Args:
        values: (samples, leads).
        width: samples in a window.

    Returns:
        bool (samples - width + 1,).
    """
    changes = np.zeros(len(values), np.int64)
    np.cumsum((values[1:] != values[:-1]).any(axis=1), out=changes[1:])
    return changes[width - 1 :] - changes[: len(values) - width + 1] < max(1, width // SAMPLES_TO_A_CHANGE)


def _shared_stretch(a, b, offset, window, half):
    """Return (start in a, start in b, samples) of the longest stretch that counts, or None.

    Args:
        a, b: (samples, leads).
        offset: sample of a less that of b that are compared.
        window: samples that a stretch has at least.
        half: samples of a standstill that ends one.
    """
    start_a, start_b = max(0, offset), max(0, -offset)
    n = min(len(a) - start_a, len(b) - start_b)
    a, b = a[start_a : start_a + n], b[start_b : start_b + n]
    edges = np.flatnonzero(np.diff(np.r_[False, (a == b).all(axis=1), False]))
    best = (0, 0)
    for begin, end in zip(edges[::2], edges[1::2]):
        if end - begin < window:
            continue
        # Between two windows that stand still a stretch has all samples but the first of the one and the last of the
        # other.
        stops = begin + np.flatnonzero(standstills(a[begin:end], half))
        stops = np.r_[begin - 1, stops, end - half + 1]
        samples = np.diff(stops) + half - 2
        longest = samples.argmax()
        best = max(best, (int(samples[longest]), -int(stops[longest]) - 1))
    samples, begin = best[0], -best[1]
    return (start_a + begin, start_b + begin, samples) if samples >= window else None


def valid_samples(part, index):
    """Return the valid samples of a record, without negative zeros, whose bits differ from those of zeros.

    Args:
        part: `LabelledSet`.
        index: of the record.

    Returns:
        float32 or uint8 (valid samples, [further axes,] leads).
    """
    record = part.x[index, part.length - part.lengths[index] :]
    return record if record.dtype == np.uint8 else record + np.float32(0)
