import { randomUUID } from 'node:crypto';
import { saying } from './scripted-model.ts';
import { askWithTool, BATCH, ofPeer, questionsTo, type Surface, shown, textAt } from './surface.ts';

/** Words in the messages that the agent handles. */
export const MESSAGE_SURFACES: readonly Surface[] = [
  {
    id: 'inbound-text',
    about: 'a message of a peer',
    bring: async (stage, [hostile]) => {
      stage.model.script(saying('Done.'));
      await stage.askAsPeer(hostile?.text ?? '');
    },
    expected: ofPeer,
  },
  {
    id: 'inbound-name',
    about: 'the name and the role of the sender of a message',
    bring: async (stage, [hostile]) => {
      const { text = '' } = hostile ?? {};
      for (const changes of [{ name: text }, { role: text }]) {
        // What the platform refuses reaches nobody.
        await stage.settle(stage.operator.updateWorkspace(stage.peer.id, changes).catch(() => {}));
      }
      stage.model.script(saying('Done.'));
      await stage.askAsPeer('hello');
    },
    expected: ({ peer }) => ({ shown: 'maybe', origin: peer.id }),
  },
  {
    id: 'inbound-parts',
    about: 'names of files, data and metadata in a message of a peer',
    bring: async (stage, [hostile]) => {
      const { text = '' } = hostile ?? {};
      stage.model.script(saying('Done.'));
      const file = { name: text, mimeType: text, uri: 'https://files.test/a' };
      const parts = [
        { kind: 'text', text: 'See the file.' },
        { kind: 'file', file },
        { kind: 'data', data: { note: text, [text]: true } },
      ];
      await stage.sendAsPeer({ parts, metadata: { note: text } });
    },
    expected: ({ peer }) => ({ shown: 'maybe', origin: peer.id }),
  },
  {
    id: 'late-text',
    about: 'an answer that comes when the tool no longer waits',
    stage: { timeoutMs: 2_000 },
    batch: BATCH,
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
    batch: BATCH,
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
      model.script(
        { toolCalls: questionsTo(peer.id, texts) },
        ...texts.map(() => saying('Noted.')),
        saying('Done.'),
      );
      for (const { text } of texts) await stage.askAsPeer(text, contextId);
      await stage.askAsPeer('And now?', contextId);
      model.prompts.splice(0, model.prompts.length - 1);
    },
    expected: ofPeer,
  },
  {
    id: 'card-as-stored',
    about: 'a card of a peer that the platform accepted',
    bring: async (stage, [hostile]) => {
      const { text = '' } = hostile ?? {};
      const card = { name: text, description: text, skills: [{ id: 'a', name: text }] };
      // What the platform refuses reaches nobody.
      await stage.settle(stage.peer.client.updateCard(card).catch(() => {}));
      await askWithTool(stage, 'list_peers');
    },
    expected: () => ({ shown: 'maybe', origin: 'unknown' }),
  },
];
