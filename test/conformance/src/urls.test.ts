import { answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { rowsOf, valueAt } from './harness/http.ts';
import { createMember, inbox, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

/** Addresses that production never connects to, and spellings that hide them. */
const FORBIDDEN = [
  'http://169.254.169.254/',
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/',
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f.0.0.1/',
  'http://0177.0.0.1/',
  'http://localhost/',
  'http://localhost./',
  'http://0.0.0.0/',
  'http://[::]/',
  'http://[::1]/',
  'http://10.0.0.1/',
  'http://172.16.0.1/',
  'http://192.168.1.1/',
  'http://100.64.0.1/',
  'http://198.18.0.1/',
  'http://192.0.0.1/',
  'http://192.0.2.1/',
  'http://198.51.100.1/',
  'http://203.0.113.1/',
  'http://224.0.0.1/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'http://[::ffff:10.0.0.1]/',
  'http://[::ffff:a9fe:a9fe]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[2002:7f00:1::]/',
  'http://[fe80::1]/',
  'http://[fd00::1]/',
  'http://[ff02::1]/',
  'http://[2001:db8::1]/',
  'ftp://agent.example.com/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'gopher://agent.example.com/',
  'http://user:password@agent.example.com/',
  'http://',
  'not a url',
];

onEachDatabase('agent URLs in production', (environment) => {
  verifies(
    'urls.production-refuses',
    'production refuses; refused at create register and patch',
    async () => {
      const platform = await environment.platform();
      const member = await createMember(platform);
      for (const url of FORBIDDEN) {
        const refusal = {
          status: 400,
          body: { code: expect.stringMatching(/^(unsafe_url|invalid_request)$/) },
        };
        const created = await platform.operator.post('/workspaces', { name: 'a', external: true, url });
        expect(created, `create ${url}`).toMatchObject(refusal);
        const body = { id: member.id, url, agent_card: { name: 'moved' } };
        expect(await member.caller.post('/registry/register', body), `register ${url}`).toMatchObject(
          refusal,
        );
        expect(
          await platform.operator.patch(`/workspaces/${member.id}`, { url }),
          `patch ${url}`,
        ).toMatchObject(refusal);
      }
      expect(rowsOf(await platform.operator.get('/workspaces'))).toMatchObject([
        { id: member.id, url: '', status: 'awaiting_agent', agent_card: null },
      ]);
    },
  );

  verifies('urls.checked-at-connect', 'private name is refused at connect', async () => {
    const platform = await environment.platform({ dns: { 'inside.example.com': ['127.0.0.1'] } });
    const target = await environment.scriptedAgent({ script: answering('from the inside') });
    const url = `http://inside.example.com:${target.port}/`;
    const member = await onboard(platform, { url });
    const caller = await onboard(platform);
    const answer = await send(caller.caller, member.id, 'anybody inside?', { hold: 5 });
    expect(answer.status).not.toBe(200);
    expect(target.requests).toEqual([]);
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({ url });
  });

  verifies('urls.redirects-are-not-followed', 'redirects are not followed', async () => {
    const platform = await environment.platform({ security: { allowAgentNetworks: ['127.0.0.0/8'] } });
    const elsewhere = await environment.scriptedAgent({ script: answering('stolen') });
    for (const to of [elsewhere.url, 'http://169.254.169.254/latest/meta-data/']) {
      const target = await environment.scriptedAgent({ script: () => ({ kind: 'redirect', to }) });
      const member = await onboard(platform, { url: target.url });
      const caller = await onboard(platform);
      const answer = await send(caller.caller, member.id, 'where are you?', { hold: 5 });
      await target.received(1);
      expect(answer.status).not.toBe(200);
      expect(answer.text).not.toContain('stolen');
    }
    expect(elsewhere.requests).toEqual([]);
  });

  verifies('urls.checked-at-connect', 'rebinding does not help', async () => {
    const asked: string[] = [];
    const target = await environment.scriptedAgent({ host: '127.0.0.2', script: answering('inside') });
    const outside = await environment.scriptedAgent({
      host: '127.0.0.3',
      port: target.port,
      script: answering('outside'),
    });
    const platform = await environment.platform({
      security: {
        allowAgentNetworks: ['127.0.0.3/32'],
        resolve: async (name) => {
          asked.push(name);
          return [{ address: asked.length === 1 ? '127.0.0.3' : '127.0.0.2' }];
        },
      },
    });
    const member = await onboard(platform, { url: `http://shifty.example.com:${target.port}/` });
    const caller = await onboard(platform);
    const answer = await send(caller.caller, member.id, 'hello', { hold: 5 });
    expect(answer.status).toBe(200);
    expect(outside.requests).toHaveLength(1);
    expect(target.requests).toEqual([]);
    expect(asked).toEqual(['shifty.example.com']);
    expect(valueAt((await inbox(member))[0], 'direction')).toBe('in');
  });
});
