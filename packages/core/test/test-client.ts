import type { RemoteAgentClientOptions } from '../src/client/client-context.ts';
import { MemoryTokenStore } from '../src/credentials/token-store.ts';
import { RemoteAgentClient } from '../src/remote-agent-client/remote-agent-client.ts';
import { SELF, TOKEN } from './agent-ids.ts';
import { InstantClock } from './instant-clock.ts';
import { RecordingLogger } from './recording-logger.ts';
import { type ScriptedResponse, ScriptedServer } from './scripted-server.ts';

/** A client and its scripted server. */
export interface ClientStage extends AsyncDisposable {
  readonly client: RemoteAgentClient;
  readonly server: ScriptedServer;
  readonly store: MemoryTokenStore;
  readonly clock: InstantClock;
  readonly logger: RecordingLogger;
}

/** Starts a scripted server and a client that has a token and whose sleeps end immediately. */
export async function stage(
  script: ScriptedResponse | ScriptedResponse[] = [],
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
