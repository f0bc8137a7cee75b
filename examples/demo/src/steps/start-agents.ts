import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import type { WorkspaceInfo } from '@molecule-ai/core/operator';
import { AgentProcess } from '../agent-process.ts';
import type { Break } from '../arguments.ts';
import { freePort } from '../free-port.ts';
import type { WithAgents, WithPlatform } from './context.ts';
import { showWorkspace, untilDelivery } from './evidence.ts';

/** The child whose agent a sabotage changes. */
const SABOTAGED: Readonly<Record<Break, string>> = {
  'drop-reply': 'test-lab',
  double: 'test-lab',
  'no-server': 'ops-desk',
  'at-once': 'release-lead',
  'push-only': 'ops-desk',
  'hide-failure': 'ops-desk',
  'keep-alive': 'ops-desk',
  'no-wrap': '',
  'obey-peer': 'ops-desk',
};

/** Creates a parent and three children, and starts the agent of each in a process of its own. */
export async function startAgents(context: WithPlatform): Promise<WithAgents> {
  const { timeline, deadline, checks } = context.run;
  timeline.step('2  A parent and three children: four agents in four more processes');
  const known = {
    lab: `${randomInt(900, 1000)} of 1000 tests pass.`,
    desk: `The error budget is at ${randomInt(50, 100)} %.`,
    board: `The change window is open for ${randomInt(10, 60)} minutes.`,
  };
  const lead = await create(context, 'release-lead', null);
  const lab = await create(context, 'test-lab', lead.id, { DEMO_KNOWLEDGE: known.lab });
  const desk = await create(context, 'ops-desk', lead.id, {
    DEMO_KNOWLEDGE: known.desk,
    MOLECULE_REPORTED_URL: `http://127.0.0.1:${await freePort()}`,
  });
  const board = await create(context, 'change-board', lead.id, { DEMO_KNOWLEDGE: known.board });
  const agents = [lead, lab, desk, board];
  await deadline.waitFor(
    'four agents to come online',
    Promise.all(agents.map((agent) => agent.start(context.run))),
  );

  await untilDelivery(context, desk, 'push');
  const infos: WorkspaceInfo[] = [];
  for (const agent of agents) infos.push(await showWorkspace(context, agent));
  checks.record(
    'online',
    infos.every(({ status }) => status === 'online'),
    () => infos.map(({ name, status }) => `${name} is ${status}`).join(', '),
  );
  const pids = [process.pid, ...context.run.processes.map(({ pid }) => pid)];
  checks.record('processes', new Set(pids).size === 6, () => `process ids ${pids.join(', ')}`);
  return { ...context, lead, lab, desk, board, known };
}

async function create(
  context: WithPlatform,
  name: string,
  parentId: string | null,
  environment: Readonly<Record<string, string>> = {},
): Promise<AgentProcess> {
  const { run, operator, platform } = context;
  const { id } = await operator.createWorkspace({ name, parentId }, { signal: run.deadline.signal });
  const isSabotaged = run.break !== undefined && SABOTAGED[run.break] === name;
  return new AgentProcess(name, id, {
    MOLECULE_PLATFORM_URL: platform.url,
    MOLECULE_WORKSPACE_ID: id,
    MOLECULE_STATE_DIR: join(run.folder, name),
    ...environment,
    DEMO_SABOTAGE: isSabotaged ? run.break : '',
  });
}
