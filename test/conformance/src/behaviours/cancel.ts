import { behaviours } from './behaviour.ts';

/** A sender takes a message back. */
export const CANCEL = behaviours({
  'cancel.ends-the-message': [
    '`tasks/cancel` by message id or row id ends a message as `canceled` and returns its task; again, or after another end, it returns the end as it is.',
    'docs/contract/messages.md#cancellation',
  ],
  'cancel.releases-the-held-call': [
    'The held call for a message that is canceled gets the canceled task with HTTP 200.',
    'docs/contract/messages.md#cancellation',
  ],
  'cancel.sender-or-operator-only': [
    'Only the sender of a message and operators cancel it; to everybody else it does not exist.',
    'docs/contract/messages.md#cancellation',
  ],
  'cancel.is-no-message': [
    '`tasks/cancel` is stored in no feed, and a message that is canceled before it was read is never delivered.',
    'docs/contract/messages.md#cancellation',
  ],
  'cancel.late-results-are-ignored': [
    'A late answer, outcome or push response changes no message that was canceled.',
    'docs/contract/messages.md#cancellation',
  ],
  'cancel.reaches-a-push-agent': [
    'An agent that is pushed a message gets `tasks/cancel` with its row id and message id while it works.',
    'docs/contract/messages.md#cancellation',
  ],
  'cancel.control-rows': [
    'A polling agent reads what was canceled as control rows, in an order of their own, also by a read that waits; they are kept for one hour.',
    'docs/contract/feed.md#control-rows',
  ],
  'cancel.closed-connection-cancels-nothing': [
    'A sender that only closes its connection cancels nothing.',
    'docs/contract/messages.md#cancellation',
  ],
});
