"""The progress line of a terminal and other lines do not run into one another."""

import io

from transplant.training.progress import Progress


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self):
        return True


def shown(text):
    """Return the lines that a terminal shows: a carriage return goes back to the line's first column."""
    lines = []
    for line in text.split("\n"):
        cells = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        lines.append("".join(cells).rstrip())
    return lines


def test_a_line_printed_after_clear_stands_alone():
    terminal = Terminal()
    progress = Progress(4, "steps", terminal)
    progress._shown_at -= 1  # the line is due
    progress.step("loss 1.5")
    assert shown(terminal.getvalue())[0].startswith("steps 1/4")
    progress.clear()
    terminal.write("epoch 1/2\n")
    assert shown(terminal.getvalue()) == ["epoch 1/2", ""]


def test_a_finished_line_stays():
    terminal = Terminal()
    progress = Progress(1, "steps", terminal)
    progress.step()
    progress.clear()
    terminal.write("done\n")
    first, *rest = shown(terminal.getvalue())
    assert first.startswith("steps 1/1") and rest == ["done", ""]


def test_a_log_is_left_as_it_is():
    log = io.StringIO()
    Progress(4, "steps", log).clear()
    assert log.getvalue() == ""


def test_a_step_with_a_line_of_its_own_is_not_told_twice():
    terminal, log = Terminal(), io.StringIO()
    for stream in (terminal, log):
        progress = Progress(2, "steps", stream)
        for _ in range(2):
            progress._shown_at -= 60  # the line is due
            progress.step("loss 1.5", shown=False)
            progress.clear()
            stream.write(f"epoch, {progress.times()}\n")
    assert shown(terminal.getvalue()) == ["epoch, 0:00 gone, 0:00 left"] * 2 + [""]
    assert log.getvalue().count("\n") == 2


def test_the_last_line_is_cleared_where_another_follows_it():
    terminal = Terminal()
    progress = Progress(2, "steps", terminal)
    progress._shown_at -= 1
    progress.step("loss 1.5")
    progress.step(shown=False)
    progress.clear()
    terminal.write("done\n")
    assert shown(terminal.getvalue()) == ["done", ""]
