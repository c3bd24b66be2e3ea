"""Embeddings by feature hashing, and reranking by shared words: no model, the same answer every time."""

import base64
import hashlib
import math
import re
import struct
from collections import Counter
from collections.abc import Sequence

__all__ = ["embed", "packed", "relevance"]

DIMENSIONS = 256
_WORD = re.compile(r"\w+")


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A unit vector; texts that share words, or parts of words, lie close together."""
    vector = [0.0] * dimensions
    for feature, times in Counter(_features(text)).items():
        digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest())
        vector[(digest >> 1) % dimensions] += times if digest & 1 else -times
    return _unit(vector)


def _features(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    return [*words, *(word[at : at + 3] for word in words for at in range(len(word) - 3))]


def _unit(vector: Sequence[float]) -> list[float]:
    length = math.hypot(*vector)
    if not length:
        return [1.0, *(0.0 for _ in vector[1:])]
    return [value / length for value in vector]


def packed(vector: Sequence[float]) -> str:
    """A vector as base64 of little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def relevance(query: str, document: str) -> float:
    """How much of the query's wording a document has, between 0 and 1."""
    wanted, offered = Counter(_features(query)), Counter(_features(document))
    shared = sum((wanted & offered).values())
    return round(shared / math.sqrt((sum(wanted.values()) or 1) * (sum(offered.values()) or 1)), 8)
