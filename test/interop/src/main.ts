// The program of `pnpm interop`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callsTo, looseMessagesTo, refusalsOf } from './callers.ts';
import { checksOf } from './checks.ts';
import { readCommandLine, USAGE } from './command-line.ts';
import { Organisation } from './organisation.ts';
import { startAgents, startClients, versionOf } from './participants.ts';
import { pythonEnvironment } from './python-environments.ts';
import { record } from './record.ts';
import { samplesWith } from './samples.ts';

// The programs and the platform end with this process.
process.exit(await main());

async function main(): Promise<number> {
  const commandLine = readCommandLine(process.argv.slice(2));
  if (commandLine.kind === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  if (commandLine.kind === 'invalid') {
    process.stderr.write(`${commandLine.message}\n\n${USAGE}`);
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'molecule-interop-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  for (const version of ['0.3', '1.0'] as const) pythonEnvironment(version);
  const organisation = await Organisation.start(folder);
  const caller = await organisation.addCaller();
  const agents = await startAgents(organisation);
  const headers = { authorization: `Bearer ${caller.token}`, 'x-workspace-id': caller.id };
  const clients = startClients(headers);
  const strangers = startClients({ ...headers, authorization: 'Bearer none' });
  if (commandLine.kind === 'record') {
    await record(organisation, clients, agents);
    return 0;
  }
  const results: boolean[] = [];
  for (const [index, client] of clients.entries()) {
    for (const agent of agents) {
      const version = versionOf(client, agent);
      const title = `${client.name} → ${agent.name}`;
      results.push(await report(title, version ?? 'none', checksOf({ client, agent, version })));
    }
    const [agent, stranger] = [agents[0], strangers[index]];
    if (agent === undefined || stranger === undefined) continue;
    const refusals = refusalsOf({ client, agent, version: '0.3' }, stranger);
    results.push(await report(`${client.name}, not allowed`, '-', refusals));
  }
  const core = organisation.clientOf(caller);
  for (const agent of agents) {
    results.push(await report(`@molecule-ai/core → ${agent.name}`, '0.3', callsTo(agent, core)));
  }
  for (const agent of agents.filter(({ versions }) => versions.includes('0.3'))) {
    results.push(await report(`loose messages → ${agent.name}`, '0.3', looseMessagesTo(agent, headers)));
  }
  // A server of 0.3, and an agent that long-polls.
  for (const agent of agents.filter(({ name }) => ['js 0.3.14', '@molecule-ai/core'].includes(name))) {
    results.push(
      await report(`samples → ${agent.name}`, agent.versions[0] ?? '', samplesWith(agent, caller)),
    );
  }
  const programs = [...clients, ...strangers].map((client) => client.process);
  await Promise.all([...programs, ...agents].map((each) => each.stop()));
  await organisation.stop();
  const failed = results.filter((isPassed) => !isPassed).length;
  console.log(`\n${results.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Runs checks and prints a line for them, and one for each that fails. Returns whether all passed. */
async function report(
  title: string,
  version: string,
  checks: Readonly<Record<string, () => Promise<void>>>,
): Promise<boolean> {
  const startedAt = performance.now();
  const names: string[] = [];
  const problems: string[] = [];
  for (const [name, check] of Object.entries(checks)) {
    const problem = await check().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    names.push(problem === undefined ? name : `${name}!`);
    if (problem !== undefined) problems.push(`       ${name}: ${problem}`);
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const verdict = problems.length === 0 ? 'ok    ' : 'not ok';
  console.log(
    [
      `${verdict} ${title.padEnd(38)} ${version.padEnd(4)}  ${names.join(' ')}  ${seconds} s`,
      ...problems,
    ].join('\n'),
  );
  return problems.length === 0;
}
