"""The embedded recordings of three leads."""

import numpy as np

from transplant.datasets.synthetic_leads import LEADS, read_synthetic_leads


def test_leads_show_the_same_beats_and_the_first_is_noisy():
    data = read_synthetic_leads().data
    assert data.x.shape == (480, 1000, 3) and data.leads == LEADS
    assert np.bincount(data.y).tolist() == [120] * 4 and len(set(data.group_ids.tolist())) == 480
    assert "not evidence" in data.notes[0]
    # Where V1 and V5 have their steepest slopes, beats, the other has them too: more than elsewhere.
    steep = np.abs(np.diff(data.x[data.y == 0], axis=1))
    together = [np.corrcoef(record[:, 1], record[:, 2])[0, 1] for record in steep]
    assert np.median(together) > 0.5
    quiet = np.percentile(steep, 25, axis=1) / steep.max(axis=1)
    assert np.median(quiet[:, 0]) > 2 * np.median(quiet[:, 1])


def test_they_are_the_same_every_time():
    assert np.array_equal(read_synthetic_leads().data.x[:5], read_synthetic_leads().data.x[:5])
