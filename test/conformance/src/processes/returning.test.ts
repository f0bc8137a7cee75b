import { randomUUID } from 'node:crypto';
import { createRemoteAgent, MemoryInboundStore, MemoryTokenStore, silentLogger } from '@molecule-ai/core';
import { type AgentScript, ManualClock } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { seededRandom } from '../endurance/plan.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const AGENTS = 200;
/** The target is a tenth; 200 agents that draw their moments meet by chance now and then. */
const MOST_IN_A_SECOND = Math.ceil(AGENTS * 0.12);
const CAPABILITIES = 'acknowledge,long-poll,instances';

interface Seen {
  readonly agent: string;
  readonly kind: 'register' | 'heartbeat' | 'read';
  readonly at: number;
  readonly isServed: boolean;
}

/** A platform that can go away: then it closes every connection without a response. */
class LeavingPlatform {
  readonly seen: Seen[] = [];
  #away = Promise.withResolvers<void>();
  #isAway = false;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  leave(): void {
    this.#isAway = true;
    this.#away.resolve();
  }

  comeBack(): void {
    this.#isAway = false;
    this.#away = Promise.withResolvers();
  }

  readonly script: AgentScript = async (request) => {
    const kind = kindOf(request.path);
    const { workspace_id } = (request.body ?? {}) as { workspace_id?: string };
    const agent = workspace_id ?? request.path.split('/')[2] ?? '';
    this.seen.push({ agent, kind, at: this.#clock.monotonic(), isServed: !this.#isAway });
    if (this.#isAway) return { kind: 'hang-up' };
    const wait = Number(new URL(request.path, 'http://platform').searchParams.get('wait') ?? 0);
    if (kind === 'read' && wait > 0) {
      await Promise.race([this.#clock.sleep(wait * 1_000), this.#away.promise]);
      if (this.#isAway) return { kind: 'hang-up' };
    }
    const headers = { 'x-molecule-capabilities': CAPABILITIES };
    if (kind === 'read')
      return { kind: 'json', body: [], headers: { ...headers, 'x-wait-applied': `${wait}` } };
    const common = { workspace_id: agent, capabilities: CAPABILITIES.split(',') };
    const registered = { status: 'registered', id: agent, delivery_mode: 'poll', org_id: null, issuer: null };
    const alive = { status: 'ok', workspace_status: 'online', paused: false, deleted: false, pending: 0 };
    const body =
      kind === 'register' ? { ...common, ...registered, expires_at: null } : { ...common, ...alive };
    return { kind: 'json', body, headers };
  };

  /** Per second since `start`, how many agents had their first request of the kind served. */
  returns(kind: Seen['kind'], start: number): Map<number, number> {
    const first = new Map<string, number>();
    for (const { agent, at, isServed, ...seen } of this.seen)
      if (seen.kind === kind && isServed && at >= start && !first.has(agent)) first.set(agent, at);
    return perSecond([...first.values()], start);
  }

  /** Per second, how many requests of the kind came from `start` to `end`. */
  requests(kind: Seen['kind'], start: number, end: number): Map<number, number> {
    const found = this.seen.filter((seen) => seen.kind === kind && seen.at >= start && seen.at < end);
    return perSecond(
      found.map(({ at }) => at),
      start,
    );
  }
}

function kindOf(path: string): Seen['kind'] {
  if (path.startsWith('/registry/register')) return 'register';
  return path.startsWith('/registry/heartbeat') ? 'heartbeat' : 'read';
}

function perSecond(times: readonly number[], start: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const at of times) {
    const second = Math.floor((at - start) / 1_000);
    counts.set(second, (counts.get(second) ?? 0) + 1);
  }
  return counts;
}

const most = (counts: Map<number, number>): number => Math.max(0, ...counts.values());
const total = (counts: Map<number, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0);
const last = (counts: Map<number, number>): number => Math.max(...counts.keys());

/** Starts the agents of a platform that is there, or not. */
async function startAgents(
  environment: TestEnvironment,
  { seed, isAway }: { seed: number; isAway: boolean },
) {
  const clock = new ManualClock();
  const platform = new LeavingPlatform(clock);
  if (isAway) platform.leave();
  const server = await environment.scriptedAgent({ script: platform.script });
  const random = seededRandom(seed);
  for (let count = 0; count < AGENTS; count += 1) {
    const client = environment.client(
      server,
      { id: randomUUID(), token: 'a-token-of-a-workspace' },
      {
        connection: { clock, random },
        storage: { tokenStore: new MemoryTokenStore() },
        logger: silentLogger,
      },
    );
    const store = new MemoryInboundStore();
    const agent = createRemoteAgent({ client, store, onMessage: () => undefined });
    environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
    await agent.start({ wait: false });
  }
  return { clock, platform };
}

onEachDatabase('200 agents that lose the platform together', { onDisk: true }, (environment) => {
  verifies('presence.return-spread', 'return spread', async () => {
    const { clock, platform } = await startAgents(environment, { seed: 11, isAway: false });
    await clock.advance(40_000);
    for (const outageMs of [2_000, 75_000]) {
      const lostAt = clock.monotonic();
      platform.leave();
      await clock.advance(outageMs);
      const backAt = clock.monotonic();
      platform.comeBack();
      await clock.advance(62_000);
      for (const kind of ['heartbeat', 'read'] as const) {
        const returns = platform.returns(kind, backAt);
        expect(total(returns), kind).toBe(AGENTS);
        expect(most(returns), `${kind} after ${outageMs} ms`).toBeLessThanOrEqual(MOST_IN_A_SECOND);
        expect(last(returns)).toBeLessThan(31);
      }
      const reads = platform.requests('read', lostAt + 1, backAt);
      expect(most(reads), `reads during ${outageMs} ms`).toBeLessThanOrEqual(MOST_IN_A_SECOND);
      const again = platform.requests('register', backAt, clock.monotonic());
      expect(most(again)).toBeLessThanOrEqual(MOST_IN_A_SECOND);
    }
    expect(total(platform.returns('register', 100_000))).toBe(AGENTS);
  });

  verifies('presence.return-spread', 'start spread', async () => {
    const { clock, platform } = await startAgents(environment, { seed: 12, isAway: true });
    await clock.advance(45_000);
    const backAt = clock.monotonic();
    platform.comeBack();
    await clock.advance(32_000);
    const returns = platform.returns('register', backAt);
    expect(total(returns)).toBe(AGENTS);
    expect(most(returns)).toBeLessThanOrEqual(MOST_IN_A_SECOND);
    expect(last(returns)).toBeLessThan(31);
  });
});
