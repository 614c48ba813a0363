"""Tiny Icentia11k patients in the exact forms on disk, for tests."""

import gzip
import pickle

import numpy as np
import wfdb

BEAT_SYMBOLS = ("Q", "N", "S", "a", "V")
RHYTHM_NOTES = {3: "(N", 4: "(AFIB", 5: "(AFL"}
GAIN = 200.0


def make_patient(seed, segments=2, samples=3000):
    """Return signals float32 (segments, samples) in mV, and raw labels: one dict per segment.

    Rhythms are normal, afib and aflut; the last mark stands at the last sample.
    """
    rng = np.random.default_rng(seed)
    # Odd counts: no coarser gain gives them.
    counts = 2 * rng.integers(-400, 400, (segments, samples)) + 1
    labels = []
    for i in range(segments):
        beats = np.sort(rng.choice(np.arange(1, samples), samples // 180 + i, replace=False))
        classes = rng.choice(5, len(beats), p=[0.1, 0.6, 0.15, 0.05, 0.1])
        ends = np.append(np.sort(rng.choice(np.arange(400, samples - 400), 3, replace=False)), samples - 1)
        rhythms = rng.choice([3, 4, 5], 4)
        labels.append(
            {
                "btype": [beats[classes == k] for k in range(5)],
                "rtype": [ends[rhythms == k] for k in range(6)],
            }
        )
    return counts.astype(np.float32) / np.float32(GAIN), labels


def flatten(labels):
    """Return raw labels as the public code keeps them: (sorted indices, classes) per segment."""

    def pair(parts):
        indices = np.concatenate(parts)
        order = np.argsort(indices, kind="stable")
        return indices[order], np.concatenate([np.repeat(k, len(p)) for k, p in enumerate(parts)])[order]

    return {kind: [pair(segment[kind]) for segment in labels] for kind in ("btype", "rtype")} | {"size": len(labels)}


def python_2_pickle(array):
    """Return a float32 array as Python 2 pickled it: its bytes are a plain (8-bit) string."""
    shape = b"(" + b"".join(b"J" + n.to_bytes(4, "little") for n in array.shape) + b"t"
    raw = array.astype("<f4").tobytes()
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01" + shape + b"cnumpy\ndtype\nq\x04U\x02f4K\x00K\x01\x87Rq\x05"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb."
    )


def write_zipped(folder, number, signal, labels, protocol=2):
    """Write a patient as the torrent holds it."""
    for suffix, content in (("", signal), ("_lbls", labels)):
        if content is not None:
            data = content if isinstance(content, bytes) else pickle.dumps(content, protocol)
            (folder / f"{number:05d}_batched{suffix}.pkl.gz").write_bytes(gzip.compress(data))


def write_unzipped(folder, number, signal, labels, pairs=True):
    """Write a patient as the public code unzips it, with a numpy that made object arrays of ragged lists.

    Args:
        pairs: whether that array is (segments, 2), as numpy makes it of pairs, or (segments,) of tuples.
    """
    flat = flatten(labels)
    arrays = {"size": np.array(flat["size"])}
    for kind in ("btype", "rtype"):
        ragged = len({len(indices) for indices, _ in flat[kind]}) > 1
        if not ragged:
            arrays[kind] = np.array(flat[kind])
        else:
            arrays[kind] = np.empty((len(labels), 2) if pairs else len(labels), object)
            for i, pair in enumerate(flat[kind]):
                arrays[kind][i] = pair
    np.save(folder / f"{number:05d}_batched.npy", signal)
    np.savez(folder / f"{number:05d}_batched_lbls.npz", **arrays)


def write_raw_pickles(folder, number, signal, labels):
    """Write a patient as the replication did: pickles that are named .npz."""
    (folder / f"{number:05d}_batched.npz").write_bytes(pickle.dumps(signal, 4))
    (folder / f"{number:05d}_batched_lbls.npz").write_bytes(pickle.dumps(flatten(labels), 4))


def write_wfdb(folder, number, signal, labels, gain=GAIN):
    """Write a patient as PhysioNet holds it: one record per segment, rhythm marks where a rhythm starts."""
    place = folder / f"p{number // 1000:02d}" / f"p{number:05d}"
    place.mkdir(parents=True)
    flat = flatten(labels)
    for i, values in enumerate(signal):
        name = f"p{number:05d}_s{i:02d}"
        wfdb.wrsamp(
            name, fs=250, units=["mV"], sig_name=["ecg"], p_signal=values[:, None].astype(np.float64), fmt=["16"],
            adc_gain=[gain], baseline=[0], write_dir=str(place),
        )  # fmt: skip
        (beats, classes), (ends, rhythms) = flat["btype"][i], flat["rtype"][i]
        starts = [0, *ends[:-1]]
        marks = [(s, "+", RHYTHM_NOTES[k]) for s, k in zip(starts, rhythms)]
        marks = sorted(marks + [(b, BEAT_SYMBOLS[k], "") for b, k in zip(beats, classes)], key=lambda m: m[0])
        samples, symbols, notes = zip(*marks)
        wfdb.wrann(name, "atr", np.array(samples), list(symbols), aux_note=list(notes), write_dir=str(place))
