import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Command } from './line-process.ts';
import type { Member } from './organisation.ts';
import { type Agent, node, python } from './participants.ts';

/** The clients of docs/with-an-a2a-sdk.md and docs/streaming.md, which send "hello". */
export function samplesWith(agent: Agent, { token }: Member): Record<string, () => Promise<void>> {
  const check = (command: Command, bearer: string, expected: string | RegExp) => async () => {
    const output = await outputOf(command, { AGENT_URL: agent.url, MOLECULE_WORKSPACE_TOKEN: bearer });
    if (output.search(expected) < 0) throw new Error(`expected ${expected}, got ${output}`);
  };
  const js = node('sample-client.ts');
  const py = python('1.0', 'sample_client.py');
  return {
    'js-sample': check(js, token, /You said: hello[\s\S]*You said: hello.* TASK_STATE_COMPLETED/),
    'python-sample': check(py, token, 'You said: hello'),
    'python-refused': check(py, 'none', 'invalid_credentials'),
  };
}

async function outputOf(command: Command, environment: Readonly<Record<string, string>>): Promise<string> {
  const env = { PATH: process.env.PATH, NODE_NO_WARNINGS: '1', PYTHONDONTWRITEBYTECODE: '1', ...environment };
  const child = spawn(command.file, command.arguments, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  await once(child, 'close');
  return output;
}
