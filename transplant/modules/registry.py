"""The one list of architectures: name, what it is, which records it takes, and how to build it.

Builders are named by module and function and imported when one is built, so
that a command line can offer the names without loading Keras.

Two kinds stand in it. The ResNets have stages, take signals of any length and
can be pretrained. The plain networks are the small baselines: each is built for
the shape of its records and pools by itself.
"""

import dataclasses
import importlib
import numbers

from transplant.errors import OptionError
from transplant.signals.spectrogram import SpectrogramSettings

_AXES = {2: "records of (time, channels)", 3: "images of (height, width, channels)"}


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One entry of the registry.

    Attributes:
        name: what `--arch` takes.
        module, function: where the backbone's builder lives; it is called as
            `function(arch, stages=, leads=, seed=, batch_norm=, padding_aware=)`, with
            `spectrogram=` where it takes one, and returns a `keras.Model` named "backbone" from
            (batch, time, leads) to (batch, time', channels), to (batch, frequency', slice',
            channels), or to (batch, channels) where it pools by itself. That of a plain network
            is called as `function(arch, input_shape=, seed=)`, and its model goes from (batch,
            *input_shape) to (batch, features). None where there is no network.
        stages: number of stages of the full network; 1 of a plain one.
        description: one line for help and model cards.
        takes_spectrogram: whether a spectrogram is its first layer.
        is_plain: whether it is one of the baselines, which have neither stages, a
            spectrogram, batch normalisation nor a padding-aware form.
        is_network: whether it is a Keras model; `build_backbone` refuses others.
        input_ranks: lengths of the input shapes that it takes: 2 for (time, channels),
            3 for (height, width, channels).
        fewest_steps: the shortest time axis, or side of an image, that leaves something after its last layer.
        takes_any_length: whether one model serves records of different lengths, so that the time
            may be None in its `input_shape`.
        masks_padding: whether zeros before a record are no part of it, without any option.
        is_all_head: whether the backbone has no weights, so that nothing can be transferred.
    """

    name: str
    module: str | None
    function: str | None
    stages: int
    description: str
    takes_spectrogram: bool = False
    is_plain: bool = False
    is_network: bool = True
    input_ranks: tuple = (2,)
    fewest_steps: int = 1
    takes_any_length: bool = True
    masks_padding: bool = False
    is_all_head: bool = False

    def misfit(self, input_shape):
        """Return why it cannot be built for records of a shape, in words, or None where it can.

        Args:
            input_shape: shape of one record: (time, channels) or (height, width, channels).
        """
        if len(input_shape) not in self.input_ranks:
            return f"it takes {' or '.join(_AXES[rank] for rank in self.input_ranks)}"
        steps, is_image = input_shape[0], len(input_shape) == 3
        if steps is None and not self.takes_any_length:
            return "its dense layers need a number of steps that is fixed"
        if steps is not None and min(input_shape[:-1]) < self.fewest_steps:
            what = "pixels on a side" if is_image else "steps"
            return f"its convolutions and poolings need at least {self.fewest_steps} {what}"
        return None


def _plain(name, module, function, description, **special):
    special = {"takes_any_length": False} | special
    return Architecture(name, f"transplant.modules.{module}", function, 1, description, is_plain=True, **special)


def _recurrent(name, description, **special):
    return _plain(name, "recurrent", "build_recurrent", description, takes_any_length=True, **special)


FUSION = "fusion"
# The networks that a fusion joins, and the prefix of their layers' names in it.
PREFIXES = {"resnet18": "raw_", "resnet18_2d": "spectrogram_"}

ARCHITECTURES = {
    entry.name: entry
    for entry in (
        Architecture(
            "resnet18", "transplant.modules.resnet1d", "build_resnet1d", 4, "1-D ResNet-18, 4,492,480 parameters"
        ),
        Architecture(
            "resnet34", "transplant.modules.resnet1d", "build_resnet1d", 4, "1-D ResNet-34, 9,086,656 parameters"
        ),
        Architecture(
            "resnet50", "transplant.modules.resnet1d", "build_resnet1d", 4, "1-D ResNet-50, 16,974,016 parameters"
        ),
        Architecture(
            "resnet18_2d",
            "transplant.modules.resnet2d",
            "build_resnet2d",
            4,
            "2-D ResNet-18 on spectrograms, 11,184,640 parameters",
            takes_spectrogram=True,
        ),
        Architecture(
            FUSION,
            "transplant.modules.fusion",
            "build_fusion",
            4,
            "1-D ResNet-18 and 2-D ResNet-18 on spectrograms side by side, 15,677,120 parameters",
            takes_spectrogram=True,
        ),
        _plain(
            "logistic",
            "mlp",
            "build_mlp",
            "the record itself, for a linear head",
            input_ranks=(2, 3),
            is_all_head=True,
        ),
        _plain("mlp-16", "mlp", "build_mlp", "dense 16 sigmoid", input_ranks=(2, 3)),
        _plain("mlp-deep", "mlp", "build_mlp", "4 x dense 256 ReLU", input_ranks=(2, 3)),
        _plain("mlp-512", "mlp", "build_mlp", "2 x dense 512 ReLU", input_ranks=(2, 3)),
        _plain("mlp3", "mlp", "build_mlp", "dense 128 and 64 ReLU, with the head 3 dense layers", input_ranks=(2, 3)),
        _plain(
            "cnn",
            "cnn",
            "build_cnn",
            "convolutions of 6 and 16 filters, kernel 5, each with ReLU and maximum of 2, dense 128 ReLU",
            fewest_steps=16,
        ),
        _plain(
            "cnn-dropout",
            "cnn",
            "build_cnn",
            "the layers of cnn and dense 64 ReLU, with dropout .2 after each",
            fewest_steps=16,
        ),
        _plain(
            "cnn1d",
            "cnn",
            "build_cnn",
            "2 convolutions of 64 filters, kernel 5, each with ReLU and mean of 2, dense 64 ReLU, "
            "with the head 2 dense layers",
            fewest_steps=16,
        ),
        _plain(
            "lenet",
            "lenet",
            "build_lenet",
            "LeNet-5 with ReLU and maximum of 2 on images",
            input_ranks=(3,),
            fewest_steps=12,
        ),
        *(
            _plain(
                f"convnet{depth}",
                "convnet",
                "build_convnet",
                f"{depth} x (convolution of 128 filters, instance normalisation, ReLU, mean of 2), on images or "
                "signals; the network of dataset distillation",
                input_ranks=(2, 3),
                fewest_steps=2**depth,
            )
            for depth in (1, 2, 3)
        ),
        _recurrent("gru", "GRU 16"),
        _recurrent("gru-deep", "2 x GRU 32, dense 16 ReLU"),
        _recurrent("visit-gru", "dense 32 tanh on each visit, GRU 16, padding masked", masks_padding=True),
        _recurrent(
            "visit-lstm",
            "dense 64 tanh on each visit, 2 x LSTM 16, dense 8 ReLU, padding masked",
            masks_padding=True,
        ),
        _recurrent(
            "lstm-icu", "bidirectional LSTM of 8 each way, LSTM 16, dropout .3, padding masked", masks_padding=True
        ),
        Architecture(
            "logistic-features",
            None,
            None,
            1,
            "scikit-learn's logistic regression on hand-made features of intensive-care series",
            is_plain=True,
            is_network=False,
            masks_padding=True,
        ),
    )
}


def get_architecture(name):
    """Return the registry's entry for `name`.

    Raises:
        OptionError: if there is none; the message lists the names.
    """
    if name not in ARCHITECTURES:
        raise OptionError(f"unknown architecture; choose one of {', '.join(ARCHITECTURES)}. Received: {name}")
    return ARCHITECTURES[name]


def check_fit(name, input_shape):
    """Refuse an architecture that cannot be built for records of a shape.

    Nothing is built or imported for it.

    Args:
        name: a key of `ARCHITECTURES`.
        input_shape: shape of one record: (time, channels) or (height, width, channels); the
            time may be None where it varies.

    Raises:
        OptionError: if it does not fit, with the reason and the names of those that do.

    Example:
        >>> check_fit("cnn", (178, 1))
    """
    entry = get_architecture(name)
    input_shape = tuple(input_shape)
    sizes = input_shape[1:] if input_shape[:1] == (None,) else input_shape
    if len(input_shape) not in _AXES or not all(isinstance(n, numbers.Integral) and n > 0 for n in sizes):
        raise OptionError(f"a network is built for {' or '.join(_AXES.values())}. Received: shape {input_shape}")
    if reason := entry.misfit(input_shape):
        fitting = [other.name for other in ARCHITECTURES.values() if not other.misfit(input_shape)]
        raise OptionError(
            f"{name} does not fit the records: {reason}. Received: shape {input_shape}; "
            f"choose one of {', '.join(fitting) or 'none'}"
        )


def choose_spectrogram(name, spectrogram=None, bins=None):
    """Return the `SpectrogramSettings` that a network is built with, or None where it takes raw signals.

    Args:
        name: a key of `ARCHITECTURES`.
        spectrogram: name of a preset, or `SpectrogramSettings`. Defaults to "final"
            where the network takes one.
        bins: frequency bins of the preset. Defaults to its own.

    Raises:
        OptionError: if the network takes no spectrogram and one is asked for, or
            the settings are wrong.
    """
    if not get_architecture(name).takes_spectrogram:
        if spectrogram is None and bins is None:
            return None
        takers = ", ".join(entry.name for entry in ARCHITECTURES.values() if entry.takes_spectrogram)
        raise OptionError(
            f"{name} takes the raw signal, and only {takers} a spectrogram. Received: "
            f"spectrogram={spectrogram or 'none'}, bins={bins or 'none'}; leave them out, or change the network"
        )
    if isinstance(spectrogram, SpectrogramSettings):
        return spectrogram
    return SpectrogramSettings(bins=bins) if spectrogram is None else SpectrogramSettings(spectrogram, bins)


def build_backbone(
    name,
    stages=None,
    leads=1,
    seed=None,
    batch_norm="stock",
    spectrogram=None,
    padding_aware=False,
    input_shape=None,
):
    """Build the backbone of an architecture.

    Args:
        name: a key of `ARCHITECTURES`.
        stages: first so many stages. Defaults to all of them.
        leads: input channels, where no `input_shape` says it. Defaults to 1.
        seed: of the initial weights. Defaults to Keras' global random state.
        batch_norm: kind of batch normalisation, as in `make_batch_norm`; a plain network has
            none. Defaults to "stock".
        spectrogram: `SpectrogramSettings`, or the name of a preset, for a network that
            takes one. Defaults to "final" there.
        padding_aware: give a record the same features however many zeros stand before it,
            see `transplant.modules.padding`. Defaults to False.
        input_shape: shape of one record, (time, channels) or (height, width, channels). A
            plain network needs it. Defaults to None: records of any length.

    Returns:
        A `keras.Model` named "backbone", (batch, time, leads) to (batch, time', channels), to
        (batch, frequency', slice', channels) where a spectrogram comes first, or to float32
        (batch, channels) where it pools by itself, as "fusion" and the plain networks do.

    Raises:
        OptionError: if the name, the number of stages or the spectrogram is wrong, if the
            network does not fit the input shape, or if an option is asked for that a plain
            network does not have.
    """
    entry = get_architecture(name)
    if not entry.is_network:
        raise OptionError(
            f"{name} is {entry.description}, and no network. Received: a network of {name} to build; choose one of "
            f"{', '.join(other.name for other in ARCHITECTURES.values() if other.is_network)}"
        )
    settings = choose_spectrogram(name, spectrogram)
    if stages is not None and not 1 <= stages <= entry.stages:
        every = "one stage" if entry.stages == 1 else f"1 to {entry.stages} stages"
        raise OptionError(f"{name} has {every}. Received: stages={stages}")
    if input_shape is not None:
        check_fit(name, input_shape)
        leads = input_shape[-1]
    if entry.is_plain:
        _check_plain(entry, padding_aware, input_shape)
        arguments = {"input_shape": tuple(input_shape), "seed": seed}
    else:
        arguments = {
            "stages": stages,
            "leads": leads,
            "seed": seed,
            "batch_norm": batch_norm,
            "padding_aware": padding_aware,
        } | ({"spectrogram": settings} if entry.takes_spectrogram else {})
    return getattr(importlib.import_module(entry.module), entry.function)(name, **arguments)


def _check_plain(entry, padding_aware, input_shape):
    """Refuse what the builder of a plain network does not take, and the lack of what it needs."""
    if padding_aware:
        why = "masks the padding by itself" if entry.masks_padding else "has no padding-aware form"
        raise OptionError(f"{entry.name} {why}. Received: padding_aware=True; leave it out (--no-padding-aware)")
    if input_shape is None:
        others = ", ".join(other.name for other in ARCHITECTURES.values() if not other.is_plain)
        raise OptionError(
            f"{entry.name} is built for the shape of its records, not for any length. Received: no input_shape; "
            f"give it, or choose one of {others}"
        )
