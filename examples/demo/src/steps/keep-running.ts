import { once } from 'node:events';
import { join } from 'node:path';
import type { WithAgents } from './context.ts';
import { showExit } from './evidence.ts';

/** Prints what to try next, reports each process that ends, and waits for Ctrl-C. */
export async function keepRunning(context: WithAgents, interrupted: AbortSignal): Promise<void> {
  const { lead, lab, desk, board } = context;
  const { timeline } = context.run;
  timeline.note(whatToTry(context));
  timeline.step('Everything keeps running. What ends is reported here:');
  for (const agent of [lead, lab, desk, board]) {
    void agent.process.exit.then((exit) => showExit(context, agent, exit));
  }
  if (!interrupted.aborted) await once(interrupted, 'abort');
}

function whatToTry({ run, platform, lead, lab, desk, board }: WithAgents): string {
  const { url, dataDirectory } = platform;
  const json = "-H 'Content-Type: application/json'";
  const ask = (text: string, method = 'message/send') =>
    `-d '{"method":"${method}","params":{"message":{"role":"user","parts":[{"kind":"text","text":"${text}"}]}}}'`;
  return `
  platform      ${url}   (dev mode: no credentials are needed on this machine)
  release-lead  ${lead.id}   the parent, on the core alone
  test-lab      ${lab.id}   its handler is a LangChain agent
  ops-desk      ${desk.id}   its handler is an AI SDK agent; it has a URL
  change-board  ${board.id}   an application of NestJS
  operator key  ${join(dataDirectory, 'operator-key')}
  logs          ${run.folder}/*.log

Try, in another terminal:

  # ask the parent, as the user on the canvas would
  curl -s ${url}/workspaces/${lead.id}/a2a ${json} ${ask('Can we ship release 5.0?')}

  # read its answer while it is made: server-sent events
  curl -sN ${url}/workspaces/${lead.id}/a2a ${json} ${ask('Can we ship release 5.1?', 'message/stream')}

  # what the parent sent and received, and how far each message got
  curl -s '${url}/workspaces/${lead.id}/activity?direction=all&limit=5'

  # who is online
  curl -s ${url}/workspaces

  # kill test-lab without warning, write to it, and start it again yourself: nothing is lost
  kill -9 ${lab.process.pid}
  curl -s ${url}/workspaces/${lab.id}/a2a ${json} -H 'X-Timeout: 1' ${ask('How are the tests?')}
  ${lab.commandLine}

  # take the server of ops-desk away: it long-polls from now on; the same signal again gives it back
  kill -USR2 ${desk.process.pid}
  curl -s ${url}/workspaces/${desk.id}/a2a ${json} ${ask('How is production?')}

  # remove an agent, and see its process end below
  curl -s -X DELETE ${url}/workspaces/${desk.id}

  # pause the parent and its children: test-lab ends, the others wait until they are resumed
  curl -s -X POST ${url}/workspaces/${lead.id}/pause
  curl -s -X POST ${url}/workspaces/${lead.id}/resume

  # any of these with the key, as from a program
  curl -s -H "Authorization: Bearer $(cat ${join(dataDirectory, 'operator-key')})" ${url}/workspaces

Stop everything and delete its files: Ctrl-C here, or kill ${process.pid}`;
}
