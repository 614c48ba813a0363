"""One progress line with the time left, for a terminal or a log."""

import shutil
import sys
import time


def format_seconds(seconds):
    """Return seconds as m:ss or h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


class Progress:
    """Counts steps and shows how far a job is and how long it will take.

    On a terminal one line is rewritten, at most four times a second; in a log
    a line is written per tenth of the job, or per half minute where that is rarer.

    Args:
        total: steps of the whole job; None where nobody knows: then no time left is shown.
        label: what is counted, e.g. "patients".
        stream: where to write. Defaults to stderr.
    """

    def __init__(self, total, label, stream=None):
        self._total = total
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._tty = self._stream.isatty()
        self._began = self._shown_at = time.monotonic()
        self._done = 0
        self._shown_tenth = 0
        self._is_open = False  # a line stands on the terminal without its end

    def step(self, note="", shown=True):
        """Count one step and, unless `shown` is off, show the line if it is due."""
        self._done += 1
        now = time.monotonic()
        last = self._done == self._total
        if self._tty:
            due = now - self._shown_at > 0.25
        else:
            due = (self._tenths() > self._shown_tenth and now - self._shown_at > 5) or now - self._shown_at > 30
        if shown and (due or (last and self._tty)):
            self._show(now, note)

    def times(self):
        """Return the time gone and left, for a line of the caller's own in this one's place."""
        now = time.monotonic()
        self._shown_at, self._shown_tenth = now, self._tenths()
        return self._times(now)

    def _show(self, now, note):
        self._shown_at = now
        self._shown_tenth = self._tenths()
        total = "" if self._total is None else f"/{self._total}"
        text = f"{self._label} {self._done}{total}, {self._times(now)}" + (note and ", " + note)
        if self._tty:
            width = _line_width()
            self._is_open = self._done != self._total
            self._stream.write(f"\r{text[:width]:<{width}}" + ("" if self._is_open else "\n"))
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def _times(self, now):
        elapsed = now - self._began
        text = f"{format_seconds(elapsed)} gone"
        if self._total is not None:
            text += f", {format_seconds(elapsed / self._done * (self._total - self._done))} left"
        return text

    def _tenths(self):
        return 0 if self._total is None else 10 * self._done // max(self._total, 1)

    def clear(self):
        """Take the line off a terminal, so that what is printed next begins a line of its own."""
        if self._is_open:
            self._is_open = False
            self._stream.write(f"\r{'':<{_line_width()}}\r")
            self._stream.flush()


def _line_width():
    # A line that wraps would not be rewritten but repeated.
    return min(shutil.get_terminal_size().columns - 1, 140)
