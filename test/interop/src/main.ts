// The program of `pnpm interop`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checksOf, type Pairing } from './checks.ts';
import { Organisation } from './organisation.ts';
import { type Agent, type Client, startAgents, startClients } from './participants.ts';
import { pythonEnvironment } from './python-environments.ts';

// The programs and the platform end with this process.
process.exit(await main());

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-interop-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  for (const version of ['0.3', '1.0'] as const) pythonEnvironment(version);
  const organisation = await Organisation.start(folder);
  const caller = await organisation.addCaller();
  const agents = await startAgents(organisation);
  const clients = startClients({ authorization: `Bearer ${caller.token}`, 'x-workspace-id': caller.id });
  let failed = 0;
  for (const client of clients) {
    for (const agent of agents) failed += (await checkPairing(client, agent)) ? 0 : 1;
  }
  await Promise.all([...clients.map((client) => client.process), ...agents].map((each) => each.stop()));
  await organisation.stop();
  console.log(`\n${clients.length * agents.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Checks one client with one agent and prints a line. Returns whether everything is as expected. */
async function checkPairing(client: Client, agent: Agent): Promise<boolean> {
  const version = client.versions.find((each) => agent.versions.includes(each)) ?? null;
  const startedAt = performance.now();
  const results = await runChecks({ client, agent, version });
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const problems = results.filter(({ problem }) => problem !== undefined);
  const names = results.map(({ name, problem }) => (problem === undefined ? name : `${name}!`)).join(' ');
  const verdict = problems.length === 0 ? 'ok    ' : 'not ok';
  const title = `${client.name} → ${agent.name}`.padEnd(38);
  console.log(`${verdict} ${title} ${version ?? 'none'}  ${names}  ${seconds} s`);
  for (const { name, problem } of problems) console.log(`       ${name}: ${problem}`);
  return problems.length === 0;
}

interface Result {
  readonly name: string;
  readonly problem?: string;
}

async function runChecks(pairing: Pairing): Promise<Result[]> {
  const results: Result[] = [];
  for (const [name, check] of Object.entries(checksOf(pairing))) {
    try {
      await check(pairing);
      results.push({ name });
    } catch (error) {
      results.push({ name, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  return results;
}
