"""The bundled model catalogue. Made by ``tools/make_catalog.py``: do not edit.

5 models, as of August 2026 or before, from the listings recorded by the tests of simonw/llm-openrouter (Apache-2.0).
It is a start, not the whole of OpenRouter: an explicit refresh brings the rest.
A row is id, canonical slug, name, context length, first provider's context length and longest answer (tokens),
prices (USD), input modalities, output modalities, supported parameters, and reasoning (mandatory, on by default,
default effort, efforts, takes a token budget). None is unknown.
"""

from typing import Any

ROWS: tuple[tuple[Any, ...], ...] = (
    ('anthropic/claude-sonnet-4', 'anthropic/claude-4-sonnet-20250522', 'Anthropic: Claude Sonnet 4', 1000000, 200000, 64000, (('prompt', '0.000003'), ('completion', '0.000015'), ('web_search', '0.01'), ('input_cache_read', '0.0000003'), ('input_cache_write', '0.00000375'), ('input_cache_write_1h', '0.000006')), ('image', 'text', 'file'), ('text',), ('include_reasoning', 'max_tokens', 'reasoning', 'stop', 'temperature', 'tool_choice', 'tools', 'top_k', 'top_p'), (False, None, None, None, None)),
    ('openai/gpt-3.5-turbo', 'openai/gpt-3.5-turbo', 'OpenAI: GPT-3.5 Turbo', 16385, 16385, 4096, (('prompt', '0.0000005'), ('completion', '0.0000015')), ('text',), ('text',), ('frequency_penalty', 'logit_bias', 'logprobs', 'max_tokens', 'presence_penalty', 'response_format', 'seed', 'stop', 'structured_outputs', 'temperature', 'tool_choice', 'tools', 'top_logprobs', 'top_p'), None),
    ('openai/gpt-4.1-mini', 'openai/gpt-4.1-mini-2025-04-14', 'OpenAI: GPT-4.1 Mini', 1047576, 1047576, 32768, (('prompt', '0.0000004'), ('completion', '0.0000016'), ('web_search', '0.01'), ('input_cache_read', '0.0000001')), ('image', 'text', 'file'), ('text',), ('max_completion_tokens', 'max_tokens', 'response_format', 'seed', 'structured_outputs', 'temperature', 'tool_choice', 'tools', 'top_p'), None),
    ('openai/gpt-4o', 'openai/gpt-4o', 'OpenAI: GPT-4o', 128000, 128000, 16384, (('prompt', '0.0000025'), ('completion', '0.00001'), ('input_cache_read', '0.00000125')), ('text', 'image', 'file'), ('text',), ('frequency_penalty', 'logit_bias', 'logprobs', 'max_completion_tokens', 'max_tokens', 'prediction', 'presence_penalty', 'response_format', 'seed', 'stop', 'structured_outputs', 'temperature', 'tool_choice', 'tools', 'top_logprobs', 'top_p', 'web_search_options'), None),
    ('openai/gpt-5-nano', 'openai/gpt-5-nano-2025-08-07', 'OpenAI: GPT-5 Nano', 400000, 400000, 128000, (('prompt', '0.00000005'), ('completion', '0.0000004'), ('web_search', '0.01'), ('input_cache_read', '0.000000005')), ('text', 'image', 'file'), ('text',), ('include_reasoning', 'max_completion_tokens', 'max_tokens', 'reasoning', 'reasoning_effort', 'response_format', 'seed', 'structured_outputs', 'tool_choice', 'tools'), (True, None, 'medium', ('high', 'medium', 'low', 'minimal'), None)),
)
