"""Draws one moment of the demo's interview as each of the three cameras sees it."""

import math
import random
from collections.abc import Callable

import cairo

WIDTH, HEIGHT = 640, 360
MOUTH_SHUT = 0.04
Color = tuple[float, float, float]
Draw = Callable[[cairo.Context, str, float, float], None]
"""Draws who speaks, how far the mouth is open (0 to 1), and the time in seconds."""
SKIN: dict[str, Color] = {"interviewer": (0.93, 0.76, 0.63), "client": (0.62, 0.44, 0.33)}
HAIR: dict[str, Color] = {"interviewer": (0.35, 0.2, 0.12), "client": (0.1, 0.09, 0.1)}
CLOTHES: dict[str, Color] = {"interviewer": (0.2, 0.36, 0.5), "client": (0.66, 0.42, 0.26)}


def fill(context: cairo.Context, color: Color) -> None:
    context.set_source_rgb(*color)
    context.fill()


def oval(context: cairo.Context, x: float, y: float, width: float, height: float, color: Color) -> None:
    context.save()
    context.translate(x, y)
    context.scale(width / 2, height / 2)
    context.arc(0, 0, 1, 0, 2 * math.pi)
    context.restore()
    fill(context, color)


def box(
    context: cairo.Context, x: float, y: float, width: float, height: float, color: Color, radius: float = 0.0
) -> None:
    context.new_sub_path()
    right, low = width - radius, height - radius
    for corner, (dx, dy) in enumerate(((right, radius), (right, low), (radius, low), (radius, radius))):
        context.arc(x + dx, y + dy, radius, (corner - 1) * math.pi / 2, corner * math.pi / 2)
    context.close_path()
    fill(context, color)


def shade(color: Color, factor: float) -> Color:
    red, green, blue = (min(1.0, part * factor) for part in color)
    return red, green, blue


def portrait(context: cairo.Context, who: str, mouth: float, at: float) -> None:
    """Draws a person from the front."""
    sway = math.sin(at * (0.9 if who == "client" else 0.7)) * 3
    nod = math.sin(at * 7) * 3 * mouth
    blink = (at * (1.0 if who == "client" else 0.83)) % 3.7 < 0.15
    context.save()
    context.translate(WIDTH / 2 + sway, 205)
    context.scale(1.15, 1.15)
    clothes, skin, hair = CLOTHES[who], SKIN[who], HAIR[who]
    box(context, -105, 22, 210, 220, clothes, 60)
    box(context, -26, -20, 52, 62, shade(skin, 0.88), 18)
    context.move_to(-34, 24)
    context.line_to(0, 62)
    context.line_to(34, 24)
    context.close_path()
    fill(context, shade(clothes, 1.5) if who == "interviewer" else shade(skin, 0.88))
    context.translate(0, nod)
    if who == "interviewer":
        oval(context, 0, -70, 150, 170, hair)
        box(context, -72, -80, 34, 110, hair, 16)
        box(context, 38, -80, 34, 110, hair, 16)
    else:
        oval(context, 0, -88, 132, 120, hair)
    oval(context, 0, -55, 112, 138, skin)
    context.save()
    context.arc(0, -78, 62, math.pi * 1.08, math.pi * 1.92)
    context.close_path()
    fill(context, hair)
    context.restore()
    for side in (-1, 1):
        box(context, side * 24 - 14, -82, 28, 4, shade(hair, 0.8), 2)
        if blink:
            box(context, side * 24 - 10, -64, 20, 3, shade(skin, 0.6), 1)
        else:
            oval(context, side * 24, -63, 22, 14, (1, 1, 1))
            oval(context, side * 24 + sway * 0.6, -63, 12, 13, (0.16, 0.13, 0.12))
    if who == "interviewer":
        context.set_source_rgb(0.2, 0.2, 0.24)
        context.set_line_width(3)
        for side in (-1, 1):
            context.arc(side * 24, -62, 19, 0, 2 * math.pi)
            context.stroke()
        context.move_to(-6, -64)
        context.line_to(6, -64)
        context.stroke()
    context.move_to(0, -56)
    context.line_to(-6, -34)
    context.line_to(5, -33)
    context.set_source_rgb(*shade(skin, 0.75))
    context.set_line_width(3)
    context.stroke()
    if mouth > MOUTH_SHUT:
        oval(context, 0, -12, 34 - 6 * mouth, 4 + 20 * mouth, (0.45, 0.16, 0.16))
    else:
        context.set_source_rgb(0.45, 0.16, 0.16)
        context.set_line_width(4)
        context.arc(0, -32, 24, math.pi * 0.3, math.pi * 0.7)
        context.stroke()
    context.restore()


def profile(context: cairo.Context, who: str, mouth: float, at: float, x: float, facing: int) -> None:
    """Draws a person on a chair from the side. *x* is the seat's middle; *facing* is 1 (right) or -1 (left)."""
    context.save()
    context.translate(x, 0)
    context.scale(facing, 1)
    clothes, skin, hair = CLOTHES[who], SKIN[who], HAIR[who]
    lean = math.sin(at * 0.8 + facing) * 2
    wood = (0.36, 0.25, 0.18)
    box(context, -52, 150, 10, 130, wood, 4)
    box(context, -52, 238, 96, 10, wood, 4)
    box(context, 32, 240, 8, 84, wood, 3)
    box(context, -50, 240, 8, 84, wood, 3)
    box(context, -34, 222, 96, 32, shade(clothes, 0.55), 14)
    box(context, 42, 230, 26, 92, shade(clothes, 0.55), 10)
    box(context, 40, 312, 46, 16, (0.13, 0.12, 0.12), 7)
    context.translate(lean, 0)
    box(context, -34, 128, 60, 118, clothes, 24)
    lift = 26 * mouth
    context.save()
    context.translate(2, 156)
    context.rotate(math.radians(62 - lift))
    box(context, 0, -10, 62, 20, shade(clothes, 0.85), 10)
    context.translate(56, 0)
    context.rotate(math.radians(-58 - lift * 0.8))
    box(context, -4, -8, 52, 16, shade(clothes, 0.85), 8)
    oval(context, 52, 0, 18, 16, skin)
    context.restore()
    box(context, -8, 108, 22, 30, shade(skin, 0.88), 8)
    nod = math.sin(at * 7) * 2 * mouth
    context.translate(2, nod)
    oval(context, -6, 82, 66, 70, hair)
    if who == "interviewer":
        box(context, -36, 78, 34, 62, hair, 15)
    oval(context, 4, 90, 54, 62, skin)
    context.move_to(30, 84)
    context.line_to(40, 98)
    context.line_to(28, 99)
    context.close_path()
    fill(context, skin)
    oval(context, 20, 84, 6, 7, (0.15, 0.12, 0.12))
    oval(context, 24, 108, 14, 2 + 9 * mouth, (0.45, 0.16, 0.16))
    context.arc(0, 76, 32, math.pi * 0.98, math.pi * 1.82)
    context.close_path()
    fill(context, hair)
    context.restore()


def wall(context: cairo.Context, color: Color) -> None:
    gradient = cairo.LinearGradient(0, 0, 0, HEIGHT)
    gradient.add_color_stop_rgb(0, *shade(color, 1.06))
    gradient.add_color_stop_rgb(1, *shade(color, 0.86))
    context.set_source(gradient)
    context.paint()


def window(context: cairo.Context, x: float, y: float, width: float, height: float, at: float) -> None:
    box(context, x - 8, y - 8, width + 16, height + 16, (0.95, 0.95, 0.93), 3)
    box(context, x, y, width, height, (0.68, 0.83, 0.92))
    drift = (at * 3) % (width + 80)
    context.save()
    context.rectangle(x, y, width, height)
    context.clip()
    for offset, height_share in ((0, 0.3), (70, 0.5)):
        oval(context, x - 40 + (drift + offset) % (width + 80), y + height * height_share, 60, 18, (1, 1, 1))
    oval(context, x + width * 0.7, y + height + 14, width, 70, (0.45, 0.6, 0.42))
    context.restore()
    box(context, x + width / 2 - 3, y, 6, height, (0.95, 0.95, 0.93))


def plant(context: cairo.Context, x: float, y: float, at: float) -> None:
    box(context, x - 18, y - 34, 36, 34, (0.72, 0.45, 0.33), 5)
    for number in range(7):
        context.save()
        context.translate(x, y - 34)
        context.rotate(math.radians(-66 + number * 22 + math.sin(at * 0.5 + number) * 1.5))
        oval(context, 0, -34, 15, 70, (0.28, 0.46 + number % 2 * 0.06, 0.31))
        context.restore()


def clock_text(context: cairo.Context, camera: str, at: float) -> None:
    """Draws the camera's name and the time of day, as recorders do."""
    minutes, seconds = divmod(int(at), 60)
    context.select_font_face("DejaVu Sans Mono", cairo.FONT_SLANT_NORMAL, cairo.FONT_WEIGHT_NORMAL)
    context.set_font_size(13)
    text = f"{camera}  2026-06-11  10:{18 + minutes:02}:{seconds:02}"
    context.move_to(WIDTH - 12 - context.text_extents(text).x_advance, HEIGHT - 12)
    context.set_source_rgba(1, 1, 1, 0.85)
    context.show_text(text)


def ceiling(context: cairo.Context, speaker: str, mouth: float, at: float) -> None:
    wall(context, (0.83, 0.85, 0.82))
    box(context, 0, 300, WIDTH, 60, (0.62, 0.53, 0.44))
    window(context, 250, 40, 140, 100, at)
    box(context, 60, 60, 70, 92, (0.97, 0.96, 0.93), 2)
    box(context, 68, 68, 54, 76, (0.55, 0.66, 0.62))
    oval(context, 95, 118, 40, 30, (0.83, 0.7, 0.5))
    plant(context, 590, 318, at)
    profile(context, "interviewer", mouth if speaker == "interviewer" else 0, at, 178, 1)
    profile(context, "client", mouth if speaker == "client" else 0, at, 462, -1)
    box(context, 250, 226, 140, 12, (0.52, 0.37, 0.26), 4)
    box(context, 262, 236, 9, 92, (0.42, 0.3, 0.21))
    box(context, 369, 236, 9, 92, (0.42, 0.3, 0.21))
    box(context, 300, 206, 14, 20, (0.93, 0.95, 0.97), 3)
    box(context, 330, 218, 38, 8, (0.98, 0.97, 0.92), 1)
    clock_text(context, "CEILING", at)


def close(who: str, color: Color) -> Draw:
    def draw(context: cairo.Context, speaker: str, mouth: float, at: float) -> None:
        wall(context, color)
        if who == "client":
            window(context, 430, 30, 150, 130, at)
        else:
            box(context, 60, 40, 120, 180, (0.5, 0.38, 0.28), 3)
            shelf = random.Random(4)
            for row in range(3):
                x = 66.0
                while x < 166:
                    width = shelf.randint(8, 16)
                    hue = (shelf.uniform(0.3, 0.8), shelf.uniform(0.3, 0.6), shelf.uniform(0.3, 0.6))
                    box(context, x, 48 + row * 58, width - 2, 50, hue, 1)
                    x += width
        plant(context, 90 if who == "client" else 560, 330, at)
        portrait(context, who, mouth if speaker == who else 0, at)
        clock_text(context, who.upper(), at)

    return draw


CAMERAS: dict[str, tuple[Draw, bool]] = {
    "ceiling": (ceiling, True),
    "interviewer": (close("interviewer", (0.78, 0.8, 0.84)), True),
    "client": (close("client", (0.86, 0.83, 0.77)), False),
}
"""How each camera sees the room, and whether it has a microphone."""
