/**
 * Who makes a request, decided once from the credential (decisions 2, 6, 8). Headers such as
 * `X-Workspace-ID` are only cross-checked against it.
 */
export type Principal =
  | { readonly kind: 'operator'; readonly via: 'operator-key' | 'session' | 'dev' }
  | { readonly kind: 'workspace'; readonly workspaceId: string; readonly tokenId: string }
  /** No credential at all; only a first claim and the open routes let it through. */
  | { readonly kind: 'anonymous' };

/** How the dedupe record and the feed name a caller that is no workspace. */
export const CANVAS_CALLER = 'canvas';
