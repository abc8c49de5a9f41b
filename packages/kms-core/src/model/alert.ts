/** Something that the operator should know and that no caller is told. Holds no secret. */
export interface Alert {
  readonly kind:
    | 'root-away'
    | 'root-back'
    | 'root-refused'
    | 'master-key-wrap-damaged'
    | 'record-forged'
    | 'hardware-random-failed'
    | 'hardware-random-back'
    | 'fleet-unknown'
    | 'database-replaced'
    | 'evidence-missed'
    | 'supervision-failed';
  readonly message: string;
  readonly cause?: unknown;
}

/** Takes alerts; must not throw. */
export type AlertSink = (alert: Alert) => void;
