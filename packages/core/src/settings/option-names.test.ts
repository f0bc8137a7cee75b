import { describe, expect, it } from 'vitest';
import { SELF } from '../../test/agent-ids.ts';
import { AgentClientDouble } from '../../test/agent-stage.ts';
import { createRemoteAgent } from '../agent/remote-agent.ts';
import { RemoteAgentClient } from '../agent/remote-agent-client.ts';
import { argumentProblem, given, optionsSchema, unknownKeys } from './options.ts';

const CLIENT = { workspaceId: SELF, platformUrl: 'http://127.0.0.1:1' };
const KNOWN = ['timeoutMs', 'messageId', 'sendTimeoutMs'];
const SCHEMA = { 0: optionsSchema({ timeoutMs: given<number>(), messageId: given<string>() }) };

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
    expect(unknownKeys('callPeer', [name], KNOWN)).toEqual({
      problem: `callPeer has no option "${name}".`,
      hint,
    });
  });

  it('names several at once, and cuts long ones', () => {
    const found = unknownKeys('f', ['timeout', 'quux', 'x'.repeat(200)], KNOWN);
    expect(found?.problem).toBe(`f has no options "timeout", "quux", "${'x'.repeat(80)}".`);
    expect(found?.hint).toBe('Did you mean timeoutMs?');
  });

  it('takes known ones, inherited and symbols', () => {
    const options = Object.assign(Object.create({ inherited: 1 }), { timeoutMs: 1, [Symbol('x')]: 1 });
    expect(argumentProblem('f', SCHEMA, [options])).toBeNull();
    const unknown = { problem: 'f has no option "timeout".', hint: 'Did you mean timeoutMs?' };
    expect(argumentProblem('f', SCHEMA, [{ timeout: 1 }])).toEqual(unknown);
    expect(argumentProblem('f', SCHEMA, [{ timeout: undefined }])).toEqual(unknown);
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
