import { describe, expect, expectTypeOf, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { stage } from '../../test/test-client.ts';
import { ApiError, WorkspaceRemovedError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { MOLECULE_ERROR_CODES, type MoleculeErrorCode } from '../errors/error-codes.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { isPeerToolName, type PeerTool, peerTools } from './peer-tools.ts';
import type { ToolOutcome } from './tool-definition.ts';
import { failureOf } from './tool-run.ts';
import type {
  CallPeerInput,
  DelegateTaskInput,
  FailureData,
  NoInput,
  PeerReplyOutcome,
  TaskList,
} from './tool-shapes.ts';

const ASK = { peer_id: PEER, text: 'hello' };

describe('peerTools', () => {
  it('gives all tools but the alias, or those that are named, in this order', async () => {
    await using s = await stage();
    expect(peerTools(s.client).map(({ name }) => name)).toEqual([
      'list_peers',
      'get_workspace_info',
      'call_peer',
      'delegate_task_async',
      'check_task_status',
      'cancel_task',
      'send_message_to_user',
    ]);
    const two = peerTools(s.client, { only: ['delegate_task', 'list_peers'] });
    expect(two.map(({ name }) => name)).toEqual(['delegate_task', 'list_peers']);
    expect(peerTools(s.client, { only: [] })).toEqual([]);
  });

  it('knows the names of all tools, and no others', () => {
    expect(['call_peer', 'delegate_task', 'call_peers', 'toString', ''].filter(isPeerToolName)).toEqual([
      'call_peer',
      'delegate_task',
    ]);
  });

  it('has the types of each tool', async () => {
    await using s = await stage();
    const tools = peerTools(s.client);
    expectTypeOf(tools[0].name).toEqualTypeOf<'list_peers'>();
    expectTypeOf(tools[2].parse).returns.toEqualTypeOf<CallPeerInput>();
    expectTypeOf(tools.length).toEqualTypeOf<7>();
    const [delegate, check] = peerTools(s.client, { only: ['delegate_task', 'check_task_status'] });
    expectTypeOf(delegate.parse).returns.toEqualTypeOf<DelegateTaskInput>();
    expectTypeOf(check.execute).returns.resolves.toEqualTypeOf<
      ToolOutcome<PeerReplyOutcome | TaskList | FailureData>
    >();
    expectTypeOf<PeerTool<'list_peers'>['parse']>().returns.toEqualTypeOf<NoInput>();
    const either = (): PeerTool => delegate;
    const tool = either();
    if (tool.name === 'call_peer') expectTypeOf(tool.parse).returns.toEqualTypeOf<CallPeerInput>();
    expectTypeOf<PeerTool>().not.toBeAny();
    expectTypeOf<Awaited<ReturnType<PeerTool['execute']>>['data']>().not.toBeAny();
    expect(tool.name).toBe('delegate_task');
    const ran = await tool.execute({});
    expectTypeOf(ran).toExtend<ToolOutcome>();
    expectTypeOf<(typeof ran)['data']>().not.toBeAny();
    expect(ran).toMatchObject({ isError: true });
  });
});

describe('an outcome of a call that failed', () => {
  const context = { offered: new Set(['check_task_status', 'list_peers']), ownId: SELF };
  const where = { method: 'POST', path: '/secret-path' };

  it.each(Object.keys(MOLECULE_ERROR_CODES) as MoleculeErrorCode[])(
    'says for %s what to do next, in own words',
    (code) => {
      const error = new MoleculeError('words-of-a-gateway', { code, hint: 'hint-of-a-gateway' });
      const { forModel, data, isError } = failureOf(error, context);
      expect({ isError, data }).toEqual({
        isError: true,
        data: { status: 'error', code, messageId: null, retryAfterMs: null },
      });
      // Of wrong arguments this package says itself what is wrong.
      if (code === 'invalid_argument') return;
      expect(forModel).toMatch(/^Error: [A-Z].+\. [A-Z].+\.$/);
      expect(forModel).not.toContain('gateway');
    },
  );

  it('names the task of a message that may have arrived, and the time to wait', () => {
    const messageId = 'a-message';
    const lost = new ConnectionError('x', { origin: 'http://secret', delivered: 'unknown', messageId });
    expect(failureOf(lost, context).forModel).toMatch(
      /call check_task_status with task_id "a-message" before/,
    );
    expect(failureOf(lost, { ...context, offered: new Set() }).forModel).toContain(
      'its task id is a-message.',
    );
    const late = new TimeoutError('x', { timeoutMs: 5, messageId });
    expect(failureOf(late, context).data.messageId).toBe(messageId);
    const refused = new ConnectionError('x', { origin: 'http://secret', delivered: 'no', messageId });
    expect(failureOf(refused, context).data.messageId).toBeNull();
    const busy = new ApiError('x', { ...where, code: 'rate_limited', status: 429, retryAfterMs: 1_500 });
    expect(failureOf(busy, context).forModel).toContain('Wait at least 2 s before a repeat.');
    const details = { scope: 'pair' };
    const pair = new ApiError('x', { ...where, code: 'rate_limited', status: 429, details });
    expect(failureOf(pair, context).forModel).toContain('You and this peer have exchanged too many messages');
    const gone = (workspaceId: string) =>
      new WorkspaceRemovedError('x', { ...where, status: 410, workspaceId });
    expect(failureOf(gone(PEER), context).forModel).toContain('The peer was removed');
    expect(failureOf(gone(SELF), context).forModel).toContain(
      'The workspace of this agent was removed. Stop',
    );
  });

  it('is an outcome too for wrong arguments, a client that is closed, one without a token, and a bug', async () => {
    await using s = await stage(
      { status: 401, body: { error: 'no', code: 'invalid_credentials' } },
      { token: null },
    );
    const [callPeer] = peerTools(s.client, { only: ['call_peer'] });
    const wrong = await callPeer.execute({ peer_id: PEER });
    expect(wrong).toMatchObject({ isError: true, data: { code: 'invalid_argument' } });
    expect(wrong.forModel).toBe(
      'Error: `text` is missing. Nothing was sent: correct the arguments and call the tool again.',
    );
    expect(await callPeer.execute(ASK)).toMatchObject({ data: { code: 'unauthorized' } });
    const broken = Object.create(s.client, {
      callPeer: { value: () => Promise.reject(new TypeError('a secret of the program')) },
      workspaceId: { value: SELF },
      logger: { value: s.logger },
      clock: { value: s.clock },
    });
    const [bug] = peerTools(broken, { only: ['call_peer'] });
    const outcome = await bug.execute(ASK);
    expect(outcome).toMatchObject({ isError: true, data: { status: 'error', code: 'handler_failed' } });
    expect(outcome.forModel).not.toContain('secret');
    expect(s.logger.messages('error')).toHaveLength(1);
    await s.client.close();
    for (const onProgress of [undefined, () => {}]) {
      expect(await callPeer.execute(ASK, { onProgress })).toMatchObject({ data: { code: 'client_closed' } });
    }
  });
});

describe('call_peer', () => {
  const answered = (text: string) => ({
    jsonrpc: '2.0',
    id: '1',
    result: { kind: 'message', role: 'agent', messageId: 'a', parts: [{ kind: 'text', text }] },
  });

  it('shows the beginning of an answer of 10 MiB, and says how much is missing', async () => {
    const length = 10 * 1024 * 1024 - 1_000;
    await using s = await stage({ body: answered(`${'x'.repeat(31_999)}😀${'y'.repeat(length)}`) });
    const [callPeer] = peerTools(s.client, { only: ['call_peer'] });
    const outcome = await callPeer.execute(ASK);
    expect(outcome).toMatchObject({
      isError: false,
      data: { status: 'answered', text: 'x'.repeat(31_999), omitted: length + 2 },
    });
    expect(outcome.forModel).toContain(`What it says is cut: ${length + 2} more characters are left out.`);
    expect(outcome.forModel.length).toBeLessThan(33_000);
  });

  it('says that a message was sent before when nobody knows what became of it', async () => {
    await using s = await stage([
      { status: 409, body: { error: 'x', code: 'message_id_conflict' } },
      { status: 404, body: { error: 'x', code: 'message_not_found' } },
    ]);
    const [callPeer] = peerTools(s.client, { only: ['call_peer'] });
    const outcome = await callPeer.execute(ASK, { callId: 'call_0', runId: 'run' });
    expect(outcome).toMatchObject({ isError: true, data: { code: 'conflict' } });
    expect(s.server.requests.map(({ method }) => method)).toEqual(['POST', 'GET']);
  });
});
