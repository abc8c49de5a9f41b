/**
 * An expression that says whether an acknowledged commit is on the disk of a standby as well. A user who may not see
 * the states of standbys (`pg_read_all_stats`) sees none.
 */
export const HAS_STANDBY = `(
  current_setting('synchronous_standby_names') <> '' and current_setting('synchronous_commit') in ('on', 'remote_apply')
  and exists (select from pg_stat_replication where state = 'streaming' and sync_state in ('sync', 'quorum')))`;
