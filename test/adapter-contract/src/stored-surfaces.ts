import type { ChatRun, StoredEdit } from './adapter-driver.ts';
import type { HostileText } from './hostile-strings.ts';
import { type RecordedPrompt, saying, type Turn } from './scripted-model.ts';
import type { Stage } from './stage.ts';
import {
  BATCH,
  inTurns,
  ofPeer,
  questionsTo,
  requireInEach,
  type Surface,
  shown,
  TURNS,
  textAt,
} from './surface.ts';

const PREFIX = 'The sky is blue over place ';

/** Words in what an application stored, read again, or changed. */
export const STORED_SURFACES: readonly Surface[] = [
  {
    id: 'ui-storage',
    about:
      'results in the messages of a page, stored as JSON, read again, converted with and without the tools, and sent on',
    batch: BATCH,
    bring: async (stage, texts) => {
      stage.peer.script(({ text: place }) => textAt(texts, place).text);
      await chat(stage, texts);
      requireInEach(stage.model.prompts, texts);
    },
    expected: ofPeer,
  },
  {
    id: 'preliminary-results',
    about: 'a preliminary result, which is stored because the page was closed, and sent on',
    batch: TURNS,
    stage: {},
    bring: async (stage, texts) => {
      const peerId = await stage.scriptPeerWithUrl(({ text: place }) =>
        inTurns([textAt(texts, place).text, ' And more.', ' The end.'], stage),
      );
      await chat(stage, texts, { isClosedEarly: true }, peerId);
      if (stage.model.prompts.length === 0) throw new Error('The model was sent nothing.');
    },
    // Its end may be held back: it could be the beginning of a marker.
    expected: () => ({ shown: 'maybe' }),
  },
  {
    id: 'ui-storage-edited',
    about: 'such results after somebody edited them: words within a text, and a whole text',
    batch: BATCH,
    bring: async (stage, texts) => {
      stage.peer.script(({ text: place }) => `${PREFIX}${place}.`);
      await chat(stage, texts, { edits: edits(texts) });
      keep(stage, stage.model.prompts, texts);
    },
    expected: shown,
  },
  {
    id: 'older-chat',
    about: 'chats as earlier versions stored them',
    batch: BATCH,
    bring: async (stage, texts) => {
      const { driver, model, setup, settle } = stage;
      model.script(() => saying('Noted.'));
      const chats = driver.olderChats?.(texts.map(({ text }) => text)) ?? [];
      const run = {
        texts: ['Hello.', 'And now?'],
        threadId: crypto.randomUUID(),
        edits: chats.map((stored) => () => stored),
      } as const;
      await settle(driver.chat?.(setup, run) ?? Promise.resolve());
      keep(stage, model.prompts.slice(1), texts);
    },
    expected: shown,
  },
  {
    id: 'edited-result',
    about: 'results in messages of the framework that an application stored, after somebody edited them',
    batch: BATCH,
    bring: async (stage, texts) => {
      const { driver, model, setup, settle } = stage;
      const threadId = crypto.randomUUID();
      stage.peer.script(({ text: place }) => `${PREFIX}${place}.`);
      model.script(callingOnce(stage.peer.id, texts));
      await settle(driver.runAgent(setup, 'Ask.', { threadId }));
      model.prompts.length = 0;
      for (const edit of edits(texts)) {
        await settle(driver.runStored(setup, 'And now?', { threadId, edit }));
      }
      keep(stage, model.prompts, texts);
    },
    expected: shown,
  },
  {
    id: 'edited-memory',
    about: 'results in the memory of a handler, after somebody edited them',
    stage: {},
    batch: BATCH,
    bring: async (stage, texts) => {
      const { driver, model } = stage;
      const contextId = crypto.randomUUID();
      const memory = driver.createMemory();
      stage.peer.script(({ text: place }) => `${PREFIX}${place}.`);
      model.script(callingOnce(stage.peer.id, texts));
      await stage.kill();
      await stage.start({ memory });
      await stage.ask('Ask.', contextId);
      model.prompts.length = 0;
      for (const edit of edits(texts)) {
        await stage.kill();
        await stage.start({ memory: driver.restoreMemory(memory, edit) });
        await stage.ask('And now?', contextId);
      }
      keep(stage, model.prompts, texts);
    },
    expected: shown,
  },
];

/** Only the prompts of the second turn are checked. */
async function chat(
  stage: Stage,
  texts: readonly HostileText[],
  run: Pick<ChatRun, 'edits' | 'isClosedEarly'> = {},
  peerId: string = stage.peer.id,
): Promise<void> {
  const { driver, model, setup, settle } = stage;
  model.script(callingOnce(peerId, texts));
  const threadId = crypto.randomUUID();
  await settle(driver.chat?.(setup, { texts: ['Ask.', 'And now?'], threadId, ...run }) ?? Promise.resolve());
  const { prompts } = model;
  const kept = prompts.filter(({ messages }) => messages.at(-1)?.text === 'And now?');
  prompts.splice(0, prompts.length, ...kept);
}

/** Only these prompts are checked, and each of them has the words of each text. */
function keep({ model }: Stage, prompts: readonly RecordedPrompt[], texts: readonly HostileText[]): void {
  const kept = [...prompts];
  requireInEach(kept, texts);
  model.prompts.splice(0, model.prompts.length, ...kept);
}

/** The model asks the peer as many questions as there are texts, and after that says something. */
function callingOnce(peerId: string, texts: readonly HostileText[]): (prompt: RecordedPrompt) => Turn {
  return ({ messages }) => {
    const isFirst = messages.every(({ role }) => role === 'user' || role === 'system');
    return isFirst ? { toolCalls: questionsTo(peerId, texts) } : saying('Noted.');
  };
}

/** Two ways to edit what is stored of the answers: their words within longer texts, and these texts as a whole. */
function edits(texts: readonly HostileText[]): readonly StoredEdit[] {
  const replaced = (change: (whole: string, words: string, text: string) => string): StoredEdit => {
    return (stored) =>
      JSON.stringify(
        JSON.parse(stored, (_key, value) => {
          if (typeof value !== 'string') return value;
          const place = texts.findIndex((_text, each) => value.includes(`${PREFIX}${each}.`));
          return place === -1 ? value : change(value, `${PREFIX}${place}.`, texts[place]?.text ?? '');
        }),
      );
  };
  return [
    replaced((whole, words, text) => whole.replaceAll(words, () => text)),
    replaced((_whole, _words, text) => text),
  ];
}
