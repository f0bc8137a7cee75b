import type { FastifyInstance } from 'fastify';
import { requireWorkspaceAccess } from '../http/access.ts';
import { workspaceParam } from '../http/parse.ts';
import { parseNotify } from './notify.rules.ts';
import type { NotifyService } from './notify.service.ts';

/** `POST /workspaces/:id/notify`: works whatever the state of the workspace, as long as it is not removed. */
export function registerNotifyRoutes(app: FastifyInstance, notify: NotifyService): void {
  app.post('/workspaces/:id/notify', async (request) => {
    const workspaceId = workspaceParam(request);
    requireWorkspaceAccess(request, workspaceId);
    const { activityId, isRepeat } = await notify.notify(workspaceId, parseNotify(request.body));
    return { status: 'sent', activity_id: activityId, ...(isRepeat ? { duplicate: true } : {}) };
  });
}
