/**
 * @file  hk_classifier.c
 * @brief The classifier's task.
 *
 * Passes run one after the other through one arena: a pass makes its features, eight rows a slice, runs the network in
 * slices, and concludes. A pass that is due while the one before it is still to come is left out, and counted.
 */
#include "hk_config.h" /* HK_CONFIG_CLASSIFIER */

#if HK_CONFIG_CLASSIFIER

#include "hk/hk_app.h"      /* hk_app_set_emergency */
#include "hk/hk_category.h" /* hk_category_settings_apply */
#include "hk/hk_classifier.h"
#include "hk/hk_decision.h" /* hk_decision_* */
#include "hk/hk_design.h"   /* hk_design */
#include "hk/hk_frontend.h" /* hk_frontend_* */
#include "hk/hk_level.h"    /* hk_level_mean_cdb */
#include "hk/hk_port.h"     /* HK_ASSERT */
#include <string.h>         /* memcpy, memset */

#define ROWS           HK_FRONTEND_FRAMES
#define WINDOW_BYTES   (ROWS * HK_FRONTEND_MELS)
#define RING           (ROWS + 2U) /* a frame or two come while features are made */
#define ROWS_PER_SLICE 8U
#define FRAME_MS       32U
#define SINE_CDB       301 /* of a full-scale sine below a full-scale square wave */
#define EVENTS         4U
#define ANY_EMERGENCY  HK_DECISION_CATEGORIES

_Static_assert(HK_DECISION_CATEGORIES == HK_CATEGORY_COUNT, "one list of categories");
_Static_assert(HK_DECISION_UNKNOWN == HK_CATEGORY_UNKNOWN, "one name of none");
_Static_assert(HK_DECISION_CATEGORIES + 1U + HK_EMERGENCY_KINDS == HK_CLASSIFIER_OUTPUTS, "the network's logits");
_Static_assert(HK_CONFIG_RATE_HZ == 48000UL, "the front end decimates from 48 kHz");

/* In the order in which they run when they are due together. */
typedef enum { PASS_LOOK, PASS_WINDOW, PASS_SHADOW, PASS_NONE } pass_t;

static struct {
    hk_frontend_t ear;
    hk_net_slots_t slots;
    hk_decision_t decision;
    hk_cadence_t cadence;
    hk_emergency_t emergency;
    int16_t ring[RING][HK_FRONTEND_MELS]; /* frame k in row k % RING */
    uint32_t n_frames;                    /* since start */
    bool due[PASS_NONE];
    pass_t pass;
    uint32_t row;     /* of the features being made; ROWS: the network runs */
    uint32_t end;     /* frame behind the pass's last */
    uint32_t span;    /* frames it hears, repeated to fill the window */
    int32_t mean;     /* of its logarithms */
    uint32_t rows_in; /* rows whose logarithms are in `mean`'s sum so far */
    int32_t sum;
    hk_net_cursor_t cursor;
    uint8_t best; /* category of the last window, for the comparison */
    uint64_t power_q48;
    uint32_t power_frames;
    int16_t level_cdb;
    uint16_t probability;
    uint32_t looks;
    uint32_t late;
    uint32_t compared;
    uint32_t disagreed;
    uint32_t window; /* whose features are in `features` */
    uint32_t held_window;
    hk_emergency_event_t events[EVENTS];
    uint32_t n_events;
    hk_status_t start;
    int8_t features[WINDOW_BYTES];
    int8_t held[WINDOW_BYTES];
} t;

static uint32_t arena[HK_CLASSIFIER_ARENA / sizeof(uint32_t)];

void hk_classifier_init(void) {
    memset(&t, 0, sizeof t);
    hk_frontend_init(&t.ear);
    hk_decision_init(&t.decision, hk_classifier_design.enter);
    hk_cadence_init(&t.cadence);
    hk_emergency_init(&t.emergency, &hk_classifier_design.rules);
    t.pass = PASS_NONE;
    t.level_cdb = HK_CLASSIFIER_LEVEL_NONE;
    const hk_net_needs_t needs = {
        .file = (const uint8_t *)hk_classifier_design.network,
        .file_bytes = hk_classifier_design.network_bytes,
        .key = hk_net_development_key,
        .input_bytes = WINDOW_BYTES,
        .output_bytes = HK_CLASSIFIER_OUTPUTS,
        .arena_bytes = sizeof arena,
    };
    t.start = hk_net_slots_init(&t.slots, &needs);
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static int16_t level_of(uint64_t power_q48, uint32_t n) {
    if (power_q48 == 0U) {
        return HK_CLASSIFIER_LEVEL_NONE;
    }
    return (int16_t)(hk_level_mean_cdb(power_q48, n) + SINE_CDB + hk_design.full_scale_mdb_spl / 10);
}

static void call(pass_t pass) {
    t.late += t.due[pass] ? 1U : 0U;
    t.due[pass] = true;
}

static void take_frame(void) {
    memcpy(t.ring[t.n_frames % RING], t.ear.log_mel, sizeof t.ear.log_mel);
    t.n_frames++;
    hk_cadence_step(&t.cadence, t.ear.log_mel);
    t.power_q48 += t.ear.power_q48;
    t.power_frames++;
    if (t.n_frames % hk_classifier_design.look_frames == 0U) {
        call(PASS_LOOK);
    }
    if (t.n_frames % hk_classifier_design.hop_frames == 0U) {
        t.level_cdb = level_of(t.power_q48, t.power_frames * HK_FRONTEND_FRAME);
        t.power_q48 = 0U;
        t.power_frames = 0U;
        call(PASS_WINDOW);
    }
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static const hk_net_t *network_of(pass_t pass) {
    return (pass == PASS_SHADOW) ? hk_net_slots_previous(&t.slots) : hk_net_slots_active(&t.slots);
}

/* Start the first pass that is due. @return Whether there is one. */
static bool begin(void) {
    (void)hk_net_slots_adopt(&t.slots);
    for (pass_t pass = PASS_LOOK; pass < PASS_NONE; pass++) {
        if (t.due[pass] && network_of(pass) != 0) {
            t.due[pass] = false;
            t.pass = pass;
            t.end = t.n_frames;
            const uint32_t hears = (pass == PASS_LOOK) ? HK_EMERGENCY_LOOK_FRAMES : ROWS;
            t.span = (t.n_frames < hears) ? t.n_frames : hears;
            t.rows_in = 0U;
            t.sum = 0;
            t.row = (pass == PASS_SHADOW) ? ROWS : 0U; /* the window's features are there already */
            t.cursor = (hk_net_cursor_t){0};
            return true;
        }
        t.due[pass] = false;
    }
    return false;
}

/* Logarithms of a row of the pass: the span ends with the latest frame and repeats backwards. */
static const int16_t *row_of(uint32_t row) {
    const uint32_t back = (ROWS - 1U - row) % t.span;
    return t.ring[(t.end - 1U - back) % RING];
}

/* Eight rows: first all of them into the mean, then all of them into features. */
static void make_features(void) {
    if (t.rows_in < ROWS) {
        for (uint32_t n = 0U; n < ROWS_PER_SLICE; n++, t.rows_in++) {
            const int16_t *const row = row_of(t.rows_in);
            for (uint32_t m = 0U; m < HK_FRONTEND_MELS; m++) {
                t.sum += row[m];
            }
        }
        t.mean = hk_frontend_mean(t.sum, WINDOW_BYTES);
        return;
    }
    int8_t *const features = (t.pass == PASS_WINDOW) ? t.features : (int8_t *)arena + network_of(t.pass)->input;
    for (uint32_t n = 0U; n < ROWS_PER_SLICE; n++, t.row++) {
        hk_frontend_features(row_of(t.row), HK_FRONTEND_MELS, t.mean, features + t.row * HK_FRONTEND_MELS);
    }
}

static uint32_t step_of(const hk_net_t *net) {
    return hk_decision_step(net->output_scale, hk_classifier_design.step_factor);
}

static void push_event(bool begins) {
    if (t.n_events == EVENTS) {
        t.n_events--;
        memmove(&t.events[0], &t.events[1], sizeof t.events - sizeof t.events[0]);
    }
    t.events[t.n_events++] = (hk_emergency_event_t){
        .begins = begins,
        .kind = t.emergency.kind,
        .cadence = hk_cadence_speaks(&t.cadence),
        .confidence = t.emergency.confidence,
        .evidence_ms = t.emergency.evidence_looks * hk_classifier_design.look_frames * FRAME_MS,
    };
}

static void conclude_look(const int8_t *codes, const hk_net_t *net) {
    const uint32_t step = step_of(net);
    uint16_t kinds[HK_EMERGENCY_KINDS];
    for (uint32_t k = 0U; k < HK_EMERGENCY_KINDS; k++) {
        kinds[k] = hk_decision_sigmoid(codes[ANY_EMERGENCY + 1U + k], net->output_zero_point, step);
    }
    t.probability = hk_decision_sigmoid(codes[ANY_EMERGENCY], net->output_zero_point, step);
    t.looks++;
    const bool turned = hk_emergency_look(&t.emergency, t.probability, kinds, hk_cadence_speaks(&t.cadence));
    if (turned) {
        push_event(t.emergency.state == HK_EMERGENCY_CONFIRMED);
    }
    hk_app_set_emergency(t.emergency.state != HK_EMERGENCY_NONE);
}

static void conclude_window(const int8_t *codes, const hk_net_t *net) {
    uint16_t probabilities[HK_DECISION_CATEGORIES];
    const uint8_t best = hk_decision_softmax(codes, step_of(net), probabilities);
    if (t.pass == PASS_SHADOW) {
        t.compared++;
        t.disagreed += (best != t.best) ? 1U : 0U;
        return;
    }
    t.best = best;
    t.window = t.decision.windows;
    t.due[PASS_SHADOW] = hk_net_slots_previous(&t.slots) != 0;
    if (hk_decision_take(&t.decision, probabilities)) {
        HK_ASSERT(hk_category_settings_apply(t.decision.category) == HK_OK); /* its categories are ours */
    }
}

static void run_network(void) {
    const hk_net_t *const net = network_of(t.pass);
    if (net == 0) { /* an upload has taken the one beside */
        t.pass = PASS_NONE;
        return;
    }
    if (t.cursor.op == 0U && t.cursor.unit == 0U && t.pass != PASS_LOOK) {
        memcpy((uint8_t *)arena + net->input, t.features, sizeof t.features);
    }
    if (t.cursor.op < net->n_ops) {
        if (hk_net_step(net, arena, sizeof arena, &t.cursor, hk_classifier_design.slice_work) != HK_OK) {
            t.pass = PASS_NONE; /* the arena was checked when the network was loaded */
        }
        return; /* what follows has a slice of its own */
    }
    const int8_t *const codes = (const int8_t *)arena + net->output;
    if (t.pass == PASS_LOOK) {
        conclude_look(codes, net);
    } else {
        conclude_window(codes, net);
    }
    t.pass = PASS_NONE;
}

void hk_classifier_slice(const int32_t *reference, uint32_t n) {
    hk_frontend_push(&t.ear, reference, n);
    if (hk_frontend_waits(&t.ear)) {
        if (hk_frontend_step(&t.ear)) {
            take_frame();
        }
        return;
    }
    if (t.pass == PASS_NONE && !begin()) {
        return;
    }
    if (t.row < ROWS) {
        make_features();
    } else {
        run_network();
    }
}

/* ---- for link and telemetry -------------------------------------------------------------------------------------- */

void hk_classifier_status(hk_classifier_status_t *status) {
    const hk_net_t *const active = hk_net_slots_active(&t.slots);
    const hk_net_t *const previous = hk_net_slots_previous(&t.slots);
    *status = (hk_classifier_status_t){
        .category = t.decision.category,
        .guess = t.decision.guess,
        .superclass = t.decision.superclass,
        .confidence = t.decision.confidence,
        .level_cdb = t.level_cdb,
        .emergency = t.emergency.state,
        .emergency_kind = t.emergency.kind,
        .emergency_probability = t.probability,
        .windows = t.decision.windows,
        .looks = t.looks,
        .late = t.late,
        .model = (active != 0) ? active->model : 0U,
        .shadow = (previous != 0) ? previous->model : 0U,
        .compared = t.compared,
        .disagreed = t.disagreed,
        .start = t.start,
    };
}

bool hk_classifier_take_event(hk_emergency_event_t *event) {
    if (t.n_events == 0U) {
        return false;
    }
    *event = t.events[0];
    t.n_events--;
    memmove(&t.events[0], &t.events[1], t.n_events * sizeof t.events[0]);
    return true;
}

uint32_t hk_classifier_features(uint32_t row, uint32_t n, int8_t *features, uint32_t *window) {
    if (row == 0U) {
        memcpy(t.held, t.features, sizeof t.held);
        t.held_window = t.window;
    }
    const uint32_t left = (row < ROWS) ? ROWS - row : 0U;
    const uint32_t rows = (n < left) ? n : left;
    memcpy(features, t.held + row * HK_FRONTEND_MELS, rows * HK_FRONTEND_MELS);
    *window = t.held_window;
    return rows;
}

hk_net_slots_t *hk_classifier_networks(void) {
    if (t.pass == PASS_NONE) { /* without audio no pass begins */
        (void)hk_net_slots_adopt(&t.slots);
    }
    return &t.slots;
}

#else

#include "hk/hk_classifier.h"

void hk_classifier_slice(const int32_t *reference, uint32_t n) {
    (void)reference;
    (void)n;
}

#endif
