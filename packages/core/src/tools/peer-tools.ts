import type { PeerClient } from '../client/peer-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { knownOptions } from '../settings/known-options.ts';
import { clientProblem, optionsProblem } from './adapter-options.ts';
import { callPeerTool, delegateTaskTool } from './call-peer.ts';
import { cancelTaskTool, checkTaskStatusTool, delegateTaskAsyncTool } from './task-tools.ts';
import type { ToolContext } from './tool-run.ts';
import { getWorkspaceInfoTool, listPeersTool, sendMessageToUserTool } from './workspace-tools.ts';

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_MODEL_CHARS = 32_000;
const NUMBERS = {
  timeoutMs: { min: 2_000, isInteger: true },
  maxModelChars: { min: 1_000, isInteger: true },
};

const TOOLS = {
  list_peers: listPeersTool,
  get_workspace_info: getWorkspaceInfoTool,
  call_peer: callPeerTool,
  delegate_task: delegateTaskTool,
  delegate_task_async: delegateTaskAsyncTool,
  check_task_status: checkTaskStatusTool,
  cancel_task: cancelTaskTool,
  send_message_to_user: sendMessageToUserTool,
};

const DEFAULT_NAMES = [
  'list_peers',
  'get_workspace_info',
  'call_peer',
  'delegate_task_async',
  'check_task_status',
  'cancel_task',
  'send_message_to_user',
] as const;

export type PeerToolName = keyof typeof TOOLS;
/** The tools that `peerTools` returns unless `only` names others. */
export type DefaultPeerToolNames = typeof DEFAULT_NAMES;

/** The definition of the tool with this name; without a name, of any: `tool.name` is its name. */
export type PeerTool<Name extends PeerToolName = PeerToolName> = {
  [Each in Name]: ReturnType<(typeof TOOLS)[Each]>;
}[Name];

/** The definitions of tools with these names, in this order. */
export type PeerToolList<Names extends readonly PeerToolName[]> = {
  readonly [Place in keyof Names]: PeerTool<Names[Place]>;
};

export interface PeerToolsOptions<Names extends readonly PeerToolName[] = readonly PeerToolName[]> {
  /** The tools, in this order. `delegate_task` is `call_peer` by the name of other Molecule AI tools. @default all but `delegate_task` */
  readonly only?: Names | undefined;
  /**
   * How long a tool waits for an answer, in milliseconds, 2 000 or more; without `onProgress` up to 5 s less, which are for the response. Then the
   * result is that it is not there yet. @default 120_000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * At most so many UTF-16 units of a peer's words in one result, 1 000 or more. What is cut is said, and `data.messageId` reads the whole:
   * `client.getMessage`. @default 32_000
   */
  readonly maxModelChars?: number | undefined;
}

/** The names of {@link PeerToolsOptions}. */
export const PEER_TOOLS_OPTION_NAMES = {
  only: true,
  timeoutMs: true,
  maxModelChars: true,
} as const satisfies Record<keyof PeerToolsOptions, true>;

const OPTIONS = knownOptions<PeerToolsOptions>(PEER_TOOLS_OPTION_NAMES);

/**
 * The tools by which a model works with other agents, as plain definitions for any framework.
 * @throws MoleculeError `invalid_argument` for wrong options.
 *
 * @example
 * const [listPeers, callPeer] = peerTools(client, { only: ['list_peers', 'call_peer'] });
 * const { forModel } = await callPeer.execute({ peer_id, text: 'Good morning' }, { callId, signal });
 */
export function peerTools<const Names extends readonly PeerToolName[] = DefaultPeerToolNames>(
  client: PeerClient,
  options: PeerToolsOptions<Names> = {},
): PeerToolList<Names> {
  const problem =
    clientProblem(client) ??
    optionsProblem(options, NUMBERS, 'peerTools', OPTIONS) ??
    namesProblem(options.only ?? DEFAULT_NAMES);
  if (problem !== null) throw new MoleculeError(problem, { code: 'invalid_argument' });
  const { only, timeoutMs = DEFAULT_TIMEOUT_MS, maxModelChars = DEFAULT_MODEL_CHARS } = options;
  const names: readonly PeerToolName[] = only ?? DEFAULT_NAMES;
  const offered = new Set<string>(names);
  const context: ToolContext = { client, timeoutMs, maxModelChars, offered, ownId: client.workspaceId };
  return names.map((name) => TOOLS[name](context)) as unknown as PeerToolList<Names>;
}

/** Whether a tool with this name may be one of {@link peerTools}. */
export function isPeerToolName(name: string): name is PeerToolName {
  return Object.hasOwn(TOOLS, name);
}

function namesProblem(names: unknown): string | null {
  const possible = Object.keys(TOOLS).join(', ');
  if (!Array.isArray(names)) return `\`only\` must be a list of names of tools: ${possible}.`;
  if (!names.every((name) => typeof name === 'string' && isPeerToolName(name))) {
    return `\`only\` names a tool that does not exist. Possible are ${possible}.`;
  }
  return new Set(names).size === names.length ? null : '`only` names a tool twice.';
}
