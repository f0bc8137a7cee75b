"""What the clients share: lines of JSON as in src/client-program.ts, one client for each target."""

import asyncio
import json
import sys


def given_headers():
    return json.loads(sys.argv[1])


def message_outcome(text, context_id):
    return {'kind': 'message', 'text': text, 'contextId': context_id or ''}


def task_outcome(task_id, context_id, state, made, said):
    return {'kind': 'task', 'id': task_id, 'contextId': context_id, 'state': state, 'text': made or said}


async def serve_client(connect, run, code_of):
    loop = asyncio.get_running_loop()
    clients, running = {}, set()

    async def perform(seq, target, operation):
        try:
            key = json.dumps(target)
            if key not in clients:
                clients[key] = loop.create_task(connect(target['url'], target.get('card')))
            outcome = await run(await clients[key], operation)
        except Exception as error:
            name, message = type(error).__name__, str(error)
            outcome = {'kind': 'error', 'name': name, 'code': code_of(error), 'message': message}
        sys.stdout.write(json.dumps({'seq': seq, **outcome}) + '\n')
        sys.stdout.flush()

    while line := await loop.run_in_executor(None, sys.stdin.readline):
        task = loop.create_task(perform(**json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
