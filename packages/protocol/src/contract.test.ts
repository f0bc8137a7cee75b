import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import * as protocol from './index.ts';

const src = fileURLToPath(new URL('.', import.meta.url));
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
);

describe('sources', () => {
  it('have open values in open-json.ts only', () => {
    const open = /\bz\s*\.(any|unknown|custom|looseObject|json)\(|\.(passthrough|catchall|loose)\(/;
    const found = sources.filter((name) => open.test(readFileSync(src + name, 'utf8')));
    expect(found).toEqual(['open-json.ts']);
  });

  it('import nothing but zod and each other', () => {
    for (const name of sources) {
      const imports = [...readFileSync(src + name, 'utf8').matchAll(/from '([^']+)'/g)].map((hit) => hit[1]);
      expect(
        imports.filter((from) => !/^(zod$|\.\.?\/.+\.ts$)/.test(from ?? '')),
        name,
      ).toEqual([]);
    }
  });
});

describe('the package', () => {
  it('exports these values', () => {
    expect(Object.keys(protocol).sort()).toMatchInlineSnapshot(`
      [
        "A2aMessage",
        "A2aRequest",
        "A2aResponse",
        "A2aTask",
        "ACCESS_ERRORS",
        "ACTIVITY_TYPES",
        "AckRequest",
        "AckResponse",
        "ActivityData",
        "ActivityList",
        "ActivityQuery",
        "ActivityRow",
        "AdminLiveness",
        "AgentCard",
        "AgentSkill",
        "AnswerQuestionRequest",
        "AnswerQuestionResponse",
        "AskQuestionsRequest",
        "Attachment",
        "BODY_LIMITS",
        "Budget",
        "CAPABILITIES",
        "CAPABILITIES_HEADER",
        "CancelDelegationResponse",
        "Cents",
        "CheckAccessRequest",
        "CheckAccessResponse",
        "ControlList",
        "ControlRow",
        "Count",
        "CreateSessionRequest",
        "CreateWorkspaceRequest",
        "CreateWorkspaceResponse",
        "DELEGATION_STATUSES",
        "DELIVERY_MODES",
        "DELIVERY_STATES",
        "DataPart",
        "DelegateRequest",
        "DelegateResponse",
        "DelegationList",
        "DelegationRow",
        "DeleteSecretResponse",
        "DeleteWorkspaceQuery",
        "DeleteWorkspaceResponse",
        "DeliveryMode",
        "DiscoverResponse",
        "DownloadQuery",
        "ERROR_CODES",
        "ERROR_CODE_LIST",
        "ErrorBody",
        "EventFrame",
        "EventList",
        "EventRow",
        "EventsQuery",
        "FIELD_LIMITS",
        "FeedResponse",
        "FilePart",
        "GetMessageQuery",
        "GetWorkspaceQuery",
        "GoodbyeRequest",
        "GoodbyeResponse",
        "Health",
        "HeartbeatRequest",
        "HeartbeatResponse",
        "INSTANCE_HEADER",
        "IdempotencyKey",
        "InstalledPlugin",
        "InstalledPluginList",
        "JsonObject",
        "JsonRpcError",
        "JsonRpcResponse",
        "JsonValue",
        "Jwks",
        "ListMessagesQuery",
        "ListQuestionsQuery",
        "ListTokensQuery",
        "MAX_JSON_DEPTH",
        "MAX_OUTCOMES",
        "MAX_OUTCOME_ERROR_LENGTH",
        "MAX_QUESTIONS",
        "MAX_QUESTION_LENGTH",
        "MESSAGE_STATES",
        "MessageId",
        "MessageListResponse",
        "MessagePart",
        "MessageRecord",
        "MessageSummary",
        "MintOrgKeyRequest",
        "MintOrgKeyResponse",
        "MintTokenRequest",
        "MintTokenResponse",
        "NIL_UUID",
        "NotifyRequest",
        "NotifyResponse",
        "OUTCOMES",
        "OpenApiDocument",
        "OrgKeyList",
        "OrgKeyRow",
        "Outcome",
        "OutcomeReceipt",
        "OwnMessageQuery",
        "PEER_BOUNDARY_END",
        "PEER_BOUNDARY_START",
        "PLATFORM_EVENTS",
        "PLATFORM_EVENT_NAMES",
        "PatchWorkspaceRequest",
        "PatchWorkspaceResponse",
        "PauseResponse",
        "PeerList",
        "PeerRow",
        "PeersQuery",
        "PluginCompatibility",
        "PluginDownloadQuery",
        "PluginList",
        "PluginRow",
        "PluginSources",
        "PluginsQuery",
        "Question",
        "QuestionAnswer",
        "QuestionListResponse",
        "QuestionRecord",
        "QueuedResponse",
        "Ready",
        "RecordDelegationRequest",
        "RecordDelegationResponse",
        "RegisterRequest",
        "RegisterResponse",
        "RemovePluginResponse",
        "ReplyAccepted",
        "ReplyIgnored",
        "ReportActivityRequest",
        "ReportActivityResponse",
        "ReportPluginRequest",
        "ReportPluginResponse",
        "ResumeResponse",
        "RevokeOrgKeyResponse",
        "RevokeTokenResponse",
        "RuntimeMetadata",
        "SecretBundle",
        "SecretList",
        "SecretRow",
        "SecretValues",
        "SecretsQuery",
        "SecretsResponse",
        "SendMessageRequest",
        "SessionResponse",
        "SetBudgetRequest",
        "SetSecretRequest",
        "SetSecretResponse",
        "Sha256Hex",
        "SseFrame",
        "TAKEOVER_HEADER",
        "TASK_STATES",
        "TaskRequest",
        "TextPart",
        "TokenList",
        "TokenRow",
        "UpdateCardRequest",
        "UpdateCardResponse",
        "UpdateDelegationRequest",
        "UploadResponse",
        "Uuid",
        "WORKSPACE_STATUSES",
        "WorkspaceConnection",
        "WorkspaceDetail",
        "WorkspaceId",
        "WorkspaceList",
        "WorkspaceListRow",
        "WorkspaceState",
        "buildAnswer",
        "buildPath",
        "buildSendMessage",
        "checkEventFrame",
        "checkExchange",
        "createMarkerScanner",
        "errorMayHaveStatus",
        "errorStatus",
        "extractAnswerText",
        "extractMessageText",
        "extractParts",
        "fenceNonceOf",
        "fencePeerText",
        "findLookAlikes",
        "findRoute",
        "isColumnText",
        "isEnded",
        "isErrorCode",
        "isJsonObject",
        "isMessageState",
        "isQueuedResponse",
        "mapAnswerText",
        "messageStateOfTask",
        "parseActivityFeed",
        "parseActivityRow",
        "parseCapabilities",
        "peerTextInstructions",
        "readSecrets",
        "refencePeerText",
        "routes",
        "skillName",
        "stripA2aBoundary",
        "taskStateOf",
        "textPart",
        "toColumnText",
        "utf8Length",
        "viewMessage",
        "wire",
        "wrapA2aBoundary",
      ]
    `);
  });

  it('runs in a browser-like place without Node', async () => {
    const bundle = await build({
      entryPoints: [`${src}index.ts`],
      bundle: true,
      platform: 'browser',
      format: 'iife',
      globalName: 'protocol',
      write: false,
      logLevel: 'silent',
    });
    const code = bundle.outputFiles[0]?.text ?? '';
    const context = createContext({});
    const run = (script: string): unknown => runInContext(script, context);
    run(code);
    expect(run('typeof process + typeof require + typeof Buffer')).toBe('undefinedundefinedundefined');
    expect(run(`protocol.extractAnswerText({ result: { parts: [{ kind: 'text', text: 'hi' }] } })`)).toBe(
      'hi',
    );
    expect(run(`protocol.stripA2aBoundary(protocol.wrapA2aBoundary('hi'))`)).toBe('hi');
    expect(run(`protocol.parseActivityRow({ id: 'a', source_id: null, data: { text: 'hi' } }).source`)).toBe(
      'canvas_user',
    );
    expect(run(`protocol.Health.strict.safeParse({ status: 'ok', more: 1 }).success`)).toBe(false);
    expect(run(`protocol.JsonObject.safeParse({ a: [1] }).success`)).toBe(true);
    const exchange = `{ method: 'GET', path: '/health', status: 200, responseBody: { status: 'ok' }, mode: 'all' }`;
    expect(run(`protocol.checkExchange(${exchange}).length`)).toBe(0);
  });
});
