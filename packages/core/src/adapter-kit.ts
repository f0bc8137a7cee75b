/** What an adapter to a framework is made of: tools for models, turns of an agent, and calls to peers. A test pins this list of exports. */

export { type AgentFramework, agentHandler, type Turn } from './agent/agent-turns.ts';
export { bySkill } from './agent/handlers.ts';
export { clientPort, findClientPort } from './client/client-port.ts';
export { InboundHandlerShape } from './inbound-http/inbound-handler.ts';
export { receivedValue } from './peers/received-values.ts';
export * as shape from './settings/options.ts';
export { clientProblem, peerIdProblem } from './tools/adapter-options.ts';
export type { Approvals, PendingQuestion, RunAnswers } from './tools/approvals.ts';
export { currentConversation, inConversation } from './tools/call-identity.ts';
export {
  type PeerCall,
  PeerCalls,
  type PeerQuestion,
  repeatableCallOptions,
} from './tools/peer-calls.ts';
export {
  type DefaultPeerToolNames,
  isPeerToolName,
  type PeerTool,
  type PeerToolList,
  type PeerToolName,
  type PeerToolsOptions,
  PeerToolsShape,
  peerTools,
} from './tools/peer-tools.ts';
export { outcomeOfReply } from './tools/reply-outcome.ts';
export { type SkillToolOptions, skillTool } from './tools/skill-tool.ts';
export type { StreamedAnswer } from './tools/streamed-answer.ts';
export type { JsonSchema, ToolCall, ToolDefinition, ToolOutcome } from './tools/tool-definition.ts';
export { ownWords } from './trust-boundary/fence.ts';
export { fenceForeignText, mapTexts } from './trust-boundary/foreign-text.ts';
export { createPlainText } from './trust-boundary/plain-text.ts';
