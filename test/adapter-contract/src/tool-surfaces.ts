import { setImmediate } from 'node:timers/promises';
import { MessageFailure } from '@molecule-ai/core';
import { piecesOfCopies } from './hostile-strings.ts';
import {
  askPeer,
  askWithTools,
  BATCH,
  inTurns,
  isToBeFenced,
  nothing,
  ofPeer,
  questionsTo,
  type Surface,
  shown,
  textAt,
  within,
} from './surface.ts';

/** Of a question so many characters are shown. */
const QUESTION_LENGTH = 2_000;

/** What the other tool reads. */
const mails: string[] = [];

/** Words that come back from the tools for peers, and from others. */
export const TOOL_SURFACES: readonly Surface[] = [
  {
    id: 'tool-result',
    about: 'the answer of a peer to a tool',
    batch: BATCH,
    bring: (stage, texts) => askPeer(stage, texts, ({ text }) => text),
    expected: ofPeer,
  },
  {
    id: 'tool-result-parts',
    about: 'data in the answer of a peer',
    batch: BATCH,
    bring: (stage, texts) =>
      askPeer(stage, texts, ({ text }) => {
        return { text: 'See:', parts: [{ kind: 'data', data: { note: text, [text]: true } }] };
      }),
    expected: ofPeer,
  },
  {
    id: 'file-name',
    about: 'the name, the type and the URL of a file in the answer of a peer',
    batch: BATCH,
    bring: (stage, texts) =>
      askPeer(stage, texts, ({ text, canary }) => {
        const file = { name: text, mimeType: text, uri: `https://files.test/${canary}` };
        return { text: 'See:', parts: [{ kind: 'file', file }] };
      }),
    expected: ofPeer,
  },
  {
    id: 'tool-error',
    about: 'the text and the code with which a peer fails',
    batch: BATCH,
    bring: (stage, texts) =>
      askPeer(stage, texts, ({ text, canary }) => {
        throw new MessageFailure(text, { code: canary });
      }),
    expected: ofPeer,
  },
  {
    id: 'question-of-peer',
    about: 'a question of a peer',
    batch: BATCH,
    bring: (stage, texts) =>
      askPeer(stage, texts, ({ text }) => ({
        text: '',
        questions: [{ kind: 'text', text, from: 'sender' }],
      })),
    expected: within(QUESTION_LENGTH, ofPeer),
  },
  {
    id: 'progress',
    about: 'the answer of a peer to a tool that reports progress',
    batch: BATCH,
    stage: { onProgress: () => {} },
    bring: (stage, texts) =>
      askPeer(stage, texts, ({ text }) => {
        const half = Math.floor(text.length / 2);
        return inTurns([text.slice(0, half), text.slice(half)], () => stage.platform.clock.sleep(500));
      }),
    expected: ofPeer,
  },
  {
    id: 'tool-result-cut',
    about: 'the answer of a peer to a tool, streamed and cut at each place',
    bring: async (stage, [hostile]) => {
      const { client, driver, model } = stage;
      const pieces = piecesOfCopies(hostile?.text ?? '');
      const peerId = await stage.scriptPeerWithUrl(() => inTurns(pieces, setImmediate));
      const args = { peer_id: peerId, text: 'hello' };
      let reported = '';
      const onProgress = (piece: string) => {
        reported += piece;
      };
      const result = await stage.settle(driver.runTool({ client, name: 'call_peer', args, onProgress }));
      model.record({ messages: [{ role: 'tool', text: result.text }], tools: [] });
      if (reported.trim() === pieces.join('').trim()) return;
      throw new Error(`The progress is not the answer: ${JSON.stringify(reported)}`);
    },
    expected: shown,
  },
  {
    id: 'direct-result',
    about: 'the answer of a peer that was called without the platform',
    batch: BATCH,
    stage: { isDirect: true },
    bring: async (stage, texts) => {
      const peerId = await stage.scriptPeerWithUrl(({ text: place }) => textAt(texts, place).text);
      await askWithTools(stage, questionsTo(peerId, texts));
    },
    expected: shown,
  },
  {
    id: 'task-result',
    about: 'the result of a task that the model did not wait for',
    batch: BATCH,
    bring: async (stage, texts) => {
      const { client, peer } = stage;
      peer.script(({ text: place }) => textAt(texts, place).text);
      const sent = texts.map((_text, place) => client.sendToPeer(peer.id, String(place)));
      const tasks = await stage.settle(Promise.all(sent));
      const args = tasks.map(({ messageId }) => ({ task_id: messageId }));
      await askWithTools(
        stage,
        args.map((each) => ({ name: 'check_task_status', args: each })),
      );
    },
    expected: ofPeer,
  },
  {
    id: 'tool-arguments',
    about: 'arguments that the model took from a peer: an id, names of arguments, values',
    bring: async (stage, [hostile]) => {
      const { client, driver, peer } = stage;
      const { text = '' } = hostile ?? {};
      for (const args of [{ peer_id: text, text: 'hello' }, { peer_id: peer.id, [text]: text }, text]) {
        const result = await stage.settle(driver.runTool({ client, name: 'call_peer', args }));
        stage.model.record({ messages: [{ role: 'tool', text: result.text }], tools: [] });
      }
    },
    expected: nothing,
  },
  {
    id: 'other-tool',
    about: 'the result of another tool: fenced where it has a marker of the platform, else as it is',
    stage: { ownTools: [{ name: 'read_mail', run: async () => mails.shift() ?? '' }] },
    batch: BATCH,
    bring: async (stage, texts) => {
      mails.push(...texts.map(({ text }) => text));
      await askWithTools(
        stage,
        texts.map(() => ({ name: 'read_mail', args: {} })),
      );
      const { prompts } = stage.model;
      const { messages = [], tools = [] } = prompts.pop() ?? {};
      const results = messages.slice(-texts.length);
      const changed = results.find(({ text: read }, place) => {
        const { text = '' } = texts[place] ?? {};
        return !isToBeFenced(text) && read !== text;
      });
      if (changed !== undefined) throw new Error(`A text without a marker was changed: ${changed.text}`);
      const fenced = results.filter((_result, place) => isToBeFenced(texts[place]?.text ?? ''));
      prompts.push({ messages: [...messages.slice(0, -texts.length), ...fenced], tools });
    },
    expected: (_stage, { text }) => ({ shown: isToBeFenced(text) ? 'yes' : 'no', origin: 'unknown' }),
  },
];
