/** Tools for models, without a framework, and what adapters to frameworks share. A test pins this list of exports. */

export { AGENT_OPTION_NAMES } from './agent/agent-options.ts';
export { CLIENT_OPTION_NAMES } from './client/client-context.ts';
export { handlerSignal } from './client/current-message.ts';
export { type ReceivedValue, receivedValue } from './peers/received-values.ts';
export { fenceRepeatably } from './peers/text-for-model.ts';
export { type KnownOptions, knownOptions } from './settings/known-options.ts';
export { clientProblem, type OptionKind, optionsProblem, peerIdProblem } from './tools/adapter-options.ts';
export {
  type ApprovalContent,
  type ApprovalSigner,
  approvalSigner,
  releaseApprovals,
  useApprovals,
} from './tools/approval-signatures.ts';
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
  messageIdOfCall,
  occurrenceOfCall,
} from './tools/call-identity.ts';
export type { CallPeerInput, CallPeerTool, DelegateTaskInput, DelegateTaskTool } from './tools/call-peer.ts';
export {
  type CheckedOutcome,
  checkedOutcome,
  isCheckedOutcome,
  type PeerAnswerSoFar,
  verifyOutcome,
} from './tools/checked-outcome.ts';
export { currentConversation, inConversation } from './tools/conversation-scope.ts';
export type { FailureData, OutcomeContext } from './tools/failure-outcome.ts';
export { endsForGood, type FrameworkErrors, handlerErrorOf } from './tools/framework-errors.ts';
export type { ListPeersTool, NoInput, PeerList } from './tools/list-peers.ts';
export { type FenceMarkedTextOptions, fenceMarkedText, fenceOnce } from './tools/marked-text.ts';
export { fenceMarkedValue } from './tools/marked-value.ts';
export { answersOwnMessage, conversationClaimed, turnForModel } from './tools/message-turn.ts';
export { type OutcomeStreamOptions, streamOutcome } from './tools/outcome-stream.ts';
export type {
  GetWorkspaceInfoTool,
  MessageToUser,
  OwnWorkspace,
  SendMessageToUserInput,
  SendMessageToUserTool,
} from './tools/own-workspace-tools.ts';
export { originOfPeerText, rememberPeerText } from './tools/peer-text-memory.ts';
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
export { type ProgressReports, reportProgress } from './tools/progress-reports.ts';
export {
  mayHaveArrived,
  type RepeatableCall,
  type RepeatableCallOptions,
  RepeatedCalls,
} from './tools/repeated-calls.ts';
export { removeRepeatedMarks } from './tools/repeated-marks.ts';
export {
  cutNote,
  cutText,
  outcomeOfReply,
  type PeerQuestion,
  type PeerReplyOutcome,
  type ReplyContext,
} from './tools/reply-outcome.ts';
export { type ReplyWordsOptions, wordsOfReply } from './tools/reply-words.ts';
export { SerialQueue } from './tools/serial-queue.ts';
export { ShownWords, type ShownWordsOptions } from './tools/shown-words.ts';
export { readsStream, restOfAnswer, StreamedAnswer } from './tools/streamed-answer.ts';
export type {
  CancelTaskInput,
  CancelTaskTool,
  CheckTaskStatusInput,
  CheckTaskStatusTool,
  DelegateTaskAsyncInput,
  DelegateTaskAsyncTool,
  TaskList,
} from './tools/task-tools.ts';
export type { AnswerInput } from './tools/tool-arguments.ts';
export type { JsonSchema, ToolCall, ToolDefinition, ToolOutcome } from './tools/tool-definition.ts';
export { runTool } from './tools/tool-run.ts';
export { valueDigest } from './tools/value-digest.ts';
