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
    beside: [
      { id: 'tool-result-parts', about: 'data in the answer of a peer', expected: ofPeer },
      {
        id: 'file-name',
        about: 'the name, the type and the URL of a file in the answer of a peer',
        expected: ofPeer,
      },
    ],
    batch: BATCH,
    bring: (stage, texts, data = [], files = []) =>
      askPeer(stage, texts, ({ text }, place) => {
        // Not three long texts in one answer, which would be cut.
        const { text: note } = textAt(data, (place + 3) % data.length);
        const { text: name, canary } = textAt(files, (place + 6) % files.length);
        const file = { name, mimeType: name, uri: `https://files.test/${canary}` };
        return {
          text,
          parts: [
            { kind: 'data', data: { note, [note]: true } },
            { kind: 'file', file },
          ],
        };
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
    bring: async (stage, texts) => {
      const peerId = await stage.scriptPeerWithUrl(({ text: place }) => {
        const { text } = textAt(texts, place);
        const half = Math.floor(text.length / 2);
        return inTurns([text.slice(0, half), text.slice(half)], stage);
      });
      await askWithTools(stage, questionsTo(peerId, texts));
    },
    expected: shown,
  },
  {
    id: 'tool-result-cut',
    about: 'the answer of a peer to a tool, streamed and cut at several places',
    batch: BATCH,
    bring: async (stage, texts) => {
      const { client, driver, model } = stage;
      const pieces = texts.map(({ text }) => piecesOfCopies(text));
      const peerId = await stage.scriptPeerWithUrl(({ text: place }) =>
        inTurns(pieces[Number(place)] ?? [], stage),
      );
      const reports = texts.map((): string[] => []);
      const runs = texts.map(async (_text, place) => {
        const args = { peer_id: peerId, text: String(place), new_conversation: true };
        const onProgress = (text: string) => void reports[place]?.push(text);
        const { text } = await driver.runTool({ client, name: 'call_peer', args, onProgress });
        model.record({ messages: [{ role: 'tool', text }], tools: [] });
      });
      await stage.settle(Promise.all(runs));
      // Not one for each piece: beginnings of markers are held back, and the AI SDK is told when an answer has grown by a quarter.
      if (reports.some(({ length }) => length < 3)) throw new Error('The pieces came together.');
      for (const [place, reported] of reports.map((each) => each.join('').trim()).entries()) {
        if (reported === pieces[place]?.join('').trim()) continue;
        throw new Error(`The progress is not the answer: ${JSON.stringify(reported)}`);
      }
    },
    expected: shown,
  },
  {
    id: 'direct-result',
    about: 'the answer of a peer that was called without the platform',
    batch: BATCH,
    stage: { isDirect: true },
    bring: async (stage, texts) => {
      const { client, driver, gateway, model } = stage;
      const peerId = await stage.scriptPeerWithUrl(({ text: place }) => textAt(texts, place).text);
      // With the first response the client learns what the platform can do.
      await stage.settle(client.heartbeat());
      // No call reaches it through the platform.
      gateway.rules = [{ fault: 'status', status: 403, path: '/workspaces/:id/a2a' }];
      // No time passes: the requests are those of a real server.
      const runs = texts.map(async (_text, place) => {
        const args = { peer_id: peerId, text: String(place), new_conversation: true };
        const { text } = await driver.runTool({ client, name: 'call_peer', args });
        model.record({ messages: [{ role: 'tool', text }], tools: [] });
      });
      await Promise.all(runs);
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
