import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROXIES, Stage } from '../src/stage.ts';

describe('certificates and names', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open({ kind: PROXIES.Caddy });
  });
  afterAll(() => stage.close());

  it('are refused by an agent that does not trust them: its start fails at once, with the cause', async () => {
    const agent = stage.startAgent(await stage.addMember('distrustful'), 'distrustful', { ca: null });
    const failed = await agent.waitForEvent('failed');
    expect(failed).toMatchObject({
      code: 'connection_failed',
      message: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT'),
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    await agent.exit;
  });

  it('a name that Caddy does not serve ends in the handshake', async () => {
    const member = await stage.addMember('lost');
    const client = stage.clientOf(member, { platformUrl: stage.url.replace('localhost', '127.0.0.1') });
    await expect(client.heartbeat()).rejects.toMatchObject({
      code: 'connection_failed',
      message: expect.stringContaining('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'),
    });
  });
});
