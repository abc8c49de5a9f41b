/**
 * What a line of the log says about a request. Nothing that a client chose, but for the checked request id and, of a call
 * without a valid credential, its user agent. All texts but that, the subject and the address are such that JSON needs no
 * escapes: ids and names of this program.
 */
export interface RequestFields {
  readonly requestId: string;
  /** The interface that it came by. */
  readonly wire?: string | undefined;
  readonly operation?: string | undefined;
  readonly status: number;
  readonly durationMs?: number | undefined;
  readonly tenantId?: string | undefined;
  /** The id of an API token, or whatever else a credential says. */
  readonly subject?: string | undefined;
  /** The code of the error that was answered. */
  readonly code?: string | undefined;
  /** Where a refused call came from. */
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
}

/** Writes the line of a request. */
export type AccessLog = (fields: RequestFields) => void;

/**
 * The line that every request leaves. Its fields are few and known to hold no secret, so nothing in them is searched for
 * secrets, and it is put together here: to let the general logger do it costs as much as parsing the request.
 */
export function makeAccessLog(service: string, write: (line: string) => void): AccessLog {
  const member = `,"service":${JSON.stringify(service)},"requestId":"`;
  let at = 0;
  let begin = '';
  // Neighbouring lines are mostly of the same operation and the same caller.
  let what: RequestFields | undefined;
  let whatText = '';
  let who: RequestFields | undefined;
  let whoText = '';
  return (fields) => {
    const { requestId, wire, operation, status, durationMs, tenantId, subject, code, address, userAgent } = fields;
    const now = Date.now();
    // Many lines are of the same millisecond.
    if (now !== at) {
      at = now;
      begin = `{"level":"info","time":"${new Date(now).toISOString()}"${member}`;
    }
    if (what === undefined || what.operation !== operation || what.status !== status || what.wire !== wire) {
      what = fields;
      whatText = '"';
      if (wire !== undefined) whatText += `,"wire":"${wire}"`;
      if (operation !== undefined) whatText += `,"operation":"${operation}"`;
      whatText += `,"status":${status}`;
    }
    if (who === undefined || who.subject !== subject || who.tenantId !== tenantId) {
      who = fields;
      whoText = '';
      if (tenantId !== undefined) whoText += `,"tenantId":"${tenantId}"`;
      if (subject !== undefined) whoText += `,"subject":${JSON.stringify(subject)}`;
    }
    let line = `${begin}${requestId}${whatText}`;
    if (durationMs !== undefined) line += `,"durationMs":${Math.round(durationMs * 1000) / 1000}`;
    line += whoText;
    if (code !== undefined) line += `,"code":"${code}"`;
    if (address !== undefined) line += `,"address":${JSON.stringify(address)}`;
    if (userAgent !== undefined) line += `,"userAgent":${JSON.stringify(userAgent)}`;
    write(`${line},"msg":"request"}\n`);
  };
}
