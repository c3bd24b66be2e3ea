"""OpenRouter in LangChain. Importing it registers the translator behind `content_blocks`."""

try:
    from openrouter_adapters.langchain import content
    from openrouter_adapters.langchain.chat import ChatOpenRouter
    from openrouter_adapters.langchain.costs import OpenRouterCostHandler, get_openrouter_costs
    from openrouter_adapters.langchain.embeddings import OpenRouterEmbeddings
    from openrouter_adapters.langchain.registration import register_with_init_chat_model
    from openrouter_adapters.langchain.rerank import OpenRouterRerank
except ModuleNotFoundError as error:
    if error.name != "langchain_core":
        raise
    said = "openrouter_adapters.langchain needs langchain-core: pip install 'openrouter-adapters[langchain]'"
    raise ImportError(said) from error

__all__ = [
    "ChatOpenRouter",
    "OpenRouterCostHandler",
    "OpenRouterEmbeddings",
    "OpenRouterRerank",
    "get_openrouter_costs",
    "register_with_init_chat_model",
]

content.register()
