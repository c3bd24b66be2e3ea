"""200 questions, 20 at a time, in each framework: progress, speed, the bill, what failed and was asked again.

With the extra `aiohttp` installed the requests go over aiohttp, which takes less of the CPU.
"""

import asyncio
import time
from importlib.metadata import version
from importlib.util import find_spec

from llama_index.core.async_utils import run_jobs
from offline import openrouter

from openrouter_adapters import OpenRouterError, track_costs
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

MANY, AT_ONCE, ROUNDS = 200, 20, 3
# What the extra `aiohttp` brings: openai 2 wants a package more than openai 3.
CLIENT = "aiohttp" if find_spec("aiohttp" if version("openai") >= "3" else "httpx_aiohttp") else None


def script(gateway):  # only without a key: what the local gateway answers
    for name in ("LangChain", "LlamaIndex"):
        gateway.fault("upstream_rate_limit", match=f"to {name}", times=8, retry_after=0.1)
        gateway.fault("overloaded", match=f"Question 150 to {name}", times=3)  # as often as a call tries
    gateway.reply("Yes.", times=None, delay=0.05)
    return "a local gateway gives scripted answers; a few requests meet a rate limit or an overloaded provider."


async def langchain(model, questions):
    """Numbers and answers as they come; an error takes the place of an answer."""
    limit = {"max_concurrency": AT_ONCE}
    async for number, answer in model.abatch_as_completed(questions, limit, return_exceptions=True):
        yield number, answer


async def llamaindex(llm, questions):
    """The same with LlamaIndex's `run_jobs`, which by itself would give up all for one error."""
    come = asyncio.Queue()

    async def ask(number, question):
        try:
            await come.put((number, await llm.acomplete(question)))
        except OpenRouterError as error:
            await come.put((number, error))

    jobs = asyncio.create_task(run_jobs([ask(*numbered) for numbered in enumerate(questions)], workers=AT_ONCE))
    for _ in questions:
        yield await come.get()
    await jobs


async def everything(name, batch, model):
    """Ask all; then ask again what failed with an error that may pass."""
    left, done, lost = [f"Question {n} to {name}: say yes." for n in range(MANY)], 0, 0
    start = time.perf_counter()
    with track_costs() as costs:
        for _ in range(ROUNDS):
            again = []
            async for number, answer in batch(model, left):
                passes = getattr(answer, "retryable", None)  # None: it is no error
                done, lost = done + (passes is None), lost + (passes is False)
                again += [left[number]] if passes else []
                print(f"\r  {name}: {done} of {MANY} answered, ${costs.total:.6f}", end="", flush=True)
            if not (left := again):
                break
            print(f"\n  {len(left)} failed for now, asked again")
    failed = sum(record.outcome != "answered" for record in costs.records)
    speed = done / (time.perf_counter() - start)
    print(f"\n  {speed:.0f} answers per second, {failed} requests failed, {lost + len(left)} questions unanswered\n")
    await model.aclose()


with openrouter(script) as connection:
    options = {"model": "openai/gpt-4o-mini", "max_tokens": 20, "http_async_client": CLIENT}
    asyncio.run(everything("LangChain", langchain, ChatOpenRouter(**options, **connection)))
    asyncio.run(everything("LlamaIndex", llamaindex, OpenRouter(**options, **connection)))
