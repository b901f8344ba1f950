"""Draw what a command printed as an SVG picture of a terminal.

    holdfast demo | python docs/draw_terminal.py docs/demo.svg '$ holdfast demo'

Colours are told by what a line says, since a pipe carries none.
"""

import sys
from pathlib import Path
from xml.sax.saxutils import escape

LINE_PX, CHAR_PX, MARGIN_PX, LINES_MAX = 19, 8.4, 18, 46
PLAIN, STORY, GOOD, BAD = "#c8d3e0", "#ffffff", "#7ddc8b", "#ff7b72"


def colour(line: str) -> str:
    """Return the colour of a line, by its words."""
    if "FAILED" in line:
        return BAD
    if "all equal" in line or "state equal" in line or "nothing lost" in line:
        return GOOD
    return STORY if line and not line.startswith(" ") else PLAIN


def draw(lines: list[str]) -> str:
    """Return the picture."""
    width = round(max(map(len, lines)) * CHAR_PX + 2 * MARGIN_PX)
    height = len(lines) * LINE_PX + 2 * MARGIN_PX
    rows = "\n".join(
        f'<text x="{MARGIN_PX}" y="{MARGIN_PX + (n + 1) * LINE_PX - 5}"'
        f' fill="{colour(line)}" xml:space="preserve">{escape(line)}</text>'
        for n, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="DejaVu Sans Mono, Menlo,'
        f' Consolas, monospace" font-size="14">\n<rect width="100%" height="100%"'
        f' rx="8" fill="#14202e"/>\n{rows}\n</svg>\n'
    )


def begin(lines: list[str], most: int) -> list[str]:
    """Return the first paragraphs, `most` lines at most."""
    return lines[: max(n for n in range(most) if not lines[n])]


def end(lines: list[str], most: int) -> list[str]:
    """Return the last paragraphs, `most` lines at most."""
    return lines[-max(n for n in range(1, most) if not lines[-n]) :]


def main() -> None:
    """Draw stdin: whole paragraphs of its beginning and end, when it is too long."""
    target, title = sys.argv[1:3]
    lines = [title, *sys.stdin.read().splitlines()]
    if len(lines) > LINES_MAX:
        lines = [*begin(lines, LINES_MAX // 2), "", "  …", *end(lines, LINES_MAX // 2)]
    Path(target).write_text(draw(lines), "utf-8")


if __name__ == "__main__":
    main()
