import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createRemoteAgent, type PeerReply, RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { scriptedPeer, temporaryState } from '@molecule-ai/core/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { aiSdkPairs } from './adapters/ai-sdk.ts';
import { compare, type Handled } from './adapters/compare.ts';
import { langChainPairs } from './adapters/langchain.ts';
import { compareNestMethods, compareNestStarts } from './adapters/nestjs.ts';
import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { median } from './statistics.ts';

/**
 * Measures what the adapters add: to a tool call over the tool of core, to a handled message over a handler that calls the framework by
 * hand or over a plain handler, to the start of an application, to an import over that of the framework and core, and to what is installed.
 */
export async function benchAdapters({ rounds, starts }: BenchmarkOptions): Promise<Figure[]> {
  const weights = [measureWeight('langchain'), measureWeight('ai-sdk'), measureWeight('nestjs')];
  const calls = await measureCalls(rounds);
  return [...calls, ...(await compareNestStarts(starts)), ...measureImports(starts), ...weights];
}

async function measureCalls(rounds: number): Promise<Figure[]> {
  await using platform = await createTestPlatform();
  await using peer = await scriptedPeer(platform, { answer: '990 of 1000 tests pass.' });
  using state = temporaryState();
  const workspace = await platform.createWorkspace('agent');
  const client = new RemoteAgentClient({ ...platform, ...workspace, ...state, logger: silentLogger });
  const figures: Figure[] = [];
  let last: Handled | undefined;
  const agent = createRemoteAgent({
    client,
    onMessage: async (message, context) => {
      const reply = await client.callPeer(peer.id, 'How are the tests?');
      answerFromMemory(client, reply);
      const handled: Handled = { client, peerId: peer.id, message, context };
      for (const pair of [...langChainPairs(handled), ...aiSdkPairs(handled)])
        figures.push(await compare(rounds, pair));
      last = handled;
      return 'done';
    },
  });
  await agent.start();
  const asked = peer.client.callPeer(workspace.workspaceId, 'Measure.', { timeoutMs: 600_000 });
  const { text } = await platform.clock.advanceUntilSettled(asked);
  await platform.clock.advanceUntilSettled(agent.stop());
  await client.close();
  if (text !== 'done' || last === undefined) throw new Error(`The agent answered ${text}.`);
  // When nothing else runs: an answer that waits for a turn of the event loop would wait for what moves the clock.
  return [...figures, ...(await compareNestMethods(rounds, last))];
}

function answerFromMemory(client: RemoteAgentClient, reply: PeerReply): void {
  const callPeer = () => Promise.resolve(reply);
  async function* streamPeer() {
    yield* reply.text.split(/(?<= )/);
    return reply;
  }
  Object.defineProperties(client, { callPeer: { value: callPeer }, streamPeer: { value: streamPeer } });
}

function measureImports(starts: number): Figure[] {
  const core = `import '@molecule-ai/core';`;
  const over = (framework: string, adapter: string) => {
    const without = `${core} import '${framework}';`;
    return [without, `${without} import '@molecule-ai/${adapter}';`] as const;
  };
  const scripts = {
    'import of core/adapter-kit over core': [core, `${core} import '@molecule-ai/core/adapter-kit';`],
    'import of langchain over core and the framework': over('langchain', 'langchain'),
    'import of ai-sdk over core and the framework': over('ai', 'ai-sdk'),
    'import of nestjs over core and the framework': over('@nestjs/core', 'nestjs'),
  } as const;
  return Object.entries(scripts).map(([name, [without, both]]) => {
    const times = Array.from({ length: starts }, () => ({
      bareMs: timeNode(without),
      oursMs: timeNode(both),
    }));
    const before = median(times.map(({ bareMs }) => bareMs));
    const after = median(times.map(({ oursMs }) => oursMs));
    const more = median(times.map(({ bareMs, oursMs }) => oursMs - bareMs));
    const value = `${more.toFixed(0)} ms more (${after.toFixed(0)} : ${before.toFixed(0)} ms, ${(after / before).toFixed(2)} times)`;
    return { name, value };
  });
}

/** Runs a script in a Node process and returns its run time, in milliseconds. */
function timeNode(script: string): number {
  const start = performance.now();
  execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: import.meta.dirname });
  return performance.now() - start;
}

/** What a packed package takes, installed and as an archive. */
function measureWeight(adapter: 'ai-sdk' | 'langchain' | 'nestjs'): Figure {
  const manifest = import.meta.resolve(`@molecule-ai/${adapter}/package.json`);
  const { dependencies = {} } = JSON.parse(readFileSync(fileURLToPath(manifest), 'utf8'));
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: fileURLToPath(new URL('.', manifest)),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ size, unpackedSize }] = JSON.parse(output);
  const kB = (bytes: number) => `${(bytes / 1_000).toFixed(0)} kB`;
  const count = Object.keys(dependencies).length;
  return {
    name: `install weight of ${adapter}`,
    value: `${kB(unpackedSize)} in files, ${kB(size)} packed, ${count} dependencies`,
    target: 'no dependency',
    met: count === 0,
  };
}
