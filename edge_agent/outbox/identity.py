"""How entries are named, and whether the names are still ours to give.

Two stores that go on from one copy would give the same (guid, epoch, seq) to different readings,
and one of them would be taken for a double. So an epoch ends where its store may have a clone: a
store keeps on which board it was used, and, for the clone on the same board (a backup that was put
back), asks the broker who was there last: each start of the agent has a name, its life, which the
store keeps and the retained status shows.

Whoever may write to the broker could claim such a clone, at each connect. So a status carries a
proof, made with a key that the store keeps and its copies have; one without (of a version before,
or of a copy from then) is believed once in each run of the agent.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.outbox.entry import Entry
from isotherm.mqtt.status import Mark

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from edge_agent.outbox.entry import Lost
    from edge_agent.outbox.storage.database import Saved
    from edge_agent.outbox.storage.recovery import Opened
    from edge_agent.sampling.sample import Sample


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


class Stamper:
    """Gives the sequence numbers of one epoch, from 1 for each sensor.

    Args:
        epoch: names the sequences; see `edge_agent.outbox.identity.new_epoch`.
        seqs: the last number given, by guid.
    """

    def __init__(self, epoch: str, seqs: Mapping[str, int] | None = None) -> None:
        self.epoch = epoch
        self.seqs = dict(seqs or {})

    def stamp(self, sample: Sample, *, id: int, boot: str, synced: bool) -> Entry:  # noqa: A002 the entry's own word
        """A sample as an entry."""
        return Entry(
            id=id,
            guid=sample.guid,
            epoch=self.epoch,
            seq=self.next(sample.guid),
            state=sample.state,
            wall=sample.wall,
            uptime=sample.uptime,
            boot=boot,
            synced=synced,
            # SQLite gives a whole number back as a float, and -0.0 as 0.0.
            temperature=float(sample.temperature) + 0.0,
        )

    def gap(self, like: Entry, lost: Lost, *, id: int) -> Entry:  # noqa: A002 the same
        """A gap, with the guid, the state and the times of `like`."""
        return like._replace(
            id=id, epoch=self.epoch, seq=self.next(like.guid), temperature=None, lost=lost
        )

    def next(self, guid: str) -> int:
        """The next number of a sensor."""
        seq = self.seqs[guid] = self.seqs.get(guid, 0) + 1
        return seq


_BEYOND: Final = 1 << 52
_BEYOND_BITS: Final = 51
"""Together below 2**53, up to which every reader of JSON knows whole numbers."""

Facts = dict[str, str | int]


class Identity:
    """The epoch on disk, the one for what stays in memory, and what the store knows of itself.

    Args:
        board: see `edge_agent.outbox.identity.board_identity`.
    """

    def __init__(self, board: str) -> None:
        self._board = board
        self._life = secrets.token_hex(8)
        self._lives: list[str] = []
        self._key = new_key()
        self._believed = False
        # The id up to which the broker has confirmed the epoch; None for all.
        self._known_to: int | None = 0
        self._opened_at = 0
        self._memory: Final = Stamper(new_epoch())
        self._disk: Stamper | None = None
        # Before a store is opened nobody knows which ids it has: these are none of them.
        self.last_id = self._base = _BEYOND + secrets.randbits(_BEYOND_BITS)
        self._committed_id = 0
        self.moved = ""
        self.rejoined = False
        """Whether the store that was adopted last is ours, and another life went on with it."""
        self.forged = False
        """Whether the last status claimed our epoch, and was not written with our store."""

    def stamper(self, *, safe: bool) -> Stamper:
        """Who names an entry that the disk takes, or that it does not take."""
        return self._disk if safe and self._disk is not None else self._memory

    def new_id(self) -> int:
        """The next entry's id."""
        self.last_id += 1
        return self.last_id

    def committed(self, last_id: int) -> None:
        """All entries up to this id are on disk."""
        self._committed_id = last_id

    @property
    def committed_id(self) -> int:
        """The last id up to which all entries are on disk."""
        return self._committed_id

    @property
    def has_disk(self) -> bool:
        """Whether there is a store, with an epoch of its own."""
        return self._disk is not None

    @property
    def mark(self) -> Mark:
        """What the retained status shall say."""
        mark = Mark(self.stamper(safe=True).epoch, self.committed_id + 1, self._life)
        return mark._replace(proof=proof(self._key, mark))

    def adopt(self, opened: Opened) -> bool:
        """Go on with a store that was opened.

        Returns:
            Whether it is another than before, so that `facts` are to be committed.
        """
        saved, facts = opened.saved, opened.saved.facts
        damaged = opened.set_aside is not None
        # A copy from before there were keys gets another one, and its twin is believed once.
        self._key = str(facts.get("key", self._key))
        if not damaged and self.wrote(saved):
            return False
        ours = not damaged and facts.get("board") == self._board
        self.rejoined = ours and self._disk is not None
        known = self.committed_id
        self._opened_at = self._committed_id = max(saved.last_id, facts.get("last_id", 0))
        given = self.last_id != self._base
        if self.rejoined:
            # The other life gave the ids that follow the last one that we committed.
            self.last_id += max(0, self._opened_at - known)
        self.last_id = max(self.last_id, self._opened_at) if given else self._opened_at
        self._base = 0
        if ours:
            self._disk = Stamper(facts["epoch"], saved.seqs)
            self._lives = facts["lives"].split()
            self._known_to = self._opened_at if facts["confirmed"] else facts["known_to"]
            self.moved = ""
        else:
            # A sequence that begins here has no twin yet.
            self._disk, self._lives, self._known_to = Stamper(new_epoch()), [], None
            self.moved = "" if damaged or not facts else str(facts.get("board"))
        self._lives = [*self._lives, self._life][-MOST_LIVES:]
        return True

    def wrote(self, saved: Saved) -> bool:
        """Whether a store is the one that this life has written to, and no other since."""
        epoch, lives = saved.facts.get("epoch"), str(saved.facts.get("lives", "")).split()
        return self._disk is not None and epoch == self._disk.epoch and lives[-1:] == [self._life]

    @property
    def begins(self) -> bool:
        """Whether the epoch began with this life."""
        return self._lives == [self._life]

    @property
    def lives(self) -> tuple[str, ...]:
        """The runs of the agent that used this store, as far as it remembers them."""
        return tuple(self._lives)

    def facts(self) -> Facts:
        """What the store shall know."""
        assert self._disk is not None
        return {
            "epoch": self._disk.epoch,
            "board": self._board,
            "key": self._key,
            "lives": " ".join(self._lives),
            "known_to": self._known_to or 0,
            "confirmed": int(self._known_to is None),
            "last_id": self.last_id,
        }

    def confirm(self, seen: Mark | None) -> bool:
        """Whether the epoch is ours, by what the retained status says, as far as it is believed."""
        self.forged = False
        if seen is not None and not is_ours(seen, self.mark, self._lives, self._opened_at):
            self.forged = self._believed and not is_genuine(self._key, seen)
        else:
            seen = None
        if seen is None or self.forged:
            self._known_to = None
            return True
        self._believed = self._believed or not is_genuine(self._key, seen)
        if self._known_to is None:
            self._known_to = self.last_id
        return False

    @property
    def known_to(self) -> int:
        """Entries beyond this id must move to a new epoch, if this one is not ours."""
        return self.last_id if self._known_to is None else self._known_to

    def successor(self) -> Successor:
        """A new epoch, to be filled and then taken."""
        assert self._disk is not None
        return Successor(self._disk.epoch)

    def take(self, successor: Successor) -> None:
        """Go on in the new epoch."""
        self._disk = successor.stamper
        self._lives, self._known_to = [self._life], None


class Successor:
    """An epoch that follows another, and the entries that move to it.

    Args:
        epoch: the one that ends.
    """

    def __init__(self, epoch: str) -> None:
        self._ends = epoch
        self.stamper = Stamper(new_epoch())
        self.moved: dict[int, Entry] = {}

    def move(self, entry: Entry) -> None:
        """Name an entry anew, if it has a name of the epoch that ends."""
        if entry.epoch == self._ends:
            seq = self.stamper.next(entry.guid)
            self.moved[entry.id] = entry._replace(epoch=self.stamper.epoch, seq=seq)

    def facts(self, names: Identity) -> Facts:
        """What the store shall know then."""
        return {**names.facts(), "epoch": self.stamper.epoch, "confirmed": 1}
