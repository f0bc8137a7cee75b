import { describe, expect, it } from 'vitest';
import { HeartbeatStage } from '../../test/heartbeat-stage.ts';
import { hanging, refused, refusing, removed, unreachable } from '../../test/presence-double.ts';
import { ONBOARD_AGAIN } from './presence-machine.ts';

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
