// An agent with a server of its own, which keeps nothing: what the platform posts again runs again.
import { RemoteAgentClient } from '@molecule-ai/core';
import { type AgentRequest, completed, startScriptedAgent } from '@molecule-tests/harness';
import { note } from './journal.ts';
import { messageOf, questionOf, readOrder } from './plan.ts';
import { work } from './work.ts';

interface Posted {
  readonly id?: string;
  readonly method: string;
  readonly params: {
    readonly id?: string;
    readonly metadata?: { readonly activity_id?: string };
    readonly message?: {
      readonly parts: readonly { readonly text: string }[];
      readonly metadata?: {
        readonly deadline?: string;
        readonly answers?: readonly { readonly question_id: string }[];
      };
    };
  };
}

const running = new Map<string, AbortController>();
const refusedOnce = new Set<string>();

const json = (body: unknown, status = 200) => ({ kind: 'json', body, status }) as const;

async function handle(request: AgentRequest) {
  const { id: requestId = null, method, params } = request.body as Posted;
  if (method === 'tasks/cancel') {
    running.get(params.id ?? '')?.abort();
    return json({ jsonrpc: '2.0', id: requestId, result: {} });
  }
  const [answer] = params.message?.metadata?.answers ?? [];
  if (answer !== undefined) {
    const answered = messageOf(answer.question_id);
    note('done', { id: answered });
    return json(completed(request, `answer ${answered}`));
  }
  const order = readOrder(params.message?.parts[0]?.text ?? '');
  const { id, act } = order;
  note('run', { id });
  const cancellation = new AbortController();
  const activityId = params.metadata?.activity_id ?? id;
  running.set(activityId, cancellation);
  await work(order, params.message?.metadata?.deadline, cancellation.signal);
  running.delete(activityId);
  const isRefused = act === 'flaky' && !refusedOnce.has(id);
  if (isRefused) {
    refusedOnce.add(id);
    return json({ error: 'busy' }, 503);
  }
  if (act === 'invalid') return json({ error: 'broken' }, 500);
  if (act === 'fail') {
    return json({ jsonrpc: '2.0', id: requestId, error: { code: -32_000, message: `failure ${id}` } });
  }
  const question = questionOf(order);
  if (question !== undefined) {
    const metadata = { questions: [question] };
    const asking = { kind: 'message', role: 'agent', messageId: `asking-${id}`, parts: [], metadata };
    return json({ jsonrpc: '2.0', id: requestId, result: asking });
  }
  if (!cancellation.signal.aborted) note('done', { id });
  if (act === 'silent') {
    const task = { kind: 'task', id: activityId, contextId: 'none', status: { state: 'completed' } };
    return json({ jsonrpc: '2.0', id: requestId, result: task });
  }
  return json(completed(request, `answer ${id}`));
}

const server = await startScriptedAgent({ port: Number(process.env.AGENT_PORT), script: handle });
const client = new RemoteAgentClient({ reportedUrl: server.url });
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
for (;;) {
  // The platform may be down just now.
  const isRegistered = await client.register({ signal: stopping.signal }).then(
    () => true,
    () => stopping.signal.aborted,
  );
  if (isRegistered) break;
}
note('online', { port: server.port });
await client.runHeartbeatLoop({ signal: stopping.signal, heartbeatIntervalMs: 5_000 });
await server.stop();
await client.close();
