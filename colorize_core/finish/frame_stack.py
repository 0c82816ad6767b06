"""Frames of a shot, put together as they come, so that none of them lies in memory twice."""

from dataclasses import replace

from torch import Tensor

from .regions import Regions, RegionTable


class FrameStack:
    """One tensor of a shot's frames.

    Args:
        count: of frames, added in order.
        like: [count, …], what they were made from, if so: where every frame is still its own, it is given back.
    """

    def __init__(self, count: int, like: Tensor | None = None) -> None:
        self._count, self._added = count, 0
        self._like = like if like is not None and len(like) == count else None
        self._whole: Tensor | None = None

    def add(self, frame: Tensor) -> None:
        """Add the next frame [1, …]."""
        index, self._added = self._added, self._added + 1
        if self._whole is None:
            if self._like is not None and frame.data_ptr() == self._like[index].data_ptr():
                return
            self._whole = frame.new_empty(self._count, *frame.shape[1:])
            if self._like is not None:
                self._whole[:index] = self._like[:index]
        self._whole[index] = frame[0]

    def whole(self) -> Tensor:
        """Return them all, [count, …]."""
        whole = self._like if self._whole is None else self._whole
        assert whole is not None and self._added == self._count, "every frame has been added"
        return whole


class RegionStack:
    """The regions of a shot, from those of its frames, all of one size and palette.

    Args:
        count: of frames, added in order. like: what they were made from, if so; maps that are still its own are shared.
    """

    def __init__(self, count: int, like: Regions | None = None) -> None:
        self._count, self._like = count, like
        self._maps: dict[str, FrameStack] = {}
        self._tables: list[RegionTable] = []
        self._first: Regions | None = None

    def add(self, frame: Regions) -> None:
        """Add the next frame alone."""
        maps = {name: getattr(frame, name) for name in ("filled", "ink", "trace", "paint")}
        if self._first is None:
            self._first = replace(frame, tables=())
            for name, part in maps.items():
                if part is not None:
                    self._maps[name] = FrameStack(self._count, getattr(self._like, name, None))
        for name, stack in self._maps.items():
            stack.add(maps[name])
        self._tables.append(frame.tables[0])

    def whole(self) -> Regions:
        """Return the shot."""
        assert self._first is not None, "a shot has frames"
        maps = {name: stack.whole() for name, stack in self._maps.items()}
        return replace(
            self._first,
            filled=maps["filled"],
            ink=maps["ink"],
            trace=maps.get("trace"),
            paint=maps.get("paint"),
            tables=tuple(self._tables),
        )
