import { InjectMoleculeClient, MessageText, OnAgentEvent } from '@molecule-ai/nestjs';
import { Injectable, Module } from '@nestjs/common';

/** A provider of a package, decorated by its own copy of the adapter. */
export class ModuleLedger {
  entries = 0;

  constructor(client) {
    this.client = client;
  }

  enter() {
    this.entries += 1;
  }
}

const { prototype } = ModuleLedger;
Injectable()(ModuleLedger);
InjectMoleculeClient()(ModuleLedger, undefined, 0);
OnAgentEvent('delivered')(prototype, 'enter', Object.getOwnPropertyDescriptor(prototype, 'enter'));

export class ModuleLedgerModule {}

Module({ providers: [ModuleLedger], exports: [ModuleLedger] })(ModuleLedgerModule);

export { MessageText as ModuleText };
