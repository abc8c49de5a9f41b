import { KmsError } from '@qnsp/kms-core';
import { FORMAT_ANNOUNCEMENT, fleetSettings, type WrittenFormat } from '@qnsp/kms-core/internal';
import { type FleetNode, type FleetNodes, newId } from '@qnsp/kms-core/ports';
import { ConfigurationError } from './config/configuration-error.ts';
import type { ServiceConfig } from './config/service-config.ts';
import type { Logger } from './http/logger.ts';

/** How many turns of scheduled work may be missed before a node that ended without notice counts as gone. */
const MISSED_TURNS = 3;
const LEAST_ALIVE_MS = 5000;

/** What nodes of one fleet should agree on, by the variable that sets it. */
function settingsOf(config: ServiceConfig) {
  return {
    ...fleetSettings({ settings: config, evidence: config.evidence }),
    KMS_CRYPTO_POLICY_FILE: config.cryptoPolicy?.name ?? 'unset',
    KMS_REQUIRE_SYNC_STANDBY: String(config.database.kind === 'postgres' && config.database.requireStandby),
  } as const;
}

/** With these, what one node does undoes what the others promise: a node that differs does not start. */
const MUST_AGREE: readonly string[] = ['KMS_EVIDENCE_ENABLED'] satisfies (keyof ReturnType<typeof settingsOf>)[];

/** How this node gets on with the others that work on its database. */
export interface Fleet {
  /** What `/health` says; nothing where one process has the database for itself. */
  check(): { readonly status: 'ok' | 'degraded'; readonly message?: string } | undefined;
  /** How many nodes there are with this one, when it last looked. */
  size(): number;
  /** What nodes tell each other from now on, each time that they look at each other. */
  exchange(by: Exchange): void;
  /** Looks at the others again. */
  renew(): Promise<void>;
  leave(): Promise<void>;
}

/** How nodes keep each other informed. */
interface Exchange {
  tell(): string;
  /** What each of the others told last, by its id. */
  hear(all: ReadonlyMap<string, string>): void;
}

/** Under which name nodes tell each other what is asked of them, beside their settings. */
const DEMAND = 'demand';

const ALONE: Fleet = {
  check: () => undefined,
  size: () => 1,
  exchange: () => undefined,
  renew: async () => undefined,
  leave: async () => undefined,
};

/**
 * Joins the fleet of the database.
 *
 * @throws ConfigurationError when a node that is there has another setting where all must have the same, unless the operator
 *   says by `KMS_FLEET_CHANGE` that this one is being changed.
 */
export async function joinFleet(
  nodes: FleetNodes | undefined,
  config: ServiceConfig,
  version: string,
  log: Logger,
  format: WrittenFormat,
): Promise<Fleet> {
  if (nodes === undefined) return ALONE;
  const settings = settingsOf(config);
  const node = { nodeId: newId(), version, settings: { ...settings, ...FORMAT_ANNOUNCEMENT } };
  const aliveMs = Math.max(LEAST_ALIVE_MS, MISSED_TURNS * config.jobIntervalMs);
  const refusals = (others: readonly FleetNode[]) =>
    differences(settings, others).filter(
      ({ variable }) => MUST_AGREE.includes(variable) && !config.fleetChange.includes(variable),
    );
  let others: readonly FleetNode[] = [];
  try {
    others = await nodes.join(node, aliveMs, (there) => refusals(there).length === 0);
    if (!format.heardOf(others))
      log.info('nodes of an earlier release are running: records get their new format when all of those have ended');
  } catch (error) {
    // A database that only reads is served from as well.
    if (!KmsError.is(error) || error.code !== 'STORE_UNAVAILABLE') throw error;
    log.warn({ err: error }, 'could not compare the settings of this node with those of its fleet');
  }
  const refused = refusals(others);
  if (refused.length > 0)
    throw new ConfigurationError(
      refused.map(({ variable, own, other }) => ({
        variable,
        reason: `is ${own} here and ${other} on a running node: set the same value, stop that node first, or set KMS_FLEET_CHANGE=${variable} on each node while restarting them one after the other`,
      })),
    );
  let exchange: Exchange | undefined;
  let size = others.length + 1;
  let differing = differences(settings, others);
  const warned = new Set<string>();
  const warn = () => {
    for (const { variable, own, other } of differing) {
      const message = `${variable} is ${own} here and ${other} on another node`;
      if (!warned.has(message)) log.warn({ variable }, message);
      warned.add(message);
    }
  };
  warn();
  return {
    check() {
      if (differing.length === 0) return { status: 'ok' };
      const all = differing.map(
        ({ variable, own, other }) => `${variable} is ${own} here and ${other} on another node`,
      );
      return { status: 'degraded', message: all.join('; ') };
    },
    size: () => size,
    exchange(by) {
      exchange = by;
    },
    async renew() {
      const says = exchange === undefined ? {} : { [DEMAND]: exchange.tell() };
      const there = await nodes.renew({ ...node, settings: { ...node.settings, ...says } }, aliveMs);
      exchange?.hear(new Map(there.map(({ nodeId, settings: said }) => [nodeId, said[DEMAND] ?? ''])));
      size = there.length + 1;
      format.heardOf(there);
      differing = differences(settings, there);
      warn();
    },
    leave: () =>
      nodes.leave(node.nodeId).catch((error: unknown) => {
        // It counts as gone automatically after a while.
        if (!KmsError.is(error)) throw error;
        log.warn({ err: error }, 'could not sign this node off from its fleet');
      }),
  };
}

interface Difference {
  readonly variable: string;
  readonly own: string;
  readonly other: string;
}

/** Settings that another node does not know are of another version, and no difference. */
function differences(own: Readonly<Record<string, string>>, others: readonly FleetNode[]): readonly Difference[] {
  return Object.entries(own).flatMap(([variable, value]) => {
    const other = others.map(({ settings }) => settings[variable]).find((one) => one !== undefined && one !== value);
    return other === undefined ? [] : [{ variable, own: value, other }];
  });
}
