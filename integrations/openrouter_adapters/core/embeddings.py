"""Embeddings: what goes to ``/embeddings``, what comes back, and many inputs in batches.

Vectors are put in the order of the inputs by the answer's ``index``. An answer that cannot be matched with its inputs
is an error: a vector that stands for another text spoils a store without anybody noticing.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, get_args

from pydantic import Field, StrictInt, StrictStr

from openrouter_adapters.core.answer import Answer, Fetches, Unreadable, place_of
from openrouter_adapters.core.arguments import check_positive
from openrouter_adapters.core.batches import at_once, spent, tell_rest
from openrouter_adapters.core.options import EndpointOptions
from openrouter_adapters.core.request import EMBEDDINGS, Request, checked_call, layered
from openrouter_adapters.core.sendable import check_text
from openrouter_adapters.core.wire import dict_of

Kind = Literal["query", "document"]
"""What inputs are for; many models embed the one unlike the other."""

Input = str | Sequence[int] | Mapping[str, Any]
"""A text, the numbers of its tokens, or ``{"content": [part, ...]}``."""

Vector = list[float]


class EmbeddingOptions(EndpointOptions):
    """The options of embeddings.

    https://openrouter.ai/docs/api-reference/embeddings
    """

    dimensions: StrictInt | None = Field(
        default=None, gt=0, description="Length of the vectors, where a model can choose."
    )
    encoding_format: StrictStr | None = Field(
        default=None, description='How vectors travel: "base64", or None: "float". Either gives lists of floats.'
    )
    input_type: StrictStr | None = Field(
        default=None, description="What the inputs are for, in the model's own word; of queries and documents alike."
    )
    query_input_type: StrictStr | None = Field(
        default=None, description='Sent as `input_type` with queries, such as "search_query".'
    )
    document_input_type: StrictStr | None = Field(
        default=None, description='Sent as `input_type` with documents, such as "search_document".'
    )


EmbeddingOptions.option_names = tuple(EmbeddingOptions.model_fields)

_INPUT_TYPES = ("query_input_type", "document_input_type")


class Embedded(Answer[list[Vector]]):
    """Vectors, and what they took: `Answer` says what else is known.

    Attributes:
        vectors: one for each input, in the order of the inputs.
    """

    __slots__ = ()

    @property
    def vectors(self) -> list[Vector]:
        """One for each input, in the order of the inputs."""
        return self.content


# ---- what goes out


def embedding_requests(
    options: EmbeddingOptions, call: Mapping[str, Any], inputs: Sequence[Input], kind: Kind, chunk_size: int
) -> list[Request]:
    """The requests that embed some inputs, so many in each; none for none.

    Args:
        options: the model object.
        call: per-call options by name; unknown names go into the body as they are; None clears.
        inputs: what to embed.
        kind: what the inputs are for.
        chunk_size: inputs per request.

    Raises:
        TypeError: the inputs are no list, or one of them is nothing that can be embedded.
        ValueError: no model, no such kind, a chunk_size below 1, half a character, or a known option of a wrong type.
    """
    given = wire_inputs(inputs)
    check_positive("chunk_size", chunk_size)
    if kind not in get_args(Kind):
        raise ValueError(f'kind={kind!r} must be "query" or "document"')
    instance = _of_kind(options.set_options(), kind)
    common = layered(instance, _of_kind(checked_call(call, EmbeddingOptions), kind), {}, EMBEDDINGS)
    if not common.body.get("model"):
        raise ValueError("model is missing: embeddings have no default model, give model='author/name'")
    # Left out, some clients and servers take it for base64, which not every model can.
    body = {**common.body, "encoding_format": common.body.get("encoding_format") or "float"}
    starts = range(0, len(given), chunk_size)
    return [replace(common, body={**body, "input": given[start : start + chunk_size]}) for start in starts]


def _of_kind(options: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """Options with the input type of this kind under the wire's name."""
    made = {name: value for name, value in options.items() if name not in _INPUT_TYPES}
    own = f"{kind}_input_type"
    return {**made, "input_type": options[own]} if own in options else made


def wire_inputs(inputs: Sequence[Input]) -> list[Any]:
    """Inputs as the wire takes them: once there are parts, every text is a part.

    Raises:
        TypeError: the inputs are no list, or one of them is nothing that can be embedded.
        ValueError: half a character.
    """
    if isinstance(inputs, str | bytes | Mapping) or not isinstance(inputs, Sequence):
        raise TypeError(f"what to embed must be a list with one item for each vector, not {inputs!r:.80}")
    for at, item in enumerate(inputs):
        if not isinstance(item, str) and not isinstance(item, Mapping) and not _is_tokens(item):
            raise TypeError(f"item {at} to embed must be text, parts or token numbers, not {item!r:.80}")
        if isinstance(item, str):
            check_text(f"item {at} to embed", item)
    if any(isinstance(item, Mapping) for item in inputs):
        return [_with_parts(at, item) for at, item in enumerate(inputs)]
    if len({isinstance(item, str) for item in inputs}) == 2:
        raise TypeError("texts and token numbers do not go into one request: embed them apart")
    return [item if isinstance(item, str) else list(item) for item in inputs]


def _is_tokens(item: Any) -> bool:
    return isinstance(item, Sequence) and not isinstance(item, bytes) and {*map(type, item)} == {int}


def _with_parts(at: int, item: Input) -> dict[str, Any]:
    if isinstance(item, str):
        return {"content": [{"type": "text", "text": item}]}
    if isinstance(item, Mapping):
        return dict(item)
    raise TypeError(f"item {at} to embed is token numbers: they do not go with parts in one request")


def wire_input(item: Any, part: Callable[[Any], Mapping[str, Any]]) -> Any:
    """One thing to embed as the wire takes it; what nobody knows is left to `wire_inputs` to refuse.

    Args:
        item: text, a content part, a list of parts, ``{"content": [part, ...]}``, or the numbers of tokens.
        part: makes a content part of chat of whatever stands in a list; its errors are raised.
    """
    if isinstance(item, Mapping) and "type" not in item:
        content = item.get("content")
        return {**item, "content": _parts(content, part)} if isinstance(content, list | tuple) else item
    if isinstance(item, Mapping):
        return {"content": _parts([item], part)}
    if isinstance(item, list | tuple) and not all(isinstance(number, int) for number in item):
        return {"content": _parts(item, part)}
    return item


def _parts(items: Sequence[Any], part: Callable[[Any], Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [embedding_part(part(item)) for item in items]


def embedding_part(part: Mapping[str, Any]) -> dict[str, Any]:
    """A content part of chat as ``/embeddings`` names it; any other part as it is."""
    video, file = dict_of(part.get("video_url")), dict_of(part.get("file"))
    if part.get("type") == "video_url" and video.get("url"):
        return {"type": "input_video", "input_video": {"data": video["url"]}}
    if part.get("type") == "file" and file.get("file_data"):
        return {"type": "input_file", "input_file": {"data": file["file_data"]}}
    return dict(part)


# ---- what comes back


def read_vectors(body: Mapping[str, Any], count: int) -> list[Vector]:
    """The vectors of an answer, in the order of the inputs.

    Args:
        body: the JSON body.
        count: how many inputs there were.

    Raises:
        Unreadable: they cannot be matched with the inputs, or one is no vector.
    """
    items = body.get("data")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Unreadable("the answer has no list of vectors")
    if len(items) != count:
        raise Unreadable(f"the answer has {len(items)} vectors for {count} inputs")
    vectors = {place: read_vector(items[at].get("embedding"), place) for at, place in enumerate(_places(items))}
    if len({len(vector) for vector in vectors.values()}) > 1:
        raise Unreadable("the vectors of the answer are not of one length")
    return [vectors[place] for place in range(count)]


def _places(items: Sequence[Mapping[str, Any]]) -> list[int]:
    """Which input each item is for: its ``index``; where none has one, their order tells."""
    places = [item.get("index") for item in items]
    if all(place is None for place in places):
        return list(range(len(items)))
    exact = [place for place in map(place_of, places) if place is not None]
    if sorted(exact) != list(range(len(items))):
        raise Unreadable("the indexes of the vectors do not match the inputs")
    return exact


def read_vector(value: Any, place: int = 0) -> Vector:
    """One vector: numbers, or base64 of little-endian 32-bit floats.

    Raises:
        Unreadable: it is empty, or anything else.
    """
    try:
        vector = _unpacked(value) if isinstance(value, str) else _numbers(value)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"vector {place} cannot be read: {error}") from None
    if not vector:
        raise Unreadable(f"vector {place} is empty")
    # A sum is quick to make; it may be infinite though no number is.
    if not math.isfinite(sum(vector)) and not all(map(math.isfinite, vector)):
        raise Unreadable(f"vector {place} has a number that is none")
    return vector


def _numbers(value: Any) -> Vector:
    kinds = {*map(type, value)} if isinstance(value, list) else {None}
    if not kinds <= {float, int}:
        raise ValueError("it is no list of numbers")
    return list(map(float, value)) if int in kinds else value


def _unpacked(text: str) -> Vector:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"it is no base64 ({error})") from None
    if len(data) % 4:
        raise ValueError("it is no base64 of 32-bit floats")
    return list(struct.unpack(f"<{len(data) // 4}f", data))


# ---- many inputs


def embed(client: Fetches, requests: Sequence[Request], wait: Callable[[], object] | None = None) -> Embedded:
    """Send the requests one after the other.

    Args:
        client: sends them.
        requests: one for each batch.
        wait: called before each is sent: a rate limiter's.

    Raises:
        OpenRouterError: one failed. Its ``vectors`` are those that came before, its ``partial.usage`` is all that was
            paid.
    """
    answers: list[Answer[list[Vector]] | None] = [None] * len(requests)
    for at, request in enumerate(requests):
        try:
            if wait:
                wait()
            answers[at] = client.fetch(request, _reader(request))
        except Exception as error:
            _tell([error], requests, answers)
            raise
    return _joined(answers)


async def aembed(
    client: Fetches,
    requests: Sequence[Request],
    max_concurrency: int,
    wait: Callable[[], Awaitable[object]] | None = None,
) -> Embedded:
    """Send the requests, so many at once.

    When one fails, no more are sent; those under way are waited for, since they are paid.

    Args:
        client: sends them.
        requests: one for each batch.
        max_concurrency: how many at once.
        wait: awaited before each is sent: a rate limiter's.

    Raises:
        OpenRouterError: as `embed`.
        ValueError: max_concurrency below 1.
    """
    check_positive("max_concurrency", max_concurrency)
    answers: list[Answer[list[Vector]] | None] = [None] * len(requests)

    async def send(at: int, request: Request) -> None:
        if wait:
            await wait()
        answers[at] = await client.afetch(request, _reader(request))

    jobs = [partial(send, at, request) for at, request in enumerate(requests)]
    if failures := await at_once(jobs, min(max_concurrency, len(jobs))):
        _tell(failures, requests, answers)
        raise failures[0]
    return _joined(answers)


def _reader(request: Request) -> Callable[[Mapping[str, Any]], list[Vector]]:
    return partial(read_vectors, count=len(request.body["input"]))


def _joined(answers: Sequence[Answer[list[Vector]] | None]) -> Embedded:
    whole = [answer for answer in answers if answer is not None]
    return Embedded.of(whole, [vector for answer in whole for vector in answer.content])


def _tell(
    failures: Sequence[BaseException], requests: Sequence[Request], answers: Sequence[Answer[list[Vector]] | None]
) -> None:
    if len(requests) == 1:  # there is no other
        return
    pieces = [
        answer.content if answer else [None] * len(request.body["input"])
        for request, answer in zip(requests, answers, strict=True)
    ]
    paid = [answer for answer in answers if answer] + [answer for failure in failures for answer in spent(failure)]
    tell_rest(failures[0], failures, paid, [vector for piece in pieces for vector in piece])
