/** Runs the graph, or goes on with the run of an earlier process. Its settings come from the environment. */
import { RemoteAgentClient } from '@molecule-ai/core';
import { FileSaver } from './file-saver.ts';
import { releaseGraph } from './graph.ts';

const { LAB_ID = '', CHECKPOINTS = '' } = process.env;
const client = new RemoteAgentClient();
await client.register();
const graph = releaseGraph(client, LAB_ID, new FileSaver(CHECKPOINTS));
const config = { configurable: { thread_id: 'release-4.2' } };
const { next } = await graph.getState(config);
const isBegun = next.length > 0;
console.log(JSON.stringify({ event: 'running', next }));
const { messages } = await graph.invoke(isBegun ? null : { messages: [] }, config);
console.log(JSON.stringify({ event: 'done', texts: messages.map(({ text }) => text) }));
await client.close();
