"""Whose sequence it is: an epoch ends where its store may have a twin.

Two stores that go on from one copy would give the same (guid, epoch, seq) to different readings,
and one of them would be taken for a double. So a store keeps on which board it was used, and, for
the twin on the same board (a backup that was put back), asks the broker who was there last: each
start of the agent has a name, its life, which the store keeps and the retained status shows.

Whoever may write to the broker could claim such a twin, at each connect. So a status carries a
proof, made with a key that the store keeps and its copies have; one without (of a version before,
or of a copy from then) is believed once in each run of the agent.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from isotherm.mqtt.status import Mark

MOST_LIVES: Final = 64
"""How many lives a store remembers; one that is forgotten only costs a new epoch."""

_SERIALS: Final = (
    "firmware/devicetree/base/serial-number",
    "class/dmi/id/product_uuid",
    "class/dmi/id/product_serial",
    "class/dmi/id/board_serial",
)


def new_epoch() -> str:
    """The name of a new sequence: 64 random bits in hex."""
    return secrets.token_hex(8)


def new_key() -> str:
    """What proves that a status was written with this store, or with a copy of it."""
    return secrets.token_hex(16)


def proof(key: str, mark: Mark) -> str:
    """The proof of a mark: HMAC-SHA256, the first 32 hex digits."""
    said = f"{mark.epoch} {mark.next_id} {mark.life}".encode()
    return hmac.new(key.encode(), said, "sha256").hexdigest()[:32]


def is_genuine(key: str, mark: Mark) -> bool:
    """Whether a mark was written by whoever has the key."""
    return hmac.compare_digest(proof(key, mark).encode(), mark.proof.encode())


def is_ours(seen: Mark, own: Mark, lives: Collection[str], opened_at: int) -> bool:
    """Whether what the broker last saw leaves our epoch to us.

    Args:
        seen: of the retained status.
        own: where this store stands.
        lives: that this store remembers.
        opened_at: the last id that it had given when this life began.
    """
    if seen.epoch != own.epoch or seen.life == own.life:
        return True
    return seen.life in lives and seen.next_id <= opened_at + 1


def board_identity(etc: Path = Path("/etc"), sysfs: Path = Path("/sys")) -> str:
    """What tells this board from another with the same card image, as 16 hex digits.

    The machine id travels with the card, the serial does not: of the board where the firmware
    gives one, else the addresses of its network cards.
    """
    facts = [_text(etc / "machine-id")]
    serials = [_text(sysfs / name) for name in _SERIALS]
    facts += serials if any(serials) else _addresses(sysfs / "class/net")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _addresses(folder: Path) -> list[str]:
    # A card without a device behind it is a bridge or a tunnel, whose address is made up.
    cards = sorted(folder.glob("*")) if folder.is_dir() else []
    return sorted(filter(None, (_text(c / "address") for c in cards if (c / "device").exists())))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""
