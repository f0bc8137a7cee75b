import { isJsonObject, type JsonObject, JsonValue } from '@molecule-ai/protocol';
import type { PeerClient } from '../client/peer-client.ts';
import { invalidArgument } from '../errors/molecule-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { given, type OptionsOf, optionsSchema, parseArgument } from '../settings/options.ts';
import type { AnySkill, Skill } from '../skills/skill.ts';
import { clientProblem, peerIdProblem } from './adapter-options.ts';
import { contextIdOfCall, messageIdOfCall } from './call-identity.ts';
import { PeerToolsShape } from './peer-tools.ts';
import { outcomeOfReply } from './reply-outcome.ts';
import type { ToolDefinition } from './tool-definition.ts';
import { type ToolContext, toolOf } from './tool-run.ts';
import type { FailureData, PeerReplyOutcome } from './tool-shapes.ts';

const { only: _only, ...LIMITS } = new PeerToolsShape();

class SkillToolShape {
  /** The name of the tool, 1 to 64 letters, digits, `_` and `-`. @default the id of the skill, with `_` for other characters */
  name = given<string>();
}

/** What a tool for a skill takes. */
export interface SkillToolOptions
  extends OptionsOf<SkillToolShape>,
    Omit<OptionsOf<PeerToolsShape>, 'only'> {}

const OPTIONS = optionsSchema({ ...new SkillToolShape(), ...LIMITS });
const NAME = /^[\w-]{1,64}$/;
const NO_SCHEMA = { type: 'object', properties: {} } as const;

/** What came of it, with the data of the answer as plain JSON; `null` for none. */
export type SkillOutcome = PeerReplyOutcome & { answer: JsonValue };

/**
 * A tool by which a model asks a skill of one peer, as a plain definition for any framework. Its arguments are the data, and its name and description are those of the
 * definition: nothing of the card of the peer is shown to a model.
 * @throws MoleculeError `invalid_argument` for wrong options, and a skill whose data is not an object.
 *
 * @example
 * const takeOrder = skillTool(client, deskId, order);
 * const { forModel } = await takeOrder.execute({ item: 'tea', count: 2 }, { callId, signal });
 */
export function skillTool(
  client: PeerClient,
  peerId: string,
  skill: AnySkill,
  options: SkillToolOptions = {},
): ToolDefinition<string, JsonObject, SkillOutcome | FailureData> {
  const problem = clientProblem(client) ?? peerIdProblem(peerId) ?? skillProblem(skill);
  if (problem !== null) throw invalidArgument(problem);
  const { name = skill.id.replace(/[^\w-]/g, '_').slice(0, 64), ...limits } = parseArgument(
    'skillTool',
    OPTIONS,
    options,
  );
  if (!NAME.test(name)) throw invalidArgument('`name` must be 1 to 64 letters, digits, "_" and "-".');
  const { name: title, description } = skill.card;
  const context: ToolContext = { client, ...limits, offered: new Set([name]), ownId: client.workspaceId };
  return toolOf(context, {
    name,
    description: String(description || title),
    inputSchema: (skill.input.schema ?? NO_SCHEMA) as never,
    parse: (raw) => {
      if (isJsonObject(raw) && JsonValue.safeParse(raw).success) return raw;
      throw invalidArgument(
        'The arguments must be an object.',
        'Nothing was sent: correct them and call the tool again.',
      );
    },
    async run(data, call) {
      const content = { toolName: name, peerId, text: skill.id, more: [JSON.stringify(data)] };
      const reply = await client.callPeer(
        peerId,
        { skill: skill as Skill<undefined, undefined>, data },
        {
          messageId: messageIdOfCall(client, call, content),
          contextId: contextIdOfCall(client, call, peerId),
          signal: call.signal,
          timeoutMs: call.timeoutMs ?? context.timeoutMs,
        },
      );
      const outcome = outcomeOfReply(reply as PeerReply, context);
      const answer = JSON.parse(JSON.stringify(reply.data ?? null)) as JsonValue;
      return { ...outcome, data: { ...outcome.data, answer } };
    },
  });
}

function skillProblem(skill: unknown): string | null {
  const { input } = Object(skill) as Partial<AnySkill>;
  if (typeof input?.check !== 'function') return 'The skill must be what defineSkill() returned.';
  const { type = 'object' } = input.schema ?? {};
  return type === 'object'
    ? null
    : 'The data of the skill must be an object, because the arguments of a tool are one.';
}
