import type { WorkspaceRow } from '../database/schema.ts';
import type { Identity } from '../http/callers.ts';

/** The decision about a register. */
export type RegisterDecision =
  /** 401, the same for every caller without a right to register. */
  | { readonly kind: 'refuse' }
  /** The old token of this workspace, which was removed. */
  | { readonly kind: 'removed' }
  /** An operator named a workspace that does not exist or was removed. */
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'accept';
      readonly issueToken: boolean;
      readonly revoke: 'nothing' | 'unused-first' | 'all';
    };

export interface RegisterFacts {
  readonly identity: Identity;
  readonly workspaceId: string;
  readonly workspace: Pick<WorkspaceRow, 'status' | 'claimed_at' | 'created_at'> | undefined;
  readonly liveTokens: number;
  readonly rotate: boolean;
  readonly now: number;
  readonly claimWindowMs: number;
}

const REFUSE = { kind: 'refuse' } as const;
const KEEP_TOKENS = { kind: 'accept', issueToken: false, revoke: 'nothing' } as const;
const CLAIM = { kind: 'accept', issueToken: true, revoke: 'unused-first' } as const;

/** Decides who may register and whether the response has a token. A refusal does not reveal whether the workspace exists. */
export function decideRegister(facts: RegisterFacts): RegisterDecision {
  const { identity, workspace, workspaceId } = facts;
  const isAlive = workspace !== undefined && workspace.status !== 'removed';
  switch (identity.kind) {
    case 'unknown-credential':
      return REFUSE;
    case 'removed':
      return identity.workspaceId === workspaceId ? { kind: 'removed' } : REFUSE;
    case 'workspace':
      return isAlive && identity.workspaceId === workspaceId ? KEEP_TOKENS : REFUSE;
    case 'operator':
      return isAlive ? decideForOperator(facts, workspace.claimed_at !== null) : { kind: 'missing' };
    case 'anonymous': {
      if (!isAlive || workspace.claimed_at !== null) return REFUSE;
      const age = facts.now - Date.parse(workspace.created_at);
      return age < facts.claimWindowMs ? CLAIM : REFUSE;
    }
  }
}

function decideForOperator({ liveTokens, rotate }: RegisterFacts, isClaimed: boolean): RegisterDecision {
  if (rotate) return { kind: 'accept', issueToken: true, revoke: 'all' };
  if (!isClaimed) return CLAIM;
  return liveTokens === 0 ? { kind: 'accept', issueToken: true, revoke: 'nothing' } : KEEP_TOKENS;
}
