/**
 * @file  hk_category.h
 * @brief Settings by noise category: what the headset does about the noise its classifier, or an operator, names.
 *
 * The spec's [categories] say per category what changes: mode, intensity, the controller's length, step, leak, memory
 * and ridge, and the prior a restart begins from. All of it acts without a click: gains ramp, controller settings act
 * from the start of a background job, weights move on from where they are.
 *
 * Context   Thread.
 */
#ifndef HK_CATEGORY_H
#define HK_CATEGORY_H

#include "hk/hk_status.h" /* hk_status_t, HK_MUST_CHECK */
#include <stdint.h>       /* uint8_t */

#define HK_CATEGORY_COUNT   57U  /* in the order of the classifier's outputs */
#define HK_CATEGORY_UNKNOWN 255U /* the spec's own settings */

/** Make a category's settings act. @return HK_OK; HK_ERR_RANGE: no such category; HK_ERR_ABI: the
 *  design's table is broken. Nothing changes on an error. */
HK_MUST_CHECK hk_status_t hk_category_settings_apply(uint8_t category);

/** The category last applied; HK_CATEGORY_UNKNOWN after start. */
uint8_t hk_category_acting(void);

#endif /* HK_CATEGORY_H */
