"""Colours with enough contrast (WCAG 2.2, 1.4.3). Colours are ``#rrggbb``. Pure."""

_MIN_CONTRAST = 4.5
_STEPS = 20


def legible(color: str, background: str) -> str:
    """Returns *color*, made darker or lighter until text in it is legible on *background*."""
    target = 0.0 if _luminance(background) > 0.18 else 255.0
    channels = _channels(color)
    for step in range(_STEPS + 1):
        mixed = [round(channel + (target - channel) * step / _STEPS) for channel in channels]
        result = "#{:02x}{:02x}{:02x}".format(*mixed)
        if contrast(result, background) >= _MIN_CONTRAST:
            return result
    return "#000000" if target == 0.0 else "#ffffff"


def contrast(one: str, other: str) -> float:
    """Returns the contrast ratio of two colours, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    """Returns the relative luminance, 0 to 1 (WCAG 2.2, "relative luminance")."""
    parts = [channel / 255 for channel in _channels(color)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
