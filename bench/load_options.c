#include "bench/load_options.h"

#include "core/clock.h"
#include "tools/lib/options.h"

#include <stdio.h>

#define AT(field) offsetof(struct load_options, field)
#define DAY_MS 86400000ULL
/* Timestamps are patched into 13 digits, which holds for milliseconds until the year 2286. */
#define TIME_MIN 1000000000000ULL
#define TIME_MAX 9000000000000ULL

static const struct option_row option_rows[] = {
    {"host", OPTION_TEXT, AT(host), 0, 0, "HOST", "server (127.0.0.1)"},
    {"port", OPTION_UNSIGNED, AT(port), 1, 65535, "N", "port (6379)"},
    {"user", OPTION_TEXT, AT(user), 0, 0, "NAME", "user for AUTH, with --password"},
    {"password", OPTION_TEXT, AT(password), 0, 0, "TEXT", "password for AUTH"},
    {"cluster", OPTION_FLAG, AT(cluster), 0, 0, NULL,
     "ask CLUSTER SLOTS, connect to every node, send each key to its node"},
    {"threads", OPTION_UNSIGNED, AT(threads), 1, LOAD_THREADS_MAX, "N", "threads (1)"},
    {"connections", OPTION_UNSIGNED, AT(connections), 1, LOAD_CONNECTIONS_MAX, "N",
     "connections in all (50)"},
    {"pipeline", OPTION_UNSIGNED, AT(pipeline), 1, LOAD_PIPELINE_MAX, "N",
     "commands in flight on a connection, at most (1)"},
    {"refill", OPTION_UNSIGNED, AT(refill), 1, LOAD_PIPELINE_MAX, "N",
     "closed loop: send again when so many are answered (half of --pipeline)"},
    {"rate", OPTION_UNSIGNED, AT(rate), 1, 1000000000, "N",
     "open loop: N commands/s in all on a fixed timetable; latency counts from the planned time"},
    {"burst", OPTION_UNSIGNED, AT(burst), 1, LOAD_PIPELINE_MAX, "N",
     "open loop: so many commands are due at once on one connection (1)"},
    {"duration", OPTION_NUMBER, AT(duration_s), 0, 0, "SECONDS", "measured time (10)"},
    {"requests", OPTION_UNSIGNED, AT(requests), 1, UINT64_MAX, "N",
     "measured commands in all, instead of --duration"},
    {"warmup", OPTION_NUMBER, AT(warmup_s), 0, 0, "SECONDS", "unmeasured time before it (0)"},
    {"seed", OPTION_UNSIGNED, AT(seed), 0, UINT64_MAX, "N", "seed of the random choices (1)"},
    {"mix", OPTION_TEXT, AT(mix), 0, 0, "KIND[:WEIGHT],...",
     "what to send (set): ping set get incr tsdb_set tsdb_get batch "
     "ts_add ts_madd ts_get ts_mget"},
    {"keys", OPTION_UNSIGNED, AT(keys), 1, 1ULL << 39, "N", "different keys (100000)"},
    {"prefix", OPTION_TEXT, AT(prefix), 0, 0, "TEXT", "key = TEXT and 12 digits (key:)"},
    {"order", OPTION_TEXT, AT(order_text), 0, 0, "uniform|zipf[:THETA]|sequential",
     "how keys and series are drawn (uniform; THETA 0.99)"},
    {"value-bytes", OPTION_UNSIGNED, AT(value_bytes), 0, LOAD_VALUE_BYTES_MAX, "N",
     "size of a SET value (3)"},
    {"random-values", OPTION_FLAG, AT(random_values), 0, 0, NULL,
     "SET values differ and do not compress"},
    {"series", OPTION_UNSIGNED, AT(series), 1, 1ULL << 39, "N", "different series (1000)"},
    {"series-prefix", OPTION_TEXT, AT(series_prefix), 0, 0, "TEXT",
     "series key = TEXT and 12 digits (stock_); ts_mget: its filter, such as host=h"},
    {"times", OPTION_TEXT, AT(times_text), 0, 0, "ordered|late:PCT:MAXMS|random|now",
     "timestamps of points (ordered); now sends *"},
    {"time-base", OPTION_UNSIGNED, AT(time_base), TIME_MIN + DAY_MS, TIME_MAX, "MS",
     "first timestamp (now)"},
    {"time-step", OPTION_UNSIGNED, AT(time_step), 1, DAY_MS, "MS",
     "ordered, late: distance of a connection's points (1)"},
    {"points", OPTION_UNSIGNED, AT(points), 1, 1000000000, "N",
     "tsdb_get: the last N points of a series (100)"},
    {"batch", OPTION_UNSIGNED, AT(batch), 1, 1000000, "N",
     "batch: BATCH_SET commands before each BATCH_FLUSH; ts_madd: points of a command (100)"},
    {"name", OPTION_TEXT, AT(name), 0, 0, "TEXT", "name of the run in the report"},
    {"json", OPTION_TEXT, AT(json), 0, 0, "FILE|-", "write the result as JSON"},
    {"check-errors", OPTION_FLAG, AT(check_errors), 0, 0, NULL, "exit 1 on any error reply"},
    {"quiet", OPTION_FLAG, AT(quiet), 0, 0, NULL, "no text report"},
    {"help", OPTION_FLAG, AT(help), 0, 0, NULL, "this text"},
};

static const struct option_table option_table = {option_rows, ARRAY_SIZE(option_rows)};

static int
parse_order(struct load_options *o)
{
    o->theta = 0.99;
    if (strcmp(o->order_text, "uniform") == 0)
        o->order = LOAD_ORDER_UNIFORM;
    else if (strcmp(o->order_text, "sequential") == 0)
        o->order = LOAD_ORDER_SEQUENTIAL;
    else if (strcmp(o->order_text, "zipf") == 0)
        o->order = LOAD_ORDER_ZIPF;
    else if (strncmp(o->order_text, "zipf:", 5) == 0 &&
             options_number(o->order_text + 5, 0.01, 10, &o->theta) == 0)
        o->order = LOAD_ORDER_ZIPF;
    else
        return -EINVAL;
    return 0;
}

static int
parse_late(struct load_options *o, const char *text)
{
    char pct[32];
    const char *colon = strchr(text, ':');

    if (!colon || (size_t)(colon - text) >= sizeof(pct))
        return -EINVAL;
    memcpy(pct, text, (size_t)(colon - text));
    pct[colon - text] = '\0';
    if (options_number(pct, 0, 100, &o->late_share) < 0)
        return -EINVAL;
    o->late_share /= 100;
    return options_unsigned(colon + 1, 1, DAY_MS, &o->late_ms_max);
}

static int
parse_times(struct load_options *o)
{
    if (strcmp(o->times_text, "ordered") == 0) {
        o->times = LOAD_TIMES_ORDERED;
    } else if (strcmp(o->times_text, "random") == 0) {
        o->times = LOAD_TIMES_RANDOM;
    } else if (strcmp(o->times_text, "now") == 0) {
        o->times = LOAD_TIMES_NOW;
    } else if (strncmp(o->times_text, "late:", 5) == 0) {
        o->times = LOAD_TIMES_LATE;
        return parse_late(o, o->times_text + 5);
    } else {
        return -EINVAL;
    }
    return 0;
}

static const char *
check_together(struct load_options *o)
{
    if (parse_order(o) < 0)
        return "--order takes uniform, zipf, zipf:THETA (0.01 to 10) or sequential";
    if (parse_times(o) < 0)
        return "--times takes ordered, late:PERCENT:MAXMS (up to a day), random or now";
    if (o->threads > o->connections)
        return "--threads must not exceed --connections";
    if (o->refill > o->pipeline || o->burst > o->pipeline)
        return "--refill and --burst must not exceed --pipeline";
    if (o->duration_s <= 0)
        return "--duration must be more than 0";
    if (strlen(o->prefix) > LOAD_KEY_PREFIX_MAX || strlen(o->series_prefix) > LOAD_KEY_PREFIX_MAX)
        return "--prefix and --series-prefix take at most 128 bytes";
    if (o->cluster && MAX(o->keys, o->series) > LOAD_CLUSTER_KEYS_MAX)
        return "--cluster takes at most 268435456 --keys and --series";
    if (o->user && !o->password)
        return "--user needs --password";
    return NULL;
}

static void
set_defaults(struct load_options *o)
{
    *o = (struct load_options){
        .host = "127.0.0.1",
        .port = 6379,
        .threads = 1,
        .connections = 50,
        .pipeline = 1,
        .burst = 1,
        .duration_s = 10,
        .seed = 1,
        .mix = "set",
        .keys = 100000,
        .prefix = "key:",
        .order_text = "uniform",
        .value_bytes = 3,
        .series = 1000,
        .series_prefix = "stock_",
        .times_text = "ordered",
        .time_step = 1,
        .points = 100,
        .batch = 100,
    };
}

int
load_options_parse(struct load_options *o, int argc, const char *const *argv, char *error,
                   size_t error_size)
{
    const char *wrong;
    int rc;

    set_defaults(o);
    rc = options_parse(&option_table, o, argc, argv, NULL, NULL, error, error_size);
    if (rc < 0)
        return rc;
    if (o->refill == 0)
        o->refill = (o->pipeline + 1) / 2;
    if (o->time_base == 0)
        o->time_base = (uint64_t)(clock_wall_us() / 1000);
    wrong = check_together(o);
    if (wrong) {
        snprintf(error, error_size, "%s", wrong);
        return -EINVAL;
    }
    return 0;
}

void
load_options_help(void)
{
    puts("Usage: load [options]\n\n"
         "Sends commands to a server that speaks the Redis protocol and reports rate and latency.\n"
         "Without --rate every connection keeps --pipeline commands in flight (closed loop).\n");
    options_help(&option_table);
}
