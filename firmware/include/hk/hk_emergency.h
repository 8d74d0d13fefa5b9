/**
 * @file  hk_emergency.h
 * @brief From looks at the sound to an emergency: votes, and the rhythm of standard signals.
 *
 * A look is one inference over the latest half second. Two looks in a row that hint at it, or one that is sure, make an
 * emergency suspected, which only makes way for outside sound and is taken back silently. Enough votes over the last
 * two seconds make it confirmed, which is an event; fewer are enough where the rhythm of a standard signal speaks for
 * it: ISO 8201's temporal three and four, or a tone that sweeps up and down as wail, yelp and hi-lo do.
 *
 * Numbers   Probabilities in per mille, logarithms of power in 1/256 octave.
 * Context   Background. No allocation, cannot fail.
 * Twin      models/hushkit_models/classifier/emergency.py, equal bit for bit
 */
#ifndef HK_EMERGENCY_H
#define HK_EMERGENCY_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int16_t, int32_t, uint8_t, uint16_t, uint32_t */

#define HK_EMERGENCY_KINDS       5U  /* siren, alarm, horn, glass, gunshot */
#define HK_EMERGENCY_LOOK_FRAMES 16U /* a look hears: 0.51 s */

typedef enum { HK_EMERGENCY_NONE = 0, HK_EMERGENCY_SUSPECTED = 1, HK_EMERGENCY_CONFIRMED = 2 } hk_emergency_state_t;

/** When looks become an emergency. Votes are counted over at most 31 looks. */
typedef struct {
    uint16_t threshold; /* probability from which a look votes */
    uint16_t hint;      /* lower probability that is enough to suspect it */
    uint16_t sure;      /* or one look is so sure */
    uint8_t suspect;    /* so many looks in a row must hint at it */
    uint8_t window;     /* looks whose votes may confirm */
    uint8_t confirm;    /* votes of those */
    uint8_t cadence;    /* votes of those where a rhythm speaks for it */
    uint8_t release;    /* looks without a vote or hint after which it is over */
} hk_emergency_rules_t;

/** Rhythm of the strongest tone. */
typedef struct {
    int32_t band; /* of the tone now, -1 without */
    int32_t run;  /* frames it has lasted */
    int32_t gap;  /* frames since the last one ended */
    int32_t last_band;
    int32_t last_run;
    int32_t beats;
    int32_t beat_kind; /* 3 or 4: temporal three or four; 0: neither */
    int32_t followed;  /* band of the tone that sweeps */
    int32_t lost;      /* frames since it was heard */
    int32_t extreme;   /* band where it last turned */
    int32_t direction;
    int32_t since_turn;
    int32_t turns;
    int32_t speaks; /* frames a rhythm goes on speaking */
} hk_cadence_t;

typedef struct {
    hk_emergency_rules_t rules;
    hk_emergency_state_t state;
    uint8_t kind;            /* index of what the votes were for */
    uint16_t confidence;     /* mean probability of the votes */
    uint32_t evidence_looks; /* since the first vote */
    uint32_t votes;          /* one bit a look, the latest lowest */
    uint32_t hints;          /* the same of hints */
    uint32_t n_votes;
    uint32_t sum;
    uint32_t kinds[HK_EMERGENCY_KINDS];
} hk_emergency_t;

void hk_cadence_init(hk_cadence_t *c);

/** Take one frame of HK_FRONTEND_MELS logarithms. */
void hk_cadence_step(hk_cadence_t *c, const int16_t *log_mel);

/** Whether the rhythm of a standard signal has been heard lately. */
static inline bool hk_cadence_speaks(const hk_cadence_t *c) {
    return c->speaks > 0;
}

void hk_emergency_init(hk_emergency_t *e, const hk_emergency_rules_t *rules);

/**
 * Take one look.
 * @param probability of any emergency
 * @param kinds       of each kind, HK_EMERGENCY_KINDS
 * @param cadence     whether a rhythm speaks for it
 * @return Whether the state changed to or from confirmed.
 */
bool hk_emergency_look(hk_emergency_t *e, uint16_t probability, const uint16_t *kinds, bool cadence);

#endif /* HK_EMERGENCY_H */
