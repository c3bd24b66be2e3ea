"""The codec for ``reasoning_details``: streamed fragments become whole items, whole items are replayed unchanged.

A provider signs or encrypts its reasoning and checks it again in the next turn, so an item must come back exactly as it
would have arrived unstreamed: same order, same keys, nothing joined that was not a fragment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# What grows fragment by fragment; an item of any other type is whole and never joined.
_GROWING = {"reasoning.text": "text", "reasoning.summary": "summary"}


class ReasoningDetails:
    """Folds streamed ``reasoning_details`` fragments into whole items.

    Fragments are joined by (``type``, ``index``), since a summary and an encrypted item may share one index. A text
    that already has its signature is finished: text that follows under the same index opens a new item. (Recordings:
    ``pydantic_ai.test_openrouter_streaming_reasoning``, ``rig.streaming_tools-stream_encrypted_reasoning_*``.)
    """

    __slots__ = ("_growing", "_items", "_like", "_pieces")

    def __init__(self) -> None:
        self._items: list[dict[str, Any]] = []
        self._pieces: list[list[str]] = []  # the growing text of each item, joined only when asked for
        self._like: dict[str, Any] | None = None  # the last fragment, where that plainly continued the last item,
        self._growing = ""  # and the key of its text

    def add(self, fragments: Iterable[Any]) -> None:
        """Fold in what one chunk brought; anything that is no object is left out."""
        for fragment in fragments:
            if fragment.__class__ is not dict:
                continue
            like, growing = self._like, self._growing
            if like is not None and growing in fragment:
                like[growing] = text = fragment[growing]
                if fragment == like and text.__class__ is str:  # the last one in all but its text, as most are
                    self._pieces[-1].append(text)
                    continue
            self._add(fragment)

    def _add(self, fragment: dict[str, Any]) -> None:
        goes_on = self._goes_on(fragment)
        place = -1 if goes_on else self._find(fragment)
        if place is None:
            place = -1
            self._items.append({})
            self._pieces.append([])
        self._join(place, fragment)
        self._like = dict(fragment) if goes_on else None
        self._growing = _GROWING[fragment["type"]] if goes_on else ""

    def _goes_on(self, fragment: Mapping[str, Any]) -> bool:
        """Whether a fragment plainly continues the last item: the short way for most of a stream's fragments."""
        if not self._items or "id" in fragment or "signature" in fragment:
            return False
        last = self._items[-1]
        try:
            same = fragment["type"] == last["type"] and fragment["index"] == last["index"]
        except KeyError:
            return False
        grows = last["type"].__class__ is str and last["type"] in _GROWING
        return same and grows and not last.get("signature")

    def whole(self) -> list[dict[str, Any]]:
        """The items so far, in the order of their first fragments; fresh dicts."""
        return [_closed(item, pieces) for item, pieces in zip(self._items, self._pieces, strict=True)]

    def _find(self, fragment: Mapping[str, Any]) -> int | None:
        """Where the unfinished item stands that a fragment continues; None when it opens one of its own."""
        kind, index = fragment.get("type"), fragment.get("index")
        grows = _GROWING.get(kind) if isinstance(kind, str) else None
        if grows is None:
            return None
        for place in range(len(self._items) - 1, -1, -1):
            item = self._items[place]
            if item.get("type") == kind and item.get("index") == index:
                return None if _finished(item, fragment, grows) else place
            if index is None:  # without an index only the item just before can be meant
                return None
        return None

    def _join(self, place: int, fragment: Mapping[str, Any]) -> None:
        item, kind = self._items[place], fragment.get("type")
        grows = _GROWING[kind] if kind.__class__ is str and kind in _GROWING else None
        for key, value in fragment.items():
            if key == grows and value.__class__ is str:
                self._pieces[place].append(value)
                if key not in item:
                    item[key] = value  # its place among the keys; `whole` puts the whole text there
            elif key not in item or (value is not None and item[key] in (None, "")):
                item[key] = value


def _finished(item: Mapping[str, Any], fragment: Mapping[str, Any], grows: str) -> bool:
    other = item.get("id") and fragment.get("id") and item["id"] != fragment["id"]
    return bool(other or (item.get("signature") and fragment.get(grows)))


def _closed(item: dict[str, Any], pieces: list[str]) -> dict[str, Any]:
    return {**item, _GROWING[item["type"]]: "".join(pieces)} if pieces else dict(item)


def details_text(items: Iterable[Any]) -> str:
    """The readable text of ``reasoning_details`` items or fragments; opaque items have none."""
    texts = (item.get("text") or item.get("summary") for item in items if isinstance(item, Mapping))
    return "".join(text for text in texts if isinstance(text, str))
