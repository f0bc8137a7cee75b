/** The operator's client. A test pins this list of exports. */

export type { WaitForAnswerOptions } from './client/message-state.ts';
export {
  type CreatedWorkspace,
  type DeleteWorkspaceOptions,
  type NewWorkspace,
  OperatorClient,
  type WorkspaceChanges,
} from './client/operator-client.ts';
export type { SendMessageOptions, StreamMessageOptions } from './client/peer-calls.ts';
export type { PeerStream } from './client/peer-stream.ts';
export type {
  AnswerOfUser,
  AskedQuestion,
  ListQuestionsOptions,
  QuestionReply,
} from './client/questions.ts';
export type { ListTokensOptions, MintedToken, OperatorTokens, TokenInfo } from './client/tokens.ts';
export type { PeerReply } from './peers/peer-reply.ts';
export type { ActivityEntry, ActivityFilters, ActivityPage } from './platform-api/activity.ts';
export type { GetWorkspaceOptions, WorkspaceInfo, WorkspaceStateReport } from './platform-api/workspaces.ts';
export type { OperatorClientOptions } from './settings/client-settings.ts';
export type { CallOptions } from './transport/platform-request.ts';
