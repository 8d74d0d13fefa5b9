/**
 * @file  hk_category.c
 * @brief Settings by noise category.
 */
#include "hk/hk_category.h"

#include "hk/hk_app.h"    /* hk_app_set_category */
#include "hk/hk_design.h" /* hk_design */

_Static_assert(HK_CATEGORY_COUNT == HK_DESIGN_CATEGORIES, "one list of categories");

static uint8_t acting = HK_CATEGORY_UNKNOWN;

hk_status_t hk_category_settings_apply(uint8_t category) {
    if (category >= HK_CATEGORY_COUNT && category != HK_CATEGORY_UNKNOWN) {
        return HK_ERR_RANGE;
    }
    const uint8_t row = (category == HK_CATEGORY_UNKNOWN) ? 0U : hk_design.settings_of_category[category];
    if (row >= hk_design.n_settings) {
        return HK_ERR_ABI;
    }
    acting = category;
    hk_app_set_category(&hk_design.settings[row]);
    return HK_OK;
}

uint8_t hk_category_acting(void) {
    return acting;
}
