/**
 * @file  hk_telemetry.c
 * @brief Which telemetry frame is due, and its content.
 *
 * Each period makes a round of frames: levels per ear, block_stats, health. A round that has not left when the next
 * one is due (a slow line) is given up and its frames count as dropped; events wait in a short queue of their own.
 */
#include "hk/hk_telemetry.h"

#include "hk_telemetry_classifier.h"

#include "hk/hk_link.h" /* hk_link_line_errors */
#include "hk/hk_port.h" /* hk_build_id, hk_port_fault */

#include <stddef.h> /* NULL */
#include <string.h> /* memcpy */

#define HK_TELEMETRY_EVENTS   8U  /* waiting; a divergence storm loses the oldest, and counts them */
#define HK_TELEMETRY_WATCH_MS 20U /* how often counters are compared for events */

enum {
    ROUND_HELLO = 1U << 0,
    ROUND_BLOCK_STATS = 1U << 1,
    ROUND_HEALTH = 1U << 2,
    ROUND_CLASSIFICATION = 1U << 3,
    ROUND_EAR_0 = 1U << 4
};
#define ROUND_EAR(ear) ((uint32_t)ROUND_EAR_0 << (ear))

static struct {
    bool active;
    uint32_t period_ms;
    uint32_t lease_s;
    uint32_t lease_start_ms;
    uint32_t round_start_ms;
    uint32_t watch_start_ms;
    uint32_t round; /* frames of this round that have not left, as bits */
    uint16_t sequence;
    uint32_t dropped;
    hk_wire_event_t events[HK_TELEMETRY_EVENTS];
    uint32_t n_events;
    uint8_t mode; /* as last seen by the watch for events */
    uint32_t late;
    uint32_t restarts[HK_AUDIO_PAGE_MAX_EARS];
} t;

void hk_telemetry_init(void) {
    memset(&t, 0, sizeof t);
}

uint32_t hk_telemetry_dropped(void) {
    return t.dropped;
}

static uint32_t bits_of(uint32_t x) {
    return (uint32_t)__builtin_popcount(x);
}

static void push_event(uint8_t kind, uint32_t now_ms, uint8_t ear, uint32_t value) {
    if (t.n_events == HK_TELEMETRY_EVENTS) {
        t.dropped++;
        t.n_events--;
        memmove(&t.events[0], &t.events[1], sizeof t.events - sizeof t.events[0]);
    }
    t.events[t.n_events++] =
        (hk_wire_event_t){.kind = kind, .uptime_ms = now_ms, .ear = ear, .mode = t.mode, .value = value};
}

static void begin_watch(const hk_statistics_t *s, uint32_t now_ms) {
    t.watch_start_ms = now_ms;
    t.mode = s->mode;
    t.late = s->overruns + s->starvations;
    for (uint32_t ear = 0U; ear < s->n_ears; ear++) {
        t.restarts[ear] = s->ears[ear].restarts;
    }
}

void hk_telemetry_lease(uint32_t period_ms, uint32_t lease_s, uint32_t now_ms) {
    const bool renews = t.active && period_ms == t.period_ms && lease_s != 0U;
    t.active = lease_s != 0U;
    t.period_ms = period_ms;
    t.lease_s = lease_s;
    t.lease_start_ms = now_ms;
    if (renews) {
        return;
    }
    t.round = t.active ? (uint32_t)ROUND_HELLO : 0U;
    t.round_start_ms = now_ms;
    t.n_events = 0U;
    if (t.active) {
        hk_telemetry_forget_emergencies();
        hk_statistics_t s;
        hk_app_statistics(&s);
        begin_watch(&s, now_ms);
        const hk_fault_record_t *fault = hk_port_fault();
        if (fault != NULL) {
            push_event(HK_WIRE_EVENT_KIND_FAULT, now_ms, HK_WIRE_EVENT_EAR_ABSENT, fault->kind);
        }
    }
}

void hk_telemetry_configuration_rejected(uint32_t error) {
    if (t.active) {
        push_event(HK_WIRE_EVENT_KIND_CONFIGURATION_REJECTED, hk_port_millis(), HK_WIRE_EVENT_EAR_ABSENT, error);
    }
}

static void watch_for_events(uint32_t now_ms) {
    hk_statistics_t s;
    hk_app_statistics(&s);
    const uint8_t mode_before = t.mode;
    const uint32_t late = s.overruns + s.starvations;
    t.mode = s.mode;
    if (s.mode != mode_before) {
        push_event(HK_WIRE_EVENT_KIND_MODE_CHANGED, now_ms, HK_WIRE_EVENT_EAR_ABSENT, mode_before);
    }
    if (late != t.late) {
        push_event(HK_WIRE_EVENT_KIND_OVERLOAD, now_ms, HK_WIRE_EVENT_EAR_ABSENT, late);
    }
    for (uint32_t ear = 0U; ear < s.n_ears; ear++) {
        if (s.ears[ear].restarts != t.restarts[ear]) {
            push_event(HK_WIRE_EVENT_KIND_DIVERGENCE, now_ms, (uint8_t)ear, s.ears[ear].restarts);
        }
    }
    begin_watch(&s, now_ms);
}

static void advance(uint32_t now_ms) {
    if (!t.active) {
        return;
    }
    if (now_ms - t.lease_start_ms >= t.lease_s * 1000U) {
        t.active = false;
        t.round = 0U;
        push_event(HK_WIRE_EVENT_KIND_LEASE_EXPIRED, now_ms, HK_WIRE_EVENT_EAR_ABSENT, t.lease_s);
        return;
    }
    if (now_ms - t.watch_start_ms >= HK_TELEMETRY_WATCH_MS) {
        watch_for_events(now_ms);
    }
    if (now_ms - t.round_start_ms >= t.period_ms) {
        t.dropped += bits_of(t.round & ~(uint32_t)ROUND_HELLO);
        t.round &= ROUND_HELLO;
        t.round |= ROUND_BLOCK_STATS | ROUND_HEALTH | (hk_telemetry_classifies() ? ROUND_CLASSIFICATION : 0U);
        const uint32_t n_ears = hk_port_audio_page()->n_ears;
        for (uint32_t ear = 0U; ear < n_ears; ear++) {
            t.round |= ROUND_EAR(ear);
        }
        const uint32_t late_ms = now_ms - t.round_start_ms;
        t.round_start_ms = late_ms < 2U * t.period_ms ? t.round_start_ms + t.period_ms : now_ms;
    }
}

void hk_telemetry_health(const hk_statistics_t *statistics, uint32_t now_ms, hk_wire_health_t *health) {
    const hk_statistics_t *s = statistics;
    *health = (hk_wire_health_t){.uptime_ms = now_ms,
                                 .overruns = s->overruns,
                                 .starvations = s->starvations,
                                 .stack_used = hk_port_stack_size() != 0U ? s->stack_used_bytes
                                                                          : HK_WIRE_HEALTH_STACK_USED_ABSENT,
                                 .line_errors = hk_link_line_errors(),
                                 .frames_dropped = t.dropped};
    for (uint32_t ear = 0U; ear < s->n_ears; ear++) {
        health->saturations += s->ears[ear].saturations;
        health->overloads += s->ears[ear].overloads;
        health->limited += s->ears[ear].limited;
        health->restarts += s->ears[ear].restarts;
    }
}

static uint16_t capped(uint32_t value, uint32_t limit) {
    return (uint16_t)(value < limit ? value : limit);
}

static int16_t level(int16_t value) {
    if (value == HK_LEVEL_NONE) {
        return HK_WIRE_LEVELS_ERROR_LEVEL_ABSENT;
    }
    return value > HK_WIRE_LEVELS_ERROR_LEVEL_MAX ? HK_WIRE_LEVELS_ERROR_LEVEL_MAX : value;
}

static hk_status_t encode_hello(const hk_statistics_t *s, uint8_t *frame, size_t *n) {
    static const uint8_t digest[HK_WIRE_DIGEST_BYTES] = HK_WIRE_DIGEST;
    hk_wire_hello_t hello = {.schema = HK_WIRE_SCHEMA, .rate_hz = s->rate_hz, .n_ears = (uint8_t)s->n_ears};
    memcpy(hello.digest, digest, sizeof hello.digest);
    memcpy(hello.build_id, hk_build_id, sizeof hello.build_id);
    return hk_wire_encode_hello(&hello, t.sequence, frame, HK_WIRE_MAX_FRAME, n);
}

static hk_status_t encode_levels(const hk_statistics_t *s, uint32_t ear, uint8_t *frame, size_t *n) {
    const hk_ear_statistics_t *from = &s->ears[ear];
    const hk_wire_levels_t levels = {.ear = (uint8_t)ear,
                                     .reference_level = level(from->reference_cdb),
                                     .error_level = level(from->error_cdb),
                                     .attenuation = from->attenuation_cdb, /* HK_LEVEL_NONE is the wire's "absent" */
                                     .weight_norm = from->weight_norm_cdb,
                                     .watch = from->watch,
                                     .adapting = from->adapting};
    return hk_wire_encode_levels(&levels, t.sequence, frame, HK_WIRE_MAX_FRAME, n);
}

_Static_assert(HK_LEVEL_NONE == HK_WIRE_LEVELS_ATTENUATION_ABSENT, "levels pass through");

static hk_status_t encode_block_stats(const hk_statistics_t *s, uint8_t *frame, size_t *n) {
    hk_wire_block_stats_t stats = {.samples = (uint32_t)s->samples,
                                   .mode = s->mode,
                                   .ramping = s->ramping,
                                   .intensity = s->intensity,
                                   .load = HK_WIRE_BLOCK_STATS_LOAD_ABSENT,
                                   .isr_cycles_mean = HK_WIRE_BLOCK_STATS_ISR_CYCLES_MEAN_ABSENT,
                                   .isr_cycles_max = HK_WIRE_BLOCK_STATS_ISR_CYCLES_MAX_ABSENT};
    if (s->has_cycles != 0U) {
        stats.load = capped(s->load_permille, HK_WIRE_BLOCK_STATS_LOAD_MAX);
        stats.isr_cycles_mean = s->isr_cycles_mean;
        stats.isr_cycles_max = s->isr_cycles_max;
    }
    return hk_wire_encode_block_stats(&stats, t.sequence, frame, HK_WIRE_MAX_FRAME, n);
}

/* Encodes the first frame of the round that has not left, and strikes it off. */
static hk_status_t encode_next(uint32_t now_ms, uint8_t *frame, size_t *n) {
    hk_statistics_t s;
    hk_app_statistics(&s);
    if ((t.round & ROUND_HELLO) != 0U) {
        t.round &= ~(uint32_t)ROUND_HELLO;
        return encode_hello(&s, frame, n);
    }
    for (uint32_t ear = 0U; ear < s.n_ears; ear++) {
        if ((t.round & ROUND_EAR(ear)) != 0U) {
            t.round &= ~ROUND_EAR(ear);
            return encode_levels(&s, ear, frame, n);
        }
    }
    if ((t.round & ROUND_BLOCK_STATS) != 0U) {
        t.round &= ~(uint32_t)ROUND_BLOCK_STATS;
        return encode_block_stats(&s, frame, n);
    }
    if ((t.round & ROUND_CLASSIFICATION) != 0U) {
        t.round &= ~(uint32_t)ROUND_CLASSIFICATION;
        return hk_telemetry_classification(t.sequence, frame, n);
    }
    t.round = 0U;
    hk_wire_health_t health;
    hk_telemetry_health(&s, now_ms, &health);
    return hk_wire_encode_health(&health, t.sequence, frame, HK_WIRE_MAX_FRAME, n);
}

uint32_t hk_telemetry_next(uint32_t now_ms, uint8_t *frame) {
    advance(now_ms);
    size_t n = 0U;
    hk_status_t status;
    if (t.active && (t.round & ROUND_HELLO) == 0U && hk_telemetry_emergency(now_ms, t.sequence, frame, &n, &status)) {
        /* before anything else */
    } else if (t.n_events != 0U && (t.round & ROUND_HELLO) == 0U) {
        status = hk_wire_encode_event(&t.events[0], t.sequence, frame, HK_WIRE_MAX_FRAME, &n);
        t.n_events--;
        memmove(&t.events[0], &t.events[1], t.n_events * sizeof t.events[0]);
    } else if (t.round != 0U) {
        status = encode_next(now_ms, frame, &n);
    } else {
        return 0U;
    }
    if (status != HK_OK) {
        t.dropped++; /* a value beyond the wire's range: refused there, counted here */
        return 0U;
    }
    t.sequence++;
    return (uint32_t)n;
}
