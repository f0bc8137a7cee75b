import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { wrapA2aBoundary } from '@molecule-ai/protocol';
import { answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { callerOfRequests } from './harness/caller-of-requests.ts';
import { blocksOf } from './harness/documents.ts';
import { rowsOf, textAt } from './harness/http.ts';
import { createMember, type Member, onboard, send, waitForRow } from './harness/members.ts';
import { areInstalled, runShell, shell } from './harness/programs.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const ADDRESS = 'http://localhost:8080';

// One database is enough: the pages name none.
onEachDatabase('the page "With curl"', { onDisk: true }, (environment) => {
  const PAGE = 'docs/with-curl.md';

  /** The variables and the function at the top of the page. */
  function setup(url: string, { id, token }: Member): string {
    const [first = ''] = blocksOf(PAGE, null);
    return first.replace(ADDRESS, url).replace('<id>', id).replace('<auth_token>', token);
  }

  verifies('documents.guides', 'curl calls', async () => {
    if (!areInstalled('curl')) return;
    const platform = await environment.platform();
    const [agent, peer] = [await createMember(platform), await onboard(platform)];
    const blocks = blocksOf(PAGE, 'The calls');
    expect(blocks).toHaveLength(6);
    const [register = '', heartbeat = '', read = '', answerPerson = '', answerPeer = '', acknowledge = ''] =
      blocks;
    const run = async (block: string, row: Record<string, unknown> = {}): Promise<unknown> => {
      const commands = block
        .replaceAll('<id of the row>', String(row.id))
        .replaceAll('<source_id of the row>', String(row.source_id));
      return JSON.parse(await shell(environment, setup(platform.url, agent) + commands));
    };
    expect(await run(register)).toMatchObject({ status: 'registered', delivery_mode: 'poll' });
    expect(await run(heartbeat)).toMatchObject({ status: 'ok', workspace_status: 'online' });
    for (const [caller, owner, block] of [
      [platform.operator, agent.id, answerPerson],
      [peer.caller, peer.id, answerPeer],
    ] as const) {
      await send(caller, agent.id, 'hello', { messageId: 'm-1' });
      const [row] = (await run(read)) as [Record<string, unknown>];
      expect(row).toMatchObject({ data: { text: 'hello' }, delivery_state: 'pending' });
      await run(block, row);
      const { body } = await caller.get(`/workspaces/${owner}/messages/m-1`);
      expect(textAt(body, 'answer', 'result', 'parts', 0, 'text')).toContain('echo: hello');
      expect(await run(acknowledge, row)).toMatchObject({ status: 'acknowledged', up_to: row.id });
    }
    const refused = runShell(environment, setup(platform.url, { ...agent, token: 'none' }) + heartbeat);
    expect(await refused.exit).toMatchObject({ code: 22 });
    expect(refused.output()).toContain('invalid_credentials');
  });

  verifies('documents.guides', 'curl program', async () => {
    if (!areInstalled('curl', 'jq')) return;
    const platform = await environment.platform();
    const [agent, peer] = [await onboard(platform), await onboard(platform)];
    // Answered before, and not acknowledged: the program was killed in between.
    await send(platform.operator, agent.id, 'before', { messageId: 'before' });
    const [row] = await waitForRow(agent);
    const answer = { message: 'done', in_reply_to: row?.id };
    await agent.caller.post(`/workspaces/${agent.id}/notify`, answer);
    // Its answer is refused: the peer is gone.
    const gone = await onboard(platform);
    await send(gone.caller, agent.id, 'gone', { messageId: 'gone' });
    await platform.operator.delete(`/workspaces/${gone.id}`);
    const [program = ''] = blocksOf(PAGE, 'A program', 'sh');
    const folder = environment.folder();
    writeFileSync(join(folder, 'agent.sh'), program);
    const env = {
      MOLECULE_PLATFORM_URL: platform.url,
      MOLECULE_WORKSPACE_ID: agent.id,
      MOLECULE_WORKSPACE_TOKEN: agent.token,
    };
    const running = runShell(environment, 'exec sh agent.sh', { cwd: folder, env });
    const text = 'a "quoted" \\n\nline $HOME';
    for (const [caller, owner] of [
      [platform.operator, agent.id],
      [peer.caller, peer.id],
    ] as const) {
      await send(caller, agent.id, text, { messageId: 'm-1' });
      const { body } = await caller.get(`/workspaces/${owner}/messages/m-1?wait=60`);
      expect(textAt(body, 'answer', 'result', 'parts', 0, 'text')).toContain(`echo: ${text}`);
    }
    const said = await agent.caller.get(`/workspaces/${agent.id}/activity?direction=out`);
    expect(rowsOf(said).filter(({ method }) => method === 'notify')).toHaveLength(2);
    const { body } = await platform.operator.get(`/workspaces/${gone.id}/messages/gone`);
    expect(textAt(body, 'state')).toBe('failed');
    // What had an answer was not answered again.
    expect(running.output()).not.toContain('duplicate');
    expect(running.output()).not.toContain(agent.token);
  });
});

onEachDatabase('the page "Streaming"', { onDisk: true }, (environment) => {
  verifies('documents.guides', 'streaming curl', async () => {
    if (!areInstalled('curl', 'jq')) return;
    const platform = await environment.platform();
    const [caller, agent] = [await onboard(platform), await onboard(platform)];
    const [read = '', again = '', progress = ''] = blocksOf('docs/streaming.md', 'Streaming with curl');
    const as = ({ id, token }: Member) => ({
      env: {
        MOLECULE_PLATFORM_URL: platform.url,
        MOLECULE_WORKSPACE_ID: id,
        MOLECULE_WORKSPACE_TOKEN: token,
      },
    });
    const ask = read.replace('<id of the agent>', agent.id).replace('<a new id>', 'm-1');
    const reading = runShell(environment, ask, as(caller));
    const [row] = await waitForRow(agent);
    await shell(environment, progress.replace('<id of the row>', String(row?.id)), as(agent));
    // Before there is an answer.
    await reading.wrote(']echo: ');
    const answer = { role: 'agent', metadata: { in_reply_to: 'm-1' } } as const;
    await send(agent.caller, caller.id, 'echo: hello', answer);
    expect(await reading.exit).toMatchObject({ code: 0 });
    const events = reading
      .output()
      .split('\n')
      .filter((line) => line.startsWith('data: '));
    const [first, last] = [events[0], events.at(-1)].map((line) => JSON.parse(line?.slice(6) ?? ''));
    expect(textAt(last, 'result', 'status', 'state')).toBe('completed');
    const whole = again
      .replace('<id of the agent>', agent.id)
      .replace('<id of the task>', textAt(first, 'result', 'id'));
    expect(await shell(environment, whole, as(caller))).toBe(wrapA2aBoundary('echo: hello'));
  });
});

onEachDatabase('the page "With an A2A SDK"', { onDisk: true }, (environment) => {
  const PAGE = 'docs/with-an-a2a-sdk.md';
  const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };

  verifies('documents.guides', 'a2a agent', async () => {
    if (!areInstalled('curl')) return;
    const platform = await environment.platform(LOOPBACK);
    const server = await environment.scriptedAgent({ script: answering('done') });
    const agent = await createMember(platform);
    const folder = environment.folder();
    writeFileSync(join(folder, 'agent-card.json'), JSON.stringify({ name: "the server's" }));
    const [register = '', heartbeats = ''] = blocksOf(PAGE, 'An agent');
    const env = {
      MOLECULE_PLATFORM_URL: platform.url,
      MOLECULE_WORKSPACE_ID: agent.id,
      MOLECULE_WORKSPACE_TOKEN: agent.token,
      AGENT_URL: server.url,
    };
    const registered = await shell(environment, register, { cwd: folder, env });
    expect(JSON.parse(registered)).toMatchObject({ status: 'registered', delivery_mode: 'push' });
    const card = await platform.operator.get(`/registry/discover/${agent.id}`);
    expect(textAt(card.body, 'agent_card', 'name')).toBe("the server's");
    const { body } = await send(platform.operator, agent.id, 'hello', { hold: 20 });
    expect(textAt(body, 'result', 'text')).toBe('done');
    await runShell(environment, heartbeats, { env }).wrote('"workspace_status":"online"');
  });

  verifies('documents.guides', 'a2a caller', async () => {
    const platform = await environment.platform(LOOPBACK);
    const server = await environment.scriptedAgent({ script: answering('done') });
    const [caller, agent] = [await onboard(platform), await onboard(platform, { url: server.url })];
    await send(caller.caller, agent.id, 'hello', { hold: 20 });
    await send(platform.operator, agent.id, 'hello', { hold: 20 });
    const [ofPeer, ofPerson] = await server.received(2);
    const { body } = await agent.caller.post('/registry/register', { id: agent.id });
    const self = { platformUrl: platform.url, workspaceId: agent.id, issuer: textAt(body, 'issuer') };
    const callerOf = callerOfRequests(self);
    const authorization = ofPeer?.headers.authorization;
    expect(await callerOf(authorization)).toEqual({ caller: caller.id, isPlatform: true });
    expect(await callerOf(ofPerson?.headers.authorization)).toEqual({ caller: 'canvas', isPlatform: true });
    await expect(callerOf()).rejects.toThrow();
    await expect(callerOf(`Bearer ${caller.token}`)).rejects.toThrow();
    await expect(callerOfRequests({ ...self, workspaceId: caller.id })(authorization)).rejects.toThrow('aud');
    await expect(callerOfRequests({ ...self, issuer: 'urn:other' })(authorization)).rejects.toThrow('iss');
  });

  verifies('documents.guides', 'capabilities', async () => {
    if (!areInstalled('curl')) return;
    const platform = await environment.platform();
    const [command = ''] = blocksOf('packages/core/README.md', 'Other platforms');
    const printed = await shell(environment, command.replace('https://<platform>', platform.url));
    expect(printed).toMatch(/^x-molecule-capabilities: acknowledge,long-poll,/im);
  });
});
