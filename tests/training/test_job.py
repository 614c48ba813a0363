"""What a job folder says of options that are not those it began with."""

import json

import pytest

from transplant.errors import JobError
from transplant.training.job import open_job

COMMAND = "distillation.rdpd.trainer"


def test_options_that_were_not_given_or_are_not_recorded_are_told_as_such(tmp_path):
    job = tmp_path / "job"
    open_job(job, COMMAND, {"teacher": None, "seed": 1}, resume=False)
    with pytest.raises(JobError, match=r"teacher not given \(now J\); give the earlier ones"):
        open_job(job, COMMAND, {"teacher": "J", "seed": 1}, resume=True)
    with pytest.raises(JobError, match=r"backbone_rate not recorded \(now 0\.5\)"):
        open_job(job, COMMAND, {"teacher": None, "seed": 1, "backbone_rate": 0.5}, resume=True)


def test_a_job_goes_on_with_the_same_options_and_the_same_command(tmp_path):
    job = tmp_path / "job"
    open_job(job, COMMAND, {"seed": 1, "epochs": 2}, resume=False)
    assert open_job(job, COMMAND, {"seed": 1, "epochs": 3}, resume=True) == job
    assert json.loads((job / "config.json").read_text())["options"] == {"seed": 1, "epochs": 2}
    with pytest.raises(JobError, match=f"holds a job of {COMMAND}, not of finetuning.trainer"):
        open_job(job, "finetuning.trainer", {"seed": 1}, resume=True)
