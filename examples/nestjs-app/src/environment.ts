import { plainToInstance, Type } from 'class-transformer';
import { IsInt, IsString, Max, Min, MinLength, validateSync } from 'class-validator';

/** The variables of the application. Those of its agent, MOLECULE_PLATFORM_URL and the like, are read by the agent. */
export class Environment {
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(65_535)
  PORT = 3000;

  @IsString()
  HOST = '127.0.0.1';

  /** Of the REST routes. */
  @IsString()
  @MinLength(8)
  API_KEY: string;

  @IsString()
  DATABASE_FILE = ':memory:';

  /** The workspace of the agent that knows what is in stock. */
  @IsString()
  SUPPLIER_ID = '';

  @Type(() => Number)
  @IsInt()
  @Min(1_000)
  HEARTBEAT_INTERVAL_MS = 30_000;
}

/** For `ConfigModule`. @throws naming each variable that is wrong. */
export function validateEnvironment(variables: Record<string, unknown>): Environment {
  const environment = plainToInstance(Environment, variables);
  const errors = validateSync(environment);
  if (errors.length > 0) throw new Error(errors.map(String).join('\n'));
  return environment;
}
