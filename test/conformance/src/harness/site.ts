import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteAgentClient, type RemoteAgentClientOptions } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import type { DatabaseKind } from './databases.ts';
import { Http } from './http.ts';
import { type KillablePlatform, startKillablePlatform } from './killable-platform.ts';
import { expectNothingOpen, openHandles } from './open-handles.ts';
import { type PushTarget, type PushTargetOptions, startPushTarget } from './push-target.ts';
import type { RunningPlatform } from './running-platform.ts';
import { type PlatformWishes, startPlatform } from './start-platform.ts';

/** Where a test builds its world. Whatever is started here ends with the test, and nothing may stay open. */
export class Site {
  readonly database: DatabaseKind;
  #http = new Http();
  #handlesBefore = 0;
  readonly #endings: (() => void | Promise<void>)[] = [];

  constructor(database: DatabaseKind) {
    this.database = database;
  }

  /** Starts a platform on an empty database of this kind. */
  async platform(wishes: PlatformWishes = {}): Promise<RunningPlatform> {
    const database = this.database.prepare();
    this.afterwards(() => database.dispose());
    const platform = await startPlatform(wishes, database, this.#http);
    this.afterwards(() => platform.stop());
    return platform;
  }

  /** Starts a platform in a process of its own, on an empty database of this kind. */
  async platformProcess(): Promise<KillablePlatform> {
    const dataDir = join(this.folder(), 'data');
    const platform = await startKillablePlatform(dataDir, this.#http);
    this.afterwards(() => platform.stop());
    return platform;
  }

  /** Starts a scripted agent. */
  async pushTarget(options: PushTargetOptions): Promise<PushTarget> {
    const target = await startPushTarget(options);
    this.afterwards(() => target.stop());
    return target;
  }

  /** An agent's client; without a token, and with a state folder of its own, unless `options` say otherwise. */
  client(
    platform: { readonly url: string },
    agent: { readonly id: string; readonly token?: string },
    options: RemoteAgentClientOptions = {},
  ): RemoteAgentClient {
    const client = new RemoteAgentClient({
      platformUrl: platform.url,
      workspaceId: agent.id,
      authToken: agent.token,
      stateDirectory: this.folder(),
      ...options,
    });
    this.afterwards(() => client.close());
    return client;
  }

  /** The operator's client. */
  operator(platform: { readonly url: string; readonly operatorKey: string }): OperatorClient {
    const client = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
    this.afterwards(() => client.close());
    return client;
  }

  /** An empty folder. */
  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'molecule-conformance-'));
    this.afterwards(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  /** Runs `ending` after the test, before what was started earlier ends. */
  afterwards(ending: () => void | Promise<void>): void {
    this.#endings.push(ending);
  }

  /** Waits until `measure` gives the same number many turns of the event loop in a row. */
  async settle(measure: () => number): Promise<number> {
    let last = measure();
    for (let same = 0; same < 500; same += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const now = measure();
      if (now !== last) same = 0;
      last = now;
    }
    return last;
  }

  begin(): void {
    this.#http = new Http();
    this.#handlesBefore = openHandles().length;
  }

  /** Ends everything in reverse order, all of it even if something fails, and checks that nothing is left. */
  async end(): Promise<void> {
    const failures: unknown[] = [];
    for (const ending of this.#endings.splice(0).reverse()) {
      await Promise.resolve()
        .then(ending)
        .catch((error: unknown) => failures.push(error));
    }
    await this.#http.close();
    for (const answer of this.#http.uncoded)
      failures.push(new Error(`no code of the closed list: ${answer}`));
    if (failures.length > 0) throw new AggregateError(failures, 'something did not end well');
    await expectNothingOpen(this.#handlesBefore);
  }
}
