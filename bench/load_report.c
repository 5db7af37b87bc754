#include "bench/load_report.h"

#include <stdio.h>
#include <sys/resource.h>

struct quantile_row {
    const char *name;
    double q;
};

static const struct quantile_row quantile_rows[] = {
    {"p50", 0.50}, {"p90", 0.90}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1.0},
};

static double
process_cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
add_worker(struct load_result *r, const struct load_worker *w)
{
    int kind;

    for (kind = 0; kind < LOAD_KINDS; kind++) {
        load_hist_merge(&r->kind[kind], &w->hist[kind]);
        load_hist_merge(&r->all, &w->hist[kind]);
        r->kind_done[kind] += w->done[kind];
        r->done += w->done[kind];
    }
    load_hist_merge(&r->all, &w->hist[LOAD_KINDS]);
    r->behind += w->hist[LOAD_KINDS].count;
    r->nulls += w->nulls;
    r->unanswered += w->unanswered;
    r->bytes_sent += w->bytes_sent;
    r->bytes_received += w->bytes_received;
    if (r->errors == 0 && w->errors)
        memcpy(r->first_error, w->first_error, sizeof(r->first_error));
    r->errors += w->errors;
    if (r->failure[0] == '\0')
        memcpy(r->failure, w->failure, sizeof(r->failure));
}

void
load_result_collect(struct load_result *r, const struct load_options *o,
                    struct load_worker *const *workers, unsigned n)
{
    uint64_t last_ns = 0, end_ns = workers[0]->end_ns;
    unsigned i;

    memset(r, 0, sizeof(*r));
    load_hist_init(&r->all);
    for (i = 0; i < LOAD_KINDS; i++)
        load_hist_init(&r->kind[i]);
    for (i = 0; i < n; i++) {
        add_worker(r, workers[i]);
        last_ns = MAX(last_ns, workers[i]->last_answer_ns);
    }
    /* By count, or broken off: the measured time ends with the last answer. */
    if (o->requests || last_ns < end_ns)
        end_ns = MAX(last_ns, workers[0]->measure_ns);
    r->seconds = (double)(end_ns - workers[0]->measure_ns) / 1e9;
    r->cpu_seconds = process_cpu_seconds();
}

static double
per_second(double n, const struct load_result *r)
{
    return r->seconds > 0 ? n / r->seconds : 0;
}

static void
print_latency(const char *name, const struct load_hist *h, double rate)
{
    size_t i;

    printf("  %-12s %13.0f", name, rate);
    for (i = 0; i < ARRAY_SIZE(quantile_rows); i++)
        printf(" %9.3f", (double)load_hist_quantile(h, quantile_rows[i].q) / 1e6);
    printf(" %9.3f\n", load_hist_mean(h) / 1e6);
}

static void
print_trouble(const struct load_result *r)
{
    if (r->nulls)
        printf("  null replies: %llu\n", (unsigned long long)r->nulls);
    if (r->behind)
        printf("  behind: %llu commands were due but not sent by the end (their wait is counted)\n",
               (unsigned long long)r->behind);
    if (r->errors)
        printf("  errors: %llu, the first: %s\n", (unsigned long long)r->errors, r->first_error);
    if (r->failure[0])
        printf("  FAILED: %s\n", r->failure);
}

void
load_report_text(const struct load_result *r, const struct load_options *o)
{
    size_t i, kinds = 0;

    printf("%s%s%s: %llu connections x %llu in flight, %llu threads", o->name ? o->name : "",
           o->name ? ": " : "", o->mix, (unsigned long long)o->connections,
           (unsigned long long)o->pipeline, (unsigned long long)o->threads);
    if (o->cluster)
        printf(", %u nodes", r->nodes);
    if (o->rate)
        printf(", open loop %llu/s", (unsigned long long)o->rate);
    printf(", %.2f s\n", r->seconds);
    printf("  %-12s %13s", "ms", "commands/s");
    for (i = 0; i < ARRAY_SIZE(quantile_rows); i++)
        printf(" %9s", quantile_rows[i].name);
    printf(" %9s\n", "mean");
    for (i = 0; i < LOAD_KINDS; i++)
        kinds += r->kind[i].count > 0;
    for (i = 0; i < LOAD_KINDS && kinds > 1; i++)
        if (r->kind[i].count)
            print_latency(load_kind_name((enum load_kind)i), &r->kind[i],
                          per_second((double)r->kind_done[i], r));
    print_latency("all", &r->all, per_second((double)r->done, r));
    printf("  %.1f MB/s out, %.1f MB/s in, %llu commands, generator %.2f CPU s\n",
           per_second((double)r->bytes_sent, r) / 1e6,
           per_second((double)r->bytes_received, r) / 1e6, (unsigned long long)r->done,
           r->cpu_seconds);
    print_trouble(r);
}

static void
json_text(FILE *f, const char *name, const char *text)
{
    fprintf(f, "\"%s\":\"", name);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(f, "\\u%04x", c);
        else
            fputc(c, f);
    }
    fputs("\",", f);
}

static void
json_number(FILE *f, const char *name, uint64_t v)
{
    fprintf(f, "\"%s\":%llu,", name, (unsigned long long)v);
}

static void
json_latency(FILE *f, const struct load_hist *h)
{
    size_t i;

    fprintf(f, "\"latency_us\":{");
    for (i = 0; i < ARRAY_SIZE(quantile_rows); i++)
        fprintf(f, "\"%s\":%.3f,", quantile_rows[i].name,
                (double)load_hist_quantile(h, quantile_rows[i].q) / 1e3);
    fprintf(f, "\"min\":%.3f,\"mean\":%.3f}", h->count ? (double)h->min_ns / 1e3 : 0.0,
            load_hist_mean(h) / 1e3);
}

static void
json_kinds(FILE *f, const struct load_result *r)
{
    const char *comma = "";
    int i;

    fputs("\"kinds\":{", f);
    for (i = 0; i < LOAD_KINDS; i++) {
        if (r->kind[i].count == 0)
            continue;
        fprintf(f, "%s\"%s\":{", comma, load_kind_name((enum load_kind)i));
        json_number(f, "commands", r->kind_done[i]);
        fprintf(f, "\"rate\":%.1f,", per_second((double)r->kind_done[i], r));
        json_latency(f, &r->kind[i]);
        fputc('}', f);
        comma = ",";
    }
    fputs("},", f);
}

static void
json_result(FILE *f, const struct load_result *r, const struct load_options *o)
{
    fputc('{', f);
    json_text(f, "name", o->name ? o->name : o->mix);
    json_text(f, "mix", o->mix);
    json_number(f, "connections", o->connections);
    json_number(f, "pipeline", o->pipeline);
    json_number(f, "threads", o->threads);
    json_number(f, "nodes", r->nodes);
    json_number(f, "asked_rate", o->rate);
    fprintf(f, "\"seconds\":%.6f,", r->seconds);
    json_number(f, "commands", r->done);
    fprintf(f, "\"rate\":%.1f,", per_second((double)r->done, r));
    json_number(f, "errors", r->errors);
    json_text(f, "first_error", r->first_error);
    json_number(f, "nulls", r->nulls);
    json_number(f, "behind", r->behind);
    json_number(f, "unanswered", r->unanswered);
    json_number(f, "bytes_sent", r->bytes_sent);
    json_number(f, "bytes_received", r->bytes_received);
    fprintf(f, "\"cpu_seconds\":%.3f,", r->cpu_seconds);
    json_text(f, "failure", r->failure);
    json_kinds(f, r);
    json_latency(f, &r->all);
    fputs("}\n", f);
}

int
load_report_json(const struct load_result *r, const struct load_options *o, const char *path)
{
    bool to_stdout = strcmp(path, "-") == 0;
    FILE *f = to_stdout ? stdout : fopen(path, "w");
    bool broken;

    if (!f)
        return -errno;
    json_result(f, r, o);
    broken = fflush(f) != 0 || ferror(f);
    if (!to_stdout && fclose(f) != 0)
        broken = true;
    return broken ? -EIO : 0;
}
