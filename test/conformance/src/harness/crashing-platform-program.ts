// The program of `crashing-platform.ts`: a platform that kills its own process at one point, once it is armed.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createPlatform } from '@molecule-ai/platform';

interface Crash {
  readonly at: string;
  readonly nth: number;
}

const log = (facts: object) => void process.stdout.write(`${JSON.stringify(facts)}\n`);

/** The statement of each point; with `isCommitted` the process ends when its transaction is on the disk, else before. */
const POINTS: Readonly<Record<string, { readonly statement: RegExp; readonly isCommitted: boolean }>> = {
  stored: { statement: /^insert into "activity"/, isCommitted: true },
  storing: { statement: /^insert into "activity"/, isCommitted: false },
  recorded: { statement: /^update "activity" set .*"response_body"/, isCommitted: true },
  recording: { statement: /^update "activity" set .*"response_body"/, isCommitted: false },
  registered: { statement: /^update "workspaces" set .*"delivery_mode"/, isCommitted: true },
  registering: { statement: /^update "workspaces" set .*"delivery_mode"/, isCommitted: false },
};

let crash: Crash | undefined;
let seen = 0;
let isCommitAwaited = false;

function onQuery(sql: string): void {
  const point = POINTS[crash?.at ?? ''];
  if (crash === undefined || point === undefined) return;
  if (isCommitAwaited && sql === 'commit') process.kill(process.pid, 'SIGKILL');
  if (!point.statement.test(sql)) return;
  seen += 1;
  if (seen !== crash.nth) return;
  if (point.isCommitted) isCommitAwaited = true;
  else process.kill(process.pid, 'SIGKILL');
}

process.on('SIGUSR2', () => {
  crash = JSON.parse(readFileSync(String(process.env.CRASH_FILE), 'utf8')) as Crash;
  log({ event: 'armed' });
});

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    'data-dir': { type: 'string' },
    port: { type: 'string' },
    'log-level': { type: 'string' },
  },
});
const { url, operatorKey } = await createPlatform({
  server: { port: Number(values.port) },
  data: { directory: values['data-dir'], synchronous: 'normal', onQuery },
});
log({ url, operatorKey });
