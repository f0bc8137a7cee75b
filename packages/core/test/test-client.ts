import type { RemoteAgentClientOptions } from '../src/client/client-context.ts';
import { MemoryTokenStore } from '../src/credentials/token-store.ts';
import { RemoteAgentClient } from '../src/remote-agent-client/remote-agent-client.ts';
import { SELF, TOKEN } from './agent-ids.ts';
import { InstantClock } from './instant-clock.ts';
import { RecordingLogger } from './recording-logger.ts';
import { type ScriptedAnswer, ScriptedServer } from './scripted-server.ts';

/** A client and the scripted server it talks to. */
export interface ClientStage extends AsyncDisposable {
  readonly client: RemoteAgentClient;
  readonly server: ScriptedServer;
  readonly store: MemoryTokenStore;
  readonly clock: InstantClock;
  readonly logger: RecordingLogger;
}

/** Starts a server with a script and a client that has a token and never really waits. */
export async function stage(
  script: ScriptedAnswer | ScriptedAnswer[] = [],
  options: RemoteAgentClientOptions & { token?: string | null } = {},
): Promise<ClientStage> {
  const server = await ScriptedServer.start(...(Array.isArray(script) ? script : [script]));
  const clock = new InstantClock();
  const logger = new RecordingLogger();
  const { token = TOKEN, ...rest } = options;
  const store = new MemoryTokenStore(token ?? undefined);
  const client = new RemoteAgentClient({
    workspaceId: SELF,
    platformUrl: server.url,
    tokenStore: store,
    clock,
    logger,
    random: () => 0.5,
    ...rest,
  });
  return {
    client,
    server,
    store,
    clock,
    logger,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
