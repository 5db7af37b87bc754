/* What is counted, one row a thing. The fields of struct metrics, the lines of INFO and
 * docs/METRICS.md derive from here.
 *
 * ROW(name, info, kind, unit, section, sentence)
 *
 * info: the name INFO shows, Redis's own where Redis has the thing; else the same name.
 * kind: COUNTER only grows; GAUGE goes up and down (metrics_set, metrics_sub), and the sum over the
 * cores is what is shown. section: the part of INFO the line belongs to. */
#ifndef CORE_METRICS_TABLE_H
#define CORE_METRICS_TABLE_H

/* clang-format off */

#define METRICS_SECTIONS(S)                                                                        \
    S(CLIENTS, "Clients") S(STATS, "Stats") S(PERSISTENCE, "Persistence") S(SERIES, "Series")      \
    S(CORES, "Cores")

#define METRICS_TABLE(ROW)                                                                         \
    ROW(connections_accepted, "total_connections_received", COUNTER, "connections", STATS,         \
        "Connections accepted.")                                                                   \
    ROW(connections_current, "connected_clients", GAUGE, "connections", CLIENTS,                   \
        "Connections open now.")                                                                   \
    ROW(clients_blocked, "blocked_clients", GAUGE, "connections", CLIENTS,                         \
        "Connections that wait in TS.READ for what is to come.")                                   \
    ROW(connections_rejected, "rejected_connections", COUNTER, "connections", STATS,               \
        "Connections turned away at maxclients.")                                                  \
    ROW(connections_timed_out, "connections_timed_out", COUNTER, "connections", STATS,             \
        "Connections closed because they were idle longer than timeout.")                          \
    ROW(connections_over_limit, "connections_over_limit", COUNTER, "connections", STATS,           \
        "Connections closed at client-query-buffer-limit.")                                        \
    ROW(auth_failures, "auth_failures", COUNTER, "attempts", STATS,                                \
        "Wrong passwords given to AUTH or HELLO.")                                                 \
    ROW(output_paused, "output_paused", COUNTER, "times", STATS,                                   \
        "Times a client was no longer read because its replies were over "                         \
        "client-output-buffer-soft.")                                                              \
    ROW(protocol_errors, "protocol_errors", COUNTER, "errors", STATS,                              \
        "Connections closed for malformed requests, or for requests of HTTP.")                     \
                                                                                                   \
    ROW(commands_processed, "total_commands_processed", COUNTER, "commands", STATS,                \
        "Commands answered.")                                                                      \
    ROW(commands_failed, "commands_failed", COUNTER, "commands", STATS,                            \
        "Commands refused before they ran: unknown, wrong number of arguments, no password, "      \
        "key too long.")                                                                           \
    ROW(commands_local, "commands_local", COUNTER, "commands", CORES,                              \
        "Commands with keys that ran on the core that received them; not counted when there is "   \
        "one core.")                                                                               \
    ROW(commands_remote_sent, "commands_remote_sent", COUNTER, "commands", CORES,                  \
        "Commands sent to the core that owns their key.")                                          \
    ROW(commands_remote_run, "commands_remote_run", COUNTER, "commands", CORES,                    \
        "Commands run for another core.")                                                          \
    ROW(net_input_bytes, "total_net_input_bytes", COUNTER, "bytes", STATS,                         \
        "Bytes received from clients.")                                                            \
    ROW(net_output_bytes, "total_net_output_bytes", COUNTER, "bytes", STATS,                       \
        "Bytes sent to clients.")                                                                  \
    ROW(recv_nobufs, "recv_nobufs", COUNTER, "times", CORES,                                       \
        "Times a receive found no free buffer; raise io-recv-buffers when it grows steadily.")     \
    ROW(loop_turns, "loop_turns", COUNTER, "turns", CORES, "Turns of the cores' loops.")           \
    ROW(mesh_no_credit, "mesh_no_credit", COUNTER, "times", CORES,                                 \
        "Times a message to another core had to wait for room.")                                   \
                                                                                                   \
    ROW(keyspace_hits, "keyspace_hits", COUNTER, "reads", STATS, "Reads of a key that was there.") \
    ROW(keyspace_misses, "keyspace_misses", COUNTER, "reads", STATS,                               \
        "Reads of a key that was not there.")                                                      \
    ROW(expired_keys, "expired_keys", COUNTER, "keys", STATS,                                      \
        "Keys removed because their time was over.")                                               \
    ROW(sweep_rows, "sweep_rows", COUNTER, "rows", STATS,                                          \
        "Rows of the store looked at in search of keys whose time is over.")                       \
    ROW(evicted_keys, "evicted_keys", COUNTER, "keys", STATS,                                      \
        "Values dropped from memory at maxmemory; they stay in the store.")                        \
    ROW(txn_exec, "txn_exec", COUNTER, "transactions", STATS, "Groups of commands run by EXEC.")   \
    ROW(txn_aborted, "txn_aborted", COUNTER, "transactions", STATS,                                \
        "EXECs that ran nothing because a watched key had changed.")                               \
    ROW(txn_cross_core, "txn_cross_core", COUNTER, "transactions", STATS,                          \
        "Atomic groups whose keys belong to more than one core.")                                  \
    ROW(txn_fetches, "txn_fetches", COUNTER, "reads", STATS,                                       \
        "Times a transaction waited half way, its cores locked, for what only the disk had.")      \
                                                                                                   \
    ROW(txn_slices, "txn_slices", COUNTER, "slices", STATS,                                        \
        "Slices in which commands that take long read, other clients being served in between.")    \
    ROW(journal_batches, "journal_batches", COUNTER, "writes", PERSISTENCE,                        \
        "Journal writes that completed.")                                                          \
    ROW(journal_records, "journal_records", COUNTER, "records", PERSISTENCE,                       \
        "Records in those writes.")                                                                \
    ROW(journal_bytes, "journal_bytes", COUNTER, "bytes", PERSISTENCE,                             \
        "Bytes of those writes, padding included.")                                                \
    ROW(journal_write_ns, "journal_write_ns", COUNTER, "ns", PERSISTENCE,                          \
        "Time those writes took; divided by journal_batches it is the mean time to disk.")         \
    ROW(journal_errors, "journal_errors", COUNTER, "errors", PERSISTENCE,                          \
        "Journal writes that failed.")                                                             \
    ROW(checkpoint_count, "checkpoint_count", COUNTER, "checkpoints", PERSISTENCE,                 \
        "Checkpoints completed.")                                                                  \
    ROW(checkpoint_rows, "checkpoint_rows", COUNTER, "rows", PERSISTENCE,                          \
        "Rows they wrote to the store.")                                                           \
    ROW(checkpoint_bytes, "checkpoint_bytes", COUNTER, "bytes", PERSISTENCE,                       \
        "Bytes they wrote to the store.")                                                          \
    ROW(checkpoint_failures, "checkpoint_failures", COUNTER, "checkpoints", PERSISTENCE,           \
        "Checkpoints that failed.")                                                                \
    ROW(cold_reads, "cold_reads", COUNTER, "reads", PERSISTENCE,                                   \
        "Reads of the store that a helper thread did because they could touch the disk.")          \
                                                                                                   \
    ROW(points_written, "points_written", COUNTER, "points", SERIES,                               \
        "Points added to time series.")                                                            \
    ROW(points_read, "points_read", COUNTER, "points", SERIES, "Points returned or aggregated.")

/* clang-format on */

#endif
