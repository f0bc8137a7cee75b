import { describe, expect, it } from 'vitest';
import { NEWER_TOKEN, TOKEN } from '../../test/agent-ids.ts';
import { RecordingLogger } from '../../test/recording-logger.ts';
import { TokenManager } from './token-manager.ts';
import { MemoryTokenStore, type TokenStore } from './token-store.ts';

function manager(store: TokenStore, given: string | null = null) {
  const logger = new RecordingLogger();
  const seen: string[] = [];
  return {
    manager: new TokenManager({ store, given, logger, onToken: (token) => void seen.push(token) }),
    logger,
    seen,
  };
}

function countingStore(token: string | undefined, failures = 0): TokenStore & { loads: number } {
  const inner = new MemoryTokenStore(token);
  let left = failures;
  return {
    loads: 0,
    async load() {
      this.loads += 1;
      if (left-- > 0) throw new Error('unreadable');
      return inner.load();
    },
    save: (next) => inner.save(next),
    clear: () => inner.clear(),
  };
}

describe('TokenManager', () => {
  it('reads the store once for concurrent calls', async () => {
    const store = countingStore(TOKEN);
    const { manager: tokens, seen } = manager(store);
    await Promise.all([tokens.load(), tokens.load(), tokens.load()]);
    await tokens.load();
    expect([tokens.current(), store.loads, seen]).toEqual([TOKEN, 1, [TOKEN]]);
  });

  it('retries after the store failed', async () => {
    const { manager: tokens } = manager(countingStore(TOKEN, 1));
    await expect(tokens.load()).rejects.toThrow('unreadable');
    await tokens.load();
    expect(tokens.current()).toBe(TOKEN);
  });

  it('does not read the store when a token was configured', async () => {
    const store = countingStore(TOKEN);
    const { manager: tokens } = manager(store, 'given');
    await tokens.load();
    expect([tokens.current(), store.loads]).toEqual(['given', 0]);
  });

  it('renews from the store or from another call, or returns undefined', async () => {
    const store = countingStore(TOKEN);
    const { manager: tokens } = manager(store);
    await tokens.load();
    expect(await tokens.renew(TOKEN)).toBeUndefined();
    await store.save(NEWER_TOKEN);
    store.loads = 0;
    expect(await Promise.all([tokens.renew(TOKEN), tokens.renew(TOKEN)])).toEqual([NEWER_TOKEN, NEWER_TOKEN]);
    expect(store.loads).toBe(1);
    expect(await tokens.renew(TOKEN)).toBe(NEWER_TOKEN);
    expect(store.loads).toBe(1);
  });

  it('logs a warning when the store cannot be read again', async () => {
    const { manager: tokens, logger } = manager(countingStore(undefined, 9), TOKEN);
    expect(await tokens.renew(TOKEN)).toBeUndefined();
    expect(logger.messages('warn')).toHaveLength(1);
  });

  it('uses a new token even if it cannot be stored', async () => {
    const store = countingStore(undefined);
    store.save = () => Promise.reject(new Error('read-only'));
    const { manager: tokens } = manager(store);
    await expect(tokens.save(TOKEN)).rejects.toThrow('read-only');
    expect(tokens.current()).toBe(TOKEN);
  });
});
