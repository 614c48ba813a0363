"""Checks that every figure goes through: a whole PNG of the right size, no text upon text."""

import struct

import pytest


def png_size(path):
    """Return (width, height) from the header of a PNG file, checking its signature and its end."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n") and data.endswith(b"IEND\xaeB`\x82")
    return struct.unpack(">II", data[16:24])


def check_file(figure, path):
    width, height = png_size(path)
    assert (width, height) == pytest.approx(figure.get_size_inches() * figure.dpi, abs=1)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def texts_overlap(figure):
    """Say whether any two tick labels, axis labels or titles of the figure cover each other."""
    figure.canvas.draw()
    boxes = []
    for axes in figure.axes:
        ticks = axes.get_xticklabels() + axes.get_yticklabels()
        # A tick outside of the limits has a label that is never drawn.
        spans = {"x": sorted(axes.get_xlim()), "y": sorted(axes.get_ylim())}
        for text in ticks:
            axis = "x" if text in axes.get_xticklabels() else "y"
            place = text.get_position()[0 if axis == "x" else 1]
            if text.get_text() and spans[axis][0] <= place <= spans[axis][1]:
                boxes.append(text.get_window_extent())
        boxes += [t.get_window_extent() for t in (axes.title, axes.xaxis.label, axes.yaxis.label) if t.get_text()]
    return any(a.overlaps(b) for number, a in enumerate(boxes) for b in boxes[:number])
