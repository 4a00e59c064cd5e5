"""Answers to requests whose work is a job: at once, or when it has ended."""

from collections.abc import Callable, Mapping

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from pgproof.domain.job import Job, JobStatus
from pgproof.entrypoints.http.context import Context, context_of
from pgproof.entrypoints.http.problems import ProblemResponse, make_problem
from pgproof.entrypoints.http.statuses import status_of_code
from pgproof.entrypoints.http.waiting import wanted_wait

ACCEPTED = 202
JOB = "get_job"


def as_json(body: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A body as it is: it was made by us, and needs no second look."""
    return Response(
        body.model_dump_json(), status_code=status, headers=dict(headers or {}), media_type="application/json"
    )


def path_of(request: Request, name: str, **parameters: object) -> str:
    """The path of a route, below whatever prefix the application has."""
    context = context_of(request)
    if context is not None and context.locate is not None:
        return context.locate(name, **parameters)
    return request.url_for(name, **parameters).path


def answer_job(
    request: Request,
    context: Context,
    job: Job,
    prefer: str | None,
    accepted: Callable[[], BaseModel],
    done: Callable[[Job], Response],
    *,
    patience: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`accepted` with 202 and a `Location` to poll; `done` if the job succeeds while the caller wants to wait.

    `patience` is how many seconds a caller waits who does not say. A job that fails meanwhile is a problem.
    """
    wanted = wanted_wait(prefer)
    waited = context.waiters.wait(context.app, job, patience if wanted is None else wanted)
    common = {"Location": path_of(request, JOB, job_id=job.id), **(headers or {})}
    if wanted is not None:
        common |= waited.headers
    if waited.job.unfinished:
        return as_json(accepted(), ACCEPTED, common)
    answer = done(waited.job) if waited.job.status is JobStatus.SUCCEEDED else _failure(waited.job, context)
    for name, value in common.items():
        answer.headers.setdefault(name, value)
    return answer


def _failure(job: Job, context: Context) -> ProblemResponse:
    code = job.error_code or job.status.value
    status = 409 if job.status is JobStatus.CANCELLED else status_of_code(job.error_code)
    return ProblemResponse(
        make_problem(
            status,
            code,
            job.error_message or f"job {job.id} was {job.status}",
            hint=f"The log of job {job.id} has the details.",
            request_id=context.request_id,
            facts={"job_id": job.id, **job.error_details},
        )
    )
