"""One file over HTTP, from a server on this machine that fails in every way it can."""

import hashlib
import io
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from file_server import serving

from transplant.datasets import fetch
from transplant.datasets.fetch import fetch_file, remote_size
from transplant.errors import DataError

CONTENT = np.random.default_rng(0).integers(0, 256, 700_000, np.uint8).tobytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSES_S", (0.001, 0.001, 0.001))


@pytest.fixture
def server():
    with serving({"a.dat": CONTENT}) as running:
        yield running


def get(server, folder, sha256=SHA256, **options):
    lines = []
    fetch_file(f"{server.url}/a.dat", folder / "a.dat", sha256, log=lines.append, **options)
    assert not (folder / "a.dat.part").exists()
    assert (folder / "a.dat").read_bytes() == CONTENT
    return lines


def test_a_file_is_fetched_once(server, tmp_path):
    assert get(server, tmp_path / "new" / "folder") == []
    assert get(server, tmp_path / "new" / "folder") == []
    assert server.gets == [("a.dat", None)]
    assert remote_size(f"{server.url}/a.dat") == 700_000
    assert remote_size(f"{server.url}/b.dat") is None


def test_a_cut_connection_goes_on_from_where_it_ended(server, tmp_path):
    server.faults["a.dat"] = [("cut", 300_000), ("cut", 100_000)]
    lines = get(server, tmp_path)
    assert server.gets == [("a.dat", None), ("a.dat", "bytes=300000-"), ("a.dat", "bytes=400000-")]
    assert "after 300,000 of 700,000 bytes" in lines[0] and "after 400,000 of 700,000 bytes" in lines[1]


def test_a_later_call_goes_on_from_what_an_earlier_one_left(server, tmp_path):
    (tmp_path / "a.dat.part").write_bytes(CONTENT[:650_000])
    get(server, tmp_path)
    assert server.gets == [("a.dat", "bytes=650000-")]


def test_a_server_that_ignores_ranges_serves_the_file_from_its_start(server, tmp_path):
    (tmp_path / "a.dat.part").write_bytes(CONTENT[:650_000])
    server.faults["a.dat"] = ["no range"]
    get(server, tmp_path)
    assert len(server.gets) == 1


def test_a_whole_part_is_only_verified(server, tmp_path):
    (tmp_path / "a.dat.part").write_bytes(CONTENT)
    get(server, tmp_path)
    assert server.gets == [("a.dat", "bytes=700000-")]


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * 700_000, b"x" * 700_001])
def test_a_part_of_another_file_is_thrown_away(left, server, tmp_path):
    (tmp_path / "a.dat.part").write_bytes(left)
    get(server, tmp_path)
    assert server.gets[-1] == ("a.dat", None)


def test_server_errors_are_tried_again(server, tmp_path):
    server.faults["a.dat"] = [500, 503, 429]
    lines = get(server, tmp_path)
    assert [line.split("trying")[0] for line in lines] == [
        f"a.dat: the server answered {code}; "
        for code in ("500 (Internal Server Error)", "503 (Service Unavailable)", "429 (Too Many Requests)")
    ]


def test_it_gives_up_after_failures_in_a_row_and_keeps_what_arrived(server, tmp_path):
    server.faults["a.dat"] = [("cut", 5000)] + [500] * 10
    with pytest.raises(DataError, match=r"a\.dat: the download stopped\. Received: .*500.*run the same command again"):
        get(server, tmp_path)
    # One cut and three failures are the four that three pauses allow.
    assert len(server.gets) == 4
    assert not (tmp_path / "a.dat").exists()
    assert (tmp_path / "a.dat.part").read_bytes() == CONTENT[:5000]
    server.faults.clear()
    get(server, tmp_path)
    assert server.gets[-1] == ("a.dat", "bytes=5000-")


def test_progress_resets_the_count_of_failures(server, tmp_path):
    server.faults["a.dat"] = [("cut", 100)] * 20
    assert len(get(server, tmp_path)) == 20


def test_a_wrong_byte_is_refused_and_removed(server, tmp_path):
    server.faults["a.dat"] = [("wrong", 123_456)]
    with pytest.raises(DataError, match=f"{SHA256}. Received: another, removed"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []
    get(server, tmp_path)


def test_a_changed_file_is_fetched_again(server, tmp_path):
    (tmp_path / "a.dat").write_bytes(CONTENT[:-1] + b"?")
    get(server, tmp_path)
    assert server.gets == [("a.dat", None)]


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_file_that_is_not_there_is_not_tried_again(code, server, tmp_path):
    server.faults["a.dat"] = [code]
    with pytest.raises(DataError, match=rf"Received: {code} .*--mirror"):
        get(server, tmp_path)
    assert len(server.gets) == 1 and list(tmp_path.iterdir()) == []


def test_nobody_at_the_address_is_an_error(tmp_path):
    with serving() as gone:
        url = gone.url
    with pytest.raises(DataError, match=r"no connection .*refused.*4 times in a row"):
        fetch_file(f"{url}/a.dat", tmp_path / "a.dat", SHA256, log=lambda line: None)


def test_a_transfer_can_be_stopped_and_keeps_what_arrived(server, tmp_path):
    stop = threading.Event()
    stop.set()
    with pytest.raises(DataError, match="was stopped"):
        get(server, tmp_path, stop=stop)
    left = (tmp_path / "a.dat.part").read_bytes()
    assert 0 < len(left) < len(CONTENT) and CONTENT.startswith(left)


def test_a_killed_process_leaves_nothing_that_looks_whole(server, tmp_path):
    server.faults["a.dat"] = [("cut", 400_000)]
    program = (
        "import sys\nfrom transplant.datasets import fetch\nfetch.PAUSES_S = (60,)\n"
        f"fetch.fetch_file('{server.url}/a.dat', sys.argv[1], '0', log=lambda line: print(line, flush=True))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.dat")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert "after 400,000" in process.stdout.readline()
        process.kill()
    assert [path.name for path in tmp_path.iterdir()] == ["a.dat.part"]
    get(server, tmp_path)
    assert server.gets[-1] == ("a.dat", "bytes=400000-")


def test_a_full_disk_is_not_taken_for_a_broken_connection(server, tmp_path, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    monkeypatch.setattr(fetch, "open", lambda *_: io.FileIO("/dev/full", "wb"), raising=False)
    with pytest.raises(OSError, match="No space left"):
        get(server, tmp_path)
    assert len(server.gets) == 1
