import type { PeerInfo } from '../peers/peer-info.ts';
import { lineForModel, peersForModel } from '../peers/text-for-model.ts';
import type { FailureData } from './failure-outcome.ts';
import { readArguments, schemaOf } from './tool-arguments.ts';
import type { ToolDefinition } from './tool-definition.ts';
import { asOutcome, type ToolContext } from './tool-run.ts';

const MAX_NAME_LENGTH = 200;

export type PeerList = {
  status: 'ok';
  /** Names and roles are what the peers say of themselves: untrusted. */
  peers: { id: string; name: string; role: string; status: string }[];
  /** How many more there are than `maxModelChars` has room for. */
  omitted: number;
};

export type NoInput = Record<string, never>;
export type ListPeersTool = ToolDefinition<'list_peers', NoInput, PeerList | FailureData>;

const DESCRIPTION =
  'Lists the other agents that you can send messages to: their ids, whether they are there, and what they say of themselves.';

export function listPeersTool(context: ToolContext): ListPeersTool {
  return {
    name: 'list_peers',
    description: DESCRIPTION,
    inputSchema: schemaOf({}),
    parse: (raw) => readArguments(raw, {}),
    run: (_input, call = {}) =>
      asOutcome(context, call, async () => {
        const all = await context.client.getPeers({ signal: call.signal });
        const { shown, text } = fitting(all, context.maxModelChars);
        const omitted = all.length - shown.length;
        const peers = shown.map(({ id, name, role, status }) => ({
          id,
          name: lineForModel(name, MAX_NAME_LENGTH),
          role: lineForModel(role, MAX_NAME_LENGTH),
          status,
        }));
        return {
          forModel: omitted > 0 ? `${text}\n${omitted} more peers are left out.` : text,
          data: { status: 'ok', peers, omitted },
          isError: false,
        };
      }),
  };
}

/** As many peers, from the first on, as have room. */
function fitting(
  peers: readonly PeerInfo[],
  maxLength: number,
): { shown: readonly PeerInfo[]; text: string } {
  for (let shown = peers; ; ) {
    const text = peersForModel(shown);
    if (text.length <= maxLength || shown.length <= 1) return { shown, text };
    const share = Math.floor((shown.length * maxLength) / text.length);
    shown = shown.slice(0, Math.max(1, Math.min(shown.length - 1, share)));
  }
}
