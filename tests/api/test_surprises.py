"""A fault of ours: the same form of answer as ever, and nothing of it in the log but its kind."""

import httpx
import pytest

from assistant.api.app import create_app, routes
from assistant.api.auth import Auth
from assistant.api.services import Services
from assistant.errors import KeyMissing
from assistant.types import Door

SECRET = "what the user wrote"


class Broken:
    """Every method fails."""

    def __getattr__(self, name):
        async def fail(*_, **__):
            raise RuntimeError(SECRET)

        return fail


@pytest.fixture
def services():
    made = Services()
    made.memories = made.conversations = made.status = Broken()
    return made


@pytest.fixture
async def client(services):
    app = create_app(
        routes(services), services, Auth("token"), Door("loopback", ("127.0.0.1:7717",))
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer token"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:7717", headers=headers
    ) as one:
        yield one


@pytest.mark.parametrize("path", ["/api/v1/memories", "/api/v1/conversations", "/api/v1/status"])
async def test_a_surprise_is_a_500_in_our_form_and_its_message_stays_inside(
    client, services, path, caplog
):
    services.open()
    response = await client.get(path)
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text + response.text


async def test_what_keeps_the_memory_closed_is_every_routes_answer(client, services):
    services.fail(KeyMissing())
    assert (await client.get("/health")).json()["state"] == "failed"
    response = await client.get("/api/v1/memories")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "key_missing"
    assert response.json()["error"]["hint"]
