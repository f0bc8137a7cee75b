import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import type { WorkspaceInfo } from '@molecule-ai/core/operator';
import { Member } from '../stage/member.ts';
import { showWorkspace } from './evidence.ts';
import type { FullPlay, OpenPlay } from './play.ts';

/** Which child a sabotage concerns. */
const VICTIMS = { 'drop-reply': 'test-lab', double: 'ops-desk', 'keep-alive': 'ops-desk', 'no-wrap': '' };

/** Creates a parent and two children, and starts the agent of each in a process of its own. */
export async function bringInTheAgents(play: OpenPlay): Promise<FullPlay> {
  const { timeline, patience, checks, stage } = play;
  timeline.scene('2  A parent and two children: three agents in three more processes');
  const known = {
    lab: `${randomInt(900, 1000)} of 1000 tests pass.`,
    desk: `The error budget is at ${randomInt(50, 100)} %.`,
  };
  const lead = await create(play, 'release-lead', null);
  const lab = await create(play, 'test-lab', lead.id, known.lab);
  const desk = await create(play, 'ops-desk', lead.id, known.desk);
  const cast = [lead, lab, desk];
  await patience.until(
    'three agents to come online',
    Promise.all(cast.map((member) => member.start(stage, patience.signal))),
  );

  const infos: WorkspaceInfo[] = [];
  for (const member of cast) infos.push(await showWorkspace(play, member));
  checks.examine(
    'online',
    infos.every(({ status }) => status === 'online'),
    () => infos.map(({ name, status }) => `${name} is ${status}`).join(', '),
  );
  const pids = [process.pid, ...stage.actors.map(({ pid }) => pid)];
  checks.examine('processes', new Set(pids).size === 5, () => `process ids ${pids.join(', ')}`);
  return { ...play, lead, lab, desk, known };
}

async function create(play: OpenPlay, name: string, parentId: string | null, known = ''): Promise<Member> {
  const { operator, platform, patience, stage } = play;
  const { id } = await operator.createWorkspace({ name, parentId }, { signal: patience.signal });
  const isVictim = play.break !== undefined && VICTIMS[play.break] === name;
  return new Member(name, id, {
    MOLECULE_PLATFORM_URL: platform.url,
    MOLECULE_WORKSPACE_ID: id,
    MOLECULE_STATE_DIR: join(stage.folder, name),
    DEMO_KNOWLEDGE: known,
    DEMO_SABOTAGE: isVictim ? play.break : '',
  });
}
