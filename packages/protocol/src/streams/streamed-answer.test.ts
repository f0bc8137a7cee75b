import { describe, expect, it } from 'vitest';
import { extractAnswerText } from '../message-text.ts';
import type { JsonObject, JsonValue } from '../open-json.ts';
import { readStreamEvent, SSE_KEEP_ALIVE, StreamEvents, sseEvent } from './stream-events.ts';
import { StreamedAnswer, type StreamStep } from './streamed-answer.ts';

const AT = '2026-11-22T12:00:00.000Z';
const message = { taskId: 'task-1', messageId: 'message-1', contextId: 'context-1', answerId: 'answer-1' };
const rpc = (result: JsonObject): JsonObject => ({ jsonrpc: '2.0', id: 7, result });

function collect(
  results: readonly JsonObject[],
  maxLength = 1_000_000,
): { steps: StreamStep[]; response: JsonObject | undefined; text: string } {
  const answer = new StreamedAnswer(maxLength);
  let text = '';
  const steps = results.map((result) => {
    const body = 'jsonrpc' in result ? result : rpc(result);
    const step = answer.add(body);
    if (step.kind === 'text') text += step.text;
    if (step.kind === 'restarted') text = step.text;
    return step;
  });
  return { steps, response: answer.response, text };
}

describe('the events of our own stream', () => {
  it('are a task, updates of one artifact, and a last status', () => {
    const events = new StreamEvents(message);
    expect(events.task('delivered', AT)).toEqual({
      kind: 'task',
      id: 'task-1',
      contextId: 'context-1',
      status: { state: 'working', timestamp: AT },
      metadata: { message_id: 'message-1', state: 'delivered' },
    });
    expect(events.text('Hel')).toMatchObject({
      kind: 'artifact-update',
      taskId: 'task-1',
      contextId: 'context-1',
      artifact: { artifactId: 'answer-1', parts: [{ kind: 'text', type: 'text', text: 'Hel' }] },
      append: false,
      lastChunk: false,
    });
    expect(events.text('lo')).toMatchObject({ append: true });
    expect(events.restart('Bye')).toMatchObject({ append: false, artifact: { parts: [{ text: 'Bye' }] } });
    expect(events.rest([{ kind: 'data', data: 1 }], { a: 1 })).toMatchObject({
      append: true,
      lastChunk: true,
      artifact: { parts: [{ kind: 'data', data: 1 }], metadata: { a: 1 } },
    });
    expect(events.end({ state: 'failed', at: AT, message: { role: 'agent' }, code: 'x' })).toEqual({
      kind: 'status-update',
      taskId: 'task-1',
      contextId: 'context-1',
      status: { state: 'failed', timestamp: AT, message: { role: 'agent' } },
      final: true,
      metadata: { message_id: 'message-1', state: 'failed', code: 'x' },
    });
  });

  it('are written as server-sent events of one line', () => {
    expect(sseEvent({ text: 'a\n\ndata: b\r' })).toBe('data: {"text":"a\\n\\ndata: b\\r"}\n\n');
    expect(SSE_KEEP_ALIVE).toBe(': keep-alive\n\n');
  });

  it('become the message that the agent would have sent at once', () => {
    const events = new StreamEvents(message);
    const { response, text, steps } = collect([
      events.task('delivered', AT),
      events.text('Hel'),
      events.text('lo'),
      events.rest([{ kind: 'data', data: { a: 1 } }], { own: true }),
      events.end({ state: 'answered', at: AT }),
    ]);
    expect(text).toBe('Hello');
    expect(steps.at(-1)).toEqual({ kind: 'ended' });
    expect(response).toEqual(
      rpc({
        kind: 'message',
        role: 'agent',
        messageId: 'answer-1',
        contextId: 'context-1',
        parts: [
          { kind: 'text', type: 'text', text: 'Hello' },
          { kind: 'data', data: { a: 1 } },
        ],
        metadata: { own: true },
      }),
    );
  });

  it('become a task that asks, or that ended without an answer', () => {
    const asking = new StreamEvents(message);
    const asked = collect([asking.text('Which?'), asking.end({ state: 'input_required', at: AT })]);
    expect(asked.response?.result).toMatchObject({
      kind: 'task',
      status: { state: 'input-required', message: { messageId: 'answer-1', parts: [{ text: 'Which?' }] } },
    });
    const failing = new StreamEvents(message);
    const why = { role: 'agent', parts: [{ kind: 'text', text: 'No.' }] };
    const failed = collect([failing.text('Hal'), failing.end({ state: 'failed', at: AT, message: why })]);
    expect(extractAnswerText(failed.response)).toBe('No.');
    const silent = collect([new StreamEvents(message).end({ state: 'unanswered', at: AT })]);
    expect(silent.response?.result).toMatchObject({ metadata: { state: 'unanswered' } });
    const changed = new StreamEvents(message);
    const nothing = collect([changed.text('Hal'), changed.end({ state: 'unanswered', at: AT })]);
    expect(nothing.response?.result).toMatchObject({ kind: 'task', status: { state: 'completed' } });
    expect(extractAnswerText(nothing.response)).toBe('');
  });
});

describe('the events of other agents', () => {
  const update = (artifactId: string, text: string, append: boolean): JsonObject => ({
    kind: 'artifact-update',
    taskId: 't',
    contextId: 'c',
    artifact: { artifactId, name: 'poem', parts: [{ kind: 'text', text }] },
    append,
  });
  const completed = (): JsonObject => ({
    kind: 'status-update',
    taskId: 't',
    status: { state: 'completed' },
    final: true,
  });

  it('become their task', () => {
    const { response, text } = collect([
      { kind: 'task', id: 't', contextId: 'c', status: { state: 'submitted' }, history: [] },
      { kind: 'status-update', status: { state: 'working', message: { parts: [] } }, final: false },
      update('one', 'Roses', false),
      update('one', ' are red', true),
      update('two', 'Violets', false),
      completed(),
    ]);
    expect(response?.result).toEqual({
      kind: 'task',
      id: 't',
      contextId: 'c',
      status: { state: 'completed' },
      history: [],
      artifacts: [
        { artifactId: 'one', name: 'poem', parts: [{ kind: 'text', type: 'text', text: 'Roses are red' }] },
        { artifactId: 'two', name: 'poem', parts: [{ kind: 'text', type: 'text', text: 'Violets' }] },
      ],
    });
    expect(text).toBe('Roses are red\nViolets');
    expect(text).toBe(extractAnswerText(response));
  });

  it('become a task also when the updates alone name it', () => {
    const why = { kind: 'message', role: 'agent', parts: [{ kind: 'text', text: 'No.' }] };
    const failed = { ...completed(), contextId: 'c', status: { state: 'failed', message: why } };
    const { response } = collect([update('one', 'Ros', false), failed]);
    expect(response?.result).toMatchObject({
      kind: 'task',
      id: 't',
      contextId: 'c',
      status: { state: 'failed', message: why },
      artifacts: [{ artifactId: 'one' }],
    });
  });

  it('of A2A 1.0 are read as well', () => {
    const { response, text } = collect([
      { task: { id: 't', contextId: 'c', status: { state: 'TASK_STATE_WORKING' } } },
      { artifactUpdate: { taskId: 't', artifact: { artifactId: 'one', parts: [{ text: 'Ro' }] } } },
      {
        artifactUpdate: {
          taskId: 't',
          artifact: { artifactId: 'one', parts: [{ text: 'ses' }] },
          append: true,
        },
      },
      { statusUpdate: { taskId: 't', status: { state: 'TASK_STATE_COMPLETED' } } },
    ]);
    expect(text).toBe('Roses');
    expect(response?.result).toMatchObject({
      id: 't',
      status: { state: 'TASK_STATE_COMPLETED' },
      artifacts: [{ artifactId: 'one', parts: [{ text: 'Roses' }] }],
    });
  });

  it('may be one message, an error, or a task that has ended', () => {
    const said = { kind: 'message', role: 'agent', messageId: 'm', parts: [{ kind: 'text', text: 'Hi' }] };
    expect(collect([said]).response).toEqual(rpc(said));
    expect(collect([{ message: { role: 'ROLE_AGENT', parts: [{ text: 'Hi' }] } }]).response).toBeDefined();
    const error = { jsonrpc: '2.0', id: 7, error: { code: -32603, message: 'No.' } };
    expect(collect([error]).response).toEqual(error);
    const task = {
      kind: 'task',
      id: 't',
      status: { state: 'completed' },
      artifacts: [{ artifactId: 'a', parts: [{ kind: 'text', text: 'All' }] }],
    };
    expect(extractAnswerText(collect([task]).response)).toBe('All');
  });

  it('that replace an artifact, or the task, begin the text anew', () => {
    const { steps, text } = collect([update('one', 'old', false), update('one', 'new', false)]);
    expect(steps[1]).toEqual({ kind: 'restarted', text: 'new' });
    expect(text).toBe('new');
    const again = collect([
      update('one', 'old', false),
      {
        kind: 'task',
        status: { state: 'working' },
        artifacts: [{ artifactId: 'a', parts: [{ text: 'All' }] }],
      },
    ]);
    expect(again.steps[1]).toEqual({ kind: 'restarted', text: 'All' });
  });

  it('keep parts that are more than a text, and what an update says of its artifact', () => {
    const marked = { kind: 'text', text: 'b', metadata: { lang: 'de' } };
    const { response, text } = collect([
      { artifactUpdate: { artifact: { artifactId: 'x', parts: [{ text: 'a' }, marked, { text: 'c' }] } } },
      { artifactUpdate: { artifact: { artifactId: 'x', parts: [], metadata: { n: 1 } }, append: true } },
      completed(),
    ]);
    expect(text).toBe('a\nb\nc');
    expect(text).toBe(extractAnswerText(response));
    expect(response?.result).toMatchObject({ artifacts: [{ metadata: { n: 1 }, parts: [{}, marked, {}] }] });
  });

  it.each([
    ['nothing', undefined],
    ['a text', 'data'],
    ['a list', []],
    ['an empty response', { jsonrpc: '2.0', id: 1 }],
    ['an empty result', { result: {} }],
    ['a null', { result: null, error: null }],
    ['an update without an artifact', { result: { kind: 'artifact-update' } }],
    ['a status without a status', { result: { kind: 'status-update', final: true } }],
    ['an unknown kind', { result: { kind: 'thought', text: 'hm' } }],
  ])('that are %s are skipped', (_name, body) => {
    expect(readStreamEvent(body as JsonValue)).toEqual({ kind: 'unknown' });
    expect(new StreamedAnswer(10).add(body as JsonValue)).toEqual({ kind: 'text', text: '' });
  });

  it('without an end have no response', () => {
    expect(collect([update('one', 'half', false)]).response).toBeUndefined();
  });

  it('after the end change nothing', () => {
    const { response, steps } = collect([
      update('one', 'all', false),
      completed(),
      update('one', 'more', true),
    ]);
    expect(steps[2]).toEqual({ kind: 'ended' });
    expect(extractAnswerText(response)).toBe('all');
  });
});

describe('the longest answer', () => {
  const delta = (text: string): JsonObject => ({
    artifactUpdate: { artifact: { artifactId: 'x', parts: [{ text }] }, append: true },
  });

  it('counts the text of deltas, not what surrounds them', () => {
    const deltas = Array.from({ length: 1_000 }, () => delta('x'));
    const { steps, text } = collect(deltas, 1_250);
    expect(steps.every((step) => step.kind === 'text')).toBe(true);
    expect(text).toBe('x'.repeat(1_000));
    expect(collect([...deltas, delta('y'.repeat(100))], 1_250).steps.at(-1)).toEqual({ kind: 'too-large' });
  });

  it.each([
    [
      'artifacts',
      (index: number) => ({ artifactUpdate: { artifact: { artifactId: `${index}`, parts: [] } } }),
    ],
    [
      'parts',
      () => ({ artifactUpdate: { artifact: { artifactId: 'x', parts: [{ data: 1 }] }, append: true } }),
    ],
    [
      'replacements',
      () => ({ artifactUpdate: { artifact: { artifactId: 'x', parts: [{ text: 'a'.repeat(30) }] } } }),
    ],
    ['tasks', () => ({ task: { status: { state: 'working' } } })],
  ])('counts %s whole', (_name, make) => {
    const events = Array.from({ length: 100 }, (_, index) => make(index));
    expect(collect(events, 2_000).steps.at(-1)).toEqual({ kind: 'too-large' });
  });

  it.each([
    [
      'what status updates add to the metadata of a task',
      (index: number) => ({
        statusUpdate: { status: { state: 'working' }, metadata: { [`key ${index}`]: 'x'.repeat(100) } },
      }),
    ],
    [
      'what updates without new parts say of artifacts',
      (index: number) => ({
        artifactUpdate: {
          artifact: { artifactId: `${index % 10}`, parts: [], metadata: { a: 'x'.repeat(250) } },
          append: true,
        },
      }),
    ],
    ['a status', () => ({ statusUpdate: { status: { state: 'working', message: 'x'.repeat(2_000) } } })],
  ])('counts %s', (_name, make) => {
    const artifacts = Array.from({ length: 10 }, (_, index) => ({
      artifactUpdate: { artifact: { artifactId: `${index}`, parts: [] } },
    }));
    const events = Array.from({ length: 20 }, (_, index) => make(index));
    expect(collect([...artifacts, ...events], 2_000).steps.at(-1)).toEqual({ kind: 'too-large' });
  });

  it('counts what takes the place of something as what it adds', () => {
    const events = Array.from({ length: 100 }, (_, index) => [
      { statusUpdate: { status: { state: 'working', n: index % 7 }, metadata: { step: index % 9 } } },
      {
        artifactUpdate: {
          artifact: { artifactId: 'x', name: `name ${index % 5}`, parts: [{ text: 'a' }] },
          append: true,
        },
      },
    ]).flat();
    const last = { statusUpdate: { status: { state: 'completed' } } };
    const { response, steps } = collect([...events, last], 500);
    expect(steps.at(-1)).toEqual({ kind: 'ended' });
    expect(response?.result).toMatchObject({ metadata: { step: 0 }, artifacts: [{ name: 'name 4' }] });
  });

  it('counts a value as it is kept, however short its event was, and gives back no more', () => {
    const numbers = `[${Array.from({ length: 100 }, () => '1e20').join()}]`;
    const task = JSON.parse(`{ "task": { "status": { "state": "working", "x": ${numbers} } } }`);
    const small = { statusUpdate: { status: { state: 'working' } } };
    const texts = Array.from({ length: 40 }, (_, index) => delta(`${index % 10}`.repeat(100)));
    const events = Array.from({ length: 10 }, () => [task, small]).flat();
    expect(collect([...events, ...texts.slice(0, 20)], 3_500).steps.at(-1)).toMatchObject({ kind: 'text' });
    expect(collect([...events, ...texts], 3_500).steps.at(-1)).toEqual({ kind: 'too-large' });
    expect(collect([task], 2_000).steps).toEqual([{ kind: 'too-large' }]);
  });

  it('joins no text for a replacement without text, and counts what else a replacement walks through', () => {
    const replace = (parts: JsonValue[]) => ({ artifactUpdate: { artifact: { artifactId: '0', parts } } });
    const data = Array.from({ length: 50 }, (_, index) => ({
      artifactUpdate: { artifact: { artifactId: `${index}`, parts: [index] } },
    }));
    const silent = collect([...data, ...Array.from({ length: 500 }, () => replace([0]))], 11_000);
    expect(silent.steps.at(-1)).toEqual({ kind: 'text', text: '' });
    const texts = Array.from({ length: 50 }, () => replace([{ text: 'a' }]));
    expect(collect([...data, ...texts], 11_000).steps.at(-1)).toEqual({ kind: 'too-large' });
  });

  it('counts the text that a replacement leaves, because each costs the time to join it', () => {
    const long = 'z'.repeat(1_000);
    const replace = { artifactUpdate: { artifact: { artifactId: 'x', parts: [{ text: 'a' }] } } };
    const events = [{ artifactUpdate: { artifact: { artifactId: 'long', parts: [{ text: long }] } } }];
    const { steps } = collect([...events, ...Array.from({ length: 20 }, () => replace)], 10_000);
    expect(steps.at(-1)).toEqual({ kind: 'too-large' });
  });
});
