"""From a request to the answer that goes over the socket, endpoint by endpoint, without any I/O."""

import secrets
import string
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from . import echo, faults, listing, problems, retrieval, shapes, usage
from .dialect import Envelope, chunks, completion, without
from .faults import Fault
from .live import steps_of
from .problems import Problem
from .reply import Body, Live, Reply
from .routing import Route, route
from .schema import InvalidSchema
from .state import Exchange, Queue, State
from .wire import BLANK_LINES, COMMENT, DONE, Pause, Step, Wire, event_stream, json_wire, problem_wire

__all__ = ["Handler", "answer"]

Handler: TypeAlias = Callable[[State, Exchange], Wire | Problem]

_CHUNKS_PER_COMMENT = 8
_LETTERS = string.ascii_letters + string.digits


def answer(state: State, exchange: Exchange, handler: Handler, *, needs_key: bool = True) -> Wire:
    """Answer one request: first the key, then the fault that was asked for, then what the endpoint says.

    A mistake of the gateway's own is told, not swallowed.
    """
    problem = _refuse_key(state, exchange) if needs_key else None
    if problem:
        return problem_wire(problem)
    try:
        return _answered(state, exchange, handler)
    except InvalidSchema as error:
        return problem_wire(problems.invalid(f"Invalid schema: {error}"))
    except RecursionError:
        return problem_wire(problems.invalid("Invalid schema: it requires itself without end"))
    except Exception as error:
        return problem_wire(Problem(500, f"The local gateway failed: {error!r}", user_id=None))


def _answered(state: State, exchange: Exchange, handler: Handler) -> Wire:
    fault = _fault(state, exchange)
    if isinstance(fault, Problem):
        return problem_wire(fault)
    if fault and fault.hides_the_answer:
        state = replace(state, replies=Queue(), respond=echo.respond, strict=False)
    if fault and fault.is_free(streams=isinstance(exchange.body, dict) and bool(exchange.body.get("stream"))):
        state = replace(state, generations={})
    if fault and fault.unstreams:
        state = replace(state, streams=False)
    said = handler(state, exchange)
    wire = problem_wire(said) if isinstance(said, Problem) else said
    return fault.to(wire) if fault else wire


def _refuse_key(state: State, exchange: Exchange) -> Problem | None:
    key = exchange.key
    if not key:
        return problems.MISSING_KEY
    return problems.WRONG_KEY if state.api_key not in (None, key) else None


def _fault(state: State, exchange: Exchange) -> Fault | Problem | None:
    """The fault to come: the one that a header names, else the next in the queue."""
    named = exchange.headers.get("x-gateway-fault")
    if named is None:
        return state.faults.take(exchange.path, exchange.body)
    try:
        return faults.named(named)
    except (TypeError, ValueError) as error:
        return Problem(400, str(error))


def new_id(kind: str = "gen") -> str:
    """A generation's id."""
    return f"{kind}-{int(time.time())}-{''.join(secrets.choice(_LETTERS) for _ in range(20))}"


def chat(state: State, exchange: Exchange) -> Wire | Problem:
    """``POST /chat/completions``."""
    body = exchange.body
    found = _refuse_chat(body) or _found(state, body, ("text", "image", "audio"))
    if isinstance(found, Problem):
        return found
    reply = _reply(state, exchange, found)
    if isinstance(reply, Problem):
        return reply
    if isinstance(reply, Live):
        return _live_wire(reply, state, exchange, found)
    envelope = _envelope(reply, body, found, exchange, state.prompt_cache.counts(found.model.id, body))
    exchange.model, exchange.provider = envelope.model, envelope.provider
    streamed = state.streams and bool(body.get("stream"))
    state.generations[envelope.id] = listing.generation(envelope, reply, found, streamed=streamed)
    return _chat_wire(reply, envelope, streamed, state.slow.get(found.provider.slug, 0.0))


def _found(state: State, body: Body, outputs: tuple[str, ...]) -> Route | Problem:
    """The route to a model that puts out what this endpoint is for."""
    found = route(body, state.market())
    if isinstance(found, Problem) or not {*outputs}.isdisjoint(found.model.output_modalities):
        return found
    return problems.wrong_endpoint(found.model.id)


def _refuse_chat(body: Any) -> Problem | None:
    """What OpenRouter finds wrong before it looks for an endpoint."""
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages:
        return Problem(400, 'Input required: specify "prompt" or "messages"')
    if wrong := shapes.refuse(shapes.CHAT, body):
        return wrong
    if "audio" in (body.get("modalities") or ()) and not body.get("stream"):
        return problems.invalid("Audio output requires stream: true")
    return None


def _reply(state: State, exchange: Exchange, found: Route) -> Reply | Live | Problem:
    scripted = state.scripted(exchange)
    if isinstance(scripted, Problem):
        return scripted
    if scripted:
        return scripted.completed(found.family)
    reply = state.respond(exchange.body)
    if isinstance(reply, Live):
        return reply
    if not found.model.supports("reasoning"):
        reply = replace(reply, reasoning=None, reasoning_details=None)
    return reply.limited(echo.output_limit(exchange.body), echo.stop_words(exchange.body)).completed(found.family)


def _envelope(reply: Reply, body: Body, found: Route, exchange: Exchange, cached: tuple[int, int]) -> Envelope:
    wants_metadata = "enabled" in (
        exchange.headers.get("x-openrouter-metadata"),
        exchange.headers.get("x-openrouter-experimental-metadata"),
    )
    return Envelope(
        id=new_id(),
        created=int(time.time()),
        model=reply.model or found.answers_as,
        provider=reply.provider or found.provider.name,
        usage=usage.of_chat(body, reply, found, cached),
        metadata=found.metadata() if wants_metadata else None,
    )


def _live_wire(live: Live, state: State, exchange: Exchange, found: Route) -> Wire:
    """An answer that is made while it is sent; it is known what it cost when it is complete."""
    body, cached = exchange.body, state.prompt_cache.counts(found.model.id, exchange.body)
    streamed = state.streams and bool(body.get("stream"))
    opening = _envelope(Reply(), body, found, exchange, cached)
    exchange.model, exchange.provider = opening.model, opening.provider

    def finish(reply: Reply) -> tuple[Reply, Envelope]:
        reply = reply.completed(found.family)
        envelope = replace(opening, usage=usage.of_chat(body, reply, found, cached))
        noted = listing.generation(envelope, reply, found, streamed=streamed)
        state.generations[envelope.id] = {**noted, "cancelled": exchange.client_left}
        return reply, envelope

    before = (COMMENT if streamed else BLANK_LINES, *_pause(state.slow.get(found.provider.slug, 0.0)))
    headers = {"x-generation-id": opening.id}
    wire = event_stream((), headers) if streamed else Wire(200, {"content-type": "application/json", **headers})
    make = steps_of(live, opening, found.family, finish, streamed=streamed)
    return replace(wire, steps=before, live=make)


def _chat_wire(reply: Reply, envelope: Envelope, streamed: bool, wait: float) -> Wire:
    headers = {"x-generation-id": envelope.id, **(reply.headers or {})}
    if streamed and reply.events is not None:
        steps = (event if isinstance(event, dict) else f"{event}\n\n".encode() for event in reply.events)
        return event_stream(steps, headers)
    if streamed and reply.body is None:
        return event_stream(_stream_steps(reply, envelope, wait), headers)
    return _whole_wire(completion(reply, envelope), reply, envelope, wait)


def _whole_wire(body: Body, reply: Reply, envelope: Envelope, wait: float) -> Wire:
    """An unstreamed answer."""
    headers = {"x-generation-id": envelope.id, **(reply.headers or {})}
    if reply.body is not None:
        return json_wire(reply.body, reply.status, headers)
    wire = json_wire(_pruned(body, reply), reply.status, headers)
    return replace(wire, steps=(BLANK_LINES * reply.comments, *_pause(wait + reply.delay), *wire.steps))


def _stream_steps(reply: Reply, envelope: Envelope, wait: float) -> list[Step]:
    steps: list[Step] = [*[COMMENT] * reply.comments, *_pause(wait)]
    for at, chunk in enumerate(chunks(reply, envelope)):
        if at:
            steps += _pause(reply.delay)
        if reply.comments and at % _CHUNKS_PER_COMMENT == _CHUNKS_PER_COMMENT - 1:
            steps.append(COMMENT)
        steps.append(_pruned(chunk, reply))
    return [*steps, DONE]


def _pause(seconds: float) -> list[Step]:
    return [Pause(seconds)] if seconds else []


def _pruned(body: Body, reply: Reply) -> Body:
    for path in reply.omit:
        body = without(body, path)
    return body


def embeddings(state: State, exchange: Exchange) -> Wire | Problem:
    """``POST /embeddings``."""
    refused = retrieval.refuse_embeddings(exchange.body)
    return refused or _beside_chat(state, exchange, "embeddings", "emb", retrieval.embeddings)


def rerank(state: State, exchange: Exchange) -> Wire | Problem:
    """``POST /rerank``."""
    refused = retrieval.refuse_rerank(exchange.body)
    return refused or _beside_chat(state, exchange, "rerank", "rerank", retrieval.rerank)


def _beside_chat(
    state: State, exchange: Exchange, output: str, kind: str, make: Callable[[Body, retrieval.Head], Body]
) -> Wire | Problem:
    found = _found(state, exchange.body, (output,))
    if isinstance(found, Problem):
        return found
    scripted = state.scripted(exchange)
    if isinstance(scripted, Problem):
        return scripted
    reply = scripted or Reply()
    model, provider = reply.model or found.model.id.rpartition("/")[2], reply.provider or found.provider.name
    exchange.model, exchange.provider = reply.model or found.model.id, provider
    body = make(exchange.body, retrieval.Head(new_id(f"gen-{kind}"), model, provider, found.endpoint))
    given = {} if reply.cost is None else {"cost": reply.cost}
    body["usage"] = usage.merged(body["usage"], {**given, **(reply.usage or {})})
    envelope = Envelope(body["id"], int(time.time()), exchange.model, provider, body["usage"])
    state.generations[envelope.id] = listing.generation(envelope, reply, found, streamed=False, api_type=kind)
    return _whole_wire(body, reply, envelope, state.slow.get(found.provider.slug, 0.0))


def models(state: State, exchange: Exchange) -> Wire | Problem:
    """``GET /models``: those with text output, unless ``output_modalities`` says otherwise."""
    wanted = exchange.query.get("output_modalities", "text").split(",")
    items = [listing.model_item(m) for m in state.models.values() if _has(m.output_modalities, wanted)]
    needed = exchange.query.get("supported_parameters", "").split(",")
    items = [item for item in items if {*needed} <= {"", *item["supported_parameters"]}]
    cached = {"cache-control": "public, max-age=300, stale-while-revalidate=3600"}
    return _scripted(state, exchange) or json_wire({"data": items}, headers=cached)


def _scripted(state: State, exchange: Exchange) -> Wire | None:
    """The raw body that is scripted for what can be looked up."""
    reply = state.replies.take(exchange.path, exchange.body)
    return None if reply is None else json_wire(reply.body, reply.status, reply.headers)


def _has(offered: tuple[str, ...], wanted: list[str]) -> bool:
    return "all" in wanted or not {*wanted}.isdisjoint(offered)


def model(state: State, exchange: Exchange) -> Wire | Problem:
    """``GET /model/{author}/{slug}``."""
    slug = exchange.path.partition("/model/")[2]
    found = state.market().find(slug)
    return json_wire({"data": listing.model_item(found)}) if found else _not_found(f"Model {slug}")


def endpoints(state: State, exchange: Exchange) -> Wire | Problem:
    """``GET /models/{author}/{slug}/endpoints``."""
    slug = exchange.path.partition("/models/")[2].removesuffix("/endpoints")
    found = state.market().find(slug)
    return json_wire(listing.endpoints(found, state.providers, state.down)) if found else _not_found(f"Model {slug}")


def generation(state: State, exchange: Exchange) -> Wire | Problem:
    """``GET /generation?id=``."""
    id = exchange.query.get("id", "")
    found: Mapping[str, Any] | None = state.generations.get(id)
    return json_wire({"data": found}) if found else _not_found(f"Generation {id}")


def key(state: State, exchange: Exchange) -> Wire | Problem:
    """``GET /key``."""
    return _scripted(state, exchange) or json_wire(listing.key(state.spent()))


def credits(state: State, exchange: Exchange) -> Wire | Problem:
    """``GET /credits``."""
    return json_wire({"data": {"total_credits": 100, "total_usage": state.spent()}})


def nothing(state: State, exchange: Exchange) -> Wire | Problem:
    """Any path that there is not."""
    return problems.NOT_FOUND


def _not_found(what: str) -> Problem:
    return replace(problems.NOT_FOUND, message=f"{what} not found")
