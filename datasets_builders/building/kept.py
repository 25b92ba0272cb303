"""Section 2: what one rank hands to the next in the same process: a child that takes long to start, for one."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class Closeable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Let go of what is held."""


Kept = TypeVar("Kept", bound=Closeable)
_kept: dict[Hashable, Closeable] | None = None


@contextmanager
def kept_between_ranks() -> Iterator[None]:
    """Keep within the block what `hand_on` is given, and close it at the end."""
    global _kept
    before, _kept = _kept, {}
    try:
        yield
    finally:
        left, _kept = _kept, before
        for thing in left.values():
            thing.close()


def take_over(key: Hashable, make: Callable[[], Kept]) -> Kept:
    """Return what was handed on under a key, or a new thing.

    Args:
        key: of things that are alike.
        make (function): makes one.
    """
    found = (_kept or {}).pop(key, None)
    return found or make()  # type: ignore[return-value]  # under a key lies what was made for it


def hand_on(key: Hashable, thing: Closeable) -> None:
    """Keep a thing for the next rank of this process, or close it where none follows."""
    if _kept is None or key in _kept:
        thing.close()
    else:
        _kept[key] = thing
