export { ManualClock } from '@molecule-ai/platform/testing';
export {
  ConnectProxy,
  type ConnectProxyOptions,
  type ProxyReaction,
  type ProxyRequest,
} from './connect-proxy.ts';
export { type LogEntry, LogFile } from './log-file.ts';
export {
  idIn,
  idOfPeer,
  type ModelCall,
  type ModelScript,
  type NextStep,
  PromptReader,
  type ReadMessage,
} from './model-script.ts';
export {
  type PlatformProcess,
  type PlatformProcessOptions,
  platformBin,
  startPlatformProcess,
} from './platform-process.ts';
export { type ProcessExit, ProgramProcess, type ProgramProcessOptions } from './program-process.ts';
export {
  AgentEvents,
  type AgentRequest,
  type AgentScript,
  answering,
  completed,
  type ScriptedAgent,
  type ScriptedAgentOptions,
  startScriptedAgent,
} from './scripted-agent.ts';
export {
  consulting,
  decide,
  insideFence,
  type ModelInput,
  type ModelStep,
  researching,
} from './scripted-model.ts';
