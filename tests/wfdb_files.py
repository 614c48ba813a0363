"""Annotated WFDB records in the exact form on disk, for tests."""

import numpy as np
import wfdb


def write_record(folder, name, seconds=20, rate=360, nan=False, beats=True, leads=("MLII", "V1")):
    """Write an annotated WFDB record of format 16."""
    rng = np.random.default_rng(sum(map(ord, name)))
    signal = rng.normal(0, 0.3, (seconds * rate, len(leads)))
    if nan:
        signal[:] = np.nan
    wfdb.wrsamp(
        name,
        fs=rate,
        units=["mV"] * len(leads),
        sig_name=list(leads),
        p_signal=signal,
        fmt=["16"] * len(leads),
        adc_gain=[200.0] * len(leads),
        baseline=[0] * len(leads),
        write_dir=str(folder),
    )
    positions = np.arange(rate, seconds * rate, rate)
    symbols = ["N" if i % 5 else "V" for i in range(len(positions))]
    if not beats:
        symbols = ["~"] * len(positions)
    wfdb.wrann(name, "atr", positions, symbol=symbols, write_dir=str(folder))
