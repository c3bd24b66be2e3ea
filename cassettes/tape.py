"""How a cassette is written and matched: nothing that identifies anybody gets in, and two recordings differ little."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import vcr
import yaml
from vcr.request import Request
from vcr.serializers import yamlserializer

FOLDER = Path(__file__).parent
ADDRESS = "https://openrouter.ai/api/v1"
# Only these headers are kept; whatever else there is may say who somebody is.
KEPT_HEADERS = ("content-type", "retry-after")
PERSONAL_FIELDS = ("user", "session_id")
CREATED = 1767225600
# What differs from one recording to the next, or names an account: (pattern, what stands in its place).
_FIXED = (
    (re.compile(r'"gen-[^"]*"'), '"gen-recorded"'),
    (re.compile(r'("created": ?)\d+'), rf"\g<1>{CREATED}"),
    (re.compile(r'("user_id": ?)"[^"]*"'), r'\1"user_redacted"'),
)


def path_of(adapter: str, conversation: str, form: str) -> Path:
    return FOLDER / adapter / f"{conversation}_{form}.yaml"


def recorder(source: str = "", mode: str = "none") -> vcr.VCR:
    """A recorder that writes to cassettes and plays them.

    Args:
        source: what is recorded, noted at the top of each cassette.
        mode: vcrpy's: "all" records, "none" replays.
    """
    made = vcr.VCR(
        record_mode=mode,
        match_on=("method", "uri", "body"),
        before_record_request=kept_request,
        before_record_response=kept_response,
        decode_compressed_response=True,
        drop_unused_requests=mode == "all",
        serializer="readable",
    )
    made.register_serializer("readable", Readable(source))
    return made


def kept_request(request: Request) -> Request:
    """The request as it is kept: to OpenRouter, whoever stood in for it."""
    body = json.loads(request.body)
    body |= {name: "redacted" for name in PERSONAL_FIELDS if name in body}
    address = ADDRESS + "/" + request.uri.partition("/api/v1/")[2]
    return Request(request.method, address, indented(body), {"content-type": "application/json"})


def kept_response(response: dict[str, Any]) -> dict[str, Any]:
    """The response as it is kept."""
    headers = {name.lower(): values for name, values in response["headers"].items() if name.lower() in KEPT_HEADERS}
    text = response["body"]["string"].decode()
    if "application/json" in "".join(headers.get("content-type", ())):
        text = indented(json.loads(text))
    for pattern, instead in _FIXED:
        text = pattern.sub(instead, text)
    return {"status": response["status"], "headers": headers, "body": {"string": text.encode()}}


def indented(value: Any) -> str:
    """JSON that people can read."""
    return json.dumps(value, indent=1, ensure_ascii=False)


class Readable:
    """vcrpy's format, with texts of several lines as such."""

    def __init__(self, source: str) -> None:
        self._source = source

    def serialize(self, cassette: dict[str, Any]) -> str:
        text = yaml.dump(cassette, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
        return f"# Recorded from {self._source} by `make record`; see the README here.\n{text}"

    def deserialize(self, text: str) -> Any:
        return yamlserializer.deserialize(text)


class _Dumper(yaml.SafeDumper):
    """Without YAML's abbreviations (``&id001``)."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
