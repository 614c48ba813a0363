"""How fast small JPEG are decoded and a plain model learns from them: `python benchmarks/image_stream.py`."""

import contextlib
import dataclasses
import json
import os
import pathlib
import sys
import tempfile

import speeds
from speeds import add_size_flags, median_speeds, ratio_rows, size_of, speed_table, summarize_speeds, timed

from transplant.training.command_line import make_parser, run

DESCRIPTION = """\
Images per CPU second (all threads of the process) that are decoded from a folder
of class folders of JPEG, every pass over all of them, the files in the page cache:

  ours    transplant.datasets.image_files, in groups of files, into one array
  keras   keras.utils.image_dataset_from_directory with its defaults, grey, not shuffled: the usual pattern
  pillow  PIL.Image.open in a loop, into one array

and that the logistic model trains on (flattened pixels to classes, SGD, batch 16,
shuffled), the images in memory:

  ours    transplant.training.step on a tf.data pipeline
  fit     keras' model.fit on the array

The files are those of --source, of TRANSPLANT_DATA/medical_mnist unless the run is
quick, or are made for the run. Each repeat measures everything, one after the
other; the tables show medians. Aims: 4,000 decoded images per CPU second; an epoch
of 42,000 images in less than 40 CPU seconds."""

DECODING = {
    "ours": "ours, decoded",
    "keras": "image_dataset_from_directory",
    "pillow": "Pillow, one after the other",
}
TRAINING = {"ours": "ours, an epoch", "fit": "keras fit"}
SHAPE = (64, 64, 1)
BATCH_SIZE = 16
EPOCH_IMAGES = 42_000
CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")


@dataclasses.dataclass(frozen=True)
class Size(speeds.Size):
    """How much a run does.

    Attributes:
        made: images a class that are made where no folder is given.
        epoch: images of a measured epoch, at most.
    """

    made: int
    epoch: int


FULL = Size(repeats=3, at_least_s=1.0, made=2000, epoch=EPOCH_IMAGES)
QUICK = Size(repeats=3, at_least_s=0.3, made=400, epoch=960)


def make_images(folder, count):
    """Write `count` JPEG files a class, of the size and about the bytes of Medical MNIST's."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for number, name in enumerate(CLASSES):
        place = pathlib.Path(folder) / name
        place.mkdir()
        for index in range(count):
            wave = np.sin((rows * (number + 1) + columns * rng.uniform(1, 3)) / 20 + rng.uniform(0, 6))
            pixels = np.clip(120 + 90 * wave + rng.normal(0, 8, wave.shape), 0, 255).astype(np.uint8)
            (place / f"{index:06}.jpeg").write_bytes(tf.io.encode_jpeg(pixels[..., None], quality=75).numpy())


def list_images(folder):
    """Return the files of a folder's class folders, and their classes' numbers.

    Raises:
        DataError: if there are none.
    """
    from transplant.datasets.image_files import find_jpegs
    from transplant.errors import DataError

    folder = pathlib.Path(folder)
    places = sorted(place for place in folder.iterdir() if place.is_dir()) if folder.is_dir() else []
    found = [(file, number) for number, place in enumerate(places) for file in find_jpegs(place)]
    if not found:
        raise DataError(f"{folder}: a folder of class folders of JPEG is needed. Received: none; check --source")
    return [file for file, _ in found], [number for _, number in found]


def decode_ours(files):
    """Return uint8 (files, 64, 64, 1)."""
    from transplant.datasets.image_files import decode_jpegs
    from transplant.errors import DataError

    images, errors = decode_jpegs(files, SHAPE)
    if errors:
        index, reason = next(iter(errors.items()))
        raise DataError(f"{files[index]}: JPEG of 64 x 64 x 1 are needed. Received: {reason}; fetch it again")
    return images


def decode_keras(folder):
    """Iterate over the folder as Keras' examples do."""
    import keras

    dataset = keras.utils.image_dataset_from_directory(
        folder, color_mode="grayscale", image_size=SHAPE[:2], shuffle=False, verbose=False
    )
    return sum(len(images) for images, _ in dataset)


def decode_pillow(files):
    """Return uint8 (files, 64, 64)."""
    import numpy as np
    import PIL.Image

    images = np.empty((len(files), *SHAPE[:2]), np.uint8)
    for image, file in zip(images, files):
        with PIL.Image.open(file) as picture:
            image[:] = picture
    return images


def build_logistic(n_classes):
    """Return the compiled logistic model of grey levels."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(SHAPE, dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(n_classes),
        ]
    )
    model.compile(
        keras.optimizers.SGD(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    return model


def epochs(images, labels):
    """Return {way: function that trains for one epoch}, each on a model of its own."""
    import tensorflow as tf

    from transplant.training.step import make_step, train_epoch

    n_classes = int(labels.max()) + 1
    ours, fitted = build_logistic(n_classes), build_logistic(n_classes)
    x, y = tf.constant(images), tf.constant(labels)
    batches = (
        tf.data.Dataset.range(len(labels))
        .shuffle(len(labels), seed=0)
        .batch(BATCH_SIZE, drop_remainder=True)
        .map(lambda rows: (tf.gather(x, rows), tf.gather(y, rows)))
        .prefetch(2)
    )
    step = make_step(ours, batches.element_spec)
    return {
        "ours": lambda: train_epoch(ours, step, batches),
        "fit": lambda: fitted.fit(images, labels, batch_size=BATCH_SIZE, verbose=0),
    }


def measure(work, size, count):
    """Return dict way -> list of (images per CPU second, images per second), repeats interleaved.

    Args:
        work: dict way -> function.
        size: `Size`.
        count: images of one call.
    """
    for function in work.values():
        function()  # a run that does not count: traces, and fills the page cache
    measured = {way: [] for way in work}
    for _ in range(size.repeats):
        for way, function in work.items():
            measured[way].append(timed(function, size.at_least_s, count))
    return measured


def measure_decoding(folder, files, size):
    """Return what `measure` says of the ways in `DECODING`."""
    work = {
        "ours": lambda: decode_ours(files),
        "keras": lambda: decode_keras(folder),
        "pillow": lambda: decode_pillow(files),
    }
    return measure(work, size, len(files))


def measure_training(files, labels, size):
    """Return what `measure` says of the ways in `TRAINING`."""
    import numpy as np

    chosen = np.random.default_rng(0).permutation(len(files))[: size.epoch // BATCH_SIZE * BATCH_SIZE]
    chosen = chosen[: len(chosen) // BATCH_SIZE * BATCH_SIZE]
    images = decode_ours([files[index] for index in chosen])
    return measure(epochs(images, np.array(labels, np.int32)[chosen]), size, len(chosen))


def summarize(speeds_of):
    """Return medians, ranges and the ratios of ours to the others as a JSON-ready dict."""
    medians = median_speeds(speeds_of)
    ratios = {
        f"ours_over_{way}": round(medians["ours"] / value, 2) for way, value in medians.items() if way != "ours"
    }
    return {**summarize_speeds(speeds_of, "images"), **ratios}


def epoch_seconds(summary):
    """Return dict way -> CPU seconds of an epoch of 42,000 images, by the summary's medians."""
    return {way: round(EPOCH_IMAGES / value, 2) for way, value in summary["images_per_cpu_second"].items()}


@contextlib.contextmanager
def images_of(args, size):
    """Give the folder of images that the options ask for, made for the run where they name none."""
    data = os.environ.get("TRANSPLANT_DATA")
    if args.source or (data and not args.quick):
        yield args.source or os.path.join(data, "medical_mnist"), False
    else:
        with tempfile.TemporaryDirectory() as folder:
            make_images(folder, size.made)
            yield folder, True


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    from transplant.training.quiet_start import start_tensorflow

    start_tensorflow()
    from transplant.training.description import collect_versions

    size = size_of(args, FULL, QUICK)
    load = os.getloadavg()[0]
    with images_of(args, size) as (folder, made):
        files, labels = list_images(folder)
        print(
            f"{len(files):,} JPEG of 64 x 64{', made for this run' if made else ''}; median of {size.repeats} "
            f"interleaved repeats; load average at the start {load:.1f}"
        )
        decoding = summarize(measure_decoding(folder, files, size))
        training = summarize(measure_training(files, labels, size))
    print(speed_table([(decoding, ratio_rows(decoding, DECODING, "images"))], "images"))
    print(speed_table([(training, ratio_rows(training, TRAINING, "images"))], "images"))
    seconds = epoch_seconds(training)
    print(f"an epoch of {EPOCH_IMAGES:,} images: ours {seconds['ours']} CPU s, keras fit {seconds['fit']} CPU s")
    settings = {
        "images": len(files),
        "made": made,
        "quick": args.quick,
        "repeats": size.repeats,
        "cpus": os.cpu_count(),
        "load_average": load,
        "versions": collect_versions(),
    }
    result = {"decoding": decoding, "training": training, "epoch_cpu_seconds": seconds}
    print(json.dumps({"benchmark": "image_stream", **result, **settings}))


def build_parser():
    """Return the parser of this benchmark."""
    parser = make_parser("python benchmarks/image_stream.py", DESCRIPTION)
    add_size_flags(parser, FULL, QUICK, "2,400 images made for the run and short measurements: half a minute")
    parser.add_argument("--source", metavar="DIR", help="folder of class folders of JPEG of 64 x 64")
    return parser


def main(argv=None):
    """Run the benchmark; return its exit status."""
    return run(benchmark, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
