"""What a test here shares with those that go through the whole product."""

from tests.e2e.conftest import app, make_app, recorder

__all__ = ["app", "make_app", "recorder"]
