"""The main job in minutes, on embedded recordings: `python -m transplant.demo`."""

import pathlib
import sys
import time

from transplant.training.command_line import make_parser, run, seed

DESCRIPTION = """\
Pretrain on heart beats, fine-tune an atrial-fibrillation classifier from random
and from the pretrained weights, and compare. Everything runs on synthetic
recordings that are made on the spot: a first step, not evidence."""

# Few labelled records, as in the field, and many frames to pretrain on. The first two stages of
# ResNet-18 see enough of them in the minutes that a demonstration has; the full network does not.
TRAIN_RECORDS, TEST_RECORDS = 60, 300
DURATION_RANGE_S = (9.0, 16.0)
RECORD_SAMPLES = 4096
PRETRAINING = [
    *("--task", "beat", "--train", "synthetic", "--stages", "2", "--epochs", "5", "--steps-per-epoch", "150"),
    *("--batch-size", "32", "--frame-size", "2048", "--samples-per-patient", "60", "--val-patients", "20"),
    *("--val-size", "512", "--val-metric", "f1"),
]
FINETUNING = [
    *("--recipe", "paper", "--stages", "2", "--epochs", "20", "--batch-size", "8", "--val-size", "0.5"),
    *("--val-metric", "f1"),
]


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m transplant.demo", DESCRIPTION)
    parser.add_argument("--seed", type=seed, default=2024, help="seed of recordings, splits and weights")
    parser.add_argument("--job-dir", metavar="J", help="folder of the results; default: jobs/demo/run-NNN")
    return parser


def demonstrate(args):
    """Run the demonstration; return dict row name -> test metrics."""
    from transplant.training.job import claim_default_folder
    from transplant.training.quiet_start import start_tensorflow

    began = time.monotonic()
    job = pathlib.Path(args.job_dir or claim_default_folder("demo", "run"))
    print(f"Demonstration on synthetic recordings (not evidence), seed {args.seed}, results in {job}\n")
    start_tensorflow()
    import finetuning.trainer
    import pretraining.trainer
    from finetuning.results import read_metrics
    from transplant.evaluation.plots import plot_macro_f1_comparison
    from transplant.evaluation.report import results_table

    seeds = ["--seed", str(args.seed)]
    pretrained = job / "pretraining"
    _show_and_run(
        pretraining.trainer, pretraining.trainer.pretrain, [*PRETRAINING, *seeds, "--job-dir", str(pretrained)]
    )
    train, test = _write_sets(args.seed, job / "data")
    sets = ["--train", str(train), "--test", str(test), *FINETUNING, *seeds, "--split-seed", str(args.seed)]
    for folder, weights in (("random", []), ("pretrained", ["--weights-file", str(pretrained / "backbone.npz")])):
        options = [*sets, "--job-dir", str(job / folder), *weights]
        _show_and_run(finetuning.trainer, finetuning.trainer.finetune, options)

    rows = [
        (name, read_metrics(job / folder)["test"])
        for name, folder in (("random weights", "random"), ("pretrained on beats", "pretrained"))
    ]
    plot_macro_f1_comparison(rows, job / "comparison.png", f"{TEST_RECORDS} synthetic test records")
    print(f"Test macro-F1 [95% bootstrap interval] and F1 of each class, {TEST_RECORDS} records:\n")
    print(results_table(rows))
    print("\nFiles:")
    for file, what in (
        ("pretraining/frame.png", "a frame with its beats"),
        ("pretraining/learning_curves.png", "learning curves of the pretraining"),
        ("random/learning_curves.png", "learning curves from random weights"),
        ("pretrained/learning_curves.png", "learning curves from pretrained weights"),
        ("random/confusion_test.png", "confusion matrix from random weights"),
        ("pretrained/confusion_test.png", "confusion matrix from pretrained weights"),
        ("comparison.png", "both results with their intervals"),
        ("pretrained/best_model.keras", "the classifier"),
    ):
        print(f"  {job / file}  {what}")
    print(f"\nSynthetic recordings: these numbers are not evidence. {time.monotonic() - began:.0f} s in all.")
    return dict(rows)


def _show_and_run(module, function, arguments):
    """Show the command of an entry point and run it in this process."""
    print(f"$ python -m {module.__name__} {' '.join(arguments)}", flush=True)
    function(module.parse(arguments))
    print()


def _write_sets(seed, folder):
    """Write the training and test records of the demonstration; return their paths."""
    from transplant.datasets.preparation import prepare_records
    from transplant.datasets.registry import get_dataset
    from transplant.datasets.synthetic import short_records

    records = short_records(TRAIN_RECORDS + TEST_RECORDS, seed, DURATION_RANGE_S)
    everything = prepare_records(
        records, get_dataset("synthetic").classes, RECORD_SAMPLES, dataset="synthetic", label_version="synthetic"
    )
    paths = folder / "train.npz", folder / "test.npz"
    for path, rows in zip(paths, (range(TRAIN_RECORDS), range(TRAIN_RECORDS, len(everything)))):
        everything.select(list(rows)).save(path)
    print(f"labelled records: {TRAIN_RECORDS} to train on, {TEST_RECORDS} to test on, in {folder}\n")
    return paths


def main(argv=None):
    """Run the command; return its exit status."""
    return run(demonstrate, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
