import { describe, expect, it } from 'vitest';
import { stage } from '../../test/test-client.ts';
import { MemoryTokenStore } from './token-store.ts';

const registered = (secret: string) => ({ body: { status: 'registered', platform_inbound_secret: secret } });
const alive = (secret?: string) => ({
  body: { status: 'ok', ...(secret === undefined ? {} : { platform_inbound_secret: secret }) },
});

class CountingStore extends MemoryTokenStore {
  readonly saved: string[] = [];
  failures = 0;

  override async saveInboundSecret(secret: string): Promise<void> {
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('The disk is full.');
    }
    this.saved.push(secret);
    await super.saveInboundSecret(secret);
  }
}

describe('the secret for pushes', () => {
  it('is stored from a registration, once, and replaced by a newer one from a heartbeat', async () => {
    const tokenStore = new CountingStore('token-1');
    await using s = await stage([registered('secret-1'), alive(), alive('secret-1'), alive('secret-2')], {
      storage: { tokenStore },
    });
    await s.client.register();
    for (let sent = 0; sent < 3; sent += 1) await s.client.heartbeat();
    expect(tokenStore.saved).toEqual(['secret-1', 'secret-2']);
    expect(await tokenStore.loadInboundSecret()).toBe('secret-2');
    expect(await s.port.currentToken()).toBe('token-1');
  });

  it('is redacted in logs', async () => {
    await using s = await stage(registered('secret-of-the-platform'));
    await s.client.register();
    s.port.logger.info({ note: 'secret-of-the-platform' }, 'It is secret-of-the-platform.');
    expect(JSON.stringify(s.logger.lines)).not.toContain('secret-of-the-platform');
  });

  it('that cannot be stored fails no request, is logged once, and tried again', async () => {
    const tokenStore = new CountingStore('token-1');
    tokenStore.failures = 2;
    await using s = await stage([registered('secret-1'), alive('secret-1'), alive('secret-1')], {
      storage: { tokenStore },
    });
    await s.client.register();
    await s.client.heartbeat();
    await s.client.heartbeat();
    expect(tokenStore.saved).toEqual(['secret-1']);
    expect(s.logger.messages('warn')).toEqual(['The secret for pushes of the platform could not be stored.']);
  });

  it('of a wrong kind is ignored: two lines, or too long', async () => {
    const tokenStore = new CountingStore('token-1');
    await using s = await stage([registered('two\nlines'), alive('x'.repeat(5_000))], {
      storage: { tokenStore },
    });
    await s.client.register();
    await s.client.heartbeat();
    expect(await tokenStore.loadInboundSecret()).toBeUndefined();
  });
});
