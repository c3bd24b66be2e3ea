"""Retrieval in LangChain on one key: embed notes, find and rerank them, answer with citations, and the cost of each."""

from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough, chain
from langchain_core.vectorstores import InMemoryVectorStore  # needs numpy
from offline import openrouter

from openrouter_adapters import track_costs
from openrouter_adapters.langchain import ChatOpenRouter, OpenRouterEmbeddings, OpenRouterRerank

NOTES = {
    "log, page 3": "Marta keeps the lighthouse and lights its lamp at dusk.",
    "log, page 8": "When Marta is away, her brother Ivo rows over and lights the lamp.",
    "tide table": "High water at the lighthouse rock is at 16:20, half an hour after Ayr.",
    "cookbook": "Smoked herring keeps for a week in a cool cellar.",
    "inventory": "The lamp room holds four spare wicks and two barrels of oil.",
}
QUESTION = "Who lights the lamp when Marta is away?"
PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer from these notes alone, in one sentence, and cite their numbers, as in [1].\n\n{notes}"),
        ("user", "{question}"),
    ]
)


def script(gateway):  # only without a key: what the local gateway answers
    gateway.reply("Her brother Ivo does [1]; otherwise Marta lights it herself, at dusk [2].", match=QUESTION)
    return "a local gateway embeds and ranks by the words that texts share; its answer is scripted."


with openrouter(script) as connection, track_costs() as costs:
    embeddings = OpenRouterEmbeddings(model="openai/text-embedding-3-small", **connection)
    reranker = OpenRouterRerank(model="cohere/rerank-v3.5", top_n=2, **connection)
    model = ChatOpenRouter(model="openai/gpt-4o-mini", **connection)

    store = InMemoryVectorStore(embeddings)
    store.add_documents([Document(text, metadata={"from": place}) for place, text in NOTES.items()])
    retriever = store.as_retriever(search_kwargs={"k": 4})

    @chain
    def find(question):
        """The notes that matter most: the nearest by their vectors, then the best of these by the reranker."""
        return reranker.compress_documents(retriever.invoke(question), question)

    @chain
    def numbered(found):
        return "\n".join(f"[{number}] {note.page_content}" for number, note in enumerate(found["notes"], 1))

    answer = RunnablePassthrough.assign(notes=numbered) | PROMPT | model | StrOutputParser()
    rag = {"question": RunnablePassthrough(), "notes": find} | RunnablePassthrough.assign(answer=answer)
    result = rag.invoke(QUESTION)

print(f"{QUESTION}\n\n  {result['answer']}\n")
for number, note in enumerate(result["notes"], 1):
    print(f"  [{number}] {note.metadata['from']}, relevance {note.metadata['relevance_score']:.2f}")
print()
for name, sums in costs.by_model.items():
    print(f"  {name:32} {sums.calls} calls  ${sums.cost:.7f}")
print(f"  {'together':32} {costs.calls} calls  ${costs.total:.7f}")
