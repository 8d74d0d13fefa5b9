/**
 * @file  hk_category.c
 * @brief Settings by noise category.
 */
#include "hk/hk_category.h"

static uint8_t acting = HK_CATEGORY_UNKNOWN;

hk_status_t hk_category_settings_apply(uint8_t category) {
    if (category >= HK_CATEGORY_COUNT && category != HK_CATEGORY_UNKNOWN) {
        return HK_ERR_RANGE;
    }
    acting = category;
    return HK_OK;
}

uint8_t hk_category_acting(void) {
    return acting;
}
