"""FunctionAgent over the adapter: what reaches the model, what the user sees, what goes wrong.

A reasoning loop is measured by the second request as the gateway received it: its assistant message is the first answer
as the provider said it unstreamed, with every item of ``reasoning_details`` and the very text of the arguments.
"""

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentOutput, FunctionAgent, ToolCallResult
from llama_index.core.base.llms.types import ChatMessage, DocumentBlock, ImageBlock, TextBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.workflow import Context
from llama_index.core.workflow.errors import WorkflowRuntimeError
from pydantic import BaseModel
from workflows.errors import WorkflowCancelledByUser

from openrouter_adapters import IncompleteStreamError, InsufficientCreditsError, OpenRouterError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

from ..vendors import ANSWERS, Message, events, replayed, whole
from .conftest import PNG, PNG_URL
from .runs import OF_THE_ENGINE, QUESTION, add, arguments, memory, ran, results, script, sent, weather

pytestmark = OF_THE_ENGINE

Make = Callable[..., OpenRouter]
both_ways = pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])


# ------------------------------------------------------------------------------------------------- reasoning loops


@both_ways
@pytest.mark.parametrize("answer", ANSWERS)
async def test_the_first_answer_goes_back_as_it_came(
    answer: str, streaming: bool, make: Make, gateway: LocalGateway
) -> None:
    name, message = ANSWERS[answer]
    script(gateway, message)
    run = await ran(FunctionAgent(tools=[weather], llm=make(model=name), streaming=streaming), QUESTION)
    assert str(run.output) == "Sunny in both."
    question, said, *told = sent(gateway)
    assert question == {"role": "user", "content": QUESTION}
    assert said == replayed(message)
    # Tools run side by side: which is done first is theirs to say.
    assert sorted(told, key=str) == sorted(results(message), key=str)
    assert [bool(request.body.get("stream")) for request in gateway.requests] == [streaming] * 2


@pytest.mark.parametrize("answer", ANSWERS)
async def test_thoughts_text_and_calls_are_shown_as_they_grow(answer: str, make: Make, gateway: LocalGateway) -> None:
    name, message = ANSWERS[answer]
    script(gateway, message)
    run = await ran(FunctionAgent(tools=[weather], llm=make(model=name)), QUESTION)
    last = next(number for number, event in enumerate(run.streamed) if event.raw is not None)
    first, second = run.streamed[: last + 1], run.streamed[last + 1 :]
    assert "".join(event.thinking_delta or "" for event in first) == (message["reasoning"] or "")
    assert "".join(event.delta for event in first) == first[-1].response == (message["content"] or "")
    assert "".join(event.delta for event in second) == second[-1].response == "Sunny in both."
    wanted = [(call["id"], "weather", arguments(call)) for call in message["tool_calls"]]
    assert [(call.tool_id, call.tool_name, call.tool_kwargs) for call in first[-1].tool_calls] == wanted
    counts = [len(event.tool_calls) for event in first]
    assert counts == sorted(counts) and counts[-1] == len(wanted)
    grown = [event.tool_calls[0].tool_kwargs.get("city", "") for event in first if event.tool_calls]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(grown))
    assert run.output.raw is not None and second[-1].raw == run.output.raw


@both_ways
async def test_each_rounds_thought_stays_with_its_own_answer(
    streaming: bool, make: Make, gateway: LocalGateway
) -> None:
    rounds = [renamed(ANSWERS["anthropic"][1], f"toolu_{number}", f"s{number}==") for number in range(3)]
    for message in rounds:
        gateway.reply(body=whole(message), events=events(message))
    await ran(FunctionAgent(tools=[weather], llm=make(), streaming=streaming), QUESTION)
    assert [said for said in sent(gateway) if said["role"] == "assistant"] == [replayed(one) for one in rounds]


def renamed(message: Message, call_id: str, signature: str) -> Message:
    details = [{**item, "signature": signature} for item in message["reasoning_details"]]
    return {**message, "reasoning_details": details, "tool_calls": [{**message["tool_calls"][0], "id": call_id}]}


# ----------------------------------------------------------------------------------------------------------- tools


@both_ways
async def test_of_parallel_calls_only_the_first_is_made_when_they_are_not_allowed(
    streaming: bool, llm: OpenRouter, gateway: LocalGateway
) -> None:
    gateway.reply(tool_calls=[("weather", {"city": "Paris"}), ("weather", {"city": "Köln"})])
    agent = FunctionAgent(tools=[weather], llm=llm, streaming=streaming, allow_parallel_tool_calls=False)
    run = await ran(agent, QUESTION)
    _, said, told = sent(gateway, 1)
    assert len(said["tool_calls"]) == 1
    assert told == {"role": "tool", "content": "sunny in Paris", "tool_call_id": said["tool_calls"][0]["id"]}
    assert len(run.of(ToolCallResult)) == 1


async def test_a_tool_that_raises_is_told_to_the_model(llm: OpenRouter, gateway: LocalGateway) -> None:
    def broken(city: str) -> str:
        raise RuntimeError("no satellite")

    gateway.reply(tool_calls=[("broken", {"city": "Paris"})])
    run = await ran(FunctionAgent(tools=[broken], llm=llm), QUESTION)
    assert run.of(ToolCallResult)[0].tool_output.is_error
    assert sent(gateway)[-1]["content"] == "no satellite"


async def test_a_tool_that_is_not_there_is_told_to_the_model(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("forecast", {"city": "Paris"})])
    await ran(FunctionAgent(tools=[weather], llm=llm), QUESTION)
    assert "forecast not found" in sent(gateway)[-1]["content"]


async def test_what_a_tool_shows_reaches_the_model(llm: OpenRouter, gateway: LocalGateway) -> None:
    def chart(city: str) -> list[Any]:
        return [
            TextBlock(text="the chart"),
            ImageBlock(image=PNG, image_mimetype="image/png"),
            DocumentBlock(data=b"%PDF-1.4", title="chart.pdf", document_mimetype="application/pdf"),
        ]

    gateway.reply(tool_calls=[("chart", {"city": "Paris"})])
    await ran(FunctionAgent(tools=[chart], llm=llm), QUESTION)
    told = sent(gateway)[-1]
    assert told["role"] == "tool" and [part["type"] for part in told["content"]] == ["text", "image_url", "file"]
    assert told["content"][1]["image_url"]["url"] == PNG_URL
    assert told["content"][2]["file"]["filename"] == "chart.pdf"


@both_ways
async def test_a_first_tool_can_be_demanded(streaming: bool, llm: OpenRouter, gateway: LocalGateway) -> None:
    agent = FunctionAgent(tools=[weather, add], llm=llm, streaming=streaming, initial_tool_choice="add")
    await ran(agent, "hello")
    first, second = (request.body for request in gateway.requests)
    assert first["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert "tool_choice" not in second and len(second["tools"]) == 2


@both_ways
async def test_without_tools_nothing_is_said_of_them(streaming: bool, llm: OpenRouter, gateway: LocalGateway) -> None:
    await ran(FunctionAgent(tools=[], llm=llm, streaming=streaming, system_prompt="Be kind."), "hello")
    body = gateway.requests[0].body
    assert body.keys() - {"stream"} == {"model", "messages"}
    assert body["messages"][0] == {"role": "system", "content": "Be kind."}


@both_ways
@pytest.mark.parametrize("arguments", ['{"city": "Par', '["Paris"]'], ids=["cut off", "no object"])
async def test_a_broken_call_is_never_made(
    arguments: str, streaming: bool, llm: OpenRouter, gateway: LocalGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.reply("I look.", tool_calls=[("weather", arguments)], finish_reason="length")
    kept = memory()
    agent = FunctionAgent(tools=[weather], llm=llm, streaming=streaming)
    run = await ran(agent, QUESTION, memory=kept)
    assert str(run.output) == "I look." and run.output.tool_calls == [] and run.of(ToolCallResult) == []
    assert "no whole tool call: the arguments of weather are cut off or no JSON object" in caplog.text
    await ran(agent, "And now?", memory=kept)
    # What nobody answered would have the whole conversation refused.
    assert sent(gateway)[1] == {"role": "assistant", "content": "I look."}


async def test_an_early_stop_is_an_error_or_one_more_answer(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("weather", {"city": "Paris"})], times=2)
    agent = FunctionAgent(tools=[weather], llm=llm)
    with pytest.raises(WorkflowRuntimeError, match="Max iterations"):
        await ran(agent, QUESTION, max_iterations=2)
    gateway.reply(tool_calls=[("weather", {"city": "Paris"})])
    gateway.reply("Enough.")
    run = await ran(agent, QUESTION, max_iterations=1, early_stopping_method="generate")
    assert str(run.output) == "Enough."
    assert "tools" not in gateway.requests[-1].body


# --------------------------------------------------------------------------------------------------------- trouble


@both_ways
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("insufficient_credits", InsufficientCreditsError),
        ("error_200", OpenRouterError),
        ("error_chunk", OpenRouterError),
        ("cut", OpenRouterError),
        ("malformed_chunk", OpenRouterError),
    ],
)
@pytest.mark.parametrize("turn", [0, 1])
async def test_trouble_on_the_wire_is_the_runs(
    fault: str, kind: type[OpenRouterError], turn: int, streaming: bool, llm: OpenRouter, gateway: LocalGateway
) -> None:
    if turn:
        gateway.reply(tool_calls=[("weather", {"city": "Paris"})])
    gateway.reply(chunks=["Sunny ", "it ", "is."])
    gateway.fault(fault, match=lambda body: (body["messages"][-1]["role"] == "tool") == bool(turn))
    with pytest.raises(kind):
        await ran(FunctionAgent(tools=[weather], llm=llm, streaming=streaming), QUESTION)
    assert len(gateway.requests) == turn + 1


async def test_what_came_before_the_trouble_is_kept(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=["Sunny ", "it ", "is."])
    gateway.fault("truncated", after=2)
    with pytest.raises(IncompleteStreamError) as caught:
        await ran(FunctionAgent(tools=[weather], llm=llm), QUESTION)
    assert caught.value.partial is not None and caught.value.partial.text == "Sunny it "


async def test_a_call_of_a_stream_that_broke_off_is_never_made(llm: OpenRouter, gateway: LocalGateway) -> None:
    made: list[str] = []
    gateway.reply(tool_calls=[("look", '{"city": "Paris"}'), ("look", '{"city": "Köln"}')])
    gateway.fault("error_chunk", after=6)

    def look(city: str) -> str:
        made.append(city)
        return city

    with pytest.raises(OpenRouterError) as caught:
        await ran(FunctionAgent(tools=[look], llm=llm), QUESTION)
    assert caught.value.partial is not None and caught.value.partial.tool_calls and made == []


async def test_cancelling_a_run_closes_the_connection(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(chunks=["word "] * 500, delay=0.01)
    handler = FunctionAgent(tools=[weather], llm=llm).run(QUESTION, memory=memory())
    async for event in handler.stream_events():
        if getattr(event, "delta", None):
            await handler.cancel_run()
            break
    with pytest.raises(WorkflowCancelledByUser):
        await handler
    assert await asyncio.to_thread(gateway.requests[0].wait)
    assert gateway.requests[0].client_left and gateway.requests[0].chunks_sent < 100
    await llm.aclose()


# ---------------------------------------------------------------------------------------- memory, objects, and cost


@both_ways
async def test_a_run_remembers_the_one_before(streaming: bool, make: Make, gateway: LocalGateway) -> None:
    name, message = ANSWERS["anthropic"]
    script(gateway, message)
    kept, agent = memory(), FunctionAgent(tools=[weather], llm=make(model=name), streaming=streaming)
    await ran(agent, QUESTION, memory=kept)
    await ran(agent, "Thanks", memory=kept)
    assert sent(gateway)[1:] == [
        replayed(message),
        *results(message),
        {"role": "assistant", "content": "Sunny in both."},
        {"role": "user", "content": "Thanks"},
    ]


async def test_the_default_memory_has_the_models_window(make: Make, gateway: LocalGateway) -> None:
    agent = FunctionAgent(tools=[weather], llm=make(model="google/gemini-2.5-flash"))
    ctx = Context(agent)
    await ran(agent, "hello", ctx=ctx)
    kept = await ctx.store.get("memory")
    assert kept.token_limit == int(agent.llm.metadata.context_window * 0.75) > 700_000


async def test_history_and_pictures_can_be_given(llm: OpenRouter, gateway: LocalGateway) -> None:
    seen = ChatMessage(role="user", blocks=[TextBlock(text="What is it?"), ImageBlock(url="https://example.com/a.png")])
    history = [ChatMessage(role="user", content="hi"), ChatMessage(role="assistant", content="hello")]
    await ran(FunctionAgent(tools=[weather], llm=llm), seen, chat_history=history)
    assert [message["role"] for message in sent(gateway)] == ["user", "assistant", "user"]
    assert sent(gateway)[-1]["content"][1]["image_url"]["url"] == "https://example.com/a.png"


class Forecast(BaseModel):
    """A forecast."""

    city: str
    sunny: bool


async def test_a_run_can_end_in_an_object(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("weather", {"city": "Paris"})])
    gateway.reply("It is sunny in Paris.")
    run = await ran(FunctionAgent(tools=[weather], llm=llm, output_cls=Forecast), QUESTION)
    assert str(run.output) == "It is sunny in Paris."
    assert isinstance(run.output.get_pydantic_model(Forecast), Forecast)
    assert len(gateway.requests) == 3


@both_ways
async def test_what_a_run_cost(streaming: bool, llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("weather", {"city": "Paris"})], cost=0.25, usage={"prompt_tokens": 7})
    gateway.reply("Sunny.", cost=0.5)
    run = await ran(FunctionAgent(tools=[weather], llm=llm, streaming=streaming), QUESTION)
    assert run.output.raw["usage"]["cost"] == run.output.raw.usage.cost == 0.5
    answers = run.of(AgentOutput)
    assert [answer.raw.usage.cost for answer in answers[:2]] == [0.25, 0.5]
    assert answers[0].raw.usage.prompt_tokens == 7
    assert [event.raw.usage.cost for event in run.streamed if event.raw] == ([0.25, 0.5] if streaming else [])


@both_ways
async def test_tokens_of_a_run_are_those_of_the_wire(streaming: bool, make: Make, gateway: LocalGateway) -> None:
    usage = {"prompt_tokens": 111, "completion_tokens": 22, "total_tokens": 133}
    gateway.reply(tool_calls=[("weather", {"city": "Paris"})], usage=usage)
    gateway.reply("Sunny.", usage=usage)
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = make(callback_manager=CallbackManager([counter]))
    await ran(FunctionAgent(tools=[weather], llm=llm, streaming=streaming), QUESTION)
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (222, 44)


async def test_a_long_call_does_not_hold_up_a_run(llm: OpenRouter, gateway: LocalGateway) -> None:
    """Arguments come in thousands of pieces, and what has come is shown with each."""
    words = " ".join(["word"] * 3000)
    gateway.reply(tool_calls=[("weather", {"city": words})])
    begun = time.monotonic()
    run = await ran(FunctionAgent(tools=[weather], llm=llm), QUESTION)
    assert time.monotonic() - begun < 10
    assert len(run.streamed) > 3000 and run.of(ToolCallResult)[0].tool_kwargs == {"city": words}
