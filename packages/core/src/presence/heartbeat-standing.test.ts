import { describe, expect, it } from 'vitest';
import { HeartbeatStage } from '../../test/heartbeat-stage.ts';
import { hanging, limited, refused, refusing, removed, unreachable } from '../../test/presence-double.ts';
import { ONBOARD_AGAIN } from './presence-machine.ts';

describe('outage', () => {
  it('of ten minutes: its start and end are reported once; then the agent registers again', async () => {
    const stage = await new HeartbeatStage().start();
    await stage.clock.advance(60_000);
    stage.port.goDown();
    await stage.clock.advance(600_000);
    expect(stage.loop.state).toBe('degraded');
    expect(stage.loop.consecutiveFailures).toBeGreaterThan(20);
    expect(stage.loop.lastSuccess?.monotonicMs).toBe(60_000);
    stage.port.comeBack();
    await stage.clock.advance(120_000);
    expect(stage.changes).toEqual(['started', 'degraded', 'recovered']);
    expect(stage.loop.consecutiveFailures).toBe(0);
    expect(stage.port.calls).toEqual(['register']);
    expect(stage.logger.lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'info: The workspace is online.',
      'warn: The platform is unreachable; heartbeats are retried.',
      'info: Registered again.',
      'info: The platform is reachable again.',
    ]);
    await stage.stop();
  });

  it('a limited heartbeat is waited out: at most 30 s apart, and no failure', async () => {
    const stage = await new HeartbeatStage().start();
    stage.port.onHeartbeat = () => {
      throw limited(60_000);
    };
    await stage.clock.advance(300_000);
    expect(stage.port.times.slice(0, 4)).toEqual([0, 30_000, 60_000, 90_000]);
    stage.port.onHeartbeat = () => {
      throw limited(4_000);
    };
    await stage.clock.advance(60_000);
    expect(stage.port.times.slice(11, 14)).toEqual([330_000, 334_000, 338_000]);
    expect([stage.loop.state, stage.loop.consecutiveFailures]).toEqual(['online', 0]);
    stage.port.comeBack();
    await stage.clock.advance(60_000);
    expect(stage.changes).toEqual(['started']);
    expect(stage.port.calls).toEqual([]);
    expect(stage.logger.messages('warn')).toEqual([
      'The platform limits the rate of heartbeats; the next one waits.',
    ]);
    await stage.stop();
  });

  it('a single failure is not reported, and after a short outage the agent does not register again', async () => {
    const stage = new HeartbeatStage();
    let count = 0;
    stage.port.onHeartbeat = () => {
      count += 1;
      if (count === 2) throw unreachable();
      return { workspaceStatus: 'online', paused: false };
    };
    await stage.start();
    await stage.clock.advance(32_000);
    expect(stage.port.times).toEqual([0, 30_000, 32_000]);
    expect(stage.changes).toEqual(['started']);
    stage.port.goDown();
    await stage.clock.advance(40_000);
    stage.port.comeBack();
    await stage.clock.advance(30_000);
    expect(stage.changes).toEqual(['started', 'degraded', 'recovered']);
    expect(stage.port.calls).toEqual([]);
    await stage.stop();
  });

  it('during a pause does not end the pause', async () => {
    const stage = new HeartbeatStage();
    stage.port.comeBack({ paused: true });
    await stage.start();
    stage.port.goDown();
    await stage.clock.advance(600_000);
    stage.port.comeBack({ paused: true });
    await stage.clock.advance(60_000);
    expect(stage.changes).toEqual(['paused']);
    await stage.stop();
  });
});

describe('registering again', () => {
  it.each(['awaiting_agent', 'offline', 'provisioning'])(
    'when heartbeats are taken and it is %s; at most once a minute',
    async (status) => {
      const stage = new HeartbeatStage();
      stage.port.comeBack({ status });
      await stage.start();
      expect(stage.port.calls).toEqual(['register']);
      await stage.clock.advance(59_000);
      expect(stage.port.calls).toHaveLength(1);
      await stage.clock.advance(1_000);
      expect(stage.port.calls).toHaveLength(2);
      await stage.stop();
    },
  );

  it('after a pause, retried after a failure, and not while paused', async () => {
    const stage = await new HeartbeatStage().start();
    stage.port.comeBack({ paused: true });
    await stage.clock.advance(90_000);
    expect(stage.port.calls).toEqual([]);
    stage.port.comeBack();
    stage.port.onRegister = hanging;
    await stage.clock.advance(30_000);
    expect(stage.changes).toEqual(['started', 'paused']);
    await stage.clock.advance(10_000);
    expect(stage.changes).toEqual(['started', 'paused', 'resumed']);
    expect(stage.logger.messages('warn')).toEqual([
      'Registering again failed; it is retried with a later heartbeat.',
    ]);
    stage.port.comeBack();
    await stage.clock.advance(90_000);
    expect(stage.port.calls).toEqual(['register', 'register']);
    await stage.stop();
    expect(stage.clock.pending).toBe(0);
  });
});

describe('final states', () => {
  it('three consecutive 401 and one when reading the workspace: revoked, with one log line and a hint', async () => {
    const stage = await new HeartbeatStage().start();
    stage.port.refuse();
    await stage.clock.advance(30_000 + 2_000);
    expect(stage.loop.state).toBe('online');
    expect(stage.port.calls).toEqual([]);
    await stage.clock.advance(5_000);
    expect(await stage.end).toBe('revoked');
    expect(stage.port.calls).toEqual(['getWorkspace']);
    expect(stage.changes).toEqual(['started', 'revoked']);
    expect(stage.logger.messages('error')).toEqual([expect.stringContaining(ONBOARD_AGAIN)]);
    expect(stage.clock.pending).toBe(0);
  });

  it.each([
    ['the workspace is shown to anybody', () => ({})],
    ['403', refusing(403, 'access_denied')],
    ['404 of the platform', refusing(404, 'not_found')],
  ])('three 401 and %s: revoked', async (_name, explanation) => {
    const stage = new HeartbeatStage();
    stage.port.refuse(explanation);
    await stage.start();
    await stage.clock.advance(7_000);
    expect(await stage.end).toBe('revoked');
  });

  it('three 401 and the workspace was removed: removed', async () => {
    const stage = await new HeartbeatStage().start();
    stage.port.refuse(() => {
      throw removed();
    });
    await stage.clock.advance(37_000);
    expect(await stage.end).toBe('removed');
    expect(stage.changes).toEqual(['started', 'removed']);
    expect(stage.logger.messages('error')).toEqual([expect.stringContaining('was removed')]);
  });

  it.each([
    ['a bare 404', refusing(404, 'routing_problem')],
    ['a web page', refusing(200, 'unexpected_response')],
    ['a redirect', refusing(302, 'redirect_refused')],
    ['500', refusing(500, 'platform_error')],
    ['429', refusing(429, 'rate_limited')],
    ['silence', hanging],
  ])('three 401 and %s: undecided until the platform responds', async (_name, explanation) => {
    const stage = await new HeartbeatStage().start();
    stage.port.refuse(explanation);
    await stage.clock.advance(120_000);
    expect(stage.loop.state).toBe('degraded');
    stage.port.refuse();
    await stage.clock.advance(30_000);
    expect(await stage.end).toBe('revoked');
  });

  it('two 401, one success, two 401: not final; an outage between 401s does not reset the count', async () => {
    const stage = new HeartbeatStage();
    const statuses = [401, 401, 200, 401, 0, 401, 200, 401, 0, 401, 401];
    stage.port.onHeartbeat = () => {
      const status = statuses.shift();
      if (status === 200) return { workspaceStatus: 'online', paused: false };
      throw status === 0 ? unreachable() : refused(401, 'unauthorized');
    };
    stage.port.onGetWorkspace = refusing(401, 'unauthorized');
    await stage.start();
    while (statuses.length > 1) {
      expect(stage.port.calls).toEqual([]);
      await stage.clock.runNext();
    }
    expect(stage.loop.state).not.toBe('revoked');
    await stage.clock.advance(30_000);
    expect(await stage.end).toBe('revoked');
  });

  it('a heartbeat of a removed workspace: removed immediately', async () => {
    const stage = new HeartbeatStage();
    stage.port.onHeartbeat = () => {
      throw removed();
    };
    await stage.start();
    expect(await stage.end).toBe('removed');
    expect(stage.changes).toEqual(['removed']);
    expect(stage.port.heartbeats).toHaveLength(1);
  });

  it('a 404 without an error code is not final', async () => {
    const stage = await new HeartbeatStage().start();
    stage.port.onHeartbeat = stage.port.onPollState = refusing(404, 'routing_problem');
    await stage.clock.advance(3_600_000);
    expect(stage.loop.state).toBe('degraded');
    expect(stage.changes).toEqual(['started', 'degraded']);
    stage.port.comeBack();
    await stage.clock.advance(30_000);
    expect(stage.loop.state).toBe('online');
    await stage.stop();
  });
});

describe('platforms whose heartbeat response does not contain the state', () => {
  const silent = { workspaceStatus: null, paused: null };

  it('are polled for the state', async () => {
    const stage = new HeartbeatStage();
    stage.port.onHeartbeat = () => silent;
    await stage.start();
    stage.port.onPollState = () => ({ status: 'paused', paused: true, deleted: false });
    await stage.clock.advance(30_000);
    expect(stage.changes).toEqual(['started', 'paused']);
    stage.port.onPollState = () => ({ status: 'removed', paused: false, deleted: true });
    await stage.clock.advance(30_000);
    expect(await stage.end).toBe('removed');
  });

  it.each([
    ['a bare 404', refusing(404, 'routing_problem')],
    ['an outage', () => Promise.reject(unreachable())],
    ['silence', hanging],
  ])('a state poll with %s does not fail the heartbeat', async (_name, response) => {
    const stage = new HeartbeatStage();
    stage.port.onHeartbeat = () => silent;
    stage.port.onPollState = response;
    await stage.start();
    await stage.clock.advance(60_000);
    expect(stage.changes).toEqual(['started']);
    expect(stage.port.times).toEqual([0, 30_000, 60_000]);
    stage.port.onHeartbeat = () => ({ workspaceStatus: 'paused', paused: null });
    await stage.clock.advance(60_000);
    expect(stage.changes).toEqual(['started', 'paused']);
    await stage.stop();
  });

  it('a state poll that fails during a pause does not end the pause', async () => {
    const stage = new HeartbeatStage();
    stage.port.onHeartbeat = () => silent;
    stage.port.onPollState = () => ({ status: 'paused', paused: true, deleted: false });
    await stage.start();
    stage.port.onPollState = () => {
      throw limited(1_000);
    };
    await stage.clock.advance(120_000);
    expect([stage.changes, stage.loop.state]).toEqual([['paused'], 'paused']);
    expect(stage.port.calls).not.toContain('register');
    stage.port.onPollState = () => ({ status: 'online', paused: false, deleted: false });
    await stage.clock.advance(30_000);
    expect(stage.changes).toEqual(['paused', 'resumed']);
    await stage.stop();
  });

  it('a 401 or a removal of the state poll counts', async () => {
    const gone = new HeartbeatStage();
    gone.port.onHeartbeat = () => silent;
    gone.port.onPollState = () => Promise.reject(removed());
    await gone.start();
    expect(await gone.end).toBe('removed');
    const stage = new HeartbeatStage();
    stage.port.refuse();
    stage.port.onHeartbeat = () => silent;
    await stage.start();
    await stage.clock.advance(7_000);
    expect(await stage.end).toBe('revoked');
  });
});
