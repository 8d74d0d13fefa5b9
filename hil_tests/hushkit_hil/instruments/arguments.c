/* The plugin's arguments; contract in arguments.h. */
#include "arguments.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_addresses(addresses_t *list, const char *text) {
    char *after = NULL;
    for (; *text != '\0'; text = *after == '+' ? after + 1 : after) {
        const uint64_t address = strtoull(text, &after, 0);
        if (after == text || list->n == MAX_ADDRESSES) {
            return 0;
        }
        list->at[list->n++] = address;
    }
    return 1;
}

static int parse(arguments_t *to, const char *argument) {
    const char *value = strchr(argument, '=');
    if (value == NULL) {
        return 0;
    }
    const size_t n = (size_t)(value++ - argument);
    const struct {
        const char *name;
        uint64_t *number;
        const char **text;
        addresses_t *list;
    } known[] = {
        {"begin", &to->begin, NULL, NULL},
        {"end", &to->end, NULL, NULL},
        {"stop", &to->stop, NULL, NULL},
        {"sync", &to->sync, NULL, NULL},
        {"isr", &to->isr, NULL, NULL},
        {"resume", &to->resume, NULL, NULL},
        {"resume_end", &to->resume_end, NULL, NULL},
        {"foreign", NULL, NULL, &to->foreign},
        {"foreign_end", NULL, NULL, &to->foreign_ends},
        {"page", &to->page_offset, NULL, NULL},
        {"pace", &to->pace, NULL, NULL},
        {"trace_from", &to->trace_from, NULL, NULL},
        {"trace_count", &to->trace_count, NULL, NULL},
        {"trace", NULL, &to->trace, NULL},
        {"ram", NULL, &to->ram, NULL},
        {"plant", NULL, &to->plant, NULL},
        {"record", NULL, &to->record, NULL},
        {"ready", NULL, &to->ready, NULL},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) == n && strncmp(argument, known[i].name, n) == 0) {
            if (known[i].number != NULL) {
                *known[i].number = strtoull(value, NULL, 0);
            } else if (known[i].text != NULL) {
                *known[i].text = strdup(value);
            } else {
                return parse_addresses(known[i].list, value);
            }
            return 1;
        }
    }
    return 0;
}

int arguments_read(arguments_t *arguments, int argc, char **argv) {
    memset(arguments, 0, sizeof *arguments);
    arguments->begin = arguments->end = arguments->stop = arguments->sync = arguments->isr = NO_ADDRESS;
    for (int i = 0; i < argc; i++) {
        if (!parse(arguments, argv[i])) {
            fprintf(stderr, "hushkit plugin: argument %s is unknown or malformed; see trace_format.h\n", argv[i]);
            return 0;
        }
    }
    return 1;
}
