import { behaviours } from './behaviour.ts';

/** Answers that are read while they are made: what the platform does. */
export const STREAMS = behaviours({
  'stream.events': [
    'A message sent with message/stream gets a task, the text of its answer as the agent makes it, and a last status, as server-sent events that no proxy is to buffer.',
    'docs/contract/streams.md#events; docs/decisions/0032-streams.md',
  ],
  'stream.events.a2a-1': [
    'A caller of A2A 1.0 gets the events in the form of 1.0, also of an agent that writes those of 0.3.',
    'docs/contract/streams.md#events; docs/contract/messages.md#a2a-10',
  ],
  'stream.wrapped': [
    'However an agent cuts its text, the pieces that a workspace reads, joined, are the wrapped whole; operators read it unwrapped.',
    'docs/contract/streams.md#trust-boundary-of-a-stream',
  ],
  'stream.rest': [
    'What an answer has besides its text comes after the text, with look-alikes of markers escaped for workspaces.',
    'docs/contract/streams.md#events; docs/contract/streams.md#trust-boundary-of-a-stream',
  ],
  'stream.one-piece': [
    'An agent that answers at once, or polls without reporting progress, gives a stream with one piece, the whole.',
    'docs/contract/streams.md#events',
  ],
  'stream.queued': [
    'The stream of a message to an agent that is not there begins as submitted, and goes on when the agent is.',
    'docs/contract/streams.md#events',
  ],
  'stream.repeat': [
    'The same message sent again reads the same stream, first the text so far; sent as message/send it waits for the whole.',
    'docs/contract/streams.md#asking-for-a-stream',
  ],
  'stream.refused': [
    'A stream that is not accepted gets the error that message/send would have got, and nothing is stored.',
    'docs/contract/streams.md#asking-for-a-stream',
  ],
  'stream.reader-gone': [
    'A reader that goes away cancels nothing: the answer is stored whole and delivered on its feed.',
    'docs/contract/streams.md#breaks',
  ],
  'stream.receipt': [
    'A workspace that has read the end of a stream does not get the answer on its feed again, also after a restart.',
    'docs/contract/streams.md#asking-for-a-stream',
  ],
  'stream.count': [
    'A workspace reads at most 100 streams at a time; one more is refused before the message is stored, and others are not affected.',
    'docs/contract/streams.md#limits',
  ],
  'stream.progress.text': [
    'What a polling agent reports reaches readers as it comes and is not stored; its answer adds what was not reported.',
    'docs/contract/streams.md#progress-of-polling-agents',
  ],
  'stream.progress.offset': [
    'Progress that was reported before changes nothing; a gap or another text is refused with the offset that is expected, and more after the last report with none.',
    'docs/contract/streams.md#progress-of-polling-agents',
  ],
  'stream.progress.one-run': [
    'Only the workspace of the feed and only the run that reported first adds to a text, of a message that was sent with message/stream.',
    'docs/contract/streams.md#progress-of-polling-agents',
  ],
  'stream.progress.ended': [
    'Progress of a message that has ended is refused, with the state or as expired.',
    'docs/contract/streams.md#progress-of-polling-agents',
  ],
  'stream.progress.another-answer': [
    'An answer that does not begin with what was reported is read from its beginning.',
    'docs/contract/streams.md#progress-of-polling-agents',
  ],
  'stream.progress.rate': [
    'Progress is counted by itself, so that an agent which reports much can do everything else.',
    'docs/contract/limits.md#rates; docs/decisions/0036-fair-limits.md',
  ],
  'stream.progress.memory': [
    'Progress of a long answer for which there is no memory is a 503, and is taken again when other answers have ended and been read; short answers are taken in any case.',
    'docs/contract/streams.md#limits; docs/contract/limits.md#counts',
  ],
  'stream.progress.restart': [
    'After a restart of the platform the agent reports its text again, and readers that come back get it.',
    'docs/contract/streams.md#progress-of-polling-agents; docs/contract/streams.md#breaks',
  ],
  'stream.end.canceled': [
    'A cancellation ends the stream, closes the marker, and ends the request to the agent that streams.',
    'docs/contract/streams.md#ends-of-a-stream; docs/contract/streams.md#trust-boundary-of-a-stream',
  ],
  'stream.end.failed': [
    'An error that an agent streams after a part of its text fails the message, with the reason in the last event.',
    'docs/contract/streams.md#ends-of-a-stream',
  ],
  'stream.end.question': [
    'The stream of an answer that asks ends as input-required, with the text and the questions in the last status.',
    'docs/contract/streams.md#ends-of-a-stream; docs/contract/questions.md',
  ],
  'stream.end.agent-task': [
    'The last status of a stream whose agent answered with a task that failed has the state and the words of that task.',
    'docs/contract/streams.md#ends-of-a-stream; docs/contract/messages.md#tasks',
  ],
  'stream.end.removed': [
    'The removal of the agent and that of the reader end the stream, with the marker closed.',
    'docs/contract/streams.md#ends-of-a-stream',
  ],
  'stream.keep-alive': [
    'A stream in which nothing happens has a comment every 15 seconds.',
    'docs/contract/streams.md#proxies-that-buffer',
  ],
  'stream.end.silence': [
    'A stream without new text for 5 minutes ends with the state of the message, whose answer is then delivered as a message.',
    'docs/contract/streams.md#ends-of-a-stream',
  ],
  'stream.end.revoked': [
    'A token that is revoked ends the streams that its workspace reads, with the marker closed, and no others.',
    'docs/contract/streams.md#ends-of-a-stream; docs/contract/authentication.md#tokens',
  ],
  'stream.end.no-memory': [
    'A stream whose answer is large and finds no memory ends as working after 10 s, and the answer is delivered as a message.',
    'docs/contract/streams.md#ends-of-a-stream; docs/contract/messages.md#size-of-an-answer',
  ],
  'stream.end.stop': [
    'A platform that stops ends its streams at once, with the marker closed.',
    'docs/contract/streams.md#ends-of-a-stream; docs/contract/streams.md#trust-boundary-of-a-stream',
  ],
  'stream.end.no-answer': [
    'The stream of a message that ends without an answer, and of one that is itself an answer, has no text.',
    'docs/contract/streams.md#ends-of-a-stream',
  ],
  'stream.resubscribe': [
    'tasks/resubscribe reads the stream of a message that was sent before, first the text so far; of one that has ended it returns the task with its answer.',
    'docs/contract/streams.md#asking-for-a-stream',
  ],
  'stream.resubscribe.access': [
    'Only the sender of a message reads its stream later; operators read those of people.',
    'docs/contract/streams.md#asking-for-a-stream; docs/contract/messages.md#tasks',
  ],
  'stream.push.method': [
    'An agent whose card says that it streams is pushed a message with message/stream if its sender reads a stream, and with message/send otherwise.',
    'docs/contract/streams.md#streams-of-agents',
  ],
  'stream.push.refused': [
    'An agent that refuses the method of a stream is sent the message once more with message/send.',
    'docs/contract/streams.md#streams-of-agents',
  ],
  'stream.push.collected': [
    'The events of an agent of another maker become its task; the texts of its artifacts are read joined, and what it says in between is not.',
    'docs/contract/streams.md#streams-of-agents; docs/contract/streams.md#events',
  ],
  'stream.push.updates-alone': [
    'An agent that sends no task but updates that name it has its end and what it says about it read all the same.',
    'docs/contract/streams.md#streams-of-agents',
  ],
  'stream.push.answer-is-a-message': [
    'The artifact of an answer becomes the message that the agent would have sent at once, in the record of the message and in its task.',
    'docs/contract/streams.md#streams-of-agents; docs/contract/streams.md#ends-of-a-stream',
  ],
  'stream.push.broken-off': [
    'A stream of an agent that breaks off is a failed attempt: a repeat adds what is new, and another text is read from its beginning.',
    'docs/contract/streams.md#streams-of-agents; docs/contract/streams.md#events',
  ],
  'stream.push.limits': [
    'An agent that streams more than an answer may have is disconnected, and the message fails.',
    'docs/contract/streams.md#streams-of-agents; docs/contract/limits.md#bodies',
  ],
  'stream.push.silence': [
    'A stream of an agent may take any time; the time of an attempt without an event ends it, whatever comments it has.',
    'docs/contract/streams.md#streams-of-agents; docs/contract/limits.md#time-limits',
  ],
  'stream.push.expired': [
    'A message that expires while its agent streams ends the stream of the reader and that of the agent.',
    'docs/contract/streams.md#ends-of-a-stream; docs/contract/messages.md#expiry',
  ],
  'stream.push.memory': [
    'Large answers that one agent streams and does not end, whether they are read or not, use its part of the memory: others go on, and so do its own when those have ended without an event.',
    'docs/contract/streams.md#limits; docs/contract/limits.md#bodies',
  ],
  'stream.back-pressure.bounded': [
    'Readers hold back an agent for a minute in all; then its answer is read on and kept for them.',
    'docs/contract/streams.md#breaks; docs/contract/limits.md#time-limits',
  ],
  'stream.back-pressure': [
    'An agent whose readers all take nothing is not read on; one reader that takes everything is enough.',
    'docs/contract/streams.md#breaks; docs/decisions/0032-streams.md',
  ],
  'stream.stalled': [
    'A reader that takes nothing for 30 seconds is disconnected, and the message goes on.',
    'docs/contract/streams.md#ends-of-a-stream; docs/contract/streams.md#breaks',
  ],
  'stream.push.much-about-little': [
    'What an agent says of its task and its artifacts while it streams counts as part of the answer; short updates of a large task, comments and unknown lines cost little.',
    'docs/contract/streams.md#streams-of-agents; docs/contract/limits.md#bodies',
  ],
  'stream.agent-killed': [
    'When an agent is killed in the middle of its answer, each time readers get the whole answer once it has started again, and its effects happen once.',
    'docs/contract/streams.md#breaks; docs/decisions/0032-streams.md',
  ],
  'stream.platform-killed': [
    'When the platform is killed in the middle of an answer, a client goes on where it was once the platform has started again; the message is handled once.',
    'docs/contract/streams.md#breaks; docs/contract/streams.md#reading-with-the-client',
  ],
});
