"""A client built with a2a-sdk 1.3.0. It speaks A2A 0.3 to agents whose card offers nothing newer."""

import asyncio
import uuid

import httpx
from a2a.client import ClientCallContext, ClientConfig, create_client
from a2a.client.card_resolver import parse_agent_card
from a2a.helpers.proto_helpers import get_artifact_text, get_message_text, new_text_part
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import JSON_RPC_ERROR_CODE_MAP

from calling import given_headers, message_outcome, serve_client, task_outcome


def to_outcome(result):
    if isinstance(result, Message):
        return message_outcome(get_message_text(result), result.context_id)
    state = TaskState.Name(result.status.state).removeprefix('TASK_STATE_').replace('_', '-').lower()
    made = '\n'.join(get_artifact_text(artifact) for artifact in result.artifacts)
    return task_outcome(result.id, result.context_id, state, made, get_message_text(result.status.message))


async def collect(events):
    """What the events of a stream add up to."""
    task, text = None, ''
    async for event in events:
        if event.HasField('message'):
            return to_outcome(event.message)
        if event.HasField('task'):
            task = event.task
        if event.HasField('artifact_update'):
            piece = get_artifact_text(event.artifact_update.artifact)
            text = text + piece if event.artifact_update.append else piece
        if event.HasField('status_update'):
            task.status.CopyFrom(event.status_update.status)
    outcome = to_outcome(task)
    return {**outcome, 'text': text} if text else outcome


async def connect(url, card):
    http = httpx.AsyncClient(headers=given_headers(), timeout=60)
    target = url if card is None else parse_agent_card(card)
    # A client streams by itself where the card offers it.
    return {
        streams: await create_client(target, ClientConfig(httpx_client=http, streaming=streams))
        for streams in (False, True)
    }


async def run(clients, operation):
    op = operation['op']
    client = clients[op in ('stream', 'resubscribe')]
    if op == 'resubscribe':
        return await collect(client.subscribe(SubscribeToTaskRequest(id=operation['id'])))
    if op == 'get':
        return to_outcome(await client.get_task(GetTaskRequest(id=operation['id'])))
    if op == 'cancel':
        return to_outcome(await client.cancel_task(CancelTaskRequest(id=operation['id'])))
    message = Message(
        message_id=str(uuid.uuid4()),
        role=Role.ROLE_USER,
        parts=[new_text_part(operation['text'])],
        task_id=operation.get('taskId', ''),
        context_id=operation.get('contextId', ''),
    )
    parameters = {'X-Timeout': str(operation['hold'])} if 'hold' in operation else {}
    context = ClientCallContext(service_parameters=parameters)
    return await collect(client.send_message(SendMessageRequest(message=message), context=context))


asyncio.run(serve_client(connect, run, lambda error: JSON_RPC_ERROR_CODE_MAP.get(type(error))))
