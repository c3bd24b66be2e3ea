"""The frameworks by themselves: models whose chunks are ready-made, so that only the framework's own work is left."""

from __future__ import annotations

from typing import Any

from benchmarks.server import USAGE, WORD

METADATA = {"model_provider": "openrouter", "model_name": "openai/gpt-5-mini", "cost": 0.000071}


def ready_made_chat_model(kind: str, number: int) -> Any:
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

    def message(**fields: Any) -> ChatGenerationChunk:
        return ChatGenerationChunk(message=AIMessageChunk(**{"content": "", **fields}))

    def piece() -> ChatGenerationChunk:
        if kind == "text":
            return message(content=WORD)
        if kind == "reasoning":
            detail = {"type": "reasoning.text", "text": WORD, "format": "unknown", "index": 0}
            return message(additional_kwargs={"reasoning_content": WORD, "reasoning_details": [detail]})
        return message(
            tool_call_chunks=[{"type": "tool_call_chunk", "index": 0, "id": None, "name": None, "args": WORD}]
        )

    usage = {"input_tokens": 12, "output_tokens": 34, "total_tokens": 46}
    chunks = [piece() for _ in range(number)]
    chunks.append(message(response_metadata=METADATA, usage_metadata=usage, chunk_position="last"))
    whole = AIMessage(WORD * 34, response_metadata=METADATA, usage_metadata=usage)

    class ReadyMade(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "ready-made"

        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=whole)])

        async def _agenerate(
            self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
        ) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=whole)])

        def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            yield from chunks

        async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            for chunk in chunks:
                yield chunk

    return ReadyMade()


def ready_made_llm(kind: str, number: int) -> Any:
    from llama_index.core.base.llms.types import (
        ChatMessage,
        ChatResponse,
        LLMMetadata,
        TextBlock,
        ThinkingBlock,
        ToolCallBlock,
    )
    from llama_index.core.llms.callbacks import llm_chat_callback
    from llama_index.core.llms.custom import CustomLLM

    def piece() -> ChatResponse:
        if kind == "text":
            return ChatResponse(
                message=ChatMessage(role="assistant", blocks=[TextBlock(text=WORD)]), delta=WORD, raw={}
            )
        if kind == "reasoning":
            blocks = [ThinkingBlock(content=WORD), TextBlock(text="")]
        else:
            blocks = [TextBlock(text=""), ToolCallBlock(tool_name="f", tool_kwargs=WORD)]
        return ChatResponse(message=ChatMessage(role="assistant", blocks=blocks), delta="", raw={})

    items = [piece() for _ in range(number)]
    end = ChatMessage(role="assistant", blocks=[TextBlock(text=WORD * 34)])
    items.append(ChatResponse(message=end, delta="", raw={"usage": USAGE}))

    class ReadyMade(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(model_name="ready-made")

        @llm_chat_callback()
        def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
            return items[-1]

        @llm_chat_callback()
        async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
            return items[-1]

        @llm_chat_callback()
        def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
            def made() -> Any:
                yield from items

            return made()

        @llm_chat_callback()
        async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
            async def made() -> Any:
                for item in items:
                    yield item

            return made()

        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            raise NotImplementedError

        def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            raise NotImplementedError

    return ReadyMade()
