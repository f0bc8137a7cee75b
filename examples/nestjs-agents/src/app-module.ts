import { MoleculeModule } from '@molecule-ai/nestjs';
import { Module } from '@nestjs/common';
import { Archive } from './archive.ts';
import { ModelsModule } from './models.ts';
import { Researcher } from './researcher.ts';
import { Settings, SettingsModule } from './settings.ts';
import { Writer } from './writer.ts';

const agent = (name: string) =>
  MoleculeModule.forRootAsync({
    name,
    imports: [SettingsModule],
    inject: [Settings],
    useFactory: (settings: Settings) => ({ client: settings.agent(name) }),
  });

/** Two agents, each in a workspace of its own, and each of another framework. */
@Module({
  imports: [agent('researcher'), agent('writer'), ModelsModule],
  providers: [Archive, Researcher, Writer],
})
export class AppModule {}
