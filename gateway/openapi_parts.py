"""What every part of the OpenAPI document is built of: operations, answers, problems, parameters.

May not know a path.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, WithJsonSchema

from channels.problem import CONTENT_TYPE as PROBLEM

JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"
File = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary", "minLength": 1})]


class ProblemFault(BaseModel):
    """One faulty field."""

    pointer: str = Field(description="RFC 6901; empty: the whole request")
    code: str = Field(description="For programs")
    detail: str


class Problem(BaseModel):
    """RFC 9457, with a `code` for programs and every faulty field."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemFault] | None = None


PROBLEMS: Final = {
    400: "The body broke off, or HTTP itself is malformed",
    401: "No token, or none that is known",
    403: "The token does not allow this",
    404: "There is no such thing, or it is not yours",
    408: "The body took too long",
    409: "No legal step now: `code` says why",
    410: "It was there, and is not kept any more (`blobs.keep_days`)",
    413: "The body is too large",
    415: "A content type that is not taken",
    422: "Every fault at once; or the key was used for other content",
    429: "Too many requests of this client",
    503: "Nothing was accepted: send the same request again",
}
SUBMITTING: Final = (400, 408, 413, 415, 422, 429, 503)
TOKEN: Final[list[dict[str, list[str]]]] = [{"bearer": []}]
KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and content is the same request",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!#-\[\]-~]+$"},
}


def submission(operation_id: str, summary: str, form: str, upload: str | None = None) -> dict[str, Any]:
    """A body that is taken in, and its receipts."""
    receipts: dict[int, dict[str, Any]] = {
        200: json_answer("It was accepted before: the same receipt", "AlertReceipt"),
        201: json_answer("It is on disk", "AlertReceipt"),
    }
    for receipt in receipts.values():
        receipt["headers"] = {"Location": {"description": "The progress page", "schema": {"type": "string"}}}
    made = operation(operation_id, summary, receipts, SUBMITTING)
    made["parameters"] = [KEY]
    content = {JSON: {"schema": ref(form)}} | ({MULTIPART: {"schema": ref(upload)}} if upload else {})
    made["requestBody"] = {"required": True, "content": content}
    return made


def operation(
    name: str, summary: str, answers: dict[int, dict[str, Any]], problems: tuple[int, ...] = ()
) -> dict[str, Any]:
    """What a method of a path does, and what it answers."""
    responses = answers | {status: problem(status) for status in problems}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {str(status): answer for status, answer in responses.items()},
    }


def json_answer(description: str, model: str) -> dict[str, Any]:
    """An answer in JSON."""
    return {"description": description, "content": {JSON: {"schema": ref(model)}}}


def problem(status: int) -> dict[str, Any]:
    """An answer that says what is wrong."""
    answer: dict[str, Any] = {
        "description": PROBLEMS[status],
        "content": {PROBLEM: {"schema": ref("Problem")}},
    }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
    return answer


def file_of(name: str, summary: str, ticket: dict[str, Any]) -> dict[str, Any]:
    """A file of a ticket, whose own parameter is `ticket`."""
    headers = {
        "Content-Disposition": "`attachment`, with the file's name (RFC 6266, RFC 8187)",
        "Repr-Digest": "`sha-256` of the file (RFC 9530)",
    }
    answer = {
        "description": "The file. Its media type is what the bytes are; of what a browser might run just bytes",
        "headers": {one: {"description": said, "schema": {"type": "string"}} for one, said in headers.items()},
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    }
    made = operation(name, summary, {200: answer}, (401, 403, 404, 410, 503))
    made["description"] = (
        "Ask for the `sha256` of an attachment as the ticket is shown to you: the bytes you get have that hash. "
        "Where people are not shown to you it is that of a picture's copy without its metadata; an attachment whose "
        "`blob` is null is not served. The copy of a picture that you may see in full has the hash at the end of "
        "`public_blob`."
    )
    return made | {"parameters": [ticket, SHA256], "security": TOKEN}


def segment(name: str, description: str) -> dict[str, Any]:
    """A parameter of the path."""
    return {"name": name, "in": "path", "required": True, "description": description, "schema": {"type": "string"}}


SHA256: Final = segment("sha256", "Of the file, in hexadecimal") | {
    "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"}
}


def ref(model: str) -> dict[str, str]:
    """A model by its name."""
    return {"$ref": f"#/components/schemas/{model}"}
