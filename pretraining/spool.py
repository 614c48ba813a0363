"""A bounded number of decoded patients on disk, decoded ahead of their use in worker processes."""

import collections
import collections.abc
import concurrent.futures
import contextlib
import dataclasses
import multiprocessing
import os
import queue
import shutil
import tempfile
import threading
import weakref

import numpy as np

from pretraining.decoding import decode_patient, start_worker
from pretraining.packing import PatientSegments
from transplant.datasets.icentia11k_files import LEAD, record_names
from transplant.errors import DataError


@dataclasses.dataclass(eq=False)
class _Entry:
    """A patient that is decoded or will be.

    Attributes:
        future: of the `DecodedPatient`.
        segments: function that returns the `PatientSegments` in use, or None.
        waiting: number of callers that wait for the future.
    """

    future: concurrent.futures.Future
    segments: collections.abc.Callable = lambda: None
    waiting: int = 0

    def in_use(self):
        """Return whether somebody holds the patient's signal or waits for it."""
        return self.waiting > 0 or self.segments() is not None


class PatientSpool:
    """Decodes patients of one folder into a spool folder, and deletes them again.

    At most `limit` patients are decoded at a time. Whoever holds the
    `PatientSegments` of a patient keeps it; the others go when room is needed,
    those last expected at the last. Only a patient that is asked for while all
    of them are held is decoded beyond the limit, because its caller waits.

    Args:
        files: `Icentia11kFiles`.
        folder: folder that the decoded patients are written below.
        limit: decoded patients.
        workers: processes that decode.
    """

    def __init__(self, files, folder, limit, workers):
        self._parent = None if os.path.isdir(folder) else folder
        os.makedirs(folder, exist_ok=True)
        self._files = files
        self._folder = tempfile.mkdtemp(prefix="decoded-", dir=folder)
        self._limit = limit
        self._entries = collections.OrderedDict()
        self._expected = collections.deque(maxlen=limit)
        self._written = 0
        self._lock = threading.Lock()
        # Spawned, not forked: the parent may hold TensorFlow's threads.
        self._pool = concurrent.futures.ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), start_worker, (self._folder,)
        )
        # Patients are let go of by the garbage collector, in any thread and at any place: a
        # SimpleQueue may be told so there, and a thread of its own acts on it.
        self._wake = queue.SimpleQueue()
        self._manager = threading.Thread(target=self._manage, daemon=True)
        self._manager.start()
        self._removal = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def expect(self, number):
        """Decode a patient ahead, as soon as there is room for it."""
        with self._lock:
            self._expected.append(number)
        self._wake.put(True)

    def load(self, number):
        """Return the `PatientSegments` of a patient, waiting for them if need be.

        Raises:
            DataError: if the patient's files are missing, damaged or do not
                fit each other, or the spool folder's disk is full.
        """
        with self._lock:
            if number not in self._entries:
                self._make_room(spare=())
                self._submit(number)
            entry = self._entries[number]
            self._entries.move_to_end(number)
            entry.waiting += 1
        try:
            decoded = self._result(entry)
            with self._lock:
                segments = entry.segments()
                if segments is None:
                    segments = self._open(number, decoded)
                    entry.segments = weakref.ref(segments)
                    weakref.finalize(segments, self._wake.put, True).atexit = False
                return segments
        finally:
            with self._lock:
                entry.waiting -= 1

    def decoded(self):
        """Return how many patients are decoded, or being decoded, right now."""
        with self._lock:
            return len(self._entries)

    def has_decoded(self, number):
        """Return whether `load` would not have to wait for a patient."""
        with self._lock:
            return number in self._entries and self._entries[number].future.done()

    def close(self):
        """End the worker processes and delete what they wrote."""
        self._wake.put(False)
        self._manager.join()
        self._pool.shutdown(cancel_futures=True)
        self._removal()
        if self._parent:
            # It was made for this spool; something else that lies in it now may stay.
            with contextlib.suppress(OSError):
                os.rmdir(self._parent)

    def _result(self, entry):
        try:
            return entry.future.result()
        except concurrent.futures.BrokenExecutor as error:
            raise DataError(
                "a process that decodes patients ended. Received: no result; it was killed, perhaps for want of "
                "memory: use fewer workers"
            ) from error
        except OSError as error:
            raise DataError(
                f"{self._folder}: decoded patients must be written there. Received: {error}; "
                "choose a folder with more room"
            ) from error

    def _open(self, number, decoded):
        segments, samples = decoded.shape
        ones = np.ones((segments, 1), np.float32)
        return PatientSegments(
            patient=str(number),
            records=record_names(number, segments),
            leads=[[LEAD]] * segments,
            offsets=np.arange(segments + 1, dtype=np.int64) * samples,
            signal=decoded.signal(),
            gain=ones,
            baseline=0 * ones,
            annotations=decoded.annotations,
        )

    def _manage(self):
        while self._wake.get():
            with self._lock:
                # In the order in which they were expected, each once.
                for number in dict.fromkeys(self._expected):
                    if number in self._entries:
                        continue
                    if not self._make_room(spare=self._expected):
                        break
                    self._submit(number)

    def _submit(self, number):
        self._written += 1
        file = os.path.join(self._folder, f"{number:05d}-{self._written}.f32")
        try:
            future = self._pool.submit(decode_patient, self._files.path, number, file)
        except concurrent.futures.BrokenExecutor as error:
            future = concurrent.futures.Future()
            future.set_exception(error)
        self._entries[number] = _Entry(future)
        future.add_done_callback(lambda _: self._wake.put(True))

    def _make_room(self, spare):
        """Delete decoded patients that nobody uses until one more fits; return whether it does."""
        unused = [n for n, entry in self._entries.items() if not entry.in_use() and n not in spare]
        unused.sort(key=self._expected.__contains__)
        while len(self._entries) >= self._limit and unused:
            self._delete(unused.pop(0))
        return len(self._entries) < self._limit

    def _delete(self, number):
        """Delete a decoded patient, unless it is being decoded right now."""
        entry = self._entries[number]
        if not entry.future.done() and not entry.future.cancel():
            return
        del self._entries[number]
        if not entry.future.cancelled() and not entry.future.exception() and entry.future.result().is_copy:
            os.unlink(entry.future.result().file)
