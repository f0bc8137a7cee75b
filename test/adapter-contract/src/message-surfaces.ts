import { randomUUID } from 'node:crypto';
import { calling, saying } from './scripted-model.ts';
import {
  askWithTurns,
  BATCH,
  ofPeer,
  questionsTo,
  requireTimes,
  type Surface,
  shown,
  TURNS,
  textAt,
} from './surface.ts';

/** So many hostile texts are parts of one message. */
const TEXTS_OF_A_MESSAGE = 9;

/** Words in the messages that the agent handles. */
export const MESSAGE_SURFACES: readonly Surface[] = [
  {
    id: 'inbound-text',
    about: 'a message of a peer',
    beside: [
      {
        id: 'inbound-parts',
        about: 'names of files, data and metadata in a message of a peer',
        expected: ({ peer }) => ({ shown: 'maybe', origin: peer.id }),
      },
    ],
    batch: BATCH,
    bring: async (stage, texts, besides = []) => {
      stage.model.script(() => saying('Done.'));
      const messages = texts.map(({ text }, place) => {
        const { text: beside } = textAt(besides, place);
        const file = { name: beside, mimeType: beside, uri: 'https://files.test/a' };
        const parts = [
          { kind: 'text', text },
          { kind: 'file', file },
          { kind: 'data', data: { note: beside, [beside]: true } },
        ];
        return { parts, metadata: { note: beside } };
      });
      await stage.sendAsPeer(...messages);
    },
    expected: ofPeer,
  },
  {
    id: 'inbound-name',
    about: 'the name and the role of the sender of a message, where the platform accepts them',
    stage: {},
    bring: async (stage, [hostile]) => {
      const { text = '' } = hostile ?? {};
      const accepted: boolean[] = [];
      for (const changes of [{ name: text }, { role: text }]) {
        // What the platform refuses reaches nobody.
        const change = stage.operator.updateWorkspace(stage.peer.id, changes);
        const isAccepted = change.then(
          () => true,
          () => false,
        );
        accepted.push(await stage.settle(isAccepted));
      }
      if (!accepted.includes(true)) return;
      stage.model.script(saying('Done.'));
      await stage.askAsPeer('hello');
    },
    expected: ({ peer }) => ({ shown: 'maybe', origin: peer.id }),
  },
  {
    id: 'late-text',
    about: 'an answer that comes when the tool no longer waits',
    stage: { timeoutMs: 2_000 },
    batch: TURNS,
    bring: async (stage, texts) => {
      const { model, peer, platform } = stage;
      peer.script(async ({ text: place }) => {
        await platform.clock.sleep(5_000);
        return textAt(texts, place).text;
      });
      let isFirst = true;
      model.script(() => {
        const turn = isFirst ? { toolCalls: questionsTo(peer.id, texts) } : saying('Noted.');
        isFirst = false;
        return turn;
      });
      await stage.ask('Ask the peer.');
      await platform.clock.advanceUntil(() => model.prompts.length === 2 + texts.length);
    },
    expected: ofPeer,
  },
  {
    id: 'answer-of-sender',
    about: 'what a peer answers to a question of the agent',
    stage: {
      ownTools: [
        {
          name: 'ask_language',
          asks: { text: 'Which language?', from: 'sender' },
          run: async (answer) => answer,
        },
      ],
    },
    batch: TURNS,
    bring: async (stage, texts) => {
      const { client, model, peer } = stage;
      model.script({ toolCalls: texts.map(() => ({ name: 'ask_language', args: {} })) }, saying('Done.'));
      const { status, questions } = await stage.askAsPeer('Translate it.');
      if (status !== 'input-required') throw new Error(`The agent asked nothing: ${status}.`);
      const answers = questions.map(({ id }, place) => ({ questionId: id, text: texts[place]?.text ?? '' }));
      await stage.settle(peer.client.callPeer(client.workspaceId, 'Here you are.', { answers }));
    },
    // What an own tool returns is fenced again: that its words are of this peer, nobody can check.
    expected: shown,
  },
  {
    id: 'history',
    about: 'earlier messages and results of a conversation',
    batch: BATCH,
    bring: async (stage, texts) => {
      const { model, peer } = stage;
      const contextId = randomUUID();
      peer.script(({ text: place }) => textAt(texts, place).text);
      let isFirst = true;
      model.script(() => {
        const turn = isFirst ? { toolCalls: questionsTo(peer.id, texts) } : saying('Noted.');
        isFirst = false;
        return turn;
      });
      const left = [...texts];
      while (left.length > 0) {
        const parts = left.splice(0, TEXTS_OF_A_MESSAGE).map(({ text }) => ({ kind: 'text', text }));
        await stage.sendAsPeer({ parts, contextId });
      }
      await stage.askAsPeer('And now?', contextId);
      model.prompts.splice(0, model.prompts.length - 1);
      requireTimes(2, model.prompts, texts);
    },
    expected: ofPeer,
  },
  {
    id: 'card-as-stored',
    about: 'a card of a peer that the platform accepted',
    stage: {},
    batch: TURNS,
    bring: async (stage, texts) => {
      const turns = texts.map(({ text }, place) => () => {
        const card = { name: text, description: text, skills: [{ id: 'a', name: text }] };
        // What the platform refuses reaches nobody.
        const until = stage.peer.client.updateCard(card).catch(() => {});
        return { ...calling('list_peers', {}, `call_${place}`), until };
      });
      await askWithTurns(stage, turns);
    },
    expected: () => ({ shown: 'maybe', origin: 'unknown' }),
  },
];
