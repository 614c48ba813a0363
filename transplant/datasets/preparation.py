"""Turn labelled records into a labelled set by the rules of Weimann & Conrad (2021)."""

import numpy as np

from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.record_source import Skipped
from transplant.datasets.registry import PAPER_LENGTH, PAPER_RATE_HZ
from transplant.errors import DataError
from transplant.signals.resample import resample


def fit_length(signal, length):
    """Return (length, leads) float32 and the valid samples in it.

    A shorter signal is padded on the left with zeros; of a longer one the last
    samples are kept.
    """
    kept = signal[-length:]
    out = np.zeros((length, signal.shape[1]), np.float32)
    out[length - len(kept) :] = kept
    return out, len(kept)


def prepare_records(
    records,
    classes,
    length=PAPER_LENGTH,
    rate_hz=PAPER_RATE_HZ,
    dataset="records",
    label_version="unversioned",
    skipped=None,
    on_record=None,
    windows=False,
):
    """Prepare labelled records: one rate, one length, class indices.

    Each whole record is resampled with an anti-aliasing filter, then padded on
    the left with zeros or cut to its last `length` samples. The paper
    standardises before it resamples; here the set stays in millivolts and the
    trainer standardises with numbers from its training part, so that nothing
    of a test record is in them. Both orders give the same values, because
    resampling is linear and continues the edges with the record's mean.

    Args:
        records: iterable of `Record`s with labels and the same leads.
        classes: class names, in the order of the network's outputs.
        length: samples of a prepared record.
        rate_hz: sampling rate of a prepared record.
        dataset, label_version: written into the set.
        skipped: a list that receives a `Skipped` for every record that cannot
            be used. Defaults to None: such a record is an error.
        on_record: called after each record, e.g. to show progress.
        windows: whether a record is cut into windows of `length` samples that do not overlap, the last of which
            ends where it ends; what is left at its beginning is dropped, but of a record shorter than a window.
            Defaults to False: the last `length` samples are kept.

    Returns:
        A `LabelledSet` in mV; `group_ids` are the records' patients. Windows have their record's label and, where
        there are several, its name and their number, from 000.

    Raises:
        DataError: if a record has invalid samples, an unknown label, other
            leads or no signal, or if no record is left.

    Source: Weimann & Conrad, Sci Rep 11:5251 (2021).
    """
    kept, leads, read = [], None, 0
    for record in records:
        try:
            signal, label = _prepare(record, classes, leads, rate_hz)
            pieces = cut_windows(signal, length) if windows else [signal[-length:].copy()]
            names = [record.name] if len(pieces) == 1 else [f"{record.name}-{i:03d}" for i in range(len(pieces))]
            kept += [(piece, label, name, record.patient) for piece, name in zip(pieces, names)]
            leads = leads or record.leads
            read += 1
        except DataError as error:
            if skipped is None:
                raise
            skipped.append(Skipped(record.name, str(error)))
        if on_record is not None:
            on_record()
    if not kept:
        raise DataError(
            f"{dataset}: records are needed. Received: none that can be used; see the list of those skipped"
        )
    signals, labels, names, patients = zip(*kept)
    x = np.zeros((len(signals), length, len(leads)), np.float32)
    lengths = np.zeros(len(signals), np.int64)
    for i, signal in enumerate(signals):
        x[i], lengths[i] = fit_length(signal, length)
    return LabelledSet(
        x=x,
        lengths=lengths,
        y=np.array(labels),
        classes=tuple(classes),
        record_ids=np.array(names),
        group_ids=np.array(patients),
        sampling_rate_hz=rate_hz,
        leads=leads,
        dataset=dataset,
        label_version=label_version,
        notes=(f"windows of {length:,} samples, each with the label of its whole record",) if len(kept) > read else (),
    )


def cut_windows(signal, length):
    """Return the windows of `length` samples that do not overlap, in order, the last of which ends with the signal.

    Of a signal that is shorter: itself.
    """
    ends = range(len(signal), length - 1, -length)
    return [signal[end - length : end] for end in reversed(ends)] or [signal]


def _prepare(record, classes, leads, rate_hz):
    """Return the resampled record and the class index."""
    if record.label not in classes:
        raise DataError(
            f"{record.name}: labels are {', '.join(classes)}. Received: {record.label!r}; correct the label or leave "
            "the record out (--skip-bad)"
        )
    if leads is not None and record.leads != leads:
        raise DataError(
            f"{record.name}: all records have the same leads, here {', '.join(leads)}. Received: "
            f"{', '.join(record.leads)}; leave the record out (--skip-bad)"
        )
    if not len(record.signal):
        raise DataError(f"{record.name}: a signal is needed. Received: no samples; leave the record out (--skip-bad)")
    invalid = int(np.count_nonzero(~np.isfinite(record.signal)))
    if invalid:
        raise DataError(
            f"{record.name}: every sample must be a number. Received: {invalid} NaN or infinite; leave the record out "
            "(--skip-bad)"
        )
    signal = resample(record.signal, record.sampling_rate_hz, rate_hz)
    return signal, list(classes).index(record.label)
