"""`Reply`: one finished answer as a frozen value, read tolerantly from a JSON body.

The same reader serves unstreamed bodies and the bodies that `core.stream` puts together from chunks, so that both ways
give the same answer. A field that was not on the wire is None or empty; nothing here raises because of a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from openrouter_adapters.core.reasoning import details_text
from openrouter_adapters.core.tool_calls import BROKEN_OFF, ToolCall, cut_short, read_calls
from openrouter_adapters.core.usage import Usage
from openrouter_adapters.core.wire import dict_of, dicts_of, id_of, int_of, known, text_of


@dataclass(frozen=True, slots=True)
class Reply:
    """One finished answer of ``/chat/completions``, or as much of it as had arrived before a failure.

    Attributes:
        text: the visible text; "" when there is none.
        reasoning: the readable reasoning; "" when there is none.
        reasoning_details: whole items as on the wire, to be replayed unchanged; None when the wire had no such key.
        tool_calls: function calls in order, cut-off ones included (their ``args`` is None).
        images: generated images, ``{"type": "image_url", "image_url": {"url": ...}}`` each.
        audio: generated audio (``id, data, transcript, expires_at``); None when there is none.
        annotations: citations and parsed files as on the wire.
        citations: addresses in the body's own ``citations`` list, where a provider sends one.
        refusal: the refusal's text; None when the model did not refuse.
        finish_reason: normalised reason; None when the wire gave none.
        native_finish_reason: the provider's own word for it.
        logprobs: OpenAI's shape (``content``: one item per token); None when not asked for.
        usage: token counts and cost; None when not reported.
        model: the model that answered.
        provider: the upstream that answered (a display name).
        id: the generation id.
        created: Unix seconds.
        service_tier: as on the wire.
        system_fingerprint: as on the wire.
        openrouter_metadata: routing metadata, when asked for with ``router_metadata``.
        failed_tries: what failed before this answer came, one dict per try; see `core.tries.failure`.
        body: the whole JSON body (for a stream: the body the same answer gives unstreamed).
    """

    text: str = ""
    reasoning: str = ""
    reasoning_details: list[dict[str, Any]] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    images: list[dict[str, Any]] = field(default_factory=list)
    audio: dict[str, Any] | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    citations: list[str] = field(default_factory=list)
    refusal: str | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None
    usage: Usage | None = None
    model: str | None = None
    provider: str | None = None
    id: str | None = None
    created: int | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    openrouter_metadata: dict[str, Any] | None = None
    failed_tries: list[dict[str, Any]] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_body(cls, body: Mapping[str, Any], choice: int = 0) -> Reply:
        """Read the answer out of a JSON body.

        Args:
            body: a ``chat.completion`` object.
            choice: which of ``choices`` (by place); OpenRouter sends one.
        """
        choices = dicts_of(body.get("choices"))
        picked = choices[choice] if choice < len(choices) else {}
        message = dict_of(picked.get("message")) or dict_of(picked.get("delta"))
        calls = read_calls(message.get("tool_calls"), id_of(body.get("id")))
        reason = text_of(picked.get("finish_reason"))
        details = message.get("reasoning_details")
        details = dicts_of(details) if isinstance(details, list) else None
        return cls(
            text=content_text(message.get("content")) or text_of(picked.get("text")) or "",
            reasoning=_reasoning(message, details),
            reasoning_details=details,
            tool_calls=cut_short(calls) if reason in BROKEN_OFF else calls,
            images=[*content_images(message.get("content")), *dicts_of(message.get("images"))],
            audio=dict_of(message.get("audio")) or None,
            annotations=dicts_of(message.get("annotations")),
            citations=[link for link in _list(body.get("citations")) if isinstance(link, str)],
            refusal=text_of(message.get("refusal")),
            finish_reason=reason,
            native_finish_reason=text_of(picked.get("native_finish_reason")),
            logprobs=dict_of(picked.get("logprobs")) or None,
            usage=Usage.from_wire(body.get("usage")),
            model=text_of(body.get("model")),
            provider=text_of(body.get("provider")),
            id=id_of(body.get("id")) or None,
            created=int_of(body.get("created")),
            service_tier=text_of(body.get("service_tier")),
            system_fingerprint=text_of(body.get("system_fingerprint")),
            openrouter_metadata=dict_of(body.get("openrouter_metadata")) or None,
            body=dict_of(body),
        )

    @property
    def empty(self) -> bool:
        """Whether no piece of an answer has arrived."""
        beside = (self.reasoning_details, self.tool_calls, self.images, self.audio, self.annotations, self.logprobs)
        return not (self.text or self.reasoning or self.refusal or any(beside))

    def metadata(self, asked: Sequence[str] = ()) -> dict[str, Any]:
        """What both adapters show beside the answer, under the same names; absent things are absent.

        Args:
            asked: the models of the request in order: ``model``, then ``models``.

        Returns:
            ``requested_model``, ``fallback_used``, ``provider``, ``finish_reason``, ``native_finish_reason``, ``id``,
            ``created``, ``service_tier``, ``system_fingerprint``, ``cost`` (float, USD), ``cost_details``, ``is_byok``,
            ``total_cost`` (float, USD), ``server_tool_use``, ``openrouter_metadata``, ``citations``; what a plugin or
            ``debug`` was to tell: ``safeguard_results``, ``alignment``, ``debug``. The served model is ``self.model``:
            each framework has a word of its own for it. ``failed_tries``: what was tried before.
        """
        return known(
            requested_model=asked[0] if asked else None,
            fallback_used=fallback_used(asked, self.model),
            provider=self.provider,
            finish_reason=self.finish_reason,
            native_finish_reason=self.native_finish_reason,
            id=self.id,
            created=self.created,
            service_tier=self.service_tier,
            system_fingerprint=self.system_fingerprint,
            **(self.usage.metadata() if self.usage else {}),
            openrouter_metadata=self.openrouter_metadata,
            citations=self.citations or None,
            **{name: self.body.get(name) or None for name in _ON_DEMAND},
            failed_tries=self.failed_tries or None,
        )


_ON_DEMAND = ("safeguard_results", "alignment", "debug")
"""What is on the wire only where a request asked for it: by the plugin of that name (``armor``), by ``debug``."""


def worth_keeping(reply: Reply | None) -> Reply | None:
    """What had arrived before a failure, if a piece of the answer or its usage was there."""
    if reply is None or (reply.empty and not reply.usage):
        return None
    return replace(reply, tool_calls=cut_short(reply.tool_calls))


def content_text(content: Any) -> str:
    """The text of a message's ``content``: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in _parts(content) if isinstance(part.get("text"), str))


def content_images(content: Any) -> list[dict[str, Any]]:
    """The images among the parts of a message's ``content``; they mostly stand beside it."""
    return [part for part in _parts(content) if part.get("type") == "image_url"]


def _parts(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):  # the most frequent, and the longest
        return []
    return [content] if isinstance(content, dict) else dicts_of(content)


def fallback_used(asked: Sequence[str], served: str | None) -> bool | None:
    """Whether another model than the first asked for answered; None when it cannot be told.

    Dated slugs do not count as another model (``claude-haiku-4.5`` answers as ``claude-4.5-haiku-20251001``), and a
    router, preset or alias in first place may have served anything.
    """
    if not asked or not served:
        return None
    if served in asked:
        return served != asked[0]
    from openrouter_adapters.core.catalog import same_model

    first = same_model(asked[0], served)
    if first is not False:
        return None if first is None else False
    return True if any(same_model(other, served) for other in asked[1:]) else None


def _reasoning(message: Mapping[str, Any], details: list[dict[str, Any]] | None) -> str:
    """The readable reasoning: the wire sends it twice, as ``reasoning`` and in the details; it is shown once."""
    plain = text_of(message.get("reasoning")) or text_of(message.get("reasoning_content"))
    return plain or details_text(details or ())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
