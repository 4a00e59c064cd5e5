"""`serve`: the API and a worker in one process."""

import threading
from typing import Annotated

import typer

from pgproof.entrypoints.cli.session import Session


def serve(
    ctx: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Leave the jobs to `pgproof worker` processes.")
    ] = False,
) -> None:
    """Run the HTTP API with a worker until SIGTERM or Ctrl-C."""
    # Imported here: no other command needs a web framework, which takes longer to import than all the rest.
    from pgproof.entrypoints.http.app import create_app
    from pgproof.entrypoints.http.serving import bound, check_host
    from pgproof.entrypoints.http.serving import serve as run_server
    from pgproof.entrypoints.worker import Worker

    session: Session = ctx.obj
    settings = session.load()
    check_host(host, has_secret_key=settings.secret_key is not None)
    with bound(host, port) as opened, session.app() as app:
        password = app.users.ensure_admin()
        if password is not None:
            session.tell(f"first start: sign in as admin with the password {password} (it is not shown again)")
        worker = None if no_worker else Worker(app)
        stopping = threading.Thread(target=worker.stop if worker else None, name="stop the worker")
        if worker:
            worker.start()
        address = opened.getsockname()
        session.tell(f"listening on http://{_shown(address[0])}:{address[1]}, described at /docs")
        try:
            run_server(
                create_app(app),
                opened,
                on_end=stopping.start,
                on_hurry=worker.hurry if worker else _nothing,
            )
        finally:
            if stopping.ident is None:
                stopping.start()
            stopping.join()
    session.tell("ended")


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _nothing() -> None:
    """There is no worker to be hurried."""
