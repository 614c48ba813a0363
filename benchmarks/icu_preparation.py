"""How fast ICU stays become hourly tables: `python benchmarks/icu_preparation.py`."""

import csv
import functools
import json
import os
import pathlib
import sys
import tempfile

from speeds import Size, add_size_flags, median_speeds, ratio_rows, size_of, speed_table, summarize_speeds, timed

from transplant.training.command_line import make_parser, positive_int, run

DESCRIPTION = """\
Stays per CPU second (all threads of the process) that become tables of 48
hourly bins with imputation, one-hot codes and masks, from the text files of the
PhysioNet/CinC Challenge 2012, in three ways that give the same numbers:

  ours    transplant.datasets.physionet2012: all files parsed in one go, bins of
          all stays at once; checks of every row and the labels are included
  loop    a csv reader a stay, and Python loops over rows, hours and variables:
          the pattern of the public MIMIC-III benchmark's discretiser
  pandas  pandas.read_csv a stay, then group by hour, last value, forward fill:
          the pattern of notebooks

Without --source and TRANSPLANT_DATA, synthetic stays in the challenge's format
are written to a temporary folder. Each repeat measures everything, one after the
other; the table shows medians. Files are read once before the clock starts."""

LABELS = {"ours": "ours, all stays in one go", "loop": "csv and loops, a stay", "pandas": "pandas, a stay"}
FULL = Size(repeats=5, at_least_s=4.0)
QUICK = Size(repeats=3, at_least_s=0.3)
SYNTHETIC_STAYS = {"full": 1000, "quick": 60}
# The two rivals work stay by stay, so that some of them tell their speed; ours gets all.
RIVALS_STAYS = 100


def write_stays(folder, n_stays, seed=0):
    """Write synthetic stays in the challenge's format, some 400 rows each: set-a/ and Outcomes-a.txt.

    Args:
        folder: where to.
        n_stays: how many.
        seed: same seed, same files.
    """
    import numpy as np

    from transplant.datasets.physionet2012_variables import FIRST_CATEGORY, STATICS, VARIABLES

    rng = np.random.default_rng(seed)
    stays = pathlib.Path(folder) / "set-a"
    stays.mkdir(parents=True)
    series = [variable for variable in VARIABLES if variable.name not in STATICS]
    outcomes = ["RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death"]
    for name in range(132539, 132539 + n_stays):
        lines = ["Time,Parameter,Value", f"00:00,RecordID,{name}"]
        lines += [f"00:00,Age,{rng.integers(16, 91)}", f"00:00,Gender,{rng.integers(0, 2)}", "00:00,Height,-1"]
        lines += [f"00:00,ICUType,{rng.integers(1, 5)}", "00:00,Weight,-1"]
        minutes = np.sort(rng.integers(1, 2881, 400))
        for minute, index in zip(minutes.tolist(), rng.integers(0, len(series), 400)):
            variable = series[index]
            if variable.categories:
                value = FIRST_CATEGORY[variable.name] + rng.integers(0, len(variable.categories))
            else:
                value = f"{np.clip(variable.normal * rng.uniform(0.5, 1.5), variable.low, variable.high):.4g}"
            lines.append(f"{minute // 60:02d}:{minute % 60:02d},{variable.name},{value}")
        (stays / f"{name}.txt").write_text("\n".join(lines) + "\n")
        outcomes.append(f"{name},10,5,{rng.integers(2, 30)},-1,{int(rng.random() < 0.14)}")
    (pathlib.Path(folder) / "Outcomes-a.txt").write_text("\n".join(outcomes) + "\n")


def by_loop(file, variables, first_category):
    """Return one stay's table (48, columns) as lists, built row by row and cell by cell."""
    columns = {variable.name: index for index, variable in enumerate(variables)}
    cells = [[None] * len(variables) for _ in range(48)]
    with open(file, newline="") as stream:
        rows = csv.reader(stream)
        next(rows)
        for time, name, text in rows:
            value = float(text)
            if name not in columns or value == -1:
                continue
            variable = variables[columns[name]]
            if variable.categories:
                value = value - first_category[name]
                if value not in range(len(variable.categories)):
                    continue
            elif not variable.low <= value <= variable.high:
                continue
            hours = int(time[:-3]) + int(time[-2:]) / 60
            if hours > 48 + 1e-6:
                continue
            cells[max(0, int(hours - 1e-6))][columns[name]] = value
    table, last = [], [variable.normal_value for variable in variables]
    for hour in cells:
        row, masks = [], []
        for index, variable in enumerate(variables):
            masks.append(float(hour[index] is not None))
            if hour[index] is not None:
                last[index] = hour[index]
            if variable.categories:
                row.extend(float(code == last[index]) for code in range(len(variable.categories)))
            else:
                row.append(last[index])
        table.append(row + masks)
    return table


def by_pandas(file, variables, first_category):
    """Return one stay's table float32 (48, columns), built by pandas."""
    import numpy as np
    import pandas as pd

    rows = pd.read_csv(file)
    rows = rows[(rows["Parameter"] != "RecordID") & (rows["Value"] != -1)]
    time = rows["Time"].str.split(":", expand=True).astype(int)
    rows = rows.assign(hour=((time[0] * 60 + time[1] - 1) // 60).clip(lower=0))
    last = rows[rows["hour"] < 48].groupby(["hour", "Parameter"])["Value"].last().unstack()
    measured = last.reindex(index=range(48), columns=[variable.name for variable in variables])
    for variable in variables:
        if variable.categories:
            measured[variable.name] -= first_category[variable.name]
    filled = measured.ffill().fillna({variable.name: variable.normal_value for variable in variables})
    parts = []
    for variable in variables:
        values = filled[variable.name].to_numpy()[:, None]
        parts.append(values == np.arange(len(variable.categories)) if variable.categories else values)
    return np.concatenate([*parts, measured.notna().to_numpy()], axis=1).astype(np.float32)


def ways(source):
    """Return dict way -> (function that makes the tables of so many stays, number of stays).

    Args:
        source: folder with set-a/ and Outcomes-a.txt.
    """
    import numpy as np

    from transplant.datasets.physionet2012 import read_physionet2012
    from transplant.datasets.physionet2012_files import find_sets
    from transplant.datasets.physionet2012_variables import FIRST_CATEGORY, VARIABLES

    files = [
        file for stays in find_sets(source) if stays.outcome_file is not None for file in stays.files.values()
    ]
    few = files[:: max(1, len(files) // RIVALS_STAYS)]

    def one_by_one(build):
        return np.array([build(file, VARIABLES, FIRST_CATEGORY) for file in few], np.float32)

    return {
        "ours": (lambda: read_physionet2012(source).data.x, len(files)),
        "loop": (functools.partial(one_by_one, by_loop), len(few)),
        "pandas": (functools.partial(one_by_one, by_pandas), len(few)),
    }


def measure_all(source, size):
    """Measure every way `size.repeats` times.

    Returns:
        dict way -> list of (stays per CPU second, stays per second), and the number of stays.
    """
    work = ways(source)
    for function, _ in work.values():
        function()  # a run that does not count
    speeds = {way: [] for way in work}
    for _ in range(size.repeats):
        for way, (function, count) in work.items():
            speeds[way].append(timed(function, size.at_least_s, count))
    return speeds, work["ours"][1]


def summarize(speeds, n_stays):
    """Return medians, ratios and the CPU seconds of all stays as a JSON-ready dict."""
    medians = median_speeds(speeds)
    return {
        **summarize_speeds(speeds, "stays"),
        "stays": n_stays,
        "cpu_seconds": {way: round(n_stays / speed, 2) for way, speed in medians.items()},
        **{f"ours_over_{way}": round(medians["ours"] / medians[way], 2) for way in medians if way != "ours"},
    }


def benchmark(args):
    """Measure and print what the parsed options ask for."""
    import numpy as np
    import pandas as pd

    size = size_of(args, FULL, QUICK)
    found = args.source or _real_stays()
    with tempfile.TemporaryDirectory() as temporary:
        source = found
        if source is None:
            source = pathlib.Path(temporary) / "physionet2012"
            write_stays(source, args.stays or SYNTHETIC_STAYS["quick" if args.quick else "full"])
        speeds, n_stays = measure_all(source, size)
    summary = summarize(speeds, n_stays)
    kind = "synthetic" if found is None else "real"
    print(f"{n_stays:,} {kind} stays of 48 h; median of {size.repeats} interleaved repeats")
    print(speed_table([(summary, ratio_rows(summary, LABELS, "stays"))], "stays"))
    seconds = summary["cpu_seconds"]
    print(f"all of them in CPU seconds: {', '.join(f'{way} {value:g}' for way, value in seconds.items())}")
    settings = {
        "data": kind,
        "repeats": size.repeats,
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "cpus": os.cpu_count(),
    }
    print(json.dumps({"benchmark": "icu_preparation", **summary, **settings}))


def _real_stays():
    folder = os.environ.get("TRANSPLANT_DATA")
    source = pathlib.Path(folder) / "physionet2012" if folder else None
    return source if source is not None and source.is_dir() else None


def build_parser():
    """Return the parser of this benchmark."""
    parser = make_parser("python benchmarks/icu_preparation.py", DESCRIPTION)
    add_size_flags(parser, FULL, QUICK, "shorter measurements: some seconds with synthetic stays")
    parser.add_argument(
        "--source", metavar="DIR", help="folder of the challenge; default: physionet2012 in TRANSPLANT_DATA, if there"
    )
    parser.add_argument(
        "--stays",
        type=positive_int,
        metavar="N",
        help=f"synthetic stays to make; default: {SYNTHETIC_STAYS['full']}, quick: {SYNTHETIC_STAYS['quick']}",
    )
    return parser


def main(argv=None):
    """Run the benchmark; return its exit status."""
    return run(benchmark, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
