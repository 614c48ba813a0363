"""The report's hypotheses as comparisons, by name."""

import dataclasses

from transplant.errors import OptionError

SHARES = (0.01, 0.1, 0.2, 1.0)


@dataclasses.dataclass(frozen=True)
class Preset:
    """One hypothesis.

    Attributes:
        summary: for the help.
        archs: networks that are compared.
        jobs: how many pretraining jobs `--init` must name.
    """

    summary: str
    archs: tuple
    jobs: int


PRESETS = {
    "h1": Preset("pretrained weights do better than random ones", ("resnet18",), 1),
    "h2": Preset("more pretraining patients do better: 1, 10, 20, 100%% of a pretraining run", ("resnet18",), 1),
    "h3": Preset("a 2-D network on spectrograms does better than the 1-D one", ("resnet18", "resnet18_2d"), 2),
}


def preset_starts(name, init):
    """Return the `Start`s of a hypothesis.

    Args:
        name: a key of `PRESETS`.
        init: values of `--init`: pretraining jobs; of h3 that of the 1-D network first.

    Raises:
        OptionError: if the number of jobs is another, or they do not suit the hypothesis.
    """
    from finetuning.starts import RANDOM, Start, checkpoints_at

    jobs = [text for text in init if text != RANDOM]
    preset = PRESETS[name]
    if len(jobs) != preset.jobs:
        raise OptionError(
            f"--preset {name} compares random weights with those of {preset.jobs} pretraining job(s). "
            f"Received: {len(jobs)} in --init {' '.join(init)}; name {preset.jobs}"
        )
    random = Start(RANDOM, share=0.0)
    if name == "h2":
        return [random, *checkpoints_at(jobs[0], SHARES)]
    starts = [Start.parse(text) for text in jobs]
    if name == "h3":
        wrong = [start.name for start, arch in zip(starts, preset.archs) if arch not in start.architectures()]
        if wrong:
            raise OptionError(
                f"--preset h3 needs jobs of {' and '.join(preset.archs)}, in this order. Received: {', '.join(wrong)}"
            )
        starts = [dataclasses.replace(start, name="pretrained") for start in starts]
    return [random, *starts]
