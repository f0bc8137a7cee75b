/** The operator's client. This file is a contract: a test pins its names. */
export type { ActivityPage } from './client/activity-page.ts';
export type { CallPeerOptions } from './client/call-peer.ts';
export { type DeleteWorkspaceOptions, OperatorClient } from './client/operator-client.ts';
export { type MintedToken, OperatorTokens } from './client/operator-tokens.ts';
export type { WorkspaceStateReport } from './client/state-poll.ts';
export type { WaitForAnswerOptions } from './client/wait-for-answer.ts';
export type { CreatedWorkspace, NewWorkspace, WorkspaceChanges } from './client/workspace-changes.ts';
export type { PeerReply } from './peers/peer-reply.ts';
export type { ActivityFilters } from './platform-api/activity.ts';
export type { ActivityEntry } from './platform-api/activity-entry.ts';
export type { ListTokensOptions, TokenInfo } from './platform-api/tokens.ts';
export type { WorkspaceInfo } from './platform-api/workspace-info.ts';
export type { GetWorkspaceOptions } from './platform-api/workspaces.ts';
export type { ConnectionOptions } from './settings/connection-options.ts';
export type { OperatorClientOptions } from './settings/operator-options.ts';
export type { CallOptions } from './transport/platform-request.ts';
