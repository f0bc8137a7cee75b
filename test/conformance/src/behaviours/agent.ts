import { behaviours } from './behaviour.ts';

/** What an agent made with `createRemoteAgent` does, in real time and in every delivery mode. */
export const AGENT = behaviours({
  'agent.answers-people-and-peers': [
    'What the handler returns is the answer, to the person on the canvas and to a peer.',
    'seed 003; decision 11',
  ],
  'agent.keeps-the-order': [
    'Messages of one sender are handled in the order in which they were sent, each once.',
    'decisions 12 and 14',
  ],
  'agent.echoes-fall-silent': [
    'Two agents that echo everything exchange one question and one answer, and then fall silent.',
    'decision 11',
  ],
  'agent.survives-sigkill': [
    'What was sent while a killed agent was down, and what it was handling, is handled after its restart and answered once.',
    'decision 12',
  ],
  'agent.pause-keeps-messages': [
    'A paused agent takes no work and goes on after the resume with what was sent meanwhile.',
    'decision 17',
  ],
  'agent.ends-removed': ['An agent whose workspace is removed ends by itself.', 'decision 17; seed 002'],
  'agent.position-unknown': [
    'A position that the platform does not know is told, and nothing is lost or repeated.',
    'decision 12; wire contract 10.3 vector 12',
  ],
  'agent.folder-unwritable': [
    'An agent that cannot write its folder works, and says that it is degraded.',
    'decision 28',
  ],
  'agent.state-is-private': ['Everything the agent keeps on disk is 0600 in 0700 folders.', 'decision 28'],
  'agent.platform-comes-back': [
    'An agent outlives an outage of its platform: it says so once, comes back by itself, and nothing is lost or done twice.',
    'decisions 12 and 17',
  ],
  'agent.waits-for-the-platform': [
    'A platform that is down at the start is waited for; one that is down at the end does not hold up the stop.',
    'decision 17',
  ],
  'agent.one-process-per-folder': [
    'A second process with the same workspace folder is refused with an error that names the first.',
    'decision 12',
  ],
});
