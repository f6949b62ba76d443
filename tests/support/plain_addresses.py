"""A plain model of addresses: they are numbers, which are written in many ways, and a network is a range of numbers."""

import random
from dataclasses import dataclass

V4, V6 = 32, 128


@dataclass(frozen=True, slots=True)
class Address:
    """*bits* are 32 or 128."""

    number: int
    bits: int

    def canonical(self) -> str:
        """Returns the one spelling: dotted decimal, or RFC 5952."""
        return dotted(self.number) if self.bits == V4 else compressed(groups_of(self.number))

    def is_in(self, first: int, length: int, bits: int) -> bool:
        """Whether it is in the network that begins with *first*, of which *length* bits are fixed."""
        return self.bits == bits and first <= self.number < first + 2 ** (bits - length)


def dotted(number: int) -> str:
    return ".".join(str(number // 256**place % 256) for place in (3, 2, 1, 0))


def groups_of(number: int) -> list[int]:
    return [number // 65536**place % 65536 for place in range(7, -1, -1)]


def compressed(groups: list[int]) -> str:
    """Replaces the first of the longest runs of at least two zeros by ``::``."""
    texts = [f"{group:x}" for group in groups]
    for length in range(8, 1, -1):
        for start in range(9 - length):
            if all(group == 0 for group in groups[start : start + length]):
                return ":".join(texts[:start]) + "::" + ":".join(texts[start + length :])
    return ":".join(texts)


def an_address(chance: random.Random, *, near: int | None = None) -> Address:
    """Returns any address; with *near* an IPv4 address that is often that number or next to it."""
    if near is not None and chance.random() < 0.5:
        return Address((near + chance.randrange(-300, 300)) % 2**V4, V4)
    if chance.random() < 0.5:
        return Address(chance.randrange(2**V4), V4)
    groups = [chance.choice([0, 0, 1, 0x2001, 0xFFFF, chance.randrange(65536)]) for _ in range(8)]
    number = sum(group * 65536 ** (7 - place) for place, group in enumerate(groups))
    # IPv4-mapped addresses are IPv4 addresses in another spelling.
    return Address(number % 2**V4, V4) if number >> V4 == 0xFFFF else Address(number, V6)


def a_spelling(chance: random.Random, address: Address) -> str:
    """Returns one of the ways in which proxies write *address* in X-Forwarded-For."""
    port = chance.choice(["", "", f":{chance.randrange(65536)}", ":_hidden"])
    zone = ""
    if address.bits == V4 and chance.random() < 0.7:
        text, must_be_in_brackets = dotted(address.number), False
    else:
        number = address.number if address.bits == V6 else 0xFFFF * 2**V4 + address.number
        groups, tail = groups_of(number), ""
        if chance.random() < 0.4 or address.bits == V4:
            groups, tail = groups[:6], ":" + dotted(number % 2**V4)
        text = ":".join(chance.choice([f"{group:x}", f"{group:04x}", f"{group:X}"]) for group in groups) + tail
        if not tail and chance.random() < 0.5:
            text = chance.choice([str.upper, str.lower])(compressed(groups))
        zone, must_be_in_brackets = chance.choice(["", "", "%eth0", "%25eth0", "%1"]), True
    text += zone
    if must_be_in_brackets and (port or chance.random() < 0.3):
        text = f"[{text}]"
    text += port
    if chance.random() < 0.2:
        text = f'"{text}"'
    return chance.choice(["", " ", "\t", "  "]) + text + chance.choice(["", " ", "\t"])


def a_bad_spelling(chance: random.Random) -> str:
    """Returns text that is nobody's address."""
    four = [str(chance.randrange(256)) for _ in range(4)]
    six = [f"{chance.randrange(65536):x}" for _ in range(8)]
    return chance.choice(
        [
            "unknown",
            "_hidden",
            "localhost",
            ".".join(four[:3]),
            ".".join([*four, "1"]),
            ".".join(["0" + four[0], *four[1:]]),
            ".".join(["256", *four[1:]]),
            ".".join(["0x7f", *four[1:]]),
            ".".join(four) + ":",
            ".".join(four) + ":123456",
            ".".join(four) + "/32",
            ".".join(four) + " x",
            "[" + ".".join(four),
            ":".join(six[:7]),
            ":".join([*six, "1"]),
            ":".join(["10000", *six[1:]]),
            "[" + ":".join(six),
            ":".join(six) + "]",
            "[" + ":".join(six) + "]80",
            "[" + ":".join(six) + '%"x]',
            ":".join(six) + "%",
            "1::2::3",
            "http://" + ".".join(four),
        ]
    )
