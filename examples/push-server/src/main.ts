/** Starts a platform and an agent in each framework, sends messages to each, and checks what comes back. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createRemoteAgent, type RemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { createInboundHandler, type InboundHandler } from '@molecule-ai/core/inbound';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { checkPassingOn, checkReading, steppingAgent } from './check-reading.ts';
import { passingOn } from './passing-on.ts';
import { frameworks, serveFetch } from './serve.ts';
import { streaming, streamingWithSources } from './streaming.ts';

const stateDirectory = await mkdtemp(join(tmpdir(), 'molecule-push-server-'));
await using cleanUp = new AsyncDisposableStack();
cleanUp.defer(() => rm(stateDirectory, { recursive: true, force: true }));
// The public URL names the platform in the tokens of direct calls. Nobody connects to it here.
const platform = await createPlatform({
  mode: 'dev',
  server: { port: 0, publicUrl: 'http://localhost' },
  data: { directory: ':memory:' },
});
cleanUp.defer(() => platform.close());
const { url: platformUrl, operatorKey } = platform;
const operator = new OperatorClient({ platformUrl, operatorKey });
cleanUp.defer(() => operator.close());
const caller = await addMember('caller');
await caller.register();

for (const [name, serve] of Object.entries(frameworks)) {
  const isRead = Promise.withResolvers<void>();
  // The agent reports the URL of the server, so the server is first: requests that come too early are refused.
  let handler: InboundHandler = async () => new Response(null, { status: 503 });
  const { url, close } = await serve((request) => handler(request));
  cleanUp.defer(close);
  const client = await addMember(name, url);
  const agent = createRemoteAgent({
    client,
    delivery: 'push',
    onMessage: (message, context) => {
      const pieces = async function* (prompt: string) {
        yield `${name}: `;
        if (prompt === 'sources') await isRead.promise;
        yield prompt;
      };
      const handler = message.text === 'sources' ? streamingWithSources(pieces) : streaming(pieces);
      return handler(message, context);
    },
  });
  handler = createInboundHandler(agent);
  await start(agent);
  await check(name, client.workspaceId, url);
  const streamed = await streamedBy(client.workspaceId, isRead.resolve);
  assert.equal(streamed, `${name}: sources`);
  console.log(`✓ ${name}: a streamed answer, piece by piece`);
}

for (const [name, delivery] of [
  ['direct', 'push'],
  ['by the platform', 'long-poll'],
] as const) {
  const { onMessage, goOn } = steppingAgent();
  let handler: InboundHandler = async () => new Response(null, { status: 503 });
  const server = await serveFetch((request) => handler(request));
  cleanUp.defer(server.close);
  const client = await addMember(name, delivery === 'push' ? server.url : undefined);
  const agent = createRemoteAgent({ client, delivery, onMessage });
  handler = createInboundHandler(agent);
  await start(agent);
  await checkReading(name, caller, operator, { id: client.workspaceId, goOn });
  const relay = await addMember(`${name}, passed on`);
  await start(createRemoteAgent({ client: relay, onMessage: passingOn(client.workspaceId) }));
  await checkPassingOn(operator, relay.workspaceId);
}

// The modules of a Next application read the environment when they are loaded.
let route: typeof import('./next/route.ts') | undefined;
const next = await serveFetch(async (request) => {
  const respond = request.method === 'POST' ? route?.POST : route?.GET;
  return respond === undefined ? new Response(null, { status: 503 }) : respond(request);
});
cleanUp.defer(next.close);
const { id, authToken } = await operator.createWorkspace({ name: 'next' });
Object.assign(process.env, {
  MOLECULE_PLATFORM_URL: platformUrl,
  MOLECULE_WORKSPACE_ID: id,
  MOLECULE_WORKSPACE_TOKEN: authToken,
  MOLECULE_STATE_DIR: join(stateDirectory, 'next'),
  MOLECULE_REPORTED_URL: next.url,
});
const application = await import('./next/agent.ts');
cleanUp.defer(() => application.client.close());
route = await import('./next/route.ts');
await start(application.agent);
await check('next', id, next.url);

// A program of its own, with a server of its own.
const free = await serveFetch(async () => new Response(null, { status: 503 }));
await free.close();
const own = await operator.createWorkspace({ name: 'own-server' });
const program = fork(new URL('./own-server.js', import.meta.url), {
  env: {
    PATH: process.env.PATH,
    MOLECULE_PLATFORM_URL: platformUrl,
    MOLECULE_WORKSPACE_ID: own.id,
    MOLECULE_WORKSPACE_TOKEN: own.authToken ?? '',
    MOLECULE_STATE_DIR: join(stateDirectory, 'own-server'),
    MOLECULE_REPORTED_URL: free.url,
    PORT: new URL(free.url).port,
  },
  stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
});
const ended = once(program, 'exit');
cleanUp.defer(() => void program.kill('SIGKILL'));
for await (const line of createInterface({ input: program.stdout ?? process.stdin })) {
  if (line.startsWith('by push')) break;
}
await check('own-server', own.id, free.url);
program.kill('SIGTERM');
assert.deepEqual(await ended, [0, null]);

async function addMember(name: string, reportedUrl?: string): Promise<RemoteAgentClient> {
  const created = await operator.createWorkspace({ name });
  const client = new RemoteAgentClient({
    workspaceId: created.id,
    authToken: created.authToken ?? undefined,
    platformUrl,
    reportedUrl,
    storage: { directory: join(stateDirectory, name) },
    agentCard: { name },
  });
  cleanUp.defer(() => client.close());
  return client;
}

async function start(agent: RemoteAgent): Promise<void> {
  cleanUp.defer(() => agent.stop());
  await agent.start();
}

/** The text of a streamed answer, whose handler waits until its beginning has arrived. */
async function streamedBy(workspaceId: string, onText: () => void): Promise<string> {
  const message = { role: 'user', messageId: randomUUID(), parts: [{ kind: 'text', text: 'sources' }] };
  const response = await fetch(`${platformUrl}/workspaces/${workspaceId}/a2a`, {
    method: 'POST',
    headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/stream', params: { message } }),
  });
  assert.ok(response.body);
  let events = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    events += chunk;
    if (textOf(events) !== '') onText();
  }
  return textOf(events);
}

function textOf(events: string): string {
  const complete = events.split('\n\n').slice(0, -1);
  return complete
    .filter((event) => event.startsWith('data: '))
    .flatMap(
      (event) => (JSON.parse(event.slice('data: '.length)) as StreamEvent).result.artifact?.parts ?? [],
    )
    .map(({ text = '' }) => text)
    .join('');
}

interface StreamEvent {
  readonly result: { readonly artifact?: { readonly parts: readonly { readonly text?: string }[] } };
}

async function check(name: string, workspaceId: string, url: string): Promise<void> {
  const pushed = await operator.sendMessage(workspaceId, 'hello');
  assert.deepEqual([pushed.status, pushed.text], ['answered', `${name}: hello`]);

  const direct = await caller.callPeer(workspaceId, 'hello from a peer');
  assert.deepEqual([direct.via, direct.text], ['direct', `${name}: hello from a peer`]);

  const card = await fetch(`${url}/.well-known/agent-card.json`);
  assert.equal(((await card.json()) as { name: string }).name, name);
  const refused = await fetch(url, { method: 'POST', body: '{"text":"without a token"}' });
  assert.equal(refused.status, 401);
  console.log(`✓ ${name}: a message through the platform, a direct one, the card, and 401 without a token`);
}
