export { createDatabase, type TestDatabase } from './database.ts';
export { type EdgeGateway, type EdgeGatewayOptions, startEdgeGateway } from './edge-gateway.ts';
export { type FaultyModule, faultyModule } from './faulty-module.ts';
export { findExecutable } from './executable.ts';
export { type FileMeasure, type FileRounds, fileRounds } from './file-rounds.ts';
export { findFipsProvider } from './fips-provider.ts';
export { freePort } from './free-port.ts';
export { type HaproxyServer, startHaproxy } from './haproxy-server.ts';
export { type JwtIssuer, jwtIssuer } from './jwt-issuer.ts';
export { lostTime } from './lost-time.ts';
export { fillTemplate, type NginxServer, startNginx } from './nginx-server.ts';
export { boundToParent } from './parent-bound.ts';
export { type Pgbouncer, type PgbouncerOptions, startPgbouncer } from './pgbouncer.ts';
export { findPkcs11Module } from './pkcs11-module.ts';
export { findPostgresBinaries } from './postgres-binaries.ts';
export {
  type PostgresOptions,
  type PostgresServer,
  type StandbyServer,
  startPostgres,
  startStandby,
} from './postgres-server.ts';
export { type RedisServer, startRedis } from './redis-server.ts';
export { type Service, serviceEntry, type ServiceOptions, startService } from './service.ts';
export { mountSmallDisk, type SmallDisk } from './small-disk.ts';
export { programEnvironment } from './program-environment.ts';
export { initSoftHsmToken, type SoftHsmToken, type SoftHsmTokenOptions } from './softhsm-token.ts';
export { type ConnectionPick, startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
export { type TempDir, tempDir } from './temp-dir.ts';
export {
  type CertificateOptions,
  makeAuthority,
  type TestAuthority,
  type TestCertificate,
  trustAuthority,
} from './test-authority.ts';
