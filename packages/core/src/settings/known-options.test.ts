import { describe, expect, it } from 'vitest';
import { SELF } from '../../test/agent-ids.ts';
import { AgentClientDouble } from '../../test/agent-stage.ts';
import { createRemoteAgent } from '../agent/remote-agent.ts';
import { RemoteAgentClient } from '../agent/remote-agent-client.ts';
import { checkArgumentNames, checkOptionNames, knownOptions, unknownOptions } from './known-options.ts';

const CLIENT = { workspaceId: SELF, platformUrl: 'http://127.0.0.1:1' };
const KNOWN = knownOptions<{ timeoutMs: number; messageId: string; sendTimeoutMs: number }>({
  timeoutMs: true,
  messageId: true,
  sendTimeoutMs: true,
});

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
});

describe('options of a call', () => {
  const client = new RemoteAgentClient(CLIENT);

  it.each([5, null, ['x'], 'text'])('%j is not an object of options', async (options) => {
    await expect(client.getPeers(options as never)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('an agent refuses them at its start, and stops all the same', async () => {
    const double = new AgentClientDouble();
    const agent = createRemoteAgent({ client: double.asClient, onMessage: () => {} });
    await expect(agent.start({ timeout: 5 } as never)).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(agent.stop({ timeout: 5 } as never)).resolves.toBeUndefined();
    expect(double.logger.find('stop has no option "timeout"', 'warn')?.fields).toMatchObject({
      hint: 'Did you mean timeoutMs?',
    });
  });
});
