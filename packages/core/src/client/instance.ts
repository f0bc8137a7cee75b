import { INSTANCE_HEADER, routes, TAKEOVER_HEADER } from '@molecule-ai/protocol';
import { call } from '../platform-api/call.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';
import type { ClientContext } from './client-context.ts';

/** Options of the requests that identify one running agent of a workspace. */
export interface InstanceOptions extends CallOptions {
  /**
   * The running agent that sends this, 1–200 printable ASCII characters. The platform lets one of them at a time read
   * the messages of a workspace. @default none: the request neither claims nor renews anything
   */
  instanceId?: string | undefined;
}

/** The headers of a request of an instance; `undefined` for a request of none, or for a platform without instances. */
export function instanceHeaders(
  { capabilities }: Transport,
  instanceId: string | undefined,
  takeover = false,
): Record<string, string> | undefined {
  if (instanceId === undefined || capabilities.lacks('instances')) return undefined;
  return { [INSTANCE_HEADER]: instanceId, ...(takeover ? { [TAKEOVER_HEADER]: '1' } : {}) };
}

/** Reports that an instance stops. */
export async function goodbye(
  { transport, settings }: ClientContext,
  instanceId: string,
  { signal }: CallOptions,
): Promise<void> {
  const body = { workspace_id: settings.workspaceId, instance_id: instanceId };
  await call(transport, routes.goodbye, { body, signal });
}
