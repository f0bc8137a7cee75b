import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiError, createRemoteAgent, silentLogger } from '@molecule-ai/core';
import { NIL_UUID } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { heartbeat, onboard } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const SECRET = 'correct horse battery staple';

async function errorOf(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!ApiError.isInstance(error)) throw new Error(`not an ApiError: ${String(error)}`);
  return error;
}

onEachDatabase('an error', (environment) => {
  verifies('errors.fields-are-named', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const { operator } = platform;
    const register = (agent_card: object) =>
      member.caller.post('/registry/register', { id: member.id, agent_card });
    const refused = [
      [await operator.post('/workspaces', { name: '' }), 'name: must not be empty', 'name'],
      [await operator.post('/workspaces', {}), 'name: is missing', 'name'],
      [
        await operator.post('/workspaces', { name: 'a', parent_id: SECRET }),
        'parent_id: must be a UUID',
        'parent_id',
      ],
      [
        await register({ skills: [{ id: 'count' }, { id: { text: SECRET } }] }),
        'agent_card.skills[1].id: must be a text, not an object',
        'agent_card.skills[1].id',
      ],
      [await heartbeat(member, { error_rate: 3 }), 'error_rate: must be at most 1', 'error_rate'],
      [
        await member.caller.post(`/workspaces/${member.id}/notify`, { message: 'hi', in_reply_to: [SECRET] }),
        'in_reply_to: must be a text, not a list',
        'in_reply_to',
      ],
    ] as const;
    for (const [answer, problem, field] of refused) {
      expect(answer).toMatchObject({
        status: 400,
        body: { code: 'invalid_request', error: expect.stringMatching(/^invalid [a-z ]+: /), field },
      });
      expect(answer.text).toContain(problem);
      expect(answer.text).not.toContain(SECRET);
    }
    const bad = environment.client(platform, member, { agentCard: { url: 7, skills: SECRET } as never });
    const failure = await errorOf(bad.register());
    expect(failure.message).toMatch(/agent_card\.url: must be a text.*agent_card\.skills: must be a list/);
    expect(JSON.stringify(failure)).not.toContain(SECRET);
  });

  verifies('lifecycle.pause.one-cause-each', 'one cause each', async () => {
    const platform = await environment.platform();
    const [running, paused, removed] = [
      await onboard(platform),
      await onboard(platform),
      await onboard(platform),
    ];
    const operator = environment.operator(platform);
    await operator.pause(paused.id);
    await operator.deleteWorkspace(removed.id);
    const errors = [
      await errorOf(operator.pause(paused.id)),
      await errorOf(operator.resume(running.id)),
      await errorOf(operator.pause(NIL_UUID)),
      await errorOf(operator.resume(removed.id)),
    ];
    expect(
      errors.map(({ code, platformCode, message, hint = '' }) => [
        code,
        platformCode,
        message.split(': ')[1],
        hint !== '',
      ]),
    ).toEqual([
      ['conflict', 'already_paused', 'the workspace is already paused', true],
      ['conflict', 'not_paused', 'the workspace is not paused', true],
      ['not_found', 'workspace_not_found', 'workspace not found', true],
      ['workspace_removed', 'workspace_removed', 'workspace removed', true],
    ]);
  });

  verifies('errors.refused-token', 'foreign token', async () => {
    const platform = await environment.platform();
    const [own, other] = [await onboard(platform), await onboard(platform)];
    const wrong = [
      environment.client(platform, { id: other.id, token: own.token }),
      environment.client(platform, { id: NIL_UUID, token: own.token }),
    ];
    for (const client of wrong) {
      const calls = [
        () => client.register(),
        () => client.heartbeat(),
        () => client.fetchInbound(),
        () => client.acknowledge(NIL_UUID),
        () => client.notify('hello'),
        () => client.callPeer(own.id, 'hello'),
        () => client.getPeers(),
        () => client.getWorkspace(),
        () => client.updateCard({ name: 'a' }),
      ];
      for (const call of calls) {
        const error = await errorOf(call());
        expect(error).toMatchObject({ status: 403, code: 'access_denied', platformCode: 'caller_mismatch' });
        expect(error.message).toContain('This token belongs to another workspace: check workspaceId');
        expect(error.hint).toContain(`workspaceId is ${client.workspaceId}`);
        expect(error.hint).toContain('the token came from the option authToken');
        expect(JSON.stringify(error)).not.toContain(own.token);
      }
    }
  });

  verifies('agent.failed-start', 'failed start', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const causes = [
      { token: 'w'.repeat(43), options: {}, code: 'unauthorized' },
      { token: member.token, options: { reportedUrl: 'http://localhost:1/' }, code: 'configuration_invalid' },
    ] as const;
    for (const { token, options, code } of causes) {
      for (const wait of [true, false]) {
        const client = environment.client(
          platform,
          { id: member.id, token },
          { ...options, logger: silentLogger },
        );
        const agent = createRemoteAgent({ client, onMessage: () => 'done' });
        const events: string[] = [];
        agent.on('start-failed', () => events.push('start-failed'));
        agent.on('stopped', (outcome) => events.push(`stopped ${outcome}`));
        const failed = wait ? agent.start() : agent.start({ wait }).then(() => agent.closed);
        await expect(failed).rejects.toMatchObject({ code });
        if (wait) expect(await agent.closed).toBe('stopped');
        expect([agent.state, events]).toEqual(['stopped', wait ? [] : ['start-failed']]);
      }
    }
  });

  verifies('errors.refused-token', 'refused token', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const stateDirectory = environment.folder();
    const wrong = 'w'.repeat(43);
    const ids = { known: { id: member.id }, unknown: { id: NIL_UUID } };
    const registers = [
      environment.client(platform, ids.known),
      environment.client(platform, { ...ids.known, token: wrong }),
      environment.client(platform, ids.unknown),
      environment.client(platform, { ...ids.unknown, token: wrong }),
    ];
    const errors = await Promise.all(registers.map((client) => errorOf(client.register())));
    const [first] = errors;
    for (const error of errors) {
      expect(error).toMatchObject({ status: 401, code: 'unauthorized', details: first?.details });
      expect(JSON.stringify(error)).not.toContain(wrong);
    }
    const missing = ['No token was sent', 'Set MOLECULE_WORKSPACE_TOKEN or the option authToken'];
    const refused = ['invalid workspace auth token', 'The refused token came from the option authToken'];
    expect(errors.map(({ message, hint }) => [message.split(': ')[1], hint?.split(/[:.]/)[0]])).toEqual([
      missing,
      refused,
      missing,
      refused,
    ]);
    const file = join(stateDirectory, '.auth_token');
    writeFileSync(file, `${wrong}\n`, { mode: 0o600 });
    const stored = environment.client(platform, ids.known, { storage: { directory: stateDirectory } });
    expect((await errorOf(stored.register())).hint).toContain(`came from the file ${file} and was kept`);
  });
});
