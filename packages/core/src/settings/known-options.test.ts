import { describe, expect, it } from 'vitest';
import { SELF } from '../../test/agent-ids.ts';
import { AgentClientDouble } from '../../test/agent-stage.ts';
import { createRemoteAgent } from '../agent/create-remote-agent.ts';
import { OperatorClient } from '../client/operator-client.ts';
import { FileTokenStore } from '../credentials/file-token-store.ts';
import { ConfigurationError } from '../errors/configuration-error.ts';
import { LongPollDelivery, PollDelivery } from '../inbound/sources/feed-delivery.ts';
import { FileInboundStore } from '../inbound/stores/inbound-store.ts';
import { createInboundHandler } from '../inbound-http/inbound-handler.ts';
import { RemoteAgentClient } from '../remote-agent-client/remote-agent-client.ts';
import { A2AServer } from '../server/a2a-server.ts';
import { chaos } from '../testing/chaos.ts';
import { scriptedPeer } from '../testing/scripted-peer.ts';
import { checkArgumentNames } from './checked-calls.ts';
import { checkOptionNames, knownOptions, unknownOptions } from './known-options.ts';

const CLIENT = { workspaceId: SELF, platformUrl: 'http://127.0.0.1:1' };
const KNOWN = knownOptions<{ timeoutMs: number; messageId: string; sendTimeoutMs: number }>({
  timeoutMs: true,
  messageId: true,
  sendTimeoutMs: true,
});

function failureOf(run: () => unknown): { message: string; hint: string | undefined; code: string } {
  try {
    run();
  } catch (error) {
    if (!ConfigurationError.isInstance(error)) throw error;
    const { message, hint, code } = error;
    return { message, hint, code };
  }
  throw new Error('nothing was thrown');
}

describe('names of options', () => {
  it.each([
    ['timeout', 'Did you mean timeoutMs?'],
    ['messageID', 'Did you mean messageId?'],
    ['mesageId', 'Did you mean messageId?'],
    ['Ms', 'Its options are messageId, sendTimeoutMs, timeoutMs.'],
    ['time', 'Did you mean timeoutMs or sendTimeoutMs?'],
    ['quux', 'Its options are messageId, sendTimeoutMs, timeoutMs.'],
    ['__proto__x', 'Its options are messageId, sendTimeoutMs, timeoutMs.'],
    ['constructor', 'Its options are messageId, sendTimeoutMs, timeoutMs.'],
  ])('%s: %s', (name, hint) => {
    expect(unknownOptions('callPeer', { [name]: undefined }, KNOWN)).toEqual({
      problem: `callPeer has no option "${name}".`,
      hint,
    });
  });

  it('names several at once, and cuts long ones', () => {
    const found = unknownOptions('f', { timeout: 1, quux: 2, ['x'.repeat(200)]: 3 }, KNOWN);
    expect(found?.problem).toBe(`f has no options "timeout", "quux", "${'x'.repeat(80)}".`);
    expect(found?.hint).toBe('Did you mean timeoutMs?');
  });

  it('takes known ones, inherited and symbols', () => {
    const options = Object.assign(Object.create({ inherited: 1 }), { timeoutMs: 1, [Symbol('x')]: 1 });
    expect(unknownOptions('f', options, KNOWN)).toBeNull();
    expect(() => checkOptionNames('f', options, KNOWN)).not.toThrow();
    expect(() => checkArgumentNames('f', { timeout: 1 }, KNOWN)).toThrow('f has no option "timeout".');
  });

  it.each<[string, string, () => unknown]>([
    ['workspaceID', 'workspaceId', () => new RemoteAgentClient({ ...CLIENT, workspaceID: SELF } as never)],
    [
      'onMesage',
      'onMessage',
      () => createRemoteAgent({ client: new AgentClientDouble(), onMesage: () => {} } as never),
    ],
    [
      'operatorkey',
      'operatorKey',
      () => new OperatorClient({ ...CLIENT, workspaceId: undefined, operatorkey: 'k' } as never),
    ],
    ['interval', 'intervalMs', () => new PollDelivery({ interval: 5 } as never)],
    ['waitSecs', 'waitSeconds', () => new LongPollDelivery({ waitSecs: 5 } as never)],
    ['cursor', 'cursorFile', () => new FileInboundStore('/tmp/none', { cursor: 'x' } as never)],
    [
      'lockTimeout',
      'lockTimeoutMs',
      () => new FileTokenStore({ directory: '/tmp/none', lockTimeout: 5 } as never),
    ],
    ['prot', 'port', () => new A2AServer({ prot: 1 } as never)],
    ['rule', 'rules', () => chaos({ dispatch: () => true } as never, { rule: [] } as never)],
  ])('%s is refused where %s is meant', (wrong, meant, run) => {
    const { message, hint, code } = failureOf(run);
    expect(message).toContain(`"${wrong}"`);
    expect(hint).toContain(meant);
    expect(code).toBe('configuration_invalid');
  });

  it('of a handler of requests are checked', () => {
    const agent = createRemoteAgent({ client: new AgentClientDouble(), onMessage: () => {} });
    expect(failureOf(() => createInboundHandler(agent, { hold: 5 } as never)).hint).toBe(
      'Did you mean holdSeconds?',
    );
  });
});

describe('options of a call', () => {
  const client = new RemoteAgentClient(CLIENT);
  const operator = new OperatorClient({ platformUrl: CLIENT.platformUrl, operatorKey: null });

  it.each<[string, () => unknown]>([
    ['callPeer', () => client.callPeer(SELF, 'hi', { timeout: 5 } as never)],
    ['sendToPeer', () => client.sendToPeer(SELF, 'hi', { timeout: 5 } as never)],
    ['waitForAnswer', () => client.waitForAnswer('id', { timeout: 5 } as never)],
    ['getPeers', () => client.getPeers({ timeout: 5 } as never)],
    ['fetchInbound', () => client.fetchInbound({ timeout: 5 } as never)],
    ['heartbeat', () => client.heartbeat({ timeout: 5 } as never)],
    ['runAgentLoop', () => client.runAgentLoop(() => {}, { timeout: 5 } as never)],
    ['runHeartbeatLoop', () => client.runHeartbeatLoop({ timeout: 5 } as never)],
    ['createWorkspace', () => operator.createWorkspace({ name: 'x', timeout: 5 } as never)],
    ['updateWorkspace', () => operator.updateWorkspace(SELF, { timeout: 5 } as never)],
    ['scriptedPeer', () => scriptedPeer({} as never, { timeout: 5 } as never)],
    ['sendMessage', () => operator.sendMessage(SELF, 'hi', { timeout: 5 } as never)],
    ['mint', () => operator.tokens.mint(SELF, { timeout: 5 } as never)],
  ])('%s rejects an unknown one before it sends anything', async (name, call) => {
    await expect(call()).rejects.toMatchObject({
      message: expect.stringMatching(`^${name} has no option "timeout"`),
      code: expect.stringMatching(/^(invalid_argument|configuration_invalid)$/),
    });
  });

  it('streamPeer throws', () => {
    expect(() => client.streamPeer(SELF, 'hi', { timeout: 5 } as never)).toThrow(
      'streamPeer has no option "timeout".',
    );
    expect(() => operator.streamMessage(SELF, 'hi', { timeout: 5 } as never)).toThrow('streamMessage has');
  });

  it.each([5, null, ['x'], 'text'])('%j is not an object of options', async (options) => {
    await expect(client.getPeers(options as never)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('a signal is not options', async () => {
    const { signal } = new AbortController();
    await expect(client.callPeer(SELF, 'hi', signal as never)).rejects.toMatchObject({
      code: 'invalid_argument',
      hint: 'Pass { signal }.',
    });
  });

  it('methods keep their names', () => {
    expect(client.callPeer.name).toBe('callPeer');
    expect(Object.keys(client)).not.toContain('callPeer');
  });

  it('an agent refuses them at its start, and stops all the same', async () => {
    const double = new AgentClientDouble();
    const agent = createRemoteAgent({ client: double, onMessage: () => {} });
    await expect(agent.start({ timeout: 5 } as never)).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(agent.stop({ timeout: 5 } as never)).resolves.toBeUndefined();
    expect(double.logger.find('stop has no option "timeout"', 'warn')?.fields).toMatchObject({
      hint: 'Did you mean timeoutMs?',
    });
  });
});
