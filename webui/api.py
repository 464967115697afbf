"""The API: one audit at a time, in the host's names. It is there with the host's `--api` only, and asks for its
`--api-auth` itself: the host protects no routes but its own."""

import base64
import binascii
import json
import secrets
from typing import Any

from . import host
from .host import Refusal
from .jobs.job import Job
from .jobs.runner import Busy
from .reports import report_of
from .request import AuditAsk
from .start import start_audit

PREFIX = "/owf/v1"
LARGEST = 1 << 16
"""Bytes of a request: a hundred names of a thousand characters do not need more."""

_AUDIT_BODY = {
    "type": "object",
    "required": ["checkpoint", "loras"],
    "additionalProperties": False,
    "properties": {
        "checkpoint": {"type": "string", "description": "title in the host's list of checkpoints"},
        "loras": {"type": "array", "items": {"type": "string"}, "description": "names in the host's list of LoRAs"},
        "strengths": {"type": "array", "items": {"type": "number"}, "default": [1.0]},
        "preset": {"type": "string", "default": "quick"},
        "metrics": {"type": "array", "items": {"type": "string"}, "description": "default: those of every preset"},
        "policy": {"type": "string", "default": "", "description": "name of limits; empty: those of the settings"},
    },
    "example": {"checkpoint": "model.safetensors [1a2b3c4d5e]", "loras": ["my_lora"], "preset": "quick"},
}


def is_allowed(header: str | None, api_auth: str | None) -> bool:
    """Return whether an Authorization header has the name and password of one of the host's `--api-auth` pairs."""
    if not api_auth:
        return True
    kind, _, given = (header or "").partition(" ")
    try:
        pair = base64.b64decode(given.strip(), validate=True) if kind.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        pair = b""
    # All are compared, so that the time tells nothing; one without a colon lets nobody in.
    known = [one.encode() for one in api_auth.split(",") if ":" in one]
    return sum(secrets.compare_digest(pair, one) for one in known) > 0


def add_routes(app: Any) -> None:
    """Add the routes to the host's application, where it runs with `--api`."""
    if not host.with_api():
        return
    from fastapi import HTTPException, Request
    from fastapi.responses import FileResponse, JSONResponse

    async def audit(request: Request):  # noqa: ANN202 - FastAPI reads annotations, and these are made at the call
        _require_allowed(request, HTTPException)
        data = await _body(request, HTTPException)
        try:
            job = start_audit(AuditAsk.read(data))
        except Refusal as refusal:
            raise HTTPException(400, str(refusal)) from None
        except Busy as busy:
            raise HTTPException(409, str(busy)) from None
        return JSONResponse({"id": job.id}, 202)

    async def get_job(request: Request, id: str):  # noqa: ANN202
        _require_allowed(request, HTTPException)
        return JSONResponse(_found(id, HTTPException).plain())

    async def report(request: Request, id: str, number: int = 0):  # noqa: ANN202
        _require_allowed(request, HTTPException)
        path = report_of(_found(id, HTTPException), number)
        if path is None:
            raise HTTPException(404, "This job has no such report.")
        return FileResponse(path, media_type="application/json")

    async def cancel(request: Request, id: str):  # noqa: ANN202
        _require_allowed(request, HTTPException)
        job = _found(id, HTTPException)
        host.runner().cancel(job.id)
        return JSONResponse(job.plain())

    def add(path: str, call: Any, method: str, summary: str, **more: Any) -> None:
        app.add_api_route(PREFIX + path, call, methods=[method], summary=summary, tags=["OWF"], **more)

    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": _AUDIT_BODY}}}}
    add("/audit", audit, "POST", "Start an audit; returns the job's id", openapi_extra=body, status_code=202)
    add("/jobs/{id}", get_job, "GET", "How far a job is, and its verdicts")
    add("/jobs/{id}/report", report, "GET", "The report.json of a job's verdict; number counts verdicts from 0")
    add("/jobs/{id}/cancel", cancel, "POST", "Ask a job to end")


def _require_allowed(request: Any, error: Any) -> None:
    """Raise the error that is given where a request has not the host's name and password."""
    if not is_allowed(request.headers.get("authorization"), host.api_auth()):
        raise error(401, "Incorrect username or password", {"WWW-Authenticate": "Basic"})


def _found(id: str, error: Any) -> Job:
    """Return a job by its id; raises the error that is given where there is none."""
    job = host.runner().get(id)
    if job is None or job.kind == "prepare":
        raise error(404, "There is no such job.")
    return job


async def _body(request: Any, error: Any) -> Any:
    """Return the JSON of a request; raises the error that is given for anything else."""
    # A form of another site could send any other type without the browser asking whether it may.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise error(415, "The body must be JSON, with Content-Type: application/json.")
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > LARGEST:
            raise error(413, f"The body is larger than {LARGEST} bytes.")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise error(400, "The body is no JSON.") from None
