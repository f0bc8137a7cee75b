import { randomUUID } from 'node:crypto';
import { calling, saying } from './scripted-model.ts';
import { askWithTool, BATCH, ofPeer, questionsTo, type Surface, textAt } from './surface.ts';

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
    id: 'late-answer',
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
    id: 'history',
    about: 'earlier messages and results of a conversation',
    bring: async (stage, [hostile]) => {
      const { model, peer } = stage;
      const { text = '' } = hostile ?? {};
      peer.script(text);
      const contextId = randomUUID();
      model.script(
        calling('call_peer', { peer_id: peer.id, text: 'hello' }),
        saying('Noted.'),
        saying('Done.'),
      );
      await stage.askAsPeer(text, contextId);
      await stage.askAsPeer('And now?', contextId);
      model.prompts.splice(0, 2);
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
