import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { type Caller, textAt } from './harness/http.ts';
import { envelope, onboard, send, statusOf } from './harness/members.ts';
import { areInstalled, runProgram } from './harness/programs.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const NAME = `O'Neil "the $HOME" \`agent\` \\ ünï 🚀`;
/** Where `@molecule-ai/core` is installed. */
const PROJECT = fileURLToPath(new URL('..', import.meta.url));

interface Created {
  readonly id: string;
  readonly sample: (key: string) => string;
}

async function create(platform: RunningPlatform): Promise<Created> {
  const { body } = await platform.operator.post('/workspaces', { name: NAME, external: true });
  return { id: textAt(body, 'id'), sample: (key) => textAt(body, 'connection', key) };
}

/** The answer to a text, which may be sent before the agent is there. */
async function askAgent(from: Caller, owner: string, to: string, text: string): Promise<string> {
  await send(from, to, text, { messageId: text });
  const { body } = await from.get(`/workspaces/${owner}/messages/${text}?wait=60`);
  return textAt(body, 'answer', 'result', 'parts', 0, 'text');
}

/** The agent of a sample answers a person and a workspace, and acknowledges what it answered. */
async function expectAgent(platform: RunningPlatform, id: string, ended: Promise<{ output: string }>) {
  const failed = ended.then(({ output }) => expect.fail(`the sample ended: ${output}`));
  const caller = await onboard(platform);
  const work = async () => {
    expect(await askAgent(caller.caller, caller.id, id, 'ping')).toContain('echo: ping');
    expect(await askAgent(platform.operator, id, id, 'hello')).toBe('echo: hello');
    expect(await statusOf(platform, id)).toBe('online');
    const card = await platform.operator.get(`/registry/discover/${id}`);
    expect(textAt(card.body, 'agent_card', 'name')).toBe(NAME);
  };
  await Promise.race([work(), failed]);
  return caller;
}

onEachDatabase('samples', (environment) => {
  verifies('snippets.run', 'curl', async () => {
    if (!areInstalled('curl')) return;
    const platform = await environment.platform();
    const { id, sample } = await create(platform);
    const { code, output } = await runProgram(environment, 'sh', ['-c', sample('curl_register_template')])
      .exit;
    expect(code, output).toBe(0);
    expect(output).toContain('"status":"registered"');
    expect(await statusOf(platform, id)).toBe('online');
    const card = await platform.operator.get(`/registry/discover/${id}`);
    expect(textAt(card.body, 'agent_card', 'name')).toBe(NAME);
  });

  verifies('snippets.run', 'typescript', async () => {
    const platform = await environment.platform();
    const { id, sample } = await create(platform);
    const given = ['--input-type=module', '--eval', sample('typescript_snippet')];
    const { exit, wrote } = runProgram(environment, process.execPath, given, { cwd: PROJECT });
    await wrote('registered');
    await expectAgent(platform, id, exit);
  });

  verifies('snippets.run', 'python', async () => {
    if (!areInstalled('python3')) return;
    const platform = await environment.platform();
    const { id, sample } = await create(platform);
    const start = (text: string) => {
      const program = join(environment.folder(), 'agent.py');
      writeFileSync(program, text);
      return runProgram(environment, 'python3', [program]).exit;
    };
    const caller = await expectAgent(platform, id, start(sample('python_snippet')));
    // What it does not answer it acknowledges all the same: its next message comes after it.
    const answer = envelope('thanks', { metadata: { in_reply_to: 'unknown' } });
    await caller.caller.post(`/workspaces/${id}/a2a`, answer);
    expect(await askAgent(caller.caller, caller.id, id, 'again')).toContain('echo: again');
    const removed = await create(platform);
    await platform.operator.delete(`/workspaces/${removed.id}`);
    const { code, output } = await start(removed.sample('python_snippet'));
    expect(code, output).toBe(1);
    expect(output).toContain('workspace_removed');
  });

  verifies('snippets.run', 'address', async () => {
    const platform = await environment.platform({ security: { allowAgentNetworks: ['127.0.0.0/8'] } });
    const url = 'http://127.0.0.1:9/a2a?name=$HOME';
    const samples = [
      ...(areInstalled('curl') ? [['curl_register_template', 'sh', '-c']] : []),
      ['typescript_snippet', process.execPath, '--input-type=module', '--eval'],
      ...(areInstalled('python3') ? [['python_snippet', 'python3', '-c']] : []),
    ];
    for (const [key = '', program = '', ...given] of samples) {
      const { body } = await platform.operator.post('/workspaces', { name: NAME, external: true, url });
      const sample = textAt(body, 'connection', key);
      await runProgram(environment, program, [...given, sample], { cwd: PROJECT }).wrote('registered');
      const shown = await platform.operator.get(`/workspaces/${textAt(body, 'id')}`);
      expect(shown.body, key).toMatchObject({ status: 'online', delivery_mode: 'push', url });
    }
  });

  verifies('snippets.run', 'organisation', async () => {
    const orgId = '11111111-2222-4333-8444-555555555555';
    const platform = await environment.platform({ security: { orgId } });
    const named = { 'x-molecule-org-id': orgId };
    const { body } = await platform.operator.post('/workspaces', { name: NAME, external: true }, named);
    const sample = textAt(body, 'connection', 'curl_register_template');
    const { output } = await runProgram(environment, 'sh', ['-c', sample]).exit;
    expect(output).toContain('"status":"registered"');
    expect(textAt(body, 'connection', 'python_snippet')).toContain(`"X-Molecule-Org-Id":"${orgId}"`);
    expect(textAt(body, 'connection', 'typescript_snippet')).toContain(`orgId: "${orgId}"`);
  });
});
