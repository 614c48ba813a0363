"""Synthetic Icentia11k patients of the torrent's form and density, and the published way to load one."""

import gzip
import pickle
import zlib

import numpy as np

SEGMENTS, SEGMENT_SAMPLES = 50, 2**20 + 1
RECORDING_S = 300.0
GAIN = 32767 * 6 / (0.9375 * 2820)  # counts per mV of Icentia11k on PhysioNet
DENSITY = 0.3  # of the synthetic amplitude: 4 bits a sample when zipped, as the torrent's 271 GB


def write_patient(folder, number, segments=SEGMENTS, samples=SEGMENT_SAMPLES):
    """Write a synthetic patient as the torrent holds one.

    The recording repeats itself. Each repetition is compressed to the same
    bytes, once: the compressor is reset between them, as it may be anywhere.
    """
    from transplant.datasets.synthetic import long_recording

    recording = long_recording(2024, number, RECORDING_S)
    counts = np.rint(recording.signal[:, 0] * np.float32(GAIN * DENSITY)).astype(np.float32)
    tile = counts / np.float32(GAIN)
    pickled = pickle.dumps(np.resize(tile, (segments, samples)), 2)
    # Protocol 2 holds the bytes as text.
    text = tile.tobytes().decode("latin1").encode()
    first = pickled.index(text)
    repetitions = (len(pickled) - first) // len(text)
    while pickled[first : first + repetitions * len(text)] != text * repetitions:
        repetitions -= 1
    zipped = _deflate(text)
    with open(folder / f"{number:05d}_batched.pkl.gz", "wb") as file:
        file.write(b"\x1f\x8b\x08\0\0\0\0\0\2\xff" + _deflate(pickled[:first]))
        for _ in range(repetitions):
            file.write(zipped)
        file.write(_deflate(pickled[first + repetitions * len(text) :], zlib.Z_FINISH))
        file.write(zlib.crc32(pickled).to_bytes(4, "little") + (len(pickled) % 2**32).to_bytes(4, "little"))
    labels = _labels(recording, segments, samples)
    with gzip.open(folder / f"{number:05d}_batched_lbls.pkl.gz", "wb", compresslevel=6) as file:
        pickle.dump(labels, file, 2)


def _deflate(data, flush=zlib.Z_FULL_FLUSH):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(flush)


def _labels(recording, segments, samples):
    """Return the torrent's labels: index arrays per beat class, and a normal rhythm marked at every beat."""
    length = len(recording.signal)
    repeats = -(-segments * samples // length)
    beats = np.concatenate([recording.beat_positions + i * length for i in range(repeats)])
    classes = np.tile(recording.beat_classes, repeats)
    none = np.zeros(0, np.int64)
    labels = []
    for i in range(segments):
        inside = slice(*np.searchsorted(beats, [i * samples, (i + 1) * samples]))
        positions = beats[inside] - i * samples
        labels.append(
            {
                "btype": [positions[classes[inside] == k] for k in range(5)],
                "rtype": [none, none, none, positions, none, none],
            }
        )
    return labels


class ZippedPatients:
    """Patients that are loaded when they are asked for, as the per-frame pattern does it."""

    def __init__(self, folder, count):
        self._folder = folder
        self._count = count

    def __len__(self):
        return self._count

    def __getitem__(self, number):
        """Return the segments of a patient: (signal, beat positions, beat classes)."""
        content = []
        for name in ("batched", "batched_lbls"):
            with gzip.open(self._folder / f"{number:05d}_{name}.pkl.gz", "rb") as file:
                content.append(pickle.load(file))
        segments = []
        for signal, labels in zip(*content):
            positions = np.concatenate(labels["btype"])
            classes = np.concatenate([np.repeat(k, len(part)) for k, part in enumerate(labels["btype"])])
            order = np.argsort(positions)
            segments.append((signal, positions[order], classes[order]))
        return segments
