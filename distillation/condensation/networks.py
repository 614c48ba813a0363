"""The networks that a set is distilled for and judged by, and how their weights are drawn afresh."""

import keras
import numpy as np

from distillation.condensation.architectures import DISTILLABLE, JUDGES
from distillation.condensation.methods import KERAS, SCHEMES, UNIFORM, XAVIER
from distillation.condensation.twice_differentiable import with_layers_for
from transplant.errors import OptionError
from transplant.modules import registry
from transplant.modules.classifier import build_classifier
from transplant.modules.convnet import DEPTHS, WIDTH, build_convnet
from transplant.training.runtime import seed_random_states

NARROW, SMALL = 32, 28  # filters for examples that are small, and for images below how many pixels
_SHORT = 128  # steps of a signal
_RECURRENT = ("gru", "lstm")
_MOMENTS = {"moving_mean": 0.0, "moving_variance": 1.0}


def build_network(arch, input_shape, n_classes, width=None, compiler=None):
    """Build a classifier whose second derivatives are right.

    Args:
        arch: a plain network of `transplant.modules.registry.ARCHITECTURES`.
        input_shape: shape of one record.
        n_classes: number of classes.
        width: filters of a ConvNet. Defaults to None: those of `default_width`.
        compiler: of steps that differentiate it twice, see `with_layers_for`. Defaults to None: Keras' own layers
            where there are such, whose second derivatives XLA does not compile.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, in the global precision: the nested
        "backbone", and "head".

    Raises:
        OptionError: if the network does not fit, is none, or another than a ConvNet is given a width.
    """
    if arch not in DISTILLABLE:
        raise OptionError(f"a set is distilled for a plain network: {', '.join(DISTILLABLE)}. Received: {arch}")
    registry.check_fit(arch, input_shape)
    if arch in DEPTHS:
        backbone = build_convnet(arch, input_shape, seed=0, width=width or default_width(arch, input_shape))
    elif width is not None:
        raise OptionError(f"--width is for {', '.join(DEPTHS)}. Received: {arch} and a width of {width}; leave it out")
    else:
        backbone = registry.build_backbone(arch, input_shape=input_shape, seed=0)
    if compiler:
        backbone = with_layers_for(backbone, compiler)
    inputs = keras.Input(input_shape, name="signal")
    logits = keras.layers.Dense(n_classes, name="head")(backbone(inputs))
    return keras.Model(inputs, logits, name=arch)


def build_judge(arch, input_shape, n_classes, width=None):
    """Build a network that is trained on a distilled set: one of `build_network`, or a ResNet of signals.

    A ResNet's batch normalisation has no right second derivatives on TensorFlow, so that sets are not distilled for it.

    Args:
        arch: a name of `JUDGES`.
        input_shape, n_classes, width: as `build_network` takes them.

    Returns:
        `keras.Model` from (batch, *input_shape) to logits, with the architecture's name.

    Raises:
        OptionError: as `build_network`.
    """
    if arch in DISTILLABLE or arch not in JUDGES:
        return build_network(arch, input_shape, n_classes, width)
    registry.check_fit(arch, input_shape)
    model = build_classifier(arch, n_classes, input_length=input_shape[0], leads=input_shape[-1], seed=0)
    return keras.Model(model.input, model.output, name=arch)


def default_arch(input_shape):
    """Return the ConvNet that a set is distilled for where nothing says it.

    Args:
        input_shape: shape of one record.

    Returns:
        "convnet3" for images of 28 pixels and more and for signals of 128 steps and more. Of smaller ones its
        third level would normalise maps of a few positions, whose gradients are noise: "convnet2", and below half
        of that "convnet1".
    """
    side, enough = (min(input_shape[:2]), SMALL) if len(input_shape) == 3 else (input_shape[0], _SHORT)
    if side >= enough:
        return "convnet3"
    return "convnet2" if side >= enough // 2 else "convnet1"


def default_width(arch, input_shape):
    """Return the filters of a ConvNet where nothing says it: 128 as published, 32 for signals and small images.

    Args:
        arch: name of the network.
        input_shape: shape of one record.

    Returns:
        The number, or None of another network.
    """
    if arch not in DEPTHS:
        return None
    return NARROW if len(input_shape) == 2 or min(input_shape[:2]) < SMALL else WIDTH


def default_scheme(arch):
    """Return how a network's weights are drawn where nothing says it, as the publications have it.

    Args:
        arch: name of the network.

    Returns:
        "xavier" for LeNet, "keras" (its layers' own) for recurrent networks and ResNets, "uniform"
        (PyTorch's own) for the others.
    """
    if arch == "lenet":
        return XAVIER
    return KERAS if any(kind in arch for kind in (*_RECURRENT, "resnet")) else UNIFORM


def draw_weights(model, seed, scheme):
    """Give a network fresh random weights, and batch normalisation the moments of nothing seen.

    Args:
        model, seed, scheme: as `drawn_weights` takes them.

    Raises:
        OptionError: if there is no such scheme.
    """
    values = drawn_weights(model, seed, scheme)
    # Dropout's states too, so that what a network is trained to depends on its seed alone.
    seed_random_states(model, int(np.random.SeedSequence(seed).generate_state(1)[0]), 0)
    for variable, value in zip(model.trainable_variables, values):
        variable.assign(value)
    for variable in model.non_trainable_variables:
        if variable.name in _MOMENTS:
            variable.assign(np.full(variable.shape, _MOMENTS[variable.name]))


def drawn_weights(model, seed, scheme):
    """Return fresh random weights of a network, and leave its own as they are.

    Args:
        model: what `build_network` or `build_judge` returned.
        seed: integer, or tuple of them; the same gives the same weights.
        scheme: "uniform": weights and biases within 1 / sqrt(fan in), PyTorch's default; "xavier": normal,
            variance 2 / (fan in + fan out), biases 0; "kaiming": normal, variance 2 / fan in, biases 0;
            "keras": as each layer has it (Glorot, orthogonal).

    Returns:
        list of arrays, in the order of the model's trainable variables.

    Raises:
        OptionError: if there is no such scheme.
    """
    if scheme not in SCHEMES:
        raise OptionError(f"weights are drawn by {', '.join(SCHEMES)}. Received: {scheme}")
    rng, drawn = np.random.default_rng(seed), {}
    for owner in _owners(model):
        fans = None
        for variable in owner.trainable_variables:
            if scheme == KERAS:
                value = _own_draw(owner, variable, int(rng.integers(2**31)))
            elif variable.name in ("gamma", "beta"):
                value = np.full(variable.shape, variable.name == "gamma", np.float64)
            elif variable.name == "bias":
                bound = fans[0] ** -0.5
                value = rng.uniform(-bound, bound, variable.shape) if scheme == UNIFORM else np.zeros(variable.shape)
            else:
                fans = _fans(variable.shape)
                value = _draw(rng, variable.shape, fans, scheme)
            drawn[id(variable)] = np.asarray(value)  # paths need not differ
    return [drawn[id(variable)] for variable in model.trainable_variables]


def network_variables(model):
    """Return the trainable `tf.Variable`s of a network, which a gradient tape takes."""
    return [variable.value for variable in model.trainable_variables]


def _owners(model):
    """Return the layers and cells that hold weights themselves, in order."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += _owners(layer)
        elif isinstance(layer, keras.layers.Bidirectional):
            found += [layer.forward_layer.cell, layer.backward_layer.cell]
        elif isinstance(layer, keras.layers.RNN):
            found.append(layer.cell)
        elif layer.trainable_variables:
            found.append(layer)
    return found


def _fans(shape):
    receptive = int(np.prod(shape[:-2]))
    return shape[-2] * receptive, shape[-1] * receptive


def _draw(rng, shape, fans, scheme):
    if scheme == UNIFORM:
        return rng.uniform(-(fans[0] ** -0.5), fans[0] ** -0.5, shape)
    variance = 2 / sum(fans) if scheme == XAVIER else 2 / fans[0]
    return rng.normal(0, variance**0.5, shape)


def _own_draw(owner, variable, seed):
    """Draw a variable as its layer's configuration says, with another seed."""
    names = {"kernel": "kernel_initializer", "recurrent_kernel": "recurrent_initializer", "bias": "bias_initializer"}
    names |= {"gamma": "gamma_initializer", "beta": "beta_initializer"}
    if variable.name == "bias" and getattr(owner, "unit_forget_bias", False):
        # Of an LSTM the forget gate, the second of four, begins with 1.
        gates = np.zeros((4, owner.units))
        gates[1] = 1
        return gates.ravel()
    initializer = getattr(owner, names[variable.name], None)
    if initializer is None:  # our normalisation layers
        return np.full(variable.shape, variable.name == "gamma", np.float64)
    config = initializer.get_config()
    if "seed" in config:
        config["seed"] = seed
    return type(initializer).from_config(config)(variable.shape, variable.dtype)
