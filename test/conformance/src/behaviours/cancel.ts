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
  'cancel.pushes-delay-no-message': [
    'An agent that leaves `tasks/cancel` without a response gets at most four at once, each for 5 s, and its messages as before.',
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
  'cancel.by-the-client': [
    'client.cancelTask and operator.cancelMessage cancel a message and return its reply, or how it had ended; an unknown message is `message_not_found`.',
    'docs/contract/messages.md#cancellation; docs/decisions/0050-cancel.md',
  ],
  'cancel.not-supported': [
    'Without the capability `cancel` the client refuses to cancel with `not_supported`, an aborted call cancels nothing, a running handler reads no control rows, and none of them sends a request.',
    'docs/decisions/0050-cancel.md',
  ],
  'cancel.aborts-the-handler': [
    'The signal of the handler of a canceled message aborts: by long-poll at once, by poll at its next interval; others run on, and what the handler returns afterwards reaches nobody.',
    'docs/decisions/0050-cancel.md; docs/contract/feed.md#control-rows',
  ],
  'cancel.queued-never-runs': [
    'A canceled message that was read and waits for a slot, for its conversation or for its next attempt is finished without running.',
    'docs/decisions/0050-cancel.md; docs/contract/messages.md#delivery-guarantee',
  ],
  'cancel.read-while-working': [
    'An agent reads control rows while messages are in progress, and never when it is idle.',
    'docs/decisions/0050-cancel.md',
  ],
  'cancel.aborted-call': [
    'A call that its caller aborts rejects at once with the reason, and its message is canceled in the background, also when the client closes right after.',
    'docs/decisions/0050-cancel.md; docs/contract/messages.md#cancellation',
  ],
  'cancel.timeout-cancels-nothing': [
    'A call that runs into its time limit, and an aborted wait for an answer, cancel nothing.',
    'docs/decisions/0050-cancel.md; docs/contract/messages.md#cancellation',
  ],
});
