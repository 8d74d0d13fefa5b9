/**
 * @file  hk_telemetry_classifier.c
 * @brief Classification and emergencies as frames.
 */
#include "hk_telemetry_classifier.h"

#include "hk_config.h"    /* HK_CONFIG_CLASSIFIER */
#include "wire/hk_wire.h" /* hk_wire_* */

#if HK_CONFIG_CLASSIFIER

#include "hk/hk_app.h"        /* hk_app_statistics */
#include "hk/hk_classifier.h" /* hk_classifier_* */
#include "hk/hk_decision.h"   /* HK_DECISION_UNKNOWN */

_Static_assert(HK_WIRE_CATEGORY_UNKNOWN == HK_DECISION_CATEGORIES, "one list of categories");
_Static_assert(HK_WIRE_SUPERCLASS_UNKNOWN == HK_DECISION_SUPERCLASSES, "one list of superclasses");
_Static_assert(HK_WIRE_CLASSIFICATION_LEVEL_ABSENT == HK_CLASSIFIER_LEVEL_NONE, "levels pass through");
_Static_assert(HK_WIRE_EMERGENCY_KIND_COUNT == 1U + HK_EMERGENCY_KINDS, "one list of kinds");

bool hk_telemetry_classifies(void) {
    return true;
}

static uint8_t named(uint8_t value, uint8_t unknown) {
    return (value == HK_DECISION_UNKNOWN) ? unknown : value;
}

static int16_t sound_level(int16_t cdb) {
    return (cdb < HK_WIRE_CLASSIFICATION_LEVEL_MIN) ? HK_WIRE_CLASSIFICATION_LEVEL_ABSENT : cdb;
}

hk_status_t hk_telemetry_classification(uint16_t sequence, uint8_t *frame, size_t *n) {
    hk_classifier_status_t s;
    hk_classifier_status(&s);
    const bool is_alarm = s.emergency != HK_EMERGENCY_NONE;
    const hk_wire_classification_t found = {
        .category = named(s.category, HK_WIRE_CATEGORY_UNKNOWN),
        .superclass = named(s.superclass, HK_WIRE_SUPERCLASS_UNKNOWN),
        .confidence = s.confidence,
        .guess = named(s.guess, HK_WIRE_CATEGORY_UNKNOWN),
        .level = sound_level(s.level_cdb),
        .emergency = (uint8_t)(is_alarm ? 1U + s.emergency_kind : HK_WIRE_EMERGENCY_KIND_NONE),
        .emergency_state = (uint8_t)s.emergency,
        .emergency_confidence = s.emergency_probability,
        .windows = s.windows,
        .model = s.model,
        .shadow_model = s.shadow,
        .compared = s.compared,
        .disagreed = s.disagreed,
    };
    return hk_wire_encode_classification(&found, sequence, frame, HK_WIRE_MAX_FRAME, n);
}

void hk_telemetry_forget_emergencies(void) {
    hk_emergency_event_t event;
    while (hk_classifier_take_event(&event)) {
        /* each is one less */
    }
}

bool hk_telemetry_emergency(uint32_t now_ms, uint16_t sequence, uint8_t *frame, size_t *n, hk_status_t *status) {
    hk_emergency_event_t event;
    if (!hk_classifier_take_event(&event)) {
        return false;
    }
    hk_classifier_status_t s;
    hk_classifier_status(&s);
    hk_statistics_t statistics;
    hk_app_statistics(&statistics);
    const hk_wire_emergency_t message = {
        .kind = (uint8_t)(1U + event.kind),
        .state = event.begins ? HK_WIRE_EMERGENCY_STATE_CONFIRMED : HK_WIRE_EMERGENCY_STATE_NONE,
        .uptime_ms = now_ms,
        .evidence_ms = event.evidence_ms,
        .confidence = event.confidence,
        .cadence = event.cadence ? 1U : 0U,
        .level = sound_level(s.level_cdb),
        .mode = statistics.mode,
        .model = s.model,
    };
    *status = hk_wire_encode_emergency(&message, sequence, frame, HK_WIRE_MAX_FRAME, n);
    return true;
}

#else

bool hk_telemetry_classifies(void) {
    return false;
}

hk_status_t hk_telemetry_classification(uint16_t sequence, uint8_t *frame, size_t *n) {
    (void)sequence;
    (void)frame;
    *n = 0U;
    return HK_ERR_STATE;
}

void hk_telemetry_forget_emergencies(void) {}

bool hk_telemetry_emergency(uint32_t now_ms, uint16_t sequence, uint8_t *frame, size_t *n, hk_status_t *status) {
    (void)now_ms;
    (void)sequence;
    (void)frame;
    (void)n;
    (void)status;
    return false;
}

#endif
