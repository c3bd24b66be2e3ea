"""What chooses by a model: routers, sub-questions, rerankers."""

import json
from typing import Any

import pytest
from llama_index.core import Document, SummaryIndex
from llama_index.core.postprocessor import LLMRerank, StructuredLLMRerank
from llama_index.core.query_engine import RouterQueryEngine, SubQuestionQueryEngine
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.response_synthesizers import TreeSummarize
from llama_index.core.retrievers import RouterRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.selectors import (
    LLMMultiSelector,
    LLMSingleSelector,
    PydanticMultiSelector,
    PydanticSingleSelector,
)
from llama_index.core.tools import QueryEngineTool, RetrieverTool

from openrouter_adapters import InsufficientCreditsError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

LAMPS, TIDES = "Lighthouse Ayr is red.", "High tide at Ayr is at 16:20."
FIRST, SECOND = {"choice": 1, "reason": "lamps"}, {"choice": 2, "reason": "tides"}
SINGLE, MULTI = (
    {"index": 2, "reason": "tides"},
    {"selections": [{"index": 2, "reason": "t"}, {"index": 1, "reason": "l"}]},
)
# A selector, what the model says to it, and which of two is chosen.
SELECTORS: dict[str, tuple[Any, dict[str, Any], list[int]]] = {
    "llm, single": (LLMSingleSelector, {"text": "```json\n" + json.dumps([SECOND]) + "\n```"}, [1]),
    "llm, multi": (LLMMultiSelector, {"text": json.dumps([SECOND, FIRST])}, [1, 0]),
    "pydantic, single": (PydanticSingleSelector, {"tool_calls": [("SingleSelection", SINGLE)]}, [1]),
    "pydantic, multi": (PydanticMultiSelector, {"tool_calls": [("MultiSelection", MULTI)]}, [1, 0]),
}
every_selector = pytest.mark.parametrize("selector", SELECTORS)
both_colours = pytest.mark.parametrize("at_once", [True, False], ids=["sync", "async"])


def index(text: str) -> SummaryIndex:
    return SummaryIndex.from_documents([Document(text=text)])


def tools(llm: OpenRouter) -> list[QueryEngineTool]:
    named = {"lamps": LAMPS, "tides": TIDES}
    return [
        QueryEngineTool.from_defaults(index(text).as_query_engine(llm=llm), name=name, description=f"About {name}.")
        for name, text in named.items()
    ]


def about(text: str) -> Any:
    """Matches a request that is told this."""
    return lambda body: text in str(body["messages"])


@every_selector
@both_colours
async def test_a_router_asks_the_engines_that_the_model_names(
    selector: str, at_once: bool, llm: OpenRouter, gateway: LocalGateway
) -> None:
    kind, reply, chosen = SELECTORS[selector]
    gateway.reply(match=lambda body: "choices" in str(body["messages"]), reasoning="Which?", **reply)
    gateway.reply("Red.", match=about(LAMPS))
    gateway.reply("At 16:20.", match=about(TIDES))
    gateway.reply("Both.", match=lambda body: "At 16:20." in str(body) and "Red." in str(body))
    engine = RouterQueryEngine(
        selector=kind.from_defaults(llm=llm), query_engine_tools=tools(llm), llm=llm, summarizer=TreeSummarize(llm=llm)
    )
    response = engine.query("When?") if at_once else await engine.aquery("When?")
    await llm.aclose()
    assert str(response) == ("At 16:20." if chosen == [1] else "Both.")
    assert [choice.index for choice in response.metadata["selector_result"].selections] == chosen
    assert len(gateway.requests) == (2 if chosen == [1] else 4)


@every_selector
def test_a_router_of_retrievers(selector: str, llm: OpenRouter, gateway: LocalGateway) -> None:
    kind, reply, chosen = SELECTORS[selector]
    gateway.reply(**reply)
    named = {"lamps": LAMPS, "tides": TIDES}
    offered = [
        RetrieverTool.from_defaults(index(text).as_retriever(), name=name, description=f"About {name}.")
        for name, text in named.items()
    ]
    router = RouterRetriever(selector=kind.from_defaults(llm=llm), retriever_tools=offered, llm=llm)
    found = router.retrieve("When?")
    assert {node.get_content() for node in found} == {[LAMPS, TIDES][number] for number in chosen}


@both_colours
async def test_sub_questions(at_once: bool, llm: OpenRouter, gateway: LocalGateway) -> None:
    items = [{"sub_question": "What colour?", "tool_name": "lamps"}, {"sub_question": "When?", "tool_name": "tides"}]
    gateway.reply("```json\n" + json.dumps({"items": items}) + "\n```", reasoning="Two matters.")
    gateway.reply("Red.", match=about(LAMPS))
    gateway.reply("At 16:20.", match=about(TIDES))
    gateway.reply("Red, at 16:20.", match=about("Response: At 16:20."))
    engine = SubQuestionQueryEngine.from_defaults(
        tools(llm),
        llm=llm,
        question_gen=LLMQuestionGenerator.from_defaults(llm=llm),
        use_async=not at_once,
        verbose=False,
    )
    response = engine.query("Colour and time?") if at_once else await engine.aquery("Colour and time?")
    await llm.aclose()
    assert str(response) == "Red, at 16:20." and len(gateway.requests) == 4


# -------------------------------------------------------------------------------------------------------- rerankers


def nodes() -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(text=text), score=0.5) for text in (LAMPS, TIDES, "Tax law.")]


@both_colours
async def test_a_structured_reranker(at_once: bool, llm: OpenRouter, gateway: LocalGateway) -> None:
    relevances = [{"document_number": 2, "relevance": 9}, {"document_number": 1, "relevance": 3}]
    ranked = {"documents": relevances}
    # By whichever way the object is asked for.
    gateway.reply(match=lambda body: bool(body.get("tools")), tool_calls=[("DocumentRelevanceList", ranked)])
    gateway.reply(json.dumps(ranked), match=lambda body: not body.get("tools"))
    reranker, query = StructuredLLMRerank(llm=llm, top_n=2), QueryBundle("When?")
    best = reranker.postprocess_nodes(nodes(), query) if at_once else await reranker.apostprocess_nodes(nodes(), query)
    await llm.aclose()
    assert [(node.get_content(), node.score) for node in best] == [(TIDES, 9), (LAMPS, 3)]
    assert len(gateway.requests) == 1


def test_a_reranker_by_text(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("Doc: 2, Relevance: 9\nDoc: 1, Relevance: 3\n", reasoning="Tides.")
    best = LLMRerank(llm=llm, top_n=1).postprocess_nodes(nodes(), QueryBundle("When?"))
    assert [(node.get_content(), node.score) for node in best] == [(TIDES, 9.0)]


@pytest.mark.parametrize("kind", [LLMRerank, StructuredLLMRerank])
def test_trouble_on_the_wire_is_the_rerankers(kind: Any, llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.fault("insufficient_credits", times=None)
    with pytest.raises(InsufficientCreditsError):
        kind(llm=llm).postprocess_nodes(nodes(), QueryBundle("When?"))
