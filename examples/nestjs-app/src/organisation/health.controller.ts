import { MoleculeHealthIndicator } from '@molecule-ai/nestjs';
import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { Public } from '../api-key.guard.ts';

@Controller('health')
@Public()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly molecule: MoleculeHealthIndicator,
  ) {}

  /** 503 while the agent has lost the platform, receives nothing, or ends. */
  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.molecule.isHealthy('molecule')]);
  }
}
