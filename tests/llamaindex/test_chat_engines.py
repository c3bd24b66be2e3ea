"""Chat engines of every mode over the adapter: each way of asking, the history, refusals and trouble."""

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import Document, Settings, SummaryIndex
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.llms import ChatMessage, MessageRole

from openrouter_adapters import OpenRouterError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

from .runs import memory, sent

Make = Callable[..., OpenRouter]
WAYS = ["chat", "achat", "stream_chat", "astream_chat"]
# How many requests a second question takes: some modes put it in words that stand alone first.
MODES = {
    ChatMode.SIMPLE: 1,
    ChatMode.CONTEXT: 1,
    ChatMode.CONDENSE_QUESTION: 2,
    ChatMode.CONDENSE_PLUS_CONTEXT: 2,
    ChatMode.BEST: 2,
}
FACT = "Lighthouse Ayr is red."


def engine(llm: OpenRouter, mode: ChatMode = ChatMode.SIMPLE, **options: Any) -> Any:
    index = SummaryIndex.from_documents([Document(text=FACT)])
    return index.as_chat_engine(chat_mode=mode, llm=llm, memory=memory(), **options)


async def said(chat: Any, way: str, words: str) -> str:
    """What an engine answers, in the way that is asked for."""
    answer = getattr(chat, way)(words)
    if way.startswith("a"):
        answer = await answer
    if way == "astream_chat":
        return "".join([piece async for piece in answer.async_response_gen()])
    if way == "stream_chat":
        return "".join(answer.response_gen)
    return str(answer)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
async def test_every_mode_in_every_way(mode: ChatMode, way: str, llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("It is red.", reasoning="Ayr?")
    chat = engine(llm, mode)
    assert await said(chat, way, "What colour is Ayr?") == "It is red."
    for _ in range(MODES[mode] - 1):
        gateway.reply("Is Ayr really red?", reasoning="In other words.")
    gateway.reply("Yes, it is.", reasoning="Sure.")
    assert await said(chat, way, "Really?") == "Yes, it is."
    await llm.aclose()
    assert len(gateway.requests) == 1 + MODES[mode]
    assert [(message.role.value, message.content) for message in chat.chat_history] == [
        ("user", "What colour is Ayr?"),
        ("assistant", "It is red."),
        ("user", "Really?"),
        ("assistant", "Yes, it is."),
    ]
    assert "None" not in str(sent(gateway))
    if mode is not ChatMode.SIMPLE:
        assert FACT in str(sent(gateway))
    if mode in (ChatMode.SIMPLE, ChatMode.CONTEXT):
        assert [message["content"] for message in sent(gateway)][-3:] == [
            "What colour is Ayr?",
            "It is red.",
            "Really?",
        ]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", [ChatMode.SIMPLE, ChatMode.CONTEXT, ChatMode.CONDENSE_PLUS_CONTEXT])
async def test_a_refusal_is_no_text_and_no_none(
    mode: ChatMode, way: str, llm: OpenRouter, gateway: LocalGateway
) -> None:
    gateway.reply(refusal="No.")
    chat = engine(llm, mode)
    # The engines that retrieve have words of their own for an answer without text, where they do not stream.
    nothing = "" if "stream" in way or mode is ChatMode.SIMPLE else "Empty Response"
    assert await said(chat, way, "Do evil") == chat.chat_history[-1].content == nothing
    gateway.reply("Hello!")
    gateway.reply("Hello!")
    assert await said(chat, way, "hello") == "Hello!"
    await llm.aclose()


@pytest.mark.parametrize("way", ["chat", "achat"])
async def test_thoughts_go_back_with_the_next_turn(way: str, llm: OpenRouter, gateway: LocalGateway) -> None:
    """Where an engine streams, LlamaIndex itself keeps nothing but the text."""
    details = [{"type": "reasoning.text", "text": "Ayr?", "signature": "s", "index": 0}]
    gateway.reply("It is red.", reasoning="Ayr?", reasoning_details=details)
    chat = engine(llm)
    for words in ("What colour is Ayr?", "Really?"):
        await said(chat, way, words)
    await llm.aclose()
    assert sent(gateway)[1] == {"role": "assistant", "content": "It is red.", "reasoning_details": details}


def test_the_prompt_of_the_system_comes_first(llm: OpenRouter, gateway: LocalGateway) -> None:
    engine(llm, system_prompt="Be kind.").chat("hi")
    assert sent(gateway)[0] == {"role": "system", "content": "Be kind."}
    history = [ChatMessage(role=MessageRole.USER, content="a"), ChatMessage(role=MessageRole.ASSISTANT, content="b")]
    SimpleChatEngine.from_defaults(llm=llm, memory=memory()).chat("c", chat_history=history)
    assert [message["content"] for message in sent(gateway)] == ["a", "b", "c"]


# --------------------------------------------------------------------------------------------------------- trouble


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", ["insufficient_credits", "error_chunk", "cut"])
# The engine's own thread raises what the reader is told as well.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_trouble_on_the_wire_is_told_and_nothing_hangs(
    fault: str, mode: ChatMode, way: str, llm: OpenRouter, gateway: LocalGateway
) -> None:
    gateway.reply(chunks=["It ", "is ", "red."])
    gateway.fault(fault)
    chat = engine(llm, mode)
    with pytest.raises(OpenRouterError):
        await said(chat, way, "What colour is Ayr?")
    await llm.aclose()
    assert len(gateway.requests) == 1


# -------------------------------------------------------------------------------------------------------- counting


@pytest.mark.parametrize("way", WAYS)
async def test_tokens_of_a_chat_are_those_of_the_wire(
    way: str, llm: OpenRouter, gateway: LocalGateway, global_settings: None
) -> None:
    gateway.reply("Red.", usage={"prompt_tokens": 111, "completion_tokens": 22, "total_tokens": 133}, times=2)
    counter = TokenCountingHandler(tokenizer=str.split)
    Settings.callback_manager = CallbackManager([counter])
    chat = engine(llm)
    for words in ("What colour is Ayr?", "Really?"):
        assert await said(chat, way, words) == "Red."
    await llm.aclose()
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (222, 44)
