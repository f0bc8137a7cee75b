const { InjectMoleculeClient, MessageText, OnAgentEvent } = require('@molecule-ai/nestjs');
const { Injectable, Module } = require('@nestjs/common');

/** A provider of a package, decorated by its own copy of the adapter. */
class CommonJsLedger {
  entries = 0;

  constructor(client) {
    this.client = client;
  }

  enter() {
    this.entries += 1;
  }
}

const { prototype } = CommonJsLedger;
Injectable()(CommonJsLedger);
InjectMoleculeClient()(CommonJsLedger, undefined, 0);
OnAgentEvent('delivered')(prototype, 'enter', Object.getOwnPropertyDescriptor(prototype, 'enter'));

class CommonJsLedgerModule {}

Module({ providers: [CommonJsLedger], exports: [CommonJsLedger] })(CommonJsLedgerModule);

module.exports = { CommonJsLedger, CommonJsLedgerModule, CommonJsText: MessageText };
