"""The methods by name: what each is, and the settings it has where nothing else is asked for.

Command lines import this file for their help, so it imports nothing heavy.
"""

import dataclasses

from transplant.errors import OptionError

UNIFORM, XAVIER, KAIMING, KERAS = SCHEMES = ("uniform", "xavier", "kaiming", "keras")


@dataclasses.dataclass(frozen=True)
class MethodOptions:
    """Settings of a run; each method uses those that it knows.

    Attributes:
        seed: of everything random.
        ipc: examples per class.
        iterations: updates of the examples; of gradient matching the lives of a network, in each of which they
            are updated outer_loops times.
        real_batch: real examples of a class in a step; of vanilla: of all classes.
        data_rate: learning rate of the examples.
        data_momentum: of gradient matching and distribution matching.
        network_rate: learning rate of the network on the synthetic examples (gradient matching).
        outer_loops: steps of matching in the life of a network.
        inner_loops: epochs of the network between them.
        distill_steps: gradient steps of vanilla distillation, each on examples of its own.
        distill_epochs: how often it goes through them.
        init: whether vanilla's networks always start from the same weights: "fixed" or "random".
        networks: networks of an update of vanilla.
        first_rate: learning rate that each of its steps begins with.
        learn_rates: whether these are learned.
        decay_every: iterations after which vanilla's data_rate is halved.
        scheme: how first weights are drawn: see `networks.draw_weights`.
        start: examples start from "noise" or "real" ones.
        soft_labels: whether labels are learned.
        keep_range: whether values stay within the real ones' range.
        clamp: (low, high) that standardised values are clipped to.
        augment: whether real and synthetic examples are augmented alike.
        xla: whether XLA compiles the steps.
    """

    seed: int = 2024
    ipc: int = 1
    iterations: int | None = None
    real_batch: int = 256
    data_rate: float = 0.1
    data_momentum: float = 0.5
    network_rate: float = 0.01
    outer_loops: int | None = None
    inner_loops: int | None = None
    distill_steps: int | None = None
    distill_epochs: int | None = None
    init: str = "random"
    networks: int = 1
    first_rate: float = 0.02
    learn_rates: bool = True
    decay_every: int | None = None
    scheme: str | None = None
    start: str = "noise"
    soft_labels: bool = False
    keep_range: bool = False
    clamp: tuple | None = None
    augment: bool = False
    xla: bool = False


@dataclasses.dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        name: what `--method` takes.
        description: one line for the help.
        module, function: where it is; None of coresets.
        uses: names of `MethodOptions` that it knows, besides seed and ipc.
        defaults: those of them that differ from the fields' own.
    """

    name: str
    description: str
    module: str | None = None
    function: str | None = None
    uses: tuple = ()
    defaults: dict = dataclasses.field(default_factory=dict)

    @property
    def is_coreset(self):
        """Whether it chooses real examples, and learns nothing."""
        return self.module is None


# (outer, inner) loops of gradient matching by examples of a class, as its public code has them; between two
# numbers the smaller one's.
_LOOPS = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
_MATCHINGS, _FEWEST_LIVES = 60, 6  # of a first look: steps of matching, and networks that they are shared by
_TOTAL_STEPS = 30  # of vanilla distillation, as published
_DENSE_DATA_RATE = 0.01  # of gradient matching, as its public code has it for a multilayer perceptron
_PACKAGE = "distillation.condensation"
_LEARNED = ("iterations", "real_batch", "data_rate", "scheme", "start", "keep_range", "clamp", "xla")
_STEPS = ("distill_steps", "distill_epochs", "first_rate", "learn_rates", "decay_every")
_MATCHING = (*_LEARNED, "data_momentum", "network_rate", "outer_loops", "inner_loops", "soft_labels")

METHODS = {
    method.name: method
    for method in (
        Method(
            "vanilla",
            "differentiate through the training itself (Wang et al. 2018)",
            f"{_PACKAGE}.vanilla",
            "VanillaDistillation",
            (*_LEARNED, *_STEPS, "soft_labels", "init", "networks"),
            {"data_rate": 0.01, "real_batch": 1024, "iterations": 200, "networks": 1},
        ),
        Method(
            "dc",
            "gradient matching (Zhao et al. 2021)",
            f"{_PACKAGE}.gradient_matching",
            "GradientMatching",
            _MATCHING,
            {"start": "real"},
        ),
        Method(
            "dsa",
            "gradient matching with siamese augmentation (Zhao and Bilen 2021)",
            f"{_PACKAGE}.gradient_matching",
            "GradientMatching",
            _MATCHING,
            {"start": "real", "augment": True},
        ),
        Method(
            "dm",
            "distribution matching (Zhao and Bilen 2023)",
            f"{_PACKAGE}.distribution_matching",
            "DistributionMatching",
            (*_LEARNED, "data_momentum", "augment"),
            {"iterations": 200, "start": "real", "data_rate": 1.0, "augment": True},
        ),
        Method("random", "real examples, drawn at random: what every method must beat"),
        Method("herding", "real examples whose mean follows that of all"),
        Method("kcenter", "real examples that leave none far away"),
        Method("kmeans", "the real examples nearest to the centres of k-means"),
    )
}


def get_method(name):
    """Return the `Method` called `name`.

    Raises:
        OptionError: if there is none.
    """
    if name not in METHODS:
        raise OptionError(f"methods are {', '.join(METHODS)}. Received: {name}")
    return METHODS[name]


def settle_options(name, given, arch=None):
    """Return the `MethodOptions` of a method: its defaults, and what was given above them.

    Args:
        name: of the method.
        given: dict option -> value, None where nothing was given.
        arch: network, where one was asked for: of dense ones gradient matching has a smaller data_rate.
            Defaults to None: a convolutional one.

    Raises:
        OptionError: if an option was given that the method does not use, or values contradict each other.
    """
    method = get_method(name)
    given = {option: value for option, value in given.items() if value is not None}
    unknown = [option for option in given if option not in ("seed", "ipc", *method.uses)]
    if unknown:
        flags = ", ".join(f"--{option.replace('_', '-')}" for option in unknown)
        raise OptionError(f"--method {name} has no use for {flags}. Received: them; leave them out")
    if "clamp" in given and not given["clamp"][0] < given["clamp"][1]:
        raise OptionError(f"--clamp is LOW HIGH. Received: {given['clamp'][0]:g} {given['clamp'][1]:g}")
    is_matching = name in ("dc", "dsa")
    of_dense = {"data_rate": _DENSE_DATA_RATE} if is_matching and arch and arch.startswith("mlp") else {}
    options = dataclasses.replace(MethodOptions(), **(method.defaults | of_dense | given))
    if name == "vanilla":
        options = _settle_vanilla(options)
    if is_matching:
        outer, inner = _LOOPS[max(count for count in _LOOPS if count <= options.ipc)]
        outer = options.outer_loops or outer
        options = dataclasses.replace(
            options,
            iterations=options.iterations or max(_FEWEST_LIVES, _MATCHINGS // outer),
            outer_loops=outer,
            inner_loops=inner if options.inner_loops is None else options.inner_loops,
        )
    return options


def _settle_vanilla(options):
    steps = options.distill_steps or _steps_of(options.ipc)
    if options.ipc % steps:
        raise OptionError(
            f"the examples of a class are shared out evenly among the steps. Received: --ipc {options.ipc} for "
            f"--distill-steps {steps}"
        )
    if options.init not in ("fixed", "random"):
        raise OptionError(f"--init is fixed or random. Received: {options.init}")
    networks = 1 if options.init == "fixed" else options.networks
    return dataclasses.replace(
        options,
        distill_steps=steps,
        distill_epochs=options.distill_epochs or -(-_TOTAL_STEPS // steps),
        networks=networks,
        decay_every=options.decay_every or -(-options.iterations // 2),
    )


def _steps_of(ipc):
    """Return the largest number of steps up to ten that divides the examples of a class."""
    return max(steps for steps in range(1, 11) if ipc % steps == 0)
