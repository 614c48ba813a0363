"""What tests of RDPD's commands share: few embedded recordings, and runs that are killed."""

import contextlib

import pytest


@pytest.fixture(scope="module")
def few_records():
    """80 of the embedded recordings of three leads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transplant.datasets.synthetic_leads.RECORDS", 80)
        yield


@pytest.fixture
def killed_at(monkeypatch):
    """A function moment -> context in which training is interrupted after that many checkpoints."""
    from transplant.training import loop

    @contextlib.contextmanager
    def at(moment):
        save, saved = loop.save_checkpoint, []

        def stop(*arguments):
            save(*arguments)
            saved.append(1)
            if len(saved) == moment:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(loop, "save_checkpoint", stop)
            yield

    return at
