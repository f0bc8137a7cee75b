import { MessageFailure } from '@molecule-ai/core';
import type { ProviderRun } from './adapter-driver.ts';
import { type HostileText, piecesOfCopies } from './hostile-strings.ts';
import { saying } from './scripted-model.ts';
import type { Stage } from './stage.ts';
import { BATCH, inTurns, ofPeer, requireTimes, type Surface, shown, textAt } from './surface.ts';

/** Words that come back where a peer is used as a model or a step of a chain, and those of a conversation that is read back. */
export const PROVIDER_SURFACES: readonly Surface[] = [
  {
    id: 'provider',
    about:
      'the answer of a peer that is a step of a chain, a model or a subagent: its whole text in a message to the next model, and the messages that the framework makes of it',
    batch: BATCH,
    bring: async (stage, texts) => {
      stage.peer.script(({ text: place }) => textAt(texts, place).text);
      await askProvider(stage, stage.peer.id, texts, { passedOn: 'both' });
    },
    expected: ofPeer,
  },
  {
    id: 'provider-cut',
    about: 'the same, streamed, whole and cut at several places',
    batch: BATCH,
    bring: async (stage, texts) => {
      const peerId = await stage.scriptPeerWithUrl(({ text: place }) =>
        inTurns(piecesOfCopies(textAt(texts, place).text), stage),
      );
      await askProvider(stage, peerId, texts, { isStreamed: true, passedOn: 'both' });
    },
    expected: shown,
  },
  {
    id: 'provider-error',
    about: 'the text and the code with which such a peer fails, also in a message of an error',
    batch: BATCH,
    bring: async (stage, texts) => {
      stage.peer.script(({ text: place }) => {
        const { text, canary } = textAt(texts, place);
        throw new MessageFailure(text, { code: canary });
      });
      for (const isStreamed of [false, true]) {
        await askProvider(stage, stage.peer.id, texts, { isStreamed, mayFail: true });
      }
    },
    expected: ({ peer }) => ({ shown: 'maybe', origin: peer.id }),
  },
  {
    id: 'provider-gateway',
    about: 'an error in front of the platform for such a peer',
    bring: async (stage, texts) => {
      for (const rule of texts.flatMap(refusals)) {
        stage.gateway.rules = [rule];
        await askProvider(stage, stage.peer.id, texts, { mayFail: true });
      }
    },
    expected: () => ({ shown: 'no' }),
  },
  {
    id: 'stored-history',
    about: 'messages of a conversation that are read back from the platform',
    batch: BATCH,
    bring: async (stage, texts) => {
      const { client, driver, model, peer, settle } = stage;
      model.script(() => saying('Noted.'));
      await stage.askAllAsPeer(texts.map(({ text }) => text));
      const { rows } = await settle(client.listActivity({ peerId: peer.id, limit: texts.length }));
      model.prompts.length = 0;
      const reads = rows.map(({ raw }) =>
        driver.promptHistory?.({ client, conversationId: String(raw.conversation_id), model }),
      );
      await settle(Promise.all(reads));
    },
    expected: ofPeer,
  },
];

interface AskOptions extends Pick<ProviderRun, 'passedOn'>, Partial<Pick<ProviderRun, 'isStreamed'>> {
  /** Whether the call may reject. What an error says is a prompt as well: frameworks show it to the model. @default false */
  readonly mayFail?: boolean;
}

/** Asks the peer for the place of each text, at once. */
async function askProvider(
  { client, driver, model, settle }: Stage,
  peerId: string,
  texts: readonly HostileText[],
  { mayFail = false, ...options }: AskOptions = {},
): Promise<void> {
  const earlier = [...model.prompts];
  model.script(() => saying('Done.'));
  const runs = texts.map(async (_text, place) => {
    const run = { client, peerId, text: String(place), isStreamed: false, model, ...options };
    await driver.askProvider?.(run).catch((error: unknown) => {
      if (!mayFail) throw error;
      model.record({ messages: [{ role: 'error', text: `${error}` }], tools: [] });
    });
  });
  await settle(Promise.all(runs));
  const { prompts } = model;
  const least = texts.length * (options.passedOn === 'both' && !mayFail ? 2 : 1);
  if (prompts.length !== least) throw new Error(`There are ${prompts.length} prompts, not ${least}.`);
  if (!mayFail) requireTimes(least / texts.length, prompts, texts);
  model.prompts.unshift(...earlier);
}

function refusals({ text, canary }: HostileText) {
  const body = { error: text, code: canary, hint: text, message: text, detail: { [text]: text } };
  const path = '/workspaces/:id/a2a';
  return [403, 500].map((status) => ({ fault: 'status', status, path, body }) as const);
}
