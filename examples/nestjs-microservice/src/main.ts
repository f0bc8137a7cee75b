/** Starts a platform, the microservice and the gateway, each of them a process of its own, and checks what is promised. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { ProgramProcess } from '@molecule-tests/harness';

await using ends = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'molecule-nestjs-microservice-'));
ends.defer(() => rm(folder, { recursive: true, force: true }));
// `delegate_task` of the Python SDK is in no schema of A2A.
const platform = await createPlatform({
  mode: 'dev',
  server: { port: 0, contractCheck: 'responses' },
  data: { directory: ':memory:' },
});
ends.defer(() => platform.close());
const { url: platformUrl, operatorKey } = platform;
const operator = new OperatorClient({ platformUrl, operatorKey });
ends.defer(() => operator.close());

const worker = await member('worker');
const gateway = await member('gateway');
await untilOnline(worker.id);
const { message } = await gateway.running.waitForLog((lines) =>
  lines.find(({ context }) => context === 'Gateway'),
);
const url = String(message).replace('Listens on ', '');

const picked = await delegate({ item: 'tea', quantity: 2 });
assert.equal(picked.text, 'Picked 2 × tea, 10 are left.');
console.log('✓ a task is handled by its pattern');
const refused = await delegate({ item: 'tea', quantity: 'all' });
assert.equal(refused.status, 'failed');
assert.match(refused.text, /quantity must be an integer number/);
const missing = await delegate({ item: 'milk', quantity: 6 });
assert.deepEqual([missing.status, missing.text], ['failed', 'There are not 6 × milk on the shelf.']);
console.log('✓ a pipe and an RpcException end a task, and the sender reads why');

const question = 'What is on the shelves?';
const asked = await post('questions', question);
assert.deepEqual([asked.status, asked.body], [200, { text: '10 × tea\n5 × milk' }]);
const events = await fetch(`${url}/peers/${worker.id}/answers?text=${encodeURIComponent(question)}`);
assert.equal((await events.text()).match(/^data: .+$/gm)?.join(), 'data: 10 × tea,data: 5 × milk');
const failed = await post('questions', 'Hello');
assert.equal(failed.status, 502);
console.log('✓ the gateway asks by its ClientProxy: an answer, a stream, and the error of a peer');

await operator.pause(worker.id);
await worker.running.waitForLog((lines) => lines.find(({ message }) => message === 'Paused'));
const stored = await post('messages', question);
assert.equal(stored.status, 202);
await operator.resume(worker.id);
await worker.running.waitForLog((lines) => lines.find(({ message }) => message === 'Resumed'));
const late = await operator.waitForAnswer(gateway.id, String(stored.body.messageId));
assert.equal(late.text, '10 × tea\n5 × milk');
console.log('✓ a paused microservice is notified, and handles what was sent meanwhile when it is resumed');

for (const { running } of [worker, gateway]) {
  const { code, signal } = await running.stop();
  assert.ok(code === 0 || signal === 'SIGTERM', running.errors.text);
}
console.log('✓ both end on SIGTERM');

/** A workspace, and a process of its application. */
async function member(name: 'worker' | 'gateway') {
  const { id, authToken } = await operator.createWorkspace({ name });
  const running = new ProgramProcess({
    name,
    program: fileURLToPath(new URL(`./${name}.js`, import.meta.url)),
    folder,
    environment: {
      MOLECULE_PLATFORM_URL: platformUrl,
      MOLECULE_WORKSPACE_ID: id,
      MOLECULE_WORKSPACE_TOKEN: authToken ?? '',
      MOLECULE_STATE_DIR: join(folder, name),
      LOG_FORMAT: 'json',
      PORT: '0',
    },
  });
  ends.defer(() => running.kill());
  return { id, running };
}

/** A task as an agent of the Python SDK sends it. */
async function delegate(params: object) {
  const response = await fetch(`${platformUrl}/workspaces/${worker.id}/a2a`, {
    method: 'POST',
    headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ method: 'delegate_task', params }),
  });
  const { message_id: id } = (await response.json()) as { message_id: string };
  return operator.waitForAnswer(worker.id, id);
}

async function post(path: string, text: string) {
  const response = await fetch(`${url}/peers/${worker.id}/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Until the platform knows that it reads its messages. */
async function untilOnline(id: string): Promise<void> {
  while ((await operator.getWorkspace(id)).status !== 'online') {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
