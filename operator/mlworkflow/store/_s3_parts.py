"""Multipart uploads of the S3 API: made, completed and aborted with the operator's keys; a step gets the URLs of parts alone.

The word of an object is kept in its metadata, so it appears and goes with the object itself.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from xml.etree import ElementTree as ET

from mlworkflow.store._protocol import SignedPut
from mlworkflow.store._s3_urls import Form
from mlworkflow.store.errors import NotFound, StoreUnavailable
from mlworkflow.store.parts import Part

WORD = "mlworkflow-word"
"""The metadata of an object that is somebody's word."""


class Send(Protocol):
    """One request of the operator's own on an object, or on the bucket where the key is empty; raises `StoreError` unless it is a success."""

    def __call__(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes = b""
    ) -> bytes: ...


class S3Parts:
    """An `InParts`. `sign` signs a PUT with a query for a step, `metadata` reads an object's, `rewrite` gives it no word."""

    def __init__(
        self,
        form: Form,
        send: Send,
        sign: Callable[[str, str, int, float, Mapping[str, str]], SignedPut],
        metadata: Callable[[str], Mapping[str, str]],
        rewrite: Callable[[str], None],
    ) -> None:
        self._form = form
        self._send = send
        self._sign = sign
        self._metadata = metadata
        self._rewrite = rewrite

    def begin(self, key: str, word: str) -> str:
        headers = {f"x-amz-meta-{WORD}": word}
        if self._form is Form.CHECKSUM:
            headers["x-amz-checksum-algorithm"] = "SHA256"
        return _text(_parsed(self._send("POST", key, {"uploads": ""}, headers)), "UploadId")

    def begun(self, key: str) -> Iterator[tuple[str, float]]:
        found = _parsed(self._send("GET", "", {"uploads": "", "prefix": key, "max-uploads": "1000"}, {}))
        for upload in found.findall("{*}Upload"):
            if _text(upload, "Key") == key:
                yield _text(upload, "UploadId"), datetime.fromisoformat(_text(upload, "Initiated")).timestamp()

    def arrived(self, key: str, upload: str) -> list[Part]:
        parts: list[Part] = []
        while True:
            after = str(parts[-1].number if parts else 0)
            query = {"uploadId": upload, "max-parts": "1000", "part-number-marker": after}
            found = _parsed(self._send("GET", key, query, {}))
            page = [
                Part(int(_text(part, "PartNumber")), _text(part, "ETag"), int(_text(part, "Size")))
                for part in found.findall("{*}Part")
            ]
            parts += page
            if not page or found.findtext("{*}IsTruncated") != "true":
                return parts

    def sign(self, key: str, upload: str, number: int, digest: str, size: int, expires: float) -> SignedPut:
        return self._sign(key, digest, size, expires, {"partNumber": str(number), "uploadId": upload})

    def complete(self, key: str, upload: str, parts: Sequence[Part], digests: Sequence[str]) -> None:
        root = ET.Element("CompleteMultipartUpload", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
        for part, digest in zip(parts, digests, strict=True):
            element = ET.SubElement(root, "Part")
            ET.SubElement(element, "PartNumber").text = str(part.number)
            ET.SubElement(element, "ETag").text = part.etag
            if self._form is Form.CHECKSUM:
                hexadecimal = digest.removeprefix("sha256:")
                ET.SubElement(element, "ChecksumSHA256").text = base64.b64encode(bytes.fromhex(hexadecimal)).decode()
        answer = _parsed(self._send("POST", key, {"uploadId": upload}, {}, ET.tostring(root)))
        if answer.tag.rpartition("}")[2] == "Error":  # a 200 that turned out otherwise
            code = answer.findtext("{*}Code") or ""
            raise (NotFound if code == "NoSuchUpload" else StoreUnavailable)(f"{code}: {answer.findtext('{*}Message')}")

    def abort(self, key: str, upload: str) -> None:
        with contextlib.suppress(NotFound):
            self._send("DELETE", key, {"uploadId": upload}, {})

    def word(self, key: str) -> str:
        try:
            return self._metadata(key).get(WORD, "")
        except NotFound:
            return ""

    def believe(self, key: str) -> None:
        self._rewrite(key)


def _parsed(data: bytes) -> ET.Element:
    try:
        return ET.fromstring(data)
    except ET.ParseError as error:
        raise StoreUnavailable(f"the store's answer is not XML: {error}") from None


def _text(element: ET.Element, name: str) -> str:
    text = element.findtext(f"{{*}}{name}")
    if text is None:
        raise StoreUnavailable(f"the store's answer lacks {name}")
    return text
