"""Names of the labelled data sets. A new one is a module and an entry in `DATASETS`.

Command lines import this file for their help, so it imports nothing heavy.
"""

import dataclasses
import importlib

from transplant.errors import OptionError

# Of data sets that yield records, which are made one rate and one length: those of Weimann and Conrad (2021).
PAPER_LENGTH, PAPER_RATE_HZ = 16384, 250.0


@dataclasses.dataclass(frozen=True)
class DatasetOption:
    """A choice that a data set leaves to its user: a flag of the command lines, an argument of the reader.

    Attributes:
        name: of the argument; the flag has dashes.
        help: one line.
        default: its value where it is not given; a bool makes it a switch.
        choices: the values it can take. Defaults to any text.
        metavar: what the help calls a value of free text.
    """

    name: str
    help: str
    default: object = None
    choices: tuple = ()
    metavar: str = "TEXT"


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """A labelled data set that the preparation knows; its module is imported when it is used.

    Attributes:
        name: what `--dataset` takes.
        description: one line for the help.
        module: where it is read. Where it yields records, the module has `CLASSES` and, if a publication
            gives constants, `PAPER_NAME`, `PAPER_MEAN_MV` and `PAPER_STD_MV`.
        opener: name of the function in `module` that returns a `RecordSource`, or a `WholeSet`
            where `is_whole`.
        needs_source: whether there are files to read.
        is_whole: whether it is read as a whole, already of one shape, as tables and images are.
        options: `DatasetOption`s of the reader.
        shape: of one record, (time, channels) or (height, width, channels), as the defaults prepare it;
            None where it depends on the files.
        n_classes: number of classes as the defaults prepare it.
        default_arch: network of the trainer where none is asked for.
    """

    name: str
    description: str
    module: str
    opener: str
    needs_source: bool = True
    is_whole: bool = False
    options: tuple = ()
    shape: tuple | None = None
    n_classes: int | None = None
    default_arch: str = "resnet18"

    def _load(self):
        return importlib.import_module(self.module)

    @property
    def classes(self):
        """Class names, in the order of the network's outputs."""
        return self._load().CLASSES

    def open(self, *args, **kwargs):
        """Return the data set's `RecordSource` or `WholeSet`; the arguments are those of its opener."""
        return getattr(self._load(), self.opener)(*args, **kwargs)

    def paper_normalization(self, leads=1):
        """Return the publication's standardisation.

        Raises:
            OptionError: if no publication gives constants for this data set.
        """
        from transplant.signals.normalization import Normalization

        module = self._load()
        if not hasattr(module, "PAPER_MEAN_MV"):
            raise OptionError(
                f"--normalization paper needs constants that belong to the data set. Received: {self.name}, which "
                "has none; use --normalization train"
            )
        return Normalization.paper(module.PAPER_NAME, module.PAPER_MEAN_MV, module.PAPER_STD_MV, leads)


MASKS = DatasetOption("masks", "columns that say what was measured in which hour", True)
TARGET = DatasetOption(
    "target", "death in hospital, or length of stay in classes of days", "mortality", ("mortality", "los")
)

BEATS = DatasetOption("beats_per_patient", "beats of a patient and class at most; 100 if not given", metavar="N")

DATASETS = {
    spec.name: spec
    for spec in (
        DatasetSpec(
            "challenge2017",
            "PhysioNet/CinC Challenge 2017, AF from a short single-lead ECG",
            "transplant.datasets.challenge2017",
            "read_challenge2017",
            shape=(16384, 1),
            n_classes=4,
        ),
        DatasetSpec(
            "synthetic",
            "embedded synthetic records with the challenge's labels, not evidence",
            "transplant.datasets.synthetic_set",
            "read_synthetic",
            needs_source=False,
            shape=(16384, 1),
            n_classes=4,
        ),
        DatasetSpec(
            "mitbih_beats",
            "single beats of MIT-BIH or other annotated WFDB records: normal, pac, pvc",
            "transplant.datasets.beat_windows",
            "read_beats",
            is_whole=True,
            options=(BEATS,),
            shape=(192, 1),
            n_classes=3,
            default_arch="cnn",
        ),
        DatasetSpec(
            "mitbih_two_leads",
            "single beats of MIT-BIH in leads MLII and V1 at once: normal, pac, pvc",
            "transplant.datasets.beat_windows",
            "read_two_lead_beats",
            is_whole=True,
            options=(BEATS,),
            shape=(192, 2),
            n_classes=3,
            default_arch="cnn",
        ),
        DatasetSpec(
            "synthetic-ecg",
            "single beats of embedded synthetic recordings: normal, pac, pvc; not evidence",
            "transplant.datasets.beat_windows",
            "read_synthetic_beats",
            needs_source=False,
            is_whole=True,
            options=(BEATS,),
            shape=(192, 1),
            n_classes=3,
            default_arch="cnn",
        ),
        DatasetSpec(
            "synthetic-leads",
            "embedded synthetic recordings of three leads: sinus, afib, aflut, pvc; not evidence",
            "transplant.datasets.synthetic_leads",
            "read_synthetic_leads",
            needs_source=False,
            is_whole=True,
            shape=(1000, 3),
            n_classes=4,
            default_arch="cnn",
        ),
        DatasetSpec(
            "pamap2",
            "PAMAP2, 5 s of heart rate and three inertial units in twelve activities",
            "transplant.datasets.pamap2",
            "read_pamap2",
            is_whole=True,
            shape=(256, 52),
            n_classes=12,
            default_arch="cnn",
        ),
        DatasetSpec(
            "ptbdb",
            "PTB diagnostic ECG database, 10 s of 15 leads by reason for admission",
            "transplant.datasets.ptbdb",
            "read_ptbdb",
            is_whole=True,
            shape=(2000, 15),
            n_classes=6,
            default_arch="cnn",
        ),
        DatasetSpec(
            "seizure",
            "UCI Epileptic Seizure Recognition, 1 s of EEG in five classes",
            "transplant.datasets.seizure",
            "read_seizure",
            is_whole=True,
            shape=(178, 1),
            n_classes=5,
            default_arch="cnn",
        ),
        DatasetSpec(
            "visits",
            "MIMIC hospital admissions as diagnosis codes, mortality",
            "transplant.datasets.visits",
            "read_visits",
            is_whole=True,
            options=(
                DatasetOption(
                    "death_within",
                    "which deaths count: in the hospital or at any time later, or within a year of the last visit; "
                    "all patients of the open demo have died, so that it needs a year",
                    "ever",
                    ("ever", "year"),
                ),
                DatasetOption("max_visits", "last visits of a patient to keep; all if not given", metavar="N"),
            ),
            n_classes=2,
            default_arch="visit-gru",
        ),
        DatasetSpec(
            "physionet2012",
            "PhysioNet/CinC Challenge 2012, 48 h of intensive care by the hour, mortality",
            "transplant.datasets.physionet2012",
            "read_physionet2012",
            is_whole=True,
            options=(
                TARGET,
                MASKS,
                DatasetOption(
                    "variables", "the variables to use, with commas between; all if not given", metavar="LIST"
                ),
            ),
            shape=(48, 99),
            n_classes=2,
            default_arch="lstm-icu",
        ),
        DatasetSpec(
            "mimic3_mortality",
            "MIMIC-III or MIMIC-IV tables to 48 h by the hour after Harutyunyan et al. (2019), mortality",
            "transplant.datasets.mimic3_mortality",
            "read_mimic3_mortality",
            is_whole=True,
            options=(
                TARGET,
                DatasetOption(
                    "columns",
                    "12 values, 47 one-hot spellings, 17 masks; the same without masks; or synonyms merged, with masks",
                    "76",
                    ("76", "59-spellings", "59-merged"),
                ),
                DatasetOption("outliers", "values outside the benchmark's ranges", "keep", ("keep", "remove")),
                DatasetOption(
                    "split_lists", "the benchmark's testset.csv or its folder, for --split published", metavar="FILE"
                ),
            ),
            shape=(48, 76),
            n_classes=2,
            default_arch="lstm-icu",
        ),
        DatasetSpec(
            "mimic3_vitals",
            "MIMIC-III tables to 48 h of six vital signs by the hour, by eight diseases diagnosed first",
            "transplant.datasets.mimic3_vitals",
            "read_mimic3_vitals",
            is_whole=True,
            options=(MASKS,),
            shape=(48, 12),
            n_classes=8,
            default_arch="lstm-icu",
        ),
        DatasetSpec(
            "medical_mnist",
            "Medical MNIST, 58,954 grey 64x64 images in six classes",
            "transplant.datasets.medical_mnist",
            "read_medical_mnist",
            is_whole=True,
            shape=(64, 64, 1),
            n_classes=6,
            default_arch="mlp-512",
        ),
        DatasetSpec(
            "mnist",
            "MNIST, 70,000 grey 28x28 images of digits",
            "transplant.datasets.mnist",
            "read_mnist",
            is_whole=True,
            shape=(28, 28, 1),
            n_classes=10,
            default_arch="mlp-512",
        ),
        DatasetSpec(
            "digits",
            "1,797 grey 8x8 images of digits, embedded in scikit-learn",
            "transplant.datasets.digits",
            "read_digits",
            needs_source=False,
            is_whole=True,
            shape=(8, 8, 1),
            n_classes=10,
            default_arch="mlp-512",
        ),
    )
}


def get_dataset(name):
    """Return the `DatasetSpec` called `name`.

    Raises:
        OptionError: if there is none.
    """
    if name not in DATASETS:
        raise OptionError(f"data sets are {', '.join(DATASETS)}. Received: {name}")
    return DATASETS[name]
