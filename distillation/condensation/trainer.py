"""Distil a data set: `python -m distillation.condensation.trainer --method dc`."""

import argparse
import dataclasses
import sys

from distillation.condensation.architectures import DISTILLABLE
from distillation.condensation.configs import CONFIGS
from distillation.condensation.methods import METHODS, SCHEMES, MethodOptions, settle_options
from distillation.data_options import add_data_flags
from transplant.training.command_line import (
    make_parser,
    non_negative_int,
    parse_early,
    positive_float,
    positive_int,
    run,
    seed,
    share,
)

DESCRIPTION = """\
Distil a labelled set into a handful of examples that train a network as the
whole set does.

  python -m distillation.condensation.trainer --method dc                    # embedded digits, one a class
  python -m distillation.condensation.trainer --method dm --dataset physionet2012 --source DIR --arch cnn1d --ipc 50
  python -m distillation.condensation.trainer --method random --ipc 10       # a baseline of the same size

The job folder gets distilled.npz, examples.png, values.png and, but of a
baseline, history.csv and learning_curves.png. Interrupted? Add --resume and
--job-dir to the same command: it ends with the same numbers; with more
--iterations it goes on from a finished run. Then judge the examples:

  python -m distillation.condensation.evaluate --distilled JOB"""

DEFAULT_DATASET = "digits"
# A longer run begins with the numbers of a shorter one; looks change none.
_FREE_ON_RESUME = frozenset({"iterations", "look_every", "job_dir", "resume"})


def build_parser():
    """Return the parser of this command."""
    parser = make_parser("python -m distillation.condensation.trainer", DESCRIPTION)
    method = parser.add_argument_group("method")
    method.add_argument(
        "--method",
        choices=tuple(METHODS),
        default="dc",
        help="; ".join(f"{entry.name}: {entry.description}" for entry in METHODS.values()),
    )
    method.add_argument(
        "--config",
        choices=tuple(CONFIGS),
        help="; ".join(f"{name}: {config.description}" for name, config in CONFIGS.items())
        + ". Options that are given stand above it",
    )
    method.add_argument("--ipc", type=positive_int, default=1, metavar="N", help="examples per class")
    method.add_argument(
        "--iterations",
        type=positive_int,
        metavar="N",
        help=f"updates of the examples{_values('iterations')}; of dc and dsa networks, each matched --outer-loops "
        "times: as many as make 60 matchings, 6 or more",
    )
    method.add_argument("--seed", type=seed, default=2024, help="of everything random but the split")
    add_method_flags(method)
    model = parser.add_argument_group("network")
    model.add_argument(
        "--arch",
        choices=DISTILLABLE,
        metavar="NAME",
        help=f"network to distil for: {', '.join(DISTILLABLE)}; if not given, convnet3, of images below 28 pixels "
        "convnet2, below 14 convnet1, and so of signals below 128 and 64 steps",
    )
    model.add_argument(
        "--width",
        type=positive_int,
        metavar="N",
        help="filters of a ConvNet's convolutions; 128, of signals and of images below 28 pixels 32, if not given",
    )
    add_data_flags(parser)
    job = parser.add_argument_group("job")
    job.add_argument(
        "--look-every",
        type=positive_int,
        metavar="N",
        help="iterations between checkpoints, figures and looks at validation; a tenth of the run if not given",
    )
    job.add_argument("--job-dir", metavar="J", help="folder of the results; default: jobs/distillation/METHOD-NNN")
    job.add_argument("--resume", action="store_true", help="go on with the job in --job-dir")
    return parser


def add_method_flags(group):
    """Add the options of single methods, None where they are not given."""
    flags = {
        "real_batch": (positive_int, "N", "real examples in a step, of a class; of vanilla of all classes"),
        "data_rate": (positive_float, "R", "learning rate of the examples; .01 of dc and dsa for --arch mlp..."),
        "data_momentum": (share, "M", "of the examples' gradient descent"),
        "network_rate": (positive_float, "R", "learning rate of the network between matchings"),
        "outer_loops": (positive_int, "N", "matchings in the life of a network; by --ipc: 1, 10 of 10, 50 of 50"),
        "inner_loops": (non_negative_int, "N", "epochs of the network between two; by --ipc: 1, 50 of 10, 10 of 50"),
        "distill_steps": (positive_int, "N", "gradient steps, each on examples of its own; up to 10, dividing --ipc"),
        "distill_epochs": (positive_int, "N", "passes over them; as many as make 30 steps or a few more"),
        "networks": (positive_int, "N", "networks of an update"),
        "first_rate": (positive_float, "R", "learning rate that every step begins with"),
        "decay_every": (positive_int, "N", "iterations until --data-rate is halved; half the run, published: a tenth"),
    }
    for name, (kind, metavar, text) in flags.items():
        text += f" [{', '.join(_users(name))}{_values(name)}]"
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=metavar, help=text)
    text = f"clip standardised values to this range [{', '.join(_users('clamp'))}]"
    group.add_argument("--clamp", type=float, nargs=2, metavar=("LOW", "HIGH"), help=text)
    choices = {
        "init": (("fixed", "random"), "first weights of the networks: always the same, or fresh ones"),
        "scheme": (SCHEMES, "how first weights are drawn; by --arch if not given"),
        "start": (("noise", "real"), "what the examples start from"),
    }
    for name, (values, text) in choices.items():
        text += f" [{', '.join(_users(name))}{_values(name)}]"
        group.add_argument(f"--{name}", choices=values, help=text)
    switches = {
        "learn_rates": "learn the steps' learning rates",
        "soft_labels": "learn labels too",
        "keep_range": "keep values within the range of the real ones",
        "augment": "augment real and synthetic examples alike",
        "xla": "compile what is differentiated twice with XLA: minutes at first, then faster on a GPU",
    }
    for name, text in switches.items():
        text += f" [{', '.join(_users(name))}{_values(name)}]"
        group.add_argument(f"--{name.replace('_', '-')}", action=argparse.BooleanOptionalAction, help=text)


def _users(name):
    return [method.name for method in METHODS.values() if name in method.uses]


def _values(name):
    """Return the defaults of an option, where it has one."""
    own = getattr(MethodOptions(), name)
    values = {method.name: method.defaults.get(name, own) for method in METHODS.values() if name in method.uses}
    values = {method: value for method, value in values.items() if value is not None}
    if not values:
        return ""
    if len(set(values.values())) == 1:
        return f": {_word(next(iter(values.values())))}"
    return ": " + ", ".join(f"{_word(value)} of {method}" for method, value in values.items())


def _word(value):
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


def method_options(args):
    """Return the `MethodOptions` that parsed options describe."""
    names = MethodOptions.__dataclass_fields__
    return settle_options(args.method, {name: getattr(args, name) for name in names}, args.arch)


def distil(args):
    """Run the distillation that the parsed options describe; return the job folder."""
    from transplant.training.job import job_folder, read_config
    from transplant.training.quiet_start import start_tensorflow

    there = read_config(args.job_dir) if args.resume and args.job_dir else None
    if there and args.decay_every is None:
        # Its default depends on the iterations, which may be more now.
        args.decay_every = there["options"].get("decay_every")
    options = method_options(args)
    # What a default decides is recorded too, so that a job never goes on with another.
    vars(args).update(dataclasses.asdict(options))
    if not args.train and not args.dataset:
        args.dataset = DEFAULT_DATASET
    if options.iterations:  # a coreset has none
        args.look_every = args.look_every or max(1, options.iterations // 10)
    start_tensorflow()
    from distillation.condensation.checkpoint import CHECKPOINT
    from distillation.condensation.run import distil as run_distillation

    with job_folder(args, "distillation.condensation.trainer", args.method, CHECKPOINT, _FREE_ON_RESUME) as job:
        print(f"job folder: {job}", flush=True)
        run_distillation(args, options, job)
    print(f"next: python -m distillation.condensation.evaluate --distilled {job}")
    return job


def parse(argv=None):
    """Return the options of a command line, those that were not given from the configuration."""
    parser, early = build_parser(), parse_early(argv, "--config", "--train")
    if early.config in CONFIGS:
        options = CONFIGS[early.config].options
        # A prepared set takes the place of the configuration's data set.
        parser.set_defaults(**(options | ({"dataset": None} if early.train else {})))
    return parser.parse_args(argv)


def main(argv=None):
    """Run the command; return its exit status."""
    return run(distil, parse(argv))


if __name__ == "__main__":
    sys.exit(main())
