import type { RecordMac } from '@qnsp/kms-core/ports';

/** The MAC of a record as columns. */
export interface MacColumns {
  readonly macFormat: number;
  readonly macTmkVersion: number;
  readonly macTag: Uint8Array;
}

export function macColumns({ format, tmkVersion, tag }: RecordMac): MacColumns {
  return { macFormat: format, macTmkVersion: tmkVersion, macTag: tag };
}

/** A record with the columns of its MAC instead of it. */
export function withMacColumns<Record extends { readonly mac: RecordMac }>({
  mac,
  ...record
}: Record): Omit<Record, 'mac'> & MacColumns {
  return { ...record, ...macColumns(mac) };
}

/** A record of which the columns of its MAC are its MAC. */
export function withMac<Row extends MacColumns>({
  macFormat: format,
  macTmkVersion: tmkVersion,
  macTag: tag,
  ...row
}: Row): Omit<Row, keyof MacColumns> & { readonly mac: RecordMac } {
  return { ...row, mac: { format, tmkVersion, tag } };
}
