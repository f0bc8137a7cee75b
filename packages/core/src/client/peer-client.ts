import type { PlatformClient } from './platform-client.ts';

/**
 * The methods of an agent's client. Code that is given a client, such as an adapter, names this type: a client of the
 * ES module and one of the CommonJS build both have it.
 */
export interface PeerClient extends Pick<PlatformClient, keyof PlatformClient> {}
