/**
 * @file  hk_telemetry_classifier.h
 * @brief The classifier's telemetry: the message of each round, and emergencies.
 */
#ifndef HK_TELEMETRY_CLASSIFIER_H
#define HK_TELEMETRY_CLASSIFIER_H

#include "hk/hk_status.h" /* hk_status_t, HK_MUST_CHECK */
#include <stdbool.h>      /* bool */
#include <stddef.h>       /* size_t */
#include <stdint.h>       /* uint8_t, uint16_t, uint32_t */

/** Whether this headset has a classifier. */
bool hk_telemetry_classifies(void);

/** Encode `classification`. frame has room for HK_WIRE_MAX_FRAME. @return As the codec. */
HK_MUST_CHECK hk_status_t hk_telemetry_classification(uint16_t sequence, uint8_t *frame, size_t *n);

/** Drop emergencies that nobody was there to hear: a lease begins. */
void hk_telemetry_forget_emergencies(void);

/** Encode the oldest emergency that was not sent. @return Whether there was one; *status is the codec's. */
bool hk_telemetry_emergency(uint32_t now_ms, uint16_t sequence, uint8_t *frame, size_t *n, hk_status_t *status);

#endif /* HK_TELEMETRY_CLASSIFIER_H */
