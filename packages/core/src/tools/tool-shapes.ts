import type { MoleculeErrorCode } from '../errors/error-codes.ts';
import type { PeerReplyStatus } from '../peers/peer-reply.ts';

/**
 * What tools take and give. As members of one interface these shapes have no names of their own, so declarations of an application, which contain the types of
 * its tools, need no name of each.
 */
interface Shapes {
  /** What went wrong, for programs. */
  FailureData: {
    status: 'error';
    code: MoleculeErrorCode;
    /** The message that may have reached the peer all the same; `null` for none. */
    messageId: string | null;
    /** How long to wait before a repeat, in milliseconds, where the platform says it. */
    retryAfterMs: number | null;
  };
  PeerQuestion: {
    id: string;
    kind: string;
    from: string;
    text: string;
  };
  /** What came of a message to a peer. Everything that a peer wrote is untrusted. */
  PeerReplyOutcome: {
    status: PeerReplyStatus;
    peerId: string;
    /** Also the task id; `getMessage` reads the whole answer by it. */
    messageId: string;
    contextId: string;
    /** Whether the peer is paused. */
    isHeld: boolean;
    /** Why it failed, a word of the platform or of the peer. */
    code: string | null;
    /** The beginning of the peer's text, without boundary markers. */
    text: string;
    /** How many UTF-16 units of the text are not in `text`. */
    omitted: number;
    /** What the peer asks; texts are cut at 2 000. */
    questions: Shapes['PeerQuestion'][];
  };
  /** An answer to a question of a peer. */
  AnswerInput: {
    question_id: string;
    text: string;
  };
  CallPeerInput: {
    peer_id: string;
    text: string;
    /** @default false */
    new_conversation?: boolean;
    /** @default [] */
    answers?: Shapes['AnswerInput'][];
  };
  /** `delegate_task` is `call_peer` with the names of the other Molecule AI tools. */
  DelegateTaskInput: {
    workspace_id: string;
    task: string;
    /** @default false */
    new_conversation?: boolean;
    /** @default [] */
    answers?: Shapes['AnswerInput'][];
  };
  DelegateTaskAsyncInput: {
    workspace_id: string;
    task: string;
  };
  CheckTaskStatusInput: {
    /** @default '', the latest tasks */
    task_id?: string;
  };
  CancelTaskInput: {
    task_id: string;
  };
  TaskList: {
    status: 'ok';
    /** Messages of this workspace to others, the latest change first. Times are RFC 3339. */
    tasks: {
      taskId: string;
      peerId: string;
      state: string;
      isHeld: boolean;
      code: string | null;
      createdAt: string;
      endedAt: string | null;
    }[];
    hasMore: boolean;
  };
  NoInput: Record<string, never>;
  PeerList: {
    status: 'ok';
    /** Names and roles are what the peers say of themselves: untrusted. */
    peers: { id: string; name: string; role: string; status: string }[];
    /** How many more there are than `maxModelChars` has room for. */
    omitted: number;
  };
  OwnWorkspace: {
    status: 'ok';
    workspace: {
      id: string;
      name: string;
      role: string;
      description: string;
      status: string;
      parentId: string | null;
      deliveryMode: string | null;
    };
  };
  SendMessageToUserInput: {
    message: string;
  };
  MessageToUser: {
    status: 'sent';
    /** The id of its row in the feed; `''` from an older platform. */
    activityId: string;
    /** Whether an earlier attempt of the same call had sent it. */
    isDuplicate: boolean;
  };
}

export type FailureData = Shapes['FailureData'];
export type PeerQuestion = Shapes['PeerQuestion'];
export type PeerReplyOutcome = Shapes['PeerReplyOutcome'];
export type AnswerInput = Shapes['AnswerInput'];
export type CallPeerInput = Shapes['CallPeerInput'];
export type DelegateTaskInput = Shapes['DelegateTaskInput'];
export type DelegateTaskAsyncInput = Shapes['DelegateTaskAsyncInput'];
export type CheckTaskStatusInput = Shapes['CheckTaskStatusInput'];
export type CancelTaskInput = Shapes['CancelTaskInput'];
export type TaskList = Shapes['TaskList'];
export type PeerList = Shapes['PeerList'];
export type OwnWorkspace = Shapes['OwnWorkspace'];
export type SendMessageToUserInput = Shapes['SendMessageToUserInput'];
export type MessageToUser = Shapes['MessageToUser'];
export type NoInput = Shapes['NoInput'];
