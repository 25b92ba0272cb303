import pytest


@pytest.fixture
def no_waiting(monkeypatch):
    """Try again at once: how long one waits is not what these tests are about."""
    monkeypatch.setattr("datasets_builders.asking.client.FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr("datasets_builders.asking.limit.FIRST_PAUSE_SECONDS", 0.001)
