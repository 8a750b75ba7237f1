"""An HTTP request that is made once: aiohttp itself repeats a GET whose connection broke, and whoever
counts calls does not see it.

May not judge an answer.
"""

from __future__ import annotations

from aiohttp import ClientConnectionError, ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse


def once() -> ClientMiddlewareType:
    """For `session.request(…, middlewares=(once(),))`, a new one for every request."""
    made = False

    async def send(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        nonlocal made
        if made:  # not one of the errors that aiohttp repeats
            raise ClientConnectionError("the connection broke")
        made = True
        return await handler(request)

    return send
