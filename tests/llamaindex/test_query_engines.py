"""Query engines of every response mode over the adapter: what is asked, how often, and what comes of trouble."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, PromptTemplate, Settings, SummaryIndex, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.query_engine import CitationQueryEngine
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.schema import NodeWithScore, TextNode
from pydantic import BaseModel

from openrouter_adapters import InsufficientCreditsError, OpenRouterError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

Make = Callable[..., OpenRouter]
FACTS = [f"Fact {number}: lighthouse {number} is red." for number in range(3)]
# How many requests three short texts take.
REQUESTS = {
    ResponseMode.REFINE: 3,
    ResponseMode.COMPACT: 1,
    ResponseMode.SIMPLE_SUMMARIZE: 1,
    ResponseMode.TREE_SUMMARIZE: 1,
    ResponseMode.ACCUMULATE: 3,
    ResponseMode.COMPACT_ACCUMULATE: 1,
    ResponseMode.GENERATION: 1,
    ResponseMode.NO_TEXT: 0,
    ResponseMode.CONTEXT_ONLY: 0,
}
STREAMS = [mode for mode, count in REQUESTS.items() if count and "accumulate" not in mode.value]


@pytest.fixture
def settings(llm: OpenRouter, global_settings: None) -> None:
    """The engines that ask no model want one all the same."""
    Settings.llm = llm


def engine(llm: OpenRouter, texts: list[str] = FACTS, **options: Any) -> Any:
    return SummaryIndex.from_documents([Document(text=text) for text in texts]).as_query_engine(llm=llm, **options)


def asked(gateway: LocalGateway, number: int = 0) -> str:
    """All the text of a request."""
    return "\n".join(message["content"] for message in gateway.requests[number].body["messages"])


def nodes(texts: list[str] = FACTS) -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(text=text), score=1.0) for text in texts]


def test_every_mode_is_here() -> None:
    assert set(REQUESTS) == set(ResponseMode)


@pytest.mark.parametrize("mode", REQUESTS)
@pytest.mark.parametrize("at_once", [True, False], ids=["query", "aquery"])
async def test_every_response_mode(
    mode: ResponseMode, at_once: bool, llm: OpenRouter, settings: None, gateway: LocalGateway
) -> None:
    gateway.reply("Red.", times=None, reasoning="All are.")
    made = engine(llm, response_mode=mode)
    response = made.query("What colour?") if at_once else await made.aquery("What colour?")
    await llm.aclose()
    assert len(gateway.requests) == REQUESTS[mode]
    if mode is ResponseMode.CONTEXT_ONLY:
        assert all(fact in response.response for fact in FACTS)
    else:
        assert ("Red." in (response.response or "")) == bool(REQUESTS[mode])
        assert "None" not in (response.response or "")
    for number in range(len(gateway.requests)):
        assert gateway.requests[number].body.keys() == {"model", "messages"}
        assert "What colour?" in asked(gateway, number)
    told = "".join(asked(gateway, number) for number in range(len(gateway.requests)))
    assert all(fact in told for fact in FACTS) == (mode is not ResponseMode.GENERATION and bool(REQUESTS[mode]))


@pytest.mark.parametrize("mode", STREAMS)
async def test_every_mode_that_streams(mode: ResponseMode, llm: OpenRouter, gateway: LocalGateway) -> None:
    for _ in range(2 * REQUESTS[mode]):
        gateway.reply(chunks=[{"reasoning": "All are."}, "They ", "are ", "red."])
    made = engine(llm, response_mode=mode, streaming=True)
    pieces = list(made.query("What colour?").response_gen)
    answer = await made.aquery("What colour?")
    apieces = [piece async for piece in answer.async_response_gen()]
    await llm.aclose()
    # The answers that a refinement starts from are read by the engine, the last one by the caller.
    assert "".join(pieces) == "".join(apieces) == "They are red."
    assert [piece for piece in pieces if piece] == [piece for piece in apieces if piece] == ["They ", "are ", "red."]


class Colour(BaseModel):
    """What colour it is."""

    answer: str
    sure: bool


@pytest.mark.parametrize("mode", ["refine", "compact", "tree_summarize", "accumulate", "compact_accumulate"])
@pytest.mark.parametrize("at_once", [True, False], ids=["query", "aquery"])
async def test_answers_that_are_objects(mode: str, at_once: bool, llm: OpenRouter, gateway: LocalGateway) -> None:
    made = engine(llm, response_mode=mode, output_cls=Colour)
    response = made.query("What colour?") if at_once else await made.aquery("What colour?")
    await llm.aclose()
    # Accumulating engines write the objects down.
    assert isinstance(response.response, Colour) or "sure=True" in response.response
    assert len(gateway.requests) == (3 if mode in ("refine", "accumulate") else 1)


def test_the_window_of_the_catalogue_says_how_much_is_asked_at_once(make: Make, gateway: LocalGateway) -> None:
    gateway.reply("Red.", times=None)
    texts = [f"{number} " + "red lighthouse " * 300 for number in range(50)]  # about 30 000 tokens

    def requests(**window: int) -> int:
        before = len(gateway.requests)
        synthesizer = get_response_synthesizer(llm=make(**window), response_mode=ResponseMode.COMPACT)
        assert synthesizer.synthesize("What colour?", nodes(texts)).response == "Red."
        return len(gateway.requests) - before

    assert requests() == 1
    assert 1 < requests(context_window=8192) < requests(context_window=8192, max_tokens=4096)


@pytest.mark.parametrize("streaming", [True, False])
def test_retrieval_by_vectors(streaming: bool, llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("Red.")
    index = VectorStoreIndex.from_documents(
        [Document(text=fact) for fact in FACTS], embed_model=MockEmbedding(embed_dim=4)
    )
    response = index.as_query_engine(llm=llm, streaming=streaming, similarity_top_k=3).query("What colour?")
    assert str(response) == "Red." and len(response.source_nodes) == 3


def test_answers_with_sources(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("Red [1].")
    index = SummaryIndex.from_documents([Document(text=fact) for fact in FACTS])
    response = CitationQueryEngine.from_args(index, llm=llm).query("What colour?")
    assert str(response) == "Red [1]." and "Source 1:" in asked(gateway)


def test_the_models_own_prompt_of_the_system_goes_before_every_prompt(llm: OpenRouter, gateway: LocalGateway) -> None:
    llm.system_prompt = "Be kind."
    gateway.reply("Yes.", times=3)
    assert llm.predict(PromptTemplate("Is {x}?"), x="it") == "Yes."
    assert "".join(llm.stream(PromptTemplate("Is {x}?"), x="it")) == "Yes."
    assert engine(llm).query("Is it?").response == "Yes."
    for request in gateway.requests:
        assert request.body["messages"][0] == {"role": "system", "content": "Be kind."}


# --------------------------------------------------------------------------------------------------------- trouble


@pytest.mark.parametrize("mode", [mode for mode, count in REQUESTS.items() if count])
@pytest.mark.parametrize("at_once", [True, False], ids=["query", "aquery"])
async def test_trouble_on_the_wire_is_the_querys(
    mode: ResponseMode, at_once: bool, llm: OpenRouter, gateway: LocalGateway
) -> None:
    gateway.fault("insufficient_credits", times=None)
    made = engine(llm, response_mode=mode)
    with pytest.raises(InsufficientCreditsError):
        made.query("What colour?") if at_once else await made.aquery("What colour?")
    # An engine that asks several times at once goes on asking: no request may come when the next test has begun.
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=1.0)
    await llm.aclose()


@pytest.mark.parametrize("mode", STREAMS)
async def test_trouble_in_a_stream_is_the_readers(mode: ResponseMode, llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=["They ", "are ", "red."], times=None)
    gateway.fault("error_chunk", after=2, times=None)
    made = engine(llm, response_mode=mode, streaming=True)
    with pytest.raises(OpenRouterError) as caught:
        list(made.query("What colour?").response_gen)
    assert caught.value.partial is not None and caught.value.partial.text == "They are "
    with pytest.raises(OpenRouterError):
        answer = await made.aquery("What colour?")
        async for _ in answer.async_response_gen():
            pass
    await llm.aclose()


def test_leaving_a_streamed_answer_closes_the_connection(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=["word "] * 500, delay=0.01)
    words = engine(llm, streaming=True).query("What colour?").response_gen
    next(words)
    words.close()
    del words
    assert gateway.requests[0].wait() and gateway.requests[0].client_left


def test_a_refusal_is_an_empty_response(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(refusal="No.")
    assert engine(llm).query("What colour?").response == "Empty Response"


# -------------------------------------------------------------------------------------------------------- counting


@pytest.mark.parametrize("streaming", [True, False])
def test_tokens_of_a_query_are_those_of_the_wire(
    streaming: bool, llm: OpenRouter, settings: None, gateway: LocalGateway
) -> None:
    gateway.reply("Red.", usage={"prompt_tokens": 111, "completion_tokens": 22, "total_tokens": 133}, times=3)
    counter = TokenCountingHandler(tokenizer=str.split)
    Settings.callback_manager = CallbackManager([counter])
    assert str(engine(llm, response_mode=ResponseMode.REFINE, streaming=streaming).query("What colour?")) == "Red."
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (333, 66)


@pytest.mark.parametrize("streaming", [True, False])
def test_cost_of_a_query_is_in_its_events(
    streaming: bool, llm: OpenRouter, gateway: LocalGateway, events: list[Any]
) -> None:
    gateway.reply("Red.", cost=0.25, times=3)
    assert str(engine(llm, response_mode=ResponseMode.REFINE, streaming=streaming).query("What colour?")) == "Red."
    ended = [event for event in events if type(event).__name__ == "LLMChatEndEvent"]
    assert [event.response.raw.usage.cost for event in ended] == [0.25] * 3
