"""What judges, describes and fills in by a model: evaluators, extractors, programs."""

import asyncio
from typing import Any

import pytest
from llama_index.core import Document
from llama_index.core.evaluation import (
    AnswerRelevancyEvaluator,
    ContextRelevancyEvaluator,
    CorrectnessEvaluator,
    DatasetGenerator,
    FaithfulnessEvaluator,
    GuidelineEvaluator,
    PairwiseComparisonEvaluator,
    RelevancyEvaluator,
)
from llama_index.core.extractors import (
    DocumentContextExtractor,
    KeywordExtractor,
    QuestionsAnsweredExtractor,
    SummaryExtractor,
    TitleExtractor,
)
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program import FunctionCallingProgram, LLMTextCompletionProgram
from llama_index.core.schema import TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from pydantic import BaseModel

from openrouter_adapters import InsufficientCreditsError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

CASE: dict[str, Any] = {
    "query": "What colour is Ayr?",
    "response": "Red.",
    "contexts": ["Lighthouse Ayr is red."],
    "reference": "Red.",
    "second_response": "Blue.",
}
# An evaluator, what the model says to it, and the score that makes.
EVALUATORS: dict[str, tuple[Any, str, float]] = {
    "faithfulness": (FaithfulnessEvaluator, "YES", 1.0),
    "relevancy": (RelevancyEvaluator, "YES", 1.0),
    "correctness": (CorrectnessEvaluator, "4.5\nAs it is.", 4.5),
    "answer relevancy": (AnswerRelevancyEvaluator, "Fits.\n[RESULT] 2", 1.0),
    "context relevancy": (ContextRelevancyEvaluator, "Fits.\n[RESULT] 4", 1.0),
    "guideline": (GuidelineEvaluator, '```json\n{"passing": true, "feedback": "Kind."}\n```', 1.0),
}


@pytest.mark.parametrize("name", EVALUATORS)
def test_evaluators(name: str, llm: OpenRouter, gateway: LocalGateway) -> None:
    kind, verdict, score = EVALUATORS[name]
    gateway.reply(verdict, reasoning="Let me compare.", times=2)
    # At once it is the same in an event loop of its own.
    for result in (kind(llm=llm).evaluate(**CASE), asyncio.run(kind(llm=llm).aevaluate(**CASE))):
        assert result.score == score and not result.invalid_result
    assert "Red." in str(gateway.requests[0].body["messages"]) or name == "context relevancy"
    assert len(gateway.requests) == 2


async def test_a_comparison_asks_both_ways(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("[[A]]", reasoning="The first.")
    gateway.reply("[[B]]", reasoning="The second.")
    result = await PairwiseComparisonEvaluator(llm=llm).aevaluate(**CASE)
    await llm.aclose()
    assert result.score == 1.0 and result.passing and len(gateway.requests) == 2


@pytest.mark.parametrize("name", EVALUATORS)
async def test_trouble_on_the_wire_is_the_evaluators(name: str, llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.fault("insufficient_credits", times=None)
    with pytest.raises(InsufficientCreditsError):
        await EVALUATORS[name][0](llm=llm).aevaluate(**CASE)
    await llm.aclose()


async def test_questions_are_made_of_documents(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("1. What colour is Ayr?\n2. Who lights it?")
    with pytest.warns(DeprecationWarning, match="RagDatasetGenerator|LabelledRagDataset"):
        generator = DatasetGenerator([TextNode(text="Ayr is red.")], llm=llm)
        assert await generator.agenerate_questions_from_nodes(2) == ["What colour is Ayr?", "Who lights it?"]
    await llm.aclose()


# ------------------------------------------------------------------------------------------------------- extractors


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (TitleExtractor, "document_title"),
        (SummaryExtractor, "section_summary"),
        (KeywordExtractor, "excerpt_keywords"),
        (QuestionsAnsweredExtractor, "questions_this_excerpt_can_answer"),
    ],
)
async def test_extractors(kind: Any, key: str, llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("Of Ayr", times=None, reasoning="A name.")
    [found] = await kind(llm=llm, show_progress=False).aextract([TextNode(text="Ayr is red.")])
    await llm.aclose()
    assert found[key] == "Of Ayr"


async def test_the_document_of_a_context_is_marked_for_the_cache(llm: OpenRouter, gateway: LocalGateway) -> None:
    document = Document(text="Ayr is red. The tide is at 16:20.")
    store = SimpleDocumentStore()
    store.add_documents([document])
    node = TextNode(text="The tide is at 16:20.", relationships={"1": document.as_related_node_info()})
    gateway.reply("Of the tides at Ayr.")
    extractor = DocumentContextExtractor(
        docstore=store, llm=llm, max_context_length=1000, max_output_tokens=50, show_progress=False
    )
    [found] = await extractor.aextract([node])
    await llm.aclose()
    assert found == {"context": "Of the tides at Ayr."}
    [request] = gateway.requests
    whole, chunk = request.body["messages"]
    [part] = whole["content"]
    assert part["cache_control"] == {"type": "ephemeral"} and document.text in part["text"]
    assert isinstance(chunk["content"], str) and node.text in chunk["content"]
    assert request.body.keys() == {"model", "messages", "max_tokens"}
    assert request.headers["anthropic-beta"] == "prompt-caching-2024-07-31"


# --------------------------------------------------------------------------------------------------------- programs


class Lighthouse(BaseModel):
    """A lighthouse."""

    name: str
    height: int


AYR = Lighthouse(name="Ayr", height=30)
PROGRAMS: dict[str, Any] = {"function calling": FunctionCallingProgram, "text": LLMTextCompletionProgram}


def program(kind: str, llm: OpenRouter) -> Any:
    parsing = {"output_parser": PydanticOutputParser(Lighthouse)} if kind == "text" else {}
    return PROGRAMS[kind].from_defaults(
        output_cls=Lighthouse, prompt_template_str="Describe {name}.", llm=llm, **parsing
    )


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize("way", ["call", "acall", "stream", "astream"])
async def test_programs(kind: str, way: str, llm: OpenRouter, gateway: LocalGateway) -> None:
    said = {"tool_calls": [("Lighthouse", AYR.model_dump())]} if kind != "text" else {"text": AYR.model_dump_json()}
    gateway.reply(reasoning="A tower.", **said)
    made = program(kind, llm)
    if way == "call":
        found = made(name="Ayr")
    elif way == "acall":
        found = await made.acall(name="Ayr")
    elif way == "stream":
        found = list(made.stream_call(name="Ayr"))[-1]
    else:
        found = [item async for item in await made.astream_call(name="Ayr")][-1]
    await llm.aclose()
    assert Lighthouse.model_validate(found.model_dump()) == AYR
    assert "Describe Ayr." in str(gateway.requests[0].body["messages"]) and len(gateway.requests) == 1


@pytest.mark.parametrize("kind", PROGRAMS)
def test_trouble_on_the_wire_is_the_programs(kind: str, llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.fault("insufficient_credits")
    with pytest.raises(InsufficientCreditsError):
        program(kind, llm)(name="Ayr")
