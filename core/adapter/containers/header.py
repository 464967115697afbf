"""The JSON in front of a safetensors file, parsed piece by piece, so that no header costs more than it holds.

`json.loads` would build whatever a stranger wrote before anything could be refused: millions of empty lists take
twenty times the memory of their text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...disk.tensor_files import AGAIN
from ...errors import AdapterError
from ...text import inert

MAX_TENSORS = 20_000
MAX_TEXTS = 20_000
"""Tensors, and texts of the metadata, that are read: LoRAs of the largest networks have a few thousand."""
MAX_WIDE = 4 * 1024 * 1024
"""Bytes of a header with other than ASCII text, which Python keeps at up to four bytes a character."""
_TWICE = (
    "a name occurs twice in the header, and readers disagree about which one counts; ask its author to save it anew"
)
_MAX_FIELDS = 2000
"""Characters in which the description of a tensor ends: type, shape and offsets take about a hundred."""
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Header:
    """What a header says, before any of it is believed."""

    tensors: dict[str, object]
    """Description of every tensor by name, as JSON values of a bounded size."""
    metadata: dict[str, str]
    """The text pairs."""


def parse_header(raw: bytes) -> Header:
    """Return the header in `raw`; raises AdapterError unless it is a table of tensors and at most one of texts."""
    if len(raw) > MAX_WIDE and not (raw.isascii() and b"\\u" not in raw):
        raise AdapterError(f"the header has {len(raw)} bytes, too many for text that is not plain ASCII")
    if raw.count(b"data_offsets") > MAX_TENSORS:  # at once, where counting while parsing takes a quarter second
        raise AdapterError(f"the file lists more than {MAX_TENSORS} tensors, so it is no LoRA")
    try:
        text = raw.decode("utf-8")
        del raw  # one copy less while the texts are made
        return _parse(text)
    except (ValueError, RecursionError) as error:
        raise AdapterError(f"the header is not valid JSON ({inert(str(error), 80)}); {AGAIN}") from error


def _parse(text: str) -> Header:
    tensors: dict[str, object] = {}
    metadata: dict[str, str] | None = None
    reader = _Reader(text)
    for name in reader.names():
        if name in tensors or (name == "__metadata__" and metadata is not None):
            raise AdapterError(_TWICE)
        if name == "__metadata__":
            metadata = reader.texts(name)
        elif len(tensors) == MAX_TENSORS:
            raise AdapterError(f"the file lists more than {MAX_TENSORS} tensors, so it is no LoRA")
        else:
            tensors[name] = reader.fields(name)
    reader.end()
    return Header(tensors, metadata or {})


class _Reader:
    """A position in a JSON text; raises ValueError where the text is not as expected."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def names(self) -> Iterator[str]:
        """Yield the names of an object; the caller reads each value before it asks for the next name."""
        self._expect("{", "the header is not a JSON object")
        if self._skip("}"):
            return
        while True:
            name = self.string()
            self._expect(":", "a colon is missing")
            yield name
            if self._skip("}"):
                return
            self._expect(",", "a comma is missing")

    def texts(self, owner: str) -> dict[str, str]:
        """Return the object of texts that `owner` is; of no texts where it is null, as the library reads it."""
        if self._skip("null"):
            return {}
        if not self._is("{"):
            raise AdapterError(f"its header is JSON, but {owner} is no table of texts; {AGAIN}")
        found: dict[str, str] = {}
        for name in self.names():
            if name in found:
                raise AdapterError(_TWICE)
            if len(found) == MAX_TEXTS:
                raise AdapterError(f"the metadata holds more than {MAX_TEXTS} texts")
            if not self._is('"'):
                raise AdapterError(f"its header is JSON, but {inert(name, 80)} in {owner} is no text; {AGAIN}")
            found[name] = self.string()
        return found

    def fields(self, owner: str) -> object:
        """Return a short object without objects in it: what describes the tensor `owner`."""
        if not self._is("{"):
            raise AdapterError(f"tensor {inert(owner, 80)}: its description is not a table; {AGAIN}")
        end = self._text.find("}", self._at, self._at + _MAX_FIELDS)
        if end < 0:
            raise ValueError("a tensor is not described by a short table")
        piece = self._text[self._at : end + 1]
        self._at = end + 1
        return json.loads(piece, object_pairs_hook=_no_duplicates)

    def string(self) -> str:
        """Return the string that comes next."""
        if not self._is('"'):
            raise ValueError("a text is expected")
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        return value

    def end(self) -> None:
        """Raise ValueError unless nothing follows."""
        self._space()
        if self._at != len(self._text):
            raise ValueError("something follows the header")

    def _space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _is(self, text: str) -> bool:
        self._space()
        return self._text.startswith(text, self._at)

    def _skip(self, text: str) -> bool:
        found = self._is(text)
        if found:
            self._at += len(text)
        return found

    def _expect(self, char: str, complaint: str) -> None:
        if not self._skip(char):
            raise ValueError(complaint)


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise AdapterError(_TWICE)
    return found
