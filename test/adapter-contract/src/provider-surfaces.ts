import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { ProviderRun } from './adapter-driver.ts';
import { type HostileText, piecesOfCopies } from './hostile-strings.ts';
import { saying } from './scripted-model.ts';
import type { Stage } from './stage.ts';
import { inTurns, ofPeer, requireInEach, type Surface, shown } from './surface.ts';

/** Words that come back where a peer is used as a model or a step of a chain, and those of a conversation that is read back. */
export const PROVIDER_SURFACES: readonly Surface[] = [
  {
    id: 'provider',
    about: 'the answer of a peer that is a step of a chain, a model or a subagent',
    bring: async (stage, [hostile]) => {
      stage.peer.script(hostile?.text ?? '');
      await askProvider(stage, stage.peer.id);
    },
    expected: ofPeer,
  },
  {
    id: 'provider-cut',
    about: 'the same, streamed and cut at each place',
    bring: async (stage, [hostile]) => {
      const pieces = piecesOfCopies(hostile?.text ?? '');
      const peerId = await stage.scriptPeerWithUrl(() => inTurns(pieces, setImmediate));
      await askProvider(stage, peerId, { isStreamed: true });
    },
    expected: shown,
  },
  {
    id: 'provider-as-message',
    about:
      'the answer of such a peer in a message to the next model: the whole text, and the messages that the framework makes of it',
    bring: async (stage, [hostile]) => {
      stage.peer.script(hostile?.text ?? '', hostile?.text ?? '', hostile?.text ?? '', hostile?.text ?? '');
      for (const passedOn of ['text', 'messages'] as const) {
        for (const isStreamed of [false, true]) {
          await askProvider(stage, stage.peer.id, { isStreamed, passedOn });
          requireInEach(stage.model.prompts.slice(-1), hostile === undefined ? [] : [hostile]);
        }
      }
    },
    expected: ofPeer,
  },
  {
    id: 'provider-error',
    about: 'the text and the code with which such a peer fails, also in a message of an error',
    bring: async (stage, [hostile]) => {
      const { text = '', canary } = hostile ?? {};
      for (const isStreamed of [false, true]) {
        stage.peer.script({ fail: text, code: canary });
        await askProvider(stage, stage.peer.id, { isStreamed });
      }
    },
    expected: ({ peer }) => ({ shown: 'maybe', origin: peer.id }),
  },
  {
    id: 'provider-gateway',
    about: 'an error in front of the platform for such a peer',
    bring: async (stage, [hostile]) => {
      for (const rule of refusals(hostile)) {
        stage.gateway.rules = [rule];
        await askProvider(stage, stage.peer.id);
      }
    },
    expected: () => ({ shown: 'no' }),
  },
  {
    id: 'stored-history',
    about: 'messages of a conversation that are read back from the platform',
    bring: async (stage, [hostile]) => {
      const { client, driver, model, peer } = stage;
      const contextId = randomUUID();
      const conversations: string[] = [];
      model.script(saying('Noted.'), saying('Done.'));
      await stage.askAsPeer(hostile?.text ?? '', contextId);
      const { rows } = await stage.settle(client.listActivity({ peerId: peer.id, limit: 1 }));
      conversations.push(...rows.map(({ raw }) => String(raw.conversation_id)));
      model.prompts.length = 0;
      await stage.settle(
        driver.promptHistory?.({ client, conversationId: conversations[0] ?? '', model }) ??
          Promise.resolve(),
      );
    },
    expected: ofPeer,
  },
];

/** What an error says is a prompt as well: frameworks show it to the model. */
async function askProvider(
  { client, driver, model, settle }: Stage,
  peerId: string,
  options: Pick<ProviderRun, 'passedOn'> & Partial<Pick<ProviderRun, 'isStreamed'>> = {},
): Promise<void> {
  const earlier = [...model.prompts];
  model.script(saying('Done.'));
  const run = { client, peerId, text: 'hello', isStreamed: false, model, ...options };
  await settle(driver.askProvider?.(run) ?? Promise.resolve()).catch((error: unknown) => {
    model.record({ messages: [{ role: 'error', text: `${error}` }], tools: [] });
  });
  model.prompts.unshift(...earlier);
}

function refusals({ text, canary }: HostileText = { id: '', text: '', canary: '' }) {
  const body = { error: text, code: canary, hint: text, message: text, detail: { [text]: text } };
  const path = '/workspaces/:id/a2a';
  return [403, 500].map((status) => ({ fault: 'status', status, path, body }) as const);
}
