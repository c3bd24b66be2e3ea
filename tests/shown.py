"""What an exception shows to whoever catches it, and where a secret is in that."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .every_way import SECRETS

TESTS = str(Path(__file__).parent)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and all that it came from, causes and contexts alike."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]
            waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()


def leaks(error: BaseException, *secrets: str, frames: bool = True) -> list[str]:
    """The places where a secret is to be seen; of frames, those of tests apart.

    Args:
        error: what was caught.
        secrets: what to look for, instead of the usual ones.
        frames: whether to look into the frames of the tracebacks too.
    """
    places = [*_held(error), ("pickle", pickled(error)), *(_in_frames(error) if frames else ())]
    return sorted({place for place, text in places if any(secret in text for secret in secrets or SECRETS)})


def pickled(error: BaseException) -> str:
    return pickle.dumps(error).decode("latin-1")


def _held(error: BaseException) -> Iterator[tuple[str, str]]:
    for one in chain(error):
        name = type(one).__name__
        yield name, f"{one} {one!r} {one.args!r} {vars(one)!r} {getattr(one, '__notes__', '')!r}"
        for attribute in ("request", "_request"):
            yield from _of_request(f"{name}.{attribute}", vars(one).get(attribute))
        yield from _of_response(f"{name}.response", vars(one).get("response"))
        for failed in getattr(one, "failed_tries", ()):
            yield f"{name}.failed_tries", f"{failed!r}"


def _of_request(place: str, request: Any) -> Iterator[tuple[str, str]]:
    if request is not None:
        headers = getattr(request.headers, "raw", request.headers)  # httpx hides some values in the repr
        yield place, f"{request!r} {request.__dict__ if hasattr(request, '__dict__') else ''} {headers!r}"


def _of_response(place: str, response: Any) -> Iterator[tuple[str, str]]:
    if response is None:
        return
    yield place, f"{response!r} {response.headers.raw!r} {response.extensions!r}"
    yield from _of_request(f"{place}.next_request", response.next_request)
    for one in (response, *response.history):
        yield from _of_request(f"{place}.request", one.request)


def _in_frames(error: BaseException) -> Iterator[tuple[str, str]]:
    for one in chain(error):
        told = traceback.TracebackException.from_exception(one, capture_locals=True)
        for frame in told.stack:
            if not frame.filename.startswith(TESTS):
                for name, shown in (frame.locals or {}).items():
                    yield f"{Path(frame.filename).name}:{frame.name}:{name}", shown
