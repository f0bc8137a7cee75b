/** The operator's client. A test pins this list of exports. */

export { type NewWorkspace, OperatorClient } from './client/operator-client.ts';
export type { PeerReply } from './peers/peer-reply.ts';
export type { ActivityEntry } from './platform-api/activity.ts';
export type { WorkspaceInfo } from './platform-api/workspaces.ts';
export type { OperatorClientOptions } from './settings/client-settings.ts';
