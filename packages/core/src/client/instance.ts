import { routes } from '@molecule-ai/protocol';
import { call } from '../platform-api/call.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';

/** Options of the requests that identify one running agent of a workspace. */
export interface InstanceOptions extends CallOptions {
  /**
   * The running agent that sends this, 1–200 printable ASCII characters. The platform lets one of them at a time read
   * the messages of a workspace. @default none: the request neither claims nor renews anything
   */
  instanceId?: string | undefined;
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
