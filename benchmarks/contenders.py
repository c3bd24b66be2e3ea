"""Who is measured: the floors, our adapters and the other packages, all read in the same way.

A contender knows how to ask once (`call`, `acall`) and how to read a stream (`stream`, `astream`), of which it returns
how much text, reasoning and arguments came, so that nobody is fast for having dropped something.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

KEY = "sk-or-v1-bench"


class Contender:
    """One who is measured.

    Attributes:
        imports: the module whose import is measured, and the framework's own that it is compared with.
    """

    imports: tuple[str, str] = ("", "")

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def make(self, model: str) -> Any:
        """A model object."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what it has open."""

    def call(self, model: Any) -> int:
        """How many characters the answer has."""
        raise NotImplementedError

    async def acall(self, model: Any) -> int:
        raise NotImplementedError

    def stream(self, model: Any) -> Iterable[int]:
        """For each chunk, how many characters came: of text, reasoning or arguments."""
        raise NotImplementedError

    def astream(self, model: Any) -> AsyncIterator[int]:
        raise NotImplementedError

    def atexts(self, model: Any) -> AsyncIterator[str]:
        """The pieces of a stream of text themselves."""
        raise NotImplementedError


# ---- the raw floor


class Raw(Contender):
    """The wire itself: the openai package's HTTP client, a split on bytes, one parse; no types and no errors."""

    imports = ("openai", "openai")
    aiohttp = False

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url)
        import openai

        self._sync = openai.DefaultHttpxClient()
        self._async = openai.DefaultAioHttpClient() if self.aiohttp else openai.DefaultAsyncHttpxClient()

    def close(self) -> None:
        self._sync.close()

    def make(self, model: str) -> dict[str, Any]:
        return {
            "url": f"{self.base_url}/chat/completions",
            "headers": {"Authorization": f"Bearer {KEY}"},
            "json": {"model": model, "messages": [{"role": "user", "content": "hi"}]},
        }

    def call(self, model: Any) -> int:
        return len(json.loads(self._sync.post(**model).content)["choices"][0]["message"]["content"])

    async def acall(self, model: Any) -> int:
        return len(json.loads((await self._async.post(**model)).content)["choices"][0]["message"]["content"])

    def stream(self, model: Any) -> Iterator[int]:
        with self._sync.stream("POST", **_streaming(model)) as response:
            for events in _split(response.iter_bytes()):
                yield from map(len, map(_piece, events))

    async def astream(self, model: Any) -> AsyncIterator[int]:
        async for event in self._events(model):
            yield len(_piece(event))

    async def atexts(self, model: Any) -> AsyncIterator[str]:
        async for event in self._events(model):
            yield _piece(event)

    async def _events(self, model: Any) -> AsyncIterator[bytes]:
        async with self._async.stream("POST", **_streaming(model)) as response:
            rest = b""
            async for block in response.aiter_bytes():
                *events, rest = (rest + block).split(b"\n\n")
                for event in events:
                    yield event


class RawOverAiohttp(Raw):
    """As `Raw`, over the openai package's transport of aiohttp."""

    aiohttp = True


def _streaming(model: dict[str, Any]) -> dict[str, Any]:
    return {**model, "json": {**model["json"], "stream": True}}


def _split(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = b""
    for block in blocks:
        *events, rest = (rest + block).split(b"\n\n")
        yield events


def _piece(event: bytes) -> str:
    from jiter import from_json

    data = event[6:]
    if data == b"[DONE]":
        return ""
    delta = from_json(data)["choices"][0]["delta"]
    calls = delta.get("tool_calls")
    return delta.get("content") or delta.get("reasoning") or (calls and calls[0]["function"]["arguments"]) or ""


# ---- LangChain


class OfLangChain(Contender):
    """Any chat model of LangChain's."""

    def call(self, model: Any) -> int:
        return len(model.invoke("hi").content)

    async def acall(self, model: Any) -> int:
        return len((await model.ainvoke("hi")).content)

    def stream(self, model: Any) -> Iterator[int]:
        for chunk in model.stream("hi"):
            yield _of_message(chunk)

    async def astream(self, model: Any) -> AsyncIterator[int]:
        async for chunk in model.astream("hi"):
            yield _of_message(chunk)

    async def atexts(self, model: Any) -> AsyncIterator[str]:
        async for chunk in model.astream("hi"):
            yield chunk.content


def _of_message(chunk: Any) -> int:
    calls = chunk.tool_call_chunks
    if calls:
        return len(calls[0]["args"] or "")
    return len(chunk.content) or len(chunk.additional_kwargs.get("reasoning_content") or "")


class OurLangChain(OfLangChain):
    imports = ("openrouter_adapters.langchain", "langchain_core.language_models.chat_models")
    aiohttp = False

    def make(self, model: str) -> Any:
        from openrouter_adapters.langchain import ChatOpenRouter

        return ChatOpenRouter(model=model, api_key=KEY, base_url=self.base_url, **_over(self.aiohttp))


class OurLangChainOverAiohttp(OurLangChain):
    aiohttp = True


class LangChainOpenRouter(OfLangChain):
    imports = ("langchain_openrouter", "langchain_core.language_models.chat_models")

    def make(self, model: str) -> Any:
        from langchain_openrouter import ChatOpenRouter

        return ChatOpenRouter(model=model, api_key=KEY, base_url=self.base_url)


class ChatOpenAI(OfLangChain):
    imports = ("langchain_openai", "langchain_core.language_models.chat_models")

    def make(self, model: str) -> Any:
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(model=model, api_key=KEY, base_url=self.base_url, stream_usage=True)


class LangChainFloor(OfLangChain):
    """LangChain alone: a model whose chunks were made before anybody asked."""

    imports = ("langchain_core.language_models.chat_models", "langchain_core.language_models.chat_models")

    def make(self, model: str) -> Any:
        from benchmarks.floors import ready_made_chat_model

        return ready_made_chat_model(*_kind_and_number(model))


def _over(aiohttp: bool) -> dict[str, Any]:
    return {"http_async_client": "aiohttp"} if aiohttp else {}


# ---- LlamaIndex


class OfLlamaIndex(Contender):
    """Any LLM of LlamaIndex's."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url)
        from llama_index.core.llms import ChatMessage

        self._messages = [ChatMessage(role="user", content="hi")]

    def call(self, model: Any) -> int:
        return len(model.chat(self._messages).message.content)

    async def acall(self, model: Any) -> int:
        return len((await model.achat(self._messages)).message.content)

    def stream(self, model: Any) -> Iterator[int]:
        read = _reader()
        for item in model.stream_chat(self._messages):
            yield read(item)

    async def astream(self, model: Any) -> AsyncIterator[int]:
        read = _reader()
        async for item in await model.astream_chat(self._messages):
            yield read(item)

    async def atexts(self, model: Any) -> AsyncIterator[str]:
        async for item in await model.astream_chat(self._messages):
            yield item.delta or ""


def _reader() -> Callable[[Any], int]:
    """Reads items as users do: the text's delta; of anything else only that it came."""

    def read(item: Any) -> int:
        return len(item.delta or "")

    return read


class OurLlamaIndex(OfLlamaIndex):
    imports = ("openrouter_adapters.llamaindex", "llama_index.core.llms")
    aiohttp = False

    def make(self, model: str) -> Any:
        from openrouter_adapters.llamaindex import OpenRouter

        return OpenRouter(model=model, api_key=KEY, base_url=self.base_url, **_over(self.aiohttp))


class OurLlamaIndexOverAiohttp(OurLlamaIndex):
    aiohttp = True


class LlamaIndexOpenRouter(OfLlamaIndex):
    imports = ("llama_index.llms.openrouter", "llama_index.core.llms")

    def make(self, model: str) -> Any:
        from llama_index.llms.openrouter import OpenRouter

        return OpenRouter(model=model, api_key=KEY, api_base=self.base_url, is_function_calling_model=True)


class LlamaIndexFloor(OfLlamaIndex):
    """LlamaIndex alone: an LLM whose responses were made before anybody asked."""

    imports = ("llama_index.core.llms", "llama_index.core.llms")

    def make(self, model: str) -> Any:
        from benchmarks.floors import ready_made_llm

        return ready_made_llm(*_kind_and_number(model))


def _kind_and_number(model: str) -> tuple[str, int]:
    kind, number, *_ = model.removeprefix("bench/").split("-")
    return kind, int(number)


LANGCHAIN: dict[str, type[Contender]] = {
    "raw floor": Raw,
    "raw floor, aiohttp": RawOverAiohttp,
    "LangChain floor": LangChainFloor,
    "ours": OurLangChain,
    "ours, aiohttp": OurLangChainOverAiohttp,
    "langchain-openrouter": LangChainOpenRouter,
    "ChatOpenAI": ChatOpenAI,
}
LLAMAINDEX: dict[str, type[Contender]] = {
    "raw floor": Raw,
    "raw floor, aiohttp": RawOverAiohttp,
    "LlamaIndex floor": LlamaIndexFloor,
    "ours": OurLlamaIndex,
    "ours, aiohttp": OurLlamaIndexOverAiohttp,
    "llama-index-llms-openrouter": LlamaIndexOpenRouter,
}
FRAMEWORKS = {"langchain": LANGCHAIN, "llamaindex": LLAMAINDEX}
