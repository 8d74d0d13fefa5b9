/**
 * @file  hk_emergency.c
 * @brief Rhythm of tones, votes of looks.
 */
#include "hk/hk_emergency.h"

#include <string.h> /* memset */

#define FIRST_BAND 9 /* centres 440 Hz to 5.4 kHz: sirens, sounders and horns are between */
#define LAST_BAND  34
#define BESIDE     3
#define TONE       853 /* above the bands beside, 10 dB: noise in one frame stands out by 6 dB now and then */
#define SAME       1
#define SWEEP      3 /* bands from turn to turn: a third of an octave and more where signals are */
#define T3_LEAST   11
#define T3_MOST    20
#define T4_LEAST   2
#define T4_MOST    5
#define TURN_LEAST 3
#define TURN_MOST  100
#define JUMP       4  /* bands a sweeping tone moves per frame at most; a yelp needs three */
#define LOST       2  /* frames a sweeping tone may be lost for */
#define MEMORY     94 /* frames a rhythm speaks for after its last beat: a temporal three's pause, a wail's half */
#define COUNTED    255

/* ---- rhythm ------------------------------------------------------------------------------------------------------ */

static int32_t distance(int32_t a, int32_t b) {
    return (a > b) ? a - b : b - a;
}

static int32_t up_to(int32_t value, int32_t most) {
    return (value < most) ? value : most;
}

void hk_cadence_init(hk_cadence_t *c) {
    memset(c, 0, sizeof *c);
    c->band = -1;
    c->last_band = -1;
    c->followed = -1;
    c->extreme = -1;
}

/* Band of the strongest tone of a frame, -1 without one. */
static int32_t strongest_tone(const int16_t *log_mel) {
    int32_t best = TONE - 1;
    int32_t found = -1;
    int32_t peak = INT16_MIN;
    for (int32_t band = FIRST_BAND; band <= LAST_BAND; band++) {
        const int32_t here = log_mel[band];
        const int32_t above = 2 * here - log_mel[band - BESIDE] - log_mel[band + BESIDE];
        if (above > 2 * best && here >= log_mel[band - 1] && here >= log_mel[band + 1]) {
            best = above / 2;
            found = band;
        }
        peak = (here > peak) ? here : peak;
    }
    return (found >= 0 && log_mel[found] == peak) ? found : -1;
}

static void judge_beat(hk_cadence_t *c) {
    int32_t kind = 0;
    if (c->run >= T3_LEAST && c->run <= T3_MOST) {
        kind = 3;
    } else if (c->run >= T4_LEAST && c->run <= T4_MOST) {
        kind = 4;
    }
    const int32_t low = (kind == 3) ? T3_LEAST : T4_LEAST;
    const int32_t high = (kind == 3) ? T3_MOST : T4_MOST;
    const bool follows = kind != 0 && kind == c->beat_kind && distance(c->band, c->last_band) <= SAME &&
                         distance(c->run, c->last_run) <= 2 && c->gap >= low && c->gap <= high;
    if (follows) {
        c->beats++;
    } else {
        c->beats = (kind != 0) ? 1 : 0;
    }
    c->beat_kind = kind;
    if (c->beats >= ((kind == 3) ? 2 : 3)) {
        c->speaks = MEMORY;
    }
}

static void step_beat(hk_cadence_t *c, int32_t band) {
    if (band >= 0 && c->band >= 0 && distance(band, c->band) <= SAME) {
        c->run++;
        return;
    }
    if (c->band >= 0) {
        judge_beat(c);
        c->last_band = c->band;
        c->last_run = c->run;
        c->gap = 0;
    }
    if (band >= 0) {
        c->run = 1;
    } else {
        c->gap = up_to(c->gap + 1, COUNTED);
    }
    c->band = band;
}

static void turn(hk_cadence_t *c, int32_t band) {
    c->turns = (c->since_turn >= TURN_LEAST) ? c->turns + 1 : 0;
    c->extreme = band;
    c->direction = -c->direction;
    c->since_turn = 0;
    if (c->turns >= 2) {
        c->speaks = MEMORY;
    }
}

static void step_sweep(hk_cadence_t *c, int32_t band) {
    c->since_turn = up_to(c->since_turn + 1, COUNTED);
    if (band < 0) {
        c->lost = up_to(c->lost + 1, COUNTED);
        return;
    }
    const bool torn = c->lost > LOST || distance(band, c->followed) > JUMP;
    c->followed = band;
    c->lost = 0;
    if (c->extreme < 0 || torn || c->since_turn > TURN_MOST) {
        c->extreme = band;
        c->direction = 0;
        c->since_turn = 0;
        c->turns = 0;
        return;
    }
    const int32_t way = band - c->extreme;
    if (c->direction == 0 || way * c->direction > 0) { /* on its way, or no way yet */
        if (distance(way, 0) >= SWEEP || c->direction != 0) {
            c->direction = (way > 0) ? 1 : -1;
            c->extreme = band;
        }
    } else if (distance(way, 0) >= SWEEP) {
        turn(c, band);
    }
}

void hk_cadence_step(hk_cadence_t *c, const int16_t *log_mel) {
    c->speaks -= (c->speaks > 0) ? 1 : 0;
    const int32_t band = strongest_tone(log_mel);
    step_beat(c, band);
    step_sweep(c, band);
}

/* ---- votes ------------------------------------------------------------------------------------------------------- */

void hk_emergency_init(hk_emergency_t *e, const hk_emergency_rules_t *rules) {
    memset(e, 0, sizeof *e);
    e->rules = *rules;
}

static uint32_t count(uint32_t bits, uint32_t looks) {
    return (uint32_t)__builtin_popcount(bits & ((1U << looks) - 1U));
}

static void add_vote(hk_emergency_t *e, uint16_t probability, const uint16_t *kinds) {
    e->n_votes++;
    e->sum += probability;
    for (uint32_t k = 0U; k < HK_EMERGENCY_KINDS; k++) {
        e->kinds[k] += kinds[k];
    }
    e->kind = 0U;
    for (uint8_t k = 1U; k < HK_EMERGENCY_KINDS; k++) {
        if (e->kinds[k] > e->kinds[e->kind]) {
            e->kind = k;
        }
    }
    e->confidence = (uint16_t)(e->sum / e->n_votes);
}

static void calm_down(hk_emergency_t *e) {
    e->state = HK_EMERGENCY_NONE;
    e->n_votes = 0U;
    e->sum = 0U;
    e->evidence_looks = 0U;
    memset(e->kinds, 0, sizeof e->kinds);
}

bool hk_emergency_look(hk_emergency_t *e, uint16_t probability, const uint16_t *kinds, bool cadence) {
    const bool vote = probability >= e->rules.threshold;
    e->votes = (e->votes << 1) | (vote ? 1U : 0U);
    e->hints = (e->hints << 1) | ((probability >= e->rules.hint) ? 1U : 0U);
    if (vote) {
        add_vote(e, probability, kinds);
    }
    e->evidence_looks += (e->n_votes > 0U) ? 1U : 0U;
    const hk_emergency_state_t before = e->state;
    if (count(e->votes | e->hints, e->rules.release) == 0U) {
        calm_down(e);
    } else if (e->state != HK_EMERGENCY_CONFIRMED) {
        if (count(e->votes, e->rules.window) >= (cadence ? e->rules.cadence : e->rules.confirm)) {
            e->state = HK_EMERGENCY_CONFIRMED;
        } else if (probability >= e->rules.sure || count(e->hints, e->rules.suspect) == e->rules.suspect) {
            e->state = HK_EMERGENCY_SUSPECTED;
        }
    }
    return (before == HK_EMERGENCY_CONFIRMED) != (e->state == HK_EMERGENCY_CONFIRMED);
}
