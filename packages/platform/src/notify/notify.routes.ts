import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { mount } from '../http/mount.ts';
import { parseNotify } from './notify.rules.ts';
import type { NotifyService } from './notify.service.ts';

/** Works whatever the state of the workspace, as long as it is not removed. */
export function mountNotifyRoutes(app: FastifyInstance, notify: NotifyService): void {
  mount(app, routes.notify, { body: parseNotify }, async ({ params, body }) => {
    const { activityId, isRepeat } = await notify.notify(params.id, body);
    return { status: 'sent', activity_id: activityId, ...(isRepeat ? { duplicate: true as const } : {}) };
  });
}
