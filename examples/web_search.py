"""Answers from the web, with their sources: a search before the answer (plugin), or whenever the model wants (tool)."""

from llama_index.core.llms import ChatMessage
from offline import openrouter

from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

QUESTION = "Which lighthouse is the oldest that still works?"
PLUGIN = {"id": "web", "max_results": 3}
SERVER_TOOL = {"type": "openrouter:web_search", "parameters": {"max_results": 3}}  # run by OpenRouter


def script(gateway):  # only without a key: what the local gateway answers
    text = "The Tower of Hercules in Spain: it was built by the Romans and is still lit."
    page = {"url": "https://example.org/hercules", "title": "Tower of Hercules", "content": "Built by the Romans ..."}
    citation = {"type": "url_citation", "url_citation": {**page, "start_index": 4, "end_index": 21}}
    searched = {"server_tool_use_details": {"web_search_requests": 1}}
    gateway.reply(text, annotations=[citation], usage=searched, cost=0.0152, times=None)
    return "a local gateway gives scripted answers; its sources are made up."


def with_langchain(model):
    answer = model.invoke(QUESTION)
    print(f"  {answer.text}")
    for block in answer.content_blocks:
        for source in block.get("annotations", ()):
            print(f"  [{source.get('title') or 'no title'}] {source.get('url')}")
    searches = answer.response_metadata.get("server_tool_use", {}).get("web_search_requests", 0)
    print(f"  {searches} search, ${answer.response_metadata['cost']:.4f} with its fee\n")


def with_llamaindex(llm, **options):
    response = llm.chat([ChatMessage(QUESTION)], **options)
    print(f"  {response.message.content}")
    for block in response.message.blocks:
        if block.block_type == "citation":
            print(f"  [{block.title or 'no title'}] {block.source}")
    facts = response.additional_kwargs
    searches = facts.get("server_tool_use", {}).get("web_search_requests", 0)
    print(f"  {searches} search, ${facts['cost']:.4f} with its fee\n")


with openrouter(script) as connection:
    print(f"{QUESTION}\n\nLangChain, the plugin:")
    model = ChatOpenRouter(model="openai/gpt-4o-mini", **connection)
    with_langchain(model.bind(plugins=[PLUGIN]))
    print("LangChain, the server tool, beside which your own tools may stand:")
    with_langchain(model.bind_tools([SERVER_TOOL]))

    llm = OpenRouter(model="openai/gpt-4o-mini", **connection)
    print("LlamaIndex, the plugin:")
    with_llamaindex(llm, plugins=[PLUGIN])
    print("LlamaIndex, the server tool:")
    with_llamaindex(llm, tools=[SERVER_TOOL])
