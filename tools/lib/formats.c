#include "tools/lib/formats.h"

#include <stdio.h>

static const struct format formats[] = {
    {"csv", NULL, "iso", NULL, false, false, "any CSV, see --columns"},
    {"points", "key,time,type,quality,value", NULL, "{key}", true, false,
     "one point a line, what pinstripe-dump writes by itself"},
    {"ohlcv",
     "time|date|timestamp|datetime|open_time=time,open=00,high=01,low=02,close=03,volume|vol=04",
     "iso", "{file}", true, false, "candles with a header line: open high low close volume"},
    {"binance", "time,00,01,02,03,04,-,05,06,07,08,-", "ms", "{file}", false,
     true, "klines of Binance: OHLC, volume, quote volume, trades, taker volumes"},
    {"lean-trade", "time,00/scale=10000,01,02/text,03/hex,quality", "day-ms", "{symbol}_{kind}",
     false, false, "trade ticks of Lean: price, size, exchange, condition, suspicious"},
    {"lean-quote", "time,00/scale=10000,01,02/scale=10000,03,04/text,05/hex,quality", "day-ms",
     "{symbol}_{kind}", false, false,
     "quote ticks of Lean: bid, its size, ask, its size, exchange, condition, suspicious"},
    {"lean-forex", "time,00,02", "day-ms", "{symbol}_{kind}", false, false,
     "quote ticks of currencies of Lean: bid, ask"},
};

const struct format *
format_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

const struct format *
format_of_lean(const struct file_facts *f, unsigned fields)
{
    if (strcmp(f->kind, "trade") == 0 && fields == 6)
        return format_find("lean-trade");
    if (strcmp(f->kind, "quote") == 0 && fields == 8)
        return format_find("lean-quote");
    if (strcmp(f->kind, "quote") == 0 && fields == 3)
        return format_find("lean-forex");
    return NULL;
}

void
formats_names(char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(formats) && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", formats[i].name);
}

void
formats_help(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        printf("  %-11s %s\n", formats[i].name, formats[i].help);
        if (formats[i].columns)
            printf("  %-11s   %s\n", "", formats[i].columns);
    }
}
