import { type ConnectionOptions, resolveConnection } from '../src/settings/connection-settings.ts';
import { type BearerSource, Transport } from '../src/transport/transport.ts';
import { SELF } from './agent-ids.ts';
import { InstantClock } from './instant-clock.ts';

/** A transport to a scripted server, without pauses between attempts, without jitter and with a fixed bearer. */
export function testTransport(
  platformUrl: string,
  options: ConnectionOptions & { bearer?: string; newer?: string; workspaceId?: string | null } = {},
): { transport: Transport; clock: InstantClock } & AsyncDisposable {
  const clock = new InstantClock();
  const { bearer, newer, workspaceId = SELF, ...rest } = options;
  const bearers: BearerSource = {
    isLoaded: true,
    load: async () => {},
    current: () => bearer,
    renew: async () => newer,
  };
  const settings = resolveConnection({ platformUrl, clock, random: () => 0.5, ...rest }, {});
  const transport = new Transport(settings, bearers, workspaceId);
  return { transport, clock, [Symbol.asyncDispose]: () => transport.close() };
}
