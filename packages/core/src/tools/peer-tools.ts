import type { PeerClient } from '../client/peer-client.ts';
import { invalidArgument } from '../errors/molecule-error.ts';
import { number, type OptionsOf, option, optionsSchema, parseArgument } from '../settings/options.ts';
import { clientProblem } from './adapter-options.ts';
import { callPeerTool, delegateTaskTool } from './call-peer.ts';
import { cancelTaskTool, checkTaskStatusTool, delegateTaskAsyncTool } from './task-tools.ts';
import type { ToolContext } from './tool-run.ts';
import { getWorkspaceInfoTool, listPeersTool, sendMessageToUserTool } from './workspace-tools.ts';

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_MODEL_CHARS = 32_000;

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

/** What `peerTools` and its adapters take. */
export class PeerToolsShape {
  /** The tools, in this order. `delegate_task` is `call_peer` by the name of other Molecule AI tools. @default all but `delegate_task` */
  only = option<readonly PeerToolName[], readonly PeerToolName[]>((names, refuse) => {
    if (names === undefined) return DEFAULT_NAMES;
    const possible = Object.keys(TOOLS).join(', ');
    if (!Array.isArray(names)) return refuse(`must be a list of names of tools: ${possible}`);
    if (!names.every((name) => typeof name === 'string' && isPeerToolName(name))) {
      return refuse(`names a tool that does not exist. Possible are ${possible}`);
    }
    if (new Set(names).size < names.length) return refuse('names a tool twice');
    return names;
  });
  /**
   * How long a tool waits for an answer, in milliseconds, 2 000 or more; without `onProgress` up to 5 s less, which are for the response. Then the
   * result is that it is not there yet. @default 120_000
   */
  timeoutMs = number({ min: 2_000, isInteger: true, byDefault: DEFAULT_TIMEOUT_MS });
  /**
   * At most so many UTF-16 units of a peer's words in one result, 1 000 or more. What is cut is said, and `data.messageId` reads the whole:
   * `client.getMessage`. @default 32_000
   */
  maxModelChars = number({ min: 1_000, isInteger: true, byDefault: DEFAULT_MODEL_CHARS });
}

export interface PeerToolsOptions<Names extends readonly PeerToolName[] = readonly PeerToolName[]>
  extends Omit<OptionsOf<PeerToolsShape>, 'only'> {
  /** The tools, in this order. `delegate_task` is `call_peer` by the name of other Molecule AI tools. @default all but `delegate_task` */
  only?: Names | undefined;
}

const OPTIONS = optionsSchema(new PeerToolsShape());

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
  const problem = clientProblem(client);
  if (problem !== null) throw invalidArgument(problem);
  const { only: names, timeoutMs, maxModelChars } = parseArgument('peerTools', OPTIONS, options);
  const offered = new Set<string>(names);
  const context: ToolContext = { client, timeoutMs, maxModelChars, offered, ownId: client.workspaceId };
  return names.map((name) => TOOLS[name](context)) as unknown as PeerToolList<Names>;
}

/** Whether a tool with this name may be one of {@link peerTools}. */
export function isPeerToolName(name: string): name is PeerToolName {
  return Object.hasOwn(TOOLS, name);
}
