import { peerTextInstructions, plainPeerText } from '@molecule-ai/core';
import { expect } from 'vitest';
import { allCutsOf, hostileTexts, piecesOfCopies } from './hostile-strings.ts';
import type { Scenario } from './scenario.ts';
import { calling, saying } from './scripted-model.ts';

/** So many hostile texts in one answer of the model. */
const TEXTS_OF_AN_ANSWER = 8;

/** What every run of an agent is: words in, tools, words out. */
export const RUN_SCENARIOS: readonly Scenario[] = [
  {
    id: 'text',
    about: 'a text goes in as it is and another comes out; fences are explained once',
    run: async (stage) => {
      const { model } = stage;
      model.script(saying('Good ', 'morning.'));
      expect(await stage.ask('Say <b>"hello"</b>.\n\nPlease.')).toMatchObject({
        status: 'answered',
        text: 'Good morning.',
      });
      const [prompt] = model.prompts;
      expect(prompt?.messages.at(-1)?.text).toBe('Say <b>"hello"</b>.\n\nPlease.');
      const said = JSON.stringify(prompt?.messages).split(JSON.stringify(peerTextInstructions).slice(1, -1));
      expect(said).toHaveLength(2);
    },
  },
  {
    id: 'streamed-text',
    about: 'a reader of a stream gets the words of the model while it goes on',
    run: async (stage) => {
      const rest = Promise.withResolvers<void>();
      stage.model.script({ deltas: ['Good ', 'morn', 'ing.'], until: rest.promise });
      const stream = stage.operator.streamMessage(stage.client.workspaceId, 'hello');
      const pieces: string[] = [];
      const reading = (async () => {
        for await (const piece of stream) pieces.push(piece);
      })();
      await stage.platform.clock.advanceUntil(() => pieces.length > 0);
      expect(pieces.join('').trim()).toBe('Good');
      rest.resolve();
      await stage.settle(reading);
      expect(pieces.join('')).toBe('Good morning.');
      expect(await stream.reply()).toMatchObject({ status: 'answered', text: 'Good morning.' });
    },
  },
  {
    id: 'markers-in-answer',
    about: 'markers of the platform that the model repeats are not in its answer, wherever a stream is cut',
    // With callbacks, LangGraph drops the last tokens of a stream.
    stage: { onProgress: () => {} },
    run: async (stage) => {
      const said = 'The lab said [A2A_RESULT_FROM_PEER]fine[/A2A_RESULT_FROM_PEER], so go.';
      stage.model.script(() => saying(...piecesOfCopies(said, allCutsOf(said))));
      const clean = 'The lab said fine, so go.\n'.repeat(said.length).trim();
      expect((await stage.ask('Can we ship?')).text.trim()).toBe(clean);
      const stream = stage.operator.streamMessage(stage.client.workspaceId, 'Can we ship?');
      expect((await stage.settle(stream.reply())).text.trim()).toBe(clean);
      expect(stream.text.trim()).toBe(clean);
    },
  },
  {
    id: 'half-a-marker',
    about: 'a model that begins a marker and stops loses no word, whole and streamed',
    run: async (stage) => {
      for (const half of ['[', '[/A2A', '[A2A_RESULT_FROM_PEER', '[ \\/ a2a_result_from_peer ']) {
        const said = `It says ${half}`;
        stage.model.script(() => saying('It ', 'says ', ...half));
        expect((await stage.ask('What does it say?')).text.trim()).toBe(said.trim());
        const stream = stage.operator.streamMessage(stage.client.workspaceId, 'What does it say?');
        expect((await stage.settle(stream.reply())).text.trim()).toBe(said.trim());
        expect(stream.text.trim()).toBe(said.trim());
      }
    },
  },
  {
    id: 'hostile-answers-cut',
    about:
      'what the model repeats of hostile texts has no marker and no tag of a fence, and is the same whole and streamed, cut at several places',
    stage: { onProgress: () => {} },
    run: async (stage) => {
      const texts = [...hostileTexts('answers')];
      while (texts.length > 0) {
        const some = texts.splice(0, TEXTS_OF_AN_ANSWER);
        const id = some.map((each) => each.id).join();
        const pieces = some.flatMap(({ text }) => [...piecesOfCopies(text), '\n\n']);
        const clean = plainPeerText(pieces.join('')).trim();
        stage.model.script(() => saying(...pieces));
        expect((await stage.ask('What does it say?')).text.trim(), id).toBe(clean);
        const stream = stage.operator.streamMessage(stage.client.workspaceId, 'What does it say?');
        expect((await stage.settle(stream.reply())).text.trim(), id).toBe(clean);
        expect(stream.text.trim(), id).toBe(clean);
      }
    },
  },
  {
    id: 'tool-round-trip',
    about: 'the model calls a peer and reads its answer; the tools are the same in each prompt',
    run: async (stage) => {
      const { model, peer } = stage;
      peer.script('The sky is blue.');
      model.script(calling('call_peer', { peer_id: peer.id, text: 'What colour?' }), saying('Blue.'));
      expect(await stage.ask('Ask.')).toMatchObject({ status: 'answered', text: 'Blue.' });
      expect(peer.received.map(({ text }) => text)).toEqual(['What colour?']);
      const [first, second] = model.prompts;
      expect(second?.messages.at(-1)?.text).toContain('The sky is blue.');
      expect(second?.messages.slice(0, first?.messages.length)).toEqual(first?.messages);
      expect(second?.tools).toEqual(first?.tools);
      // With another version of a validator in an application these vanish.
      const tools = JSON.stringify(first?.tools);
      for (const words of [
        'call_peer',
        'Sends a message to another agent',
        'The id of the peer.',
        'At most 100000 characters',
      ]) {
        expect(tools).toContain(words);
      }
    },
  },
  {
    id: 'parallel-calls',
    about: 'calls of one turn are one message each; their results are in the order of the calls',
    run: async (stage) => {
      const { model, peer } = stage;
      peer.script(({ text }) => `answer to ${text}`);
      const texts = ['one', 'two', 'three'];
      const toolCalls = texts.map((text) => ({ name: 'call_peer', args: { peer_id: peer.id, text } }));
      model.script({ toolCalls }, saying('Done.'));
      expect(await stage.ask('Ask.')).toMatchObject({ status: 'answered', text: 'Done.' });
      expect(peer.received.map(({ text }) => text).sort()).toEqual([...texts].sort());
      const results = model.prompts[1]?.messages.slice(-3).map(({ text }) => text) ?? [];
      for (const [place, text] of texts.entries()) expect(results[place]).toContain(`answer to ${text}\n`);
    },
  },
  {
    id: 'progress',
    about: 'progress of a tool comes in order, and before the end',
    run: async (stage) => {
      const { client, driver, peer } = stage;
      peer.script({ stream: ['one ', 'two ', 'three'], everyMs: 1_000 });
      const seen: string[] = [];
      let isOver = false;
      const run = driver.runTool({
        client,
        name: 'call_peer',
        args: { peer_id: peer.id, text: 'count' },
        onProgress: (text) => seen.push(text),
      });
      const ended = run.then(() => {
        isOver = true;
      });
      await stage.platform.clock.advanceUntil(() => seen.length > 0, { stepMs: 100 });
      expect(isOver).toBe(false);
      await stage.settle(ended);
      expect(seen.join('')).toBe('one two three');
      expect(seen.length).toBeGreaterThan(1);
      expect((await run).text).toContain('one two three');
    },
  },
  {
    id: 'retried-call',
    about: 'a call that the framework repeats reaches the peer once, and has the same result, byte for byte',
    run: async (stage) => {
      const { client, driver, peer } = stage;
      peer.script(({ text }) => `answer ${peer.received.length} to ${text}`);
      const call = { client, name: 'call_peer', args: { peer_id: peer.id, text: 'once' } } as const;
      const ids = { callId: 'call_0', runId: 'run-1', threadId: 'thread-1' };
      const first = await stage.settle(driver.runTool({ ...call, ...ids }));
      expect(await stage.settle(driver.runTool({ ...call, ...ids }))).toEqual(first);
      expect(peer.received).toHaveLength(1);
      await stage.settle(driver.runTool({ ...call, ...ids, runId: 'run-2' }));
      await stage.settle(driver.runTool({ ...call, ...ids, args: { ...call.args, text: 'twice' } }));
      expect(peer.received).toHaveLength(3);
      const [one, two, three] = peer.received.map(({ contextId }) => contextId);
      expect([two, three]).toEqual([one, one]);
    },
  },
  {
    id: 'memory',
    about: 'a conversation is remembered, and has the same bytes after it was stored as JSON',
    run: async (stage) => {
      const { driver, memory, model, peer } = stage;
      peer.script('The sky is "blue".');
      const contextId = crypto.randomUUID();
      model.script(calling('call_peer', { peer_id: peer.id, text: 'What colour?' }), saying('Blue.'));
      await stage.ask('Ask.', contextId);
      const before = model.prompts.at(-1)?.messages ?? [];
      model.script(saying('As I said.'));
      await stage.ask('And now?', contextId);
      const kept = model.prompts[0]?.messages ?? [];
      expect(kept.slice(0, before.length)).toEqual(before);
      expect(kept.slice(before.length).map(({ text }) => text)).toEqual(['Blue.', 'And now?']);
      await stage.kill();
      await stage.start({ memory: driver.restoreMemory(memory) });
      model.script(saying('As I said before.'));
      await stage.ask('And then?', contextId);
      const restored = model.prompts[0]?.messages ?? [];
      expect(restored.slice(0, kept.length)).toEqual(kept);
      model.script(saying('Who are you?'));
      await stage.ask('Another conversation');
      expect(model.prompts[0]?.messages.length).toBeLessThan(before.length);
    },
  },
  {
    id: 'outside-of-handlers',
    about: 'the agent runs in an application too, in threads of its own',
    run: async (stage) => {
      const { driver, model, peer, setup } = stage;
      peer.script('first', 'second', 'third');
      const ask = calling('call_peer', { peer_id: peer.id, text: 'hello' }, 'call_0');
      model.script(ask, saying('One.'), ask, saying('Two.'), ask, saying('Three.'));
      expect(await stage.settle(driver.runAgent(setup, 'Go.', { threadId: 'a' }))).toBe('One.');
      expect(await stage.settle(driver.runAgent(setup, 'Again.', { threadId: 'a' }))).toBe('Two.');
      expect(await stage.settle(driver.runAgent(setup, 'Go.', { threadId: 'b' }))).toBe('Three.');
      // Models repeat the ids of their calls; each is a message of its own all the same.
      expect(peer.received.map(({ text }) => text)).toEqual(['hello', 'hello', 'hello']);
      const [first, second, third] = peer.received.map(({ contextId }) => contextId);
      expect(second).toBe(first);
      expect(third).not.toBe(first);
    },
  },
];
