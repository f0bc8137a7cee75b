import { extractAnswerText, HeartbeatRequest, stripA2aBoundary } from '@molecule-ai/protocol';

const id = '0b6f0c3e-1d5a-4c1b-9a51-6f2f1b8f0a01';
// What we write: an unknown field is an error.
console.log(HeartbeatRequest.strict.parse({ workspace_id: id, active_tasks: 1 }));
// What we read: an unknown field is dropped.
console.log(HeartbeatRequest.tolerant.parse({ workspace_id: id, mood: 'good' }));

const body = { result: '[A2A_RESULT_FROM_PEER]It is fixed.[/A2A_RESULT_FROM_PEER]' };
const answer = stripA2aBoundary(extractAnswerText(body));
console.log(answer); // for a person; still untrusted
