/** Tools for models, without a framework, and what adapters to frameworks share. A test pins this list of exports. */

export { AGENT_OPTION_NAMES } from './agent/agent-options.ts';
export { CLIENT_OPTION_NAMES } from './client/client-context.ts';
export { handlerSignal } from './client/current-message.ts';
export {
  originOfPeerText,
  type ReceivedValue,
  receivedValue,
  rememberPeerText,
} from './peers/received-values.ts';
export { fenceRepeatably } from './peers/text-for-model.ts';
export { type KnownOptions, knownOptions } from './settings/known-options.ts';
export { clientProblem, type OptionKind, optionsProblem, peerIdProblem } from './tools/adapter-options.ts';
export {
  type Approvals,
  approverOf,
  cannotAsk,
  checkQuestions,
  dataOfQuestion,
  isApproved,
  type QuestionAnswer,
  questionSuperseded,
  shownWhole,
  textOfAnswer,
  textOfQuestion,
} from './tools/approvals.ts';
export {
  type CallContent,
  contextIdOfCall,
  contextIdOfThread,
  conversationOfContext,
  currentConversation,
  inConversation,
  messageIdOfCall,
  occurrenceOfCall,
  valueDigest,
} from './tools/call-identity.ts';
export type { CallPeerInput, CallPeerTool, DelegateTaskInput, DelegateTaskTool } from './tools/call-peer.ts';
export { type ProgressReports, reportProgress } from './tools/call-peer.ts';
export {
  type CheckedOutcome,
  checkedOutcome,
  isCheckedOutcome,
  type OutcomeStreamOptions,
  type PeerAnswerSoFar,
  streamOutcome,
  verifyOutcome,
} from './tools/checked-outcome.ts';
export { endsForGood, type FrameworkErrors, handlerErrorOf } from './tools/framework-errors.ts';
export {
  type FenceMarkedTextOptions,
  fenceMarkedText,
  fenceMarkedValue,
  fenceOnce,
} from './tools/marked-text.ts';
export { answersOwnMessage, conversationClaimed, SerialQueue, turnForModel } from './tools/message-turn.ts';
export {
  type DefaultPeerToolNames,
  isPeerToolName,
  PEER_TOOLS_OPTION_NAMES,
  type PeerTool,
  type PeerToolList,
  type PeerToolName,
  type PeerToolsOptions,
  peerTools,
} from './tools/peer-tools.ts';
export {
  mayHaveArrived,
  type RepeatableCall,
  type RepeatableCallOptions,
  RepeatedCalls,
} from './tools/repeated-calls.ts';
export {
  cutNote,
  cutText,
  outcomeOfReply,
  type PeerQuestion,
  type PeerReplyOutcome,
  type ReplyWordsOptions,
  ShownWords,
  type ShownWordsOptions,
  wordsOfReply,
} from './tools/reply-outcome.ts';
export { readsStream, removeRepeatedMarks, restOfAnswer, StreamedAnswer } from './tools/streamed-answer.ts';
export type {
  CancelTaskInput,
  CancelTaskTool,
  CheckTaskStatusInput,
  CheckTaskStatusTool,
  DelegateTaskAsyncInput,
  DelegateTaskAsyncTool,
  TaskList,
} from './tools/task-tools.ts';
export type {
  AnswerInput,
  JsonSchema,
  ToolCall,
  ToolDefinition,
  ToolOutcome,
} from './tools/tool-definition.ts';
export type { FailureData, OutcomeContext, ReplyContext } from './tools/tool-run.ts';
export { runTool } from './tools/tool-run.ts';
export type {
  GetWorkspaceInfoTool,
  ListPeersTool,
  MessageToUser,
  NoInput,
  OwnWorkspace,
  PeerList,
  SendMessageToUserInput,
  SendMessageToUserTool,
} from './tools/workspace-tools.ts';
