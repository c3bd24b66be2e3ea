"""Server-sent events: bytes in, the data of events out; and whether bytes are such at all."""

from __future__ import annotations

from pydantic_core import from_json, to_json

DONE = b"[DONE]"
BOM = b"\xef\xbb\xbf"
_FIELDS = (b"data:", b":", b"event:", b"id:", b"retry:")


def looks_like_events(data: bytes, *, otherwise: bool = False) -> bool | None:
    """Whether these are the first bytes of a ``text/event-stream``; None when it cannot be told yet.

    Args:
        data: what has come so far.
        otherwise: what to take them for, when they look neither like events nor like JSON or a page.
    """
    begun = data.lstrip()
    if BOM.startswith(begun):
        return None
    begun = begun.removeprefix(BOM).lstrip()
    if begun.startswith(_FIELDS) or begun[:1] in (b"{", b"[", b"<"):
        return begun.startswith(_FIELDS)
    return None if any(field.startswith(begun) for field in _FIELDS) else otherwise


def after_comments(data: bytes) -> bytes:
    """What follows the comments that keep a connection alive, where a body begins with some."""
    while (begun := data.lstrip()).startswith(b":"):
        data = begun.partition(b"\n")[2]
    return data


class EventSplitter:
    r"""Splits the bytes of a ``text/event-stream`` into the data of its events.

    Works on bytes and ``\n`` alone: a text splitter would also break at U+2028 inside a JSON string. Comments
    (``: OPENROUTER PROCESSING``) and other fields than ``data`` carry nothing and are skipped, except that
    ``event: error`` makes an error of data that do not say so themselves. A bare line of JSON, after keep-alives say,
    is taken for data.
    """

    __slots__ = ("_data", "_error", "_rest")

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._data: list[bytes] = []
        self._error = False

    def feed(self, block: bytes) -> list[bytes]:
        """The data of each event that ends in this block of bytes."""
        if block[:5] == b"data:" and block[-2:] == b"\n\n" and not (self._rest or self._data or self._error):
            if block.find(b"\n", 5, -2) < 0:  # one event, as most servers send each
                return [data] if (data := block[5:-2].strip()) else []
            number = block.count(b"\n\ndata:") + 1
            if block.count(b"\n") == 2 * number:  # whole events, of one line each
                return [data for event in block[5:-2].split(b"\n\ndata:") if (data := event.strip())]
        return self._split(block)

    def _split(self, block: bytes) -> list[bytes]:
        if b"\n" not in block:
            self._rest.append(block)  # a long line, an image say: joined once, when it ends
            return []
        lines = b"".join((*self._rest, block)).split(b"\n")
        rest = lines.pop()
        self._rest = [rest] if rest else []
        events, data = [], self._data
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif line in (b"", b"\r"):
                if data:
                    event = data[0] if len(data) == 1 else b"\n".join(data)
                    events.append(_error_event(event) if self._error else event)
                    data.clear()
                if self._error:
                    self._error = False
            elif line.startswith(b"event:"):
                self._error = line[6:].strip() == b"error"
            elif line.startswith(b"{"):
                data.append(line.strip())
        return [event for event in events if event]

    def rest(self) -> list[bytes]:
        """The data of a last event that no blank line ended."""
        return self.feed(b"\n\n")


def _error_event(data: bytes) -> bytes:
    """The data of an event that is called an error: under ``error``, where they do not say so."""
    try:
        said = from_json(data)
    except ValueError:
        said = data.decode("utf-8", "replace")
    says_so = data == DONE or (isinstance(said, dict) and said.get("error"))
    return data if says_so else to_json({"error": said})
