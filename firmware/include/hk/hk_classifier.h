/**
 * @file  hk_classifier.h
 * @brief The classifier's task: hears, classifies, decides, in bounded slices between the controller's.
 *
 * Every eight samples run one slice: part of a frame of the front end, else part of an inference.
 * Every look_frames frames a look begins, a look at the latest half second for emergencies; every hop_frames frames a
 * window over the latest 3 s for the category, and with a second network resident the same window through that one, for
 * comparison. What follows acts at once: the category's settings, and transparency while an emergency is suspected.
 * Results depend on the records alone, so that host and target decide alike.
 *
 * Numbers   Levels in 0.01 dB SPL; probabilities in per mille.
 * Context   Thread.
 */
#ifndef HK_CLASSIFIER_H
#define HK_CLASSIFIER_H

#include "hk/hk_emergency.h" /* hk_emergency_rules_t, hk_emergency_state_t */
#include "hk/hk_net_slot.h"  /* hk_net_slots_t */
#include "hk/hk_status.h"    /* hk_status_t */
#include <stdbool.h>         /* bool */
#include <stdint.h>          /* int8_t, int16_t, int32_t, uint8_t, uint16_t, uint32_t */

#define HK_CLASSIFIER_OUTPUTS    63U             /* categories, any emergency, kinds of emergency */
#define HK_CLASSIFIER_ARENA      (48UL * 1024UL) /* what a network may work in */
#define HK_CLASSIFIER_LEVEL_NONE INT16_MIN

/** A headset's classifier; generated. */
typedef struct {
    const uint32_t *network; /* signed file of the network linked in */
    uint32_t network_bytes;
    uint32_t slice_work;  /* of hk_net_step: an inference must end before the next of its kind */
    uint16_t hop_frames;  /* from window to window */
    uint16_t look_frames; /* from look to look */
    uint16_t enter;       /* smoothed probability a category needs, per mille */
    float step_factor;    /* 65536 / ln 2 over the model's temperature */
    hk_emergency_rules_t rules;
} hk_classifier_design_t;

extern const hk_classifier_design_t hk_classifier_design;

/** What it found; counters since start. */
typedef struct {
    uint8_t category; /* in force, 255 for none */
    uint8_t guess;    /* the likeliest */
    uint8_t superclass;
    uint16_t confidence; /* of the guess */
    int16_t level_cdb;   /* over the last hop; HK_CLASSIFIER_LEVEL_NONE in digital silence */
    hk_emergency_state_t emergency;
    uint8_t emergency_kind;
    uint16_t emergency_probability; /* in the last look */
    uint32_t windows;
    uint32_t looks;
    uint32_t late;      /* windows and looks left out because others were under way */
    uint32_t model;     /* of the network that decides; 0: none */
    uint32_t shadow;    /* of the one beside it; 0: none */
    uint32_t compared;  /* windows that both have judged */
    uint32_t disagreed; /* in which they found different categories */
    hk_status_t start;  /* why no network could be loaded at start; HK_OK: one was */
} hk_classifier_status_t;

/** An emergency that was confirmed, or is over. */
typedef struct {
    bool begins;
    uint8_t kind;
    bool cadence;         /* a rhythm spoke for it */
    uint16_t confidence;  /* mean probability of the looks that voted */
    uint32_t evidence_ms; /* since the first of them */
} hk_emergency_event_t;

/** Clear everything and load the newest network. Where none can be loaded nothing is classified until one is uploaded;
 *  hk_classifier_status_t tells why. */
void hk_classifier_init(void);

/** Take samples of the first ear's reference, run one slice. Nothing without a classifier. */
void hk_classifier_slice(const int32_t *reference, uint32_t n);

void hk_classifier_status(hk_classifier_status_t *status);

/** The oldest emergency event not taken yet. @return Whether there was one. */
bool hk_classifier_take_event(hk_emergency_event_t *event);

/** Rows of the features of the window last classified; row 0 holds that window for the rows that follow.
 *  @return Rows written, at most n; their window's number in *window. */
uint32_t hk_classifier_features(uint32_t row, uint32_t n, int8_t *features, uint32_t *window);

/** The networks: resident ones, and uploads. An accepted upload that waits runs from now on, unless an inference is
 *  under way: then from its end on. */
hk_net_slots_t *hk_classifier_networks(void);

#endif /* HK_CLASSIFIER_H */
